package probe

import (
	"crypto/tls"
	"fmt"
	"net/http"
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
	if got := strings.Join(r.having(Right), " "); got != "client-key-mismatch host-bypass look-alike-ca mtls no-client-cert other-host self-signed-client server-does-not-ask untrusted-client-forced" {
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
