package probe

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// With a good pair alone the cases are tried that need no CA, also the one with
// a CA of the same name.
func TestOwnPairAlone(t *testing.T) {
	p := newPKI(t)
	o := p.options(p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}, nil))
	o.ClientCA, o.ServerCA, o.Revoked = nil, nil, nil
	r := probed(t, o)
	want(t, r, "", "")
	if got := strings.Join(r.having(Right), " "); got != "client-key-mismatch host-bypass look-alike-ca mtls no-client-cert other-host self-signed-client server-does-not-ask session-of-another-host untrusted-client-forced" {
		t.Error(got)
	}
	if r.Count(Left) < 12 {
		t.Errorf("%d are listed as not tried", r.Count(Left))
	}
}

// The CA that is given is itself below a root, which the server trusts.
func TestCABelowARoot(t *testing.T) {
	p := newPKI(t)
	o := p.options(p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}, nil))
	ca := p.pair("client-sub-ca")
	o.ClientCA, o.Good, o.Revoked = &ca, p.pair("sub-client"), nil
	want(t, probed(t, o), "", goLets)
}

// An application that wants a login of everybody, or forbids all of the page,
// does not show whom TLS has let in, unless nobody comes that far without a
// certificate.
func TestForbiddenPages(t *testing.T) {
	p := newPKI(t)
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			required := probed(t, p.options(p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}, handler)))
			want(t, required, "revoked-client", goLets)
			optional := probed(t, p.options(p.goServer(t, &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: p.pool("client-ca")}, handler)))
			if optional.Exit() != ExitUnknown || !strings.Contains(optional.Error, "it cannot be told whether it lets in") {
				t.Errorf("exit status %d, %s", optional.Exit(), optional.Error)
			}
		})
	}
}

// The server is called by an address of IPv6, and asks in one version of TLS
// alone.
func TestIPv6(t *testing.T) {
	p := newPKI(t)
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6")
	}
	asks := &tls.Config{Certificates: []tls.Certificate{p.pair("server")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go server.Serve(tls.NewListener(l, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.Contains(h.SupportedVersions, tls.VersionTLS13) {
			return asks, nil
		}
		return &tls.Config{Certificates: asks.Certificates}, nil
	}}))
	t.Cleanup(func() { server.Close() })
	o := p.options("0")
	o.Target = Target{URL: &url.URL{Scheme: "https", Host: l.Addr().String(), Path: "/"}, ServerName: "localhost"}
	r := probed(t, o)
	want(t, r, "no-client-cert revoked-client server-does-not-ask", goLets)
	for _, f := range r.Findings {
		if f.Judgement == Wrong && f.Case == askCase && f.TLS != "TLS 1.2" {
			t.Errorf("%+v", f)
		}
	}
}
