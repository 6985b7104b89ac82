package probe

import (
	"bufio"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"mtlslab.example/lab/lab/peertest"
)

// A session that outlives its certificate is a remark in nginx, which looks at
// a certificate once; without tickets, and in Go, the certificate is refused.
func TestExpiryInSession(t *testing.T) {
	p := newPKI(t)
	ca := p.file("client-ca.pem")
	for name, c := range map[string]struct {
		port   func() string
		warned string
	}{
		"nginx": {func() string { return p.nginx(t, "ssl_verify_client on; ssl_client_certificate "+ca+";") }, "resumed-after-expiry"},
		"nginx without tickets": {func() string {
			return p.nginx(t, "ssl_session_tickets off; ssl_verify_client on; ssl_client_certificate "+ca+";")
		}, ""},
		"Go": {func() string {
			return p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}, nil)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := p.options(c.port())
			o.Only, o.Skip = []string{"resumed-after-expiry"}, []string{}
			r := probed(t, o)
			want(t, r, "", c.warned)
			if c.warned == "" && r.Count(Right) != 2 {
				t.Errorf("%d are right", r.Count(Right))
			}
		})
	}
}

// A certificate is revoked between two connections of its session.
func TestRevocationInSession(t *testing.T) {
	p := newPKI(t)
	for name, c := range map[string]struct {
		again bool // the server looks at the certificate of a session again
		wrong string
	}{
		"once":  {false, "resumed-after-revocation"},
		"again": {true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var revoked atomic.Bool
			check := func(chains [][]*x509.Certificate) error {
				if gone := p.pair("revoked"); revoked.Load() && len(chains) > 0 && chains[0][0].Equal(gone.Leaf) {
					return errors.New("revoked")
				}
				return nil
			}
			config := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
			if c.again {
				config.VerifyConnection = func(s tls.ConnectionState) error { return check(s.VerifiedChains) }
			} else {
				config.VerifyPeerCertificate = func(_ [][]byte, chains [][]*x509.Certificate) error { return check(chains) }
			}
			o := p.options(p.goServer(t, config, nil))
			o.Revoke = func(context.Context) error { revoked.Store(true); return nil }
			o.Only = []string{"resumed-after-revocation", "revoked-client"}
			r := probed(t, o)
			want(t, r, c.wrong, "")
			if r.Count(Left) > 0 {
				t.Error("not tried")
			}
			if first := r.Findings[0].Case; first != "revoked-client" { // as cases has it, whatever was tried first
				t.Errorf("the first finding is of %s", first)
			}
		})
	}
}

// Python's server, which is OpenSSL's, looks at the CRL in full handshakes
// alone.
func TestRevocationInPython(t *testing.T) {
	p := newPKI(t)
	for mode, wrong := range map[string]string{"required": "resumed-after-revocation", "ticketless": ""} {
		t.Run(mode, func(t *testing.T) {
			crl := filepath.Join(t.TempDir(), "crl.pem")
			o := p.options(p.python(t, mode, p.file("client-ca.pem"), crl))
			o.Revoke = func(context.Context) error { return os.Link(p.file("client-ca-crl.pem"), crl) }
			o.Only = []string{"resumed-after-revocation", "revoked-client"}
			want(t, probed(t, o), wrong, "")
		})
	}
}

// Another host of the server wants no certificate, and leads to the one that
// does where nobody compares the names.
func TestHosts(t *testing.T) {
	p := newPKI(t)
	peertest.Need(t, "nginx")
	two := func(t *testing.T) string {
		port := peertest.FreePort(t)
		server := "server { listen 127.0.0.1:%s ssl; server_name %s; ssl_certificate %s; ssl_certificate_key %s; %s location / { return 200 '%[2]s'; } }\n"
		own := fmt.Sprintf(server, port, "localhost", p.file("server.pem"), p.file("server-key.pem"), "ssl_verify_client on; ssl_client_certificate "+p.file("client-ca.pem")+";")
		other := fmt.Sprintf(server, port, "other.test", p.file("public.pem"), p.file("public-key.pem"), "")
		return startNginx(t, t.TempDir(), port, own+other)
	}
	mixed := &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		c := &tls.Config{Certificates: []tls.Certificate{p.pair("server")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
		if h.ServerName == "other.test" {
			c = &tls.Config{Certificates: []tls.Certificate{p.pair("public")}}
		}
		return c, nil
	}}
	only := []string{"other-host", "host-bypass", "misdirected-request"}
	for name, c := range map[string]struct {
		port          func(t *testing.T) string
		hosts         []string
		wrong, warned string
	}{
		"nginx compares the names": {two, []string{"other.test"}, "other-host", "misdirected-request"}, // which wants no certificate itself
		"nobody compares":          {func(t *testing.T) string { return p.goServer(t, mixed.Clone(), nil) }, []string{"other.test"}, "host-bypass other-host", ""},
		"server_name alone decides": {func(t *testing.T) string {
			return p.goServer(t, mixed.Clone(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.TLS.ServerName) }))
		}, []string{"Other.test"}, "other-host", ""},
		"without server_name": {func(t *testing.T) string {
			return p.goServer(t, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				c := &tls.Config{Certificates: []tls.Certificate{p.pair("server")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
				if h.ServerName == "" {
					c.ClientAuth = tls.NoClientCert
				}
				return c, nil
			}}, nil)
		}, nil, "host-bypass", ""},
		"one host": {func(t *testing.T) string {
			return p.nginx(t, "ssl_verify_client on; ssl_client_certificate "+p.file("client-ca.pem")+";")
		}, nil, "", ""},
		"compared by a handler": {func(t *testing.T) string {
			return p.goServer(t, mixed.Clone(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if host, _, _ := strings.Cut(r.Host, ":"); host != r.TLS.ServerName {
					w.WriteHeader(http.StatusMisdirectedRequest)
				}
			}))
		}, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := p.options(c.port(t))
			o.Only, o.Hosts = only, c.hosts
			want(t, probed(t, o), c.wrong, c.warned)
		})
	}
}

// What was not seen of another host is no proof that it is closed.
func TestHostUnseen(t *testing.T) {
	p := newPKI(t)
	config := &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		c := &tls.Config{Certificates: []tls.Certificate{p.pair("server")}, ClientCAs: p.pool("client-ca")}
		if h.ServerName != "other.test" {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		}
		return c, nil
	}}
	o := p.options(p.goServer(t, config, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS.ServerName == "other.test" || strings.HasPrefix(r.Host, "other.test") {
			w.WriteHeader(http.StatusBadGateway)
		}
	})))
	o.Only, o.Hosts = []string{"other-host", "host-bypass", "misdirected-request"}, []string{"other.test"}
	r := probed(t, o)
	if got := strings.Join(r.having(Unknown), " "); got != "host-bypass misdirected-request other-host" || r.Exit() != ExitUnknown {
		t.Errorf("unknown: %s, exit status %d", got, r.Exit())
	}
	for _, f := range r.Findings {
		if f.Reason != "nothing was seen of other.test that shows it" {
			t.Errorf("%s: %s", f.Case, f.Reason)
		}
	}
}

// --revoke runs before whatever wants the certificate revoked, in any choice of
// cases, and its failure ends the probe.
func TestRevokeAlone(t *testing.T) {
	p := newPKI(t)
	var revoked atomic.Bool
	config := &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
	config.VerifyConnection = func(s tls.ConnectionState) error {
		if gone := p.pair("revoked"); revoked.Load() && len(s.PeerCertificates) > 0 && s.PeerCertificates[0].Equal(gone.Leaf) {
			return errors.New("revoked")
		}
		return nil
	}
	o := p.options(p.goServer(t, config, nil))
	o.Only = []string{"revoked-client"}
	o.Revoke = func(context.Context) error { revoked.Store(true); return nil }
	if r := probed(t, o); r.Exit() != ExitRight || r.Count(Right) != 2 {
		t.Errorf("exit status %d, %+v", r.Exit(), r.Findings)
	}
	o.Revoke = func(context.Context) error { return errors.New("exit status 1") }
	if r := probed(t, o); r.Exit() != ExitUnknown || !strings.Contains(r.Error, "could not be revoked: exit status 1") {
		t.Errorf("exit status %d, %q", r.Exit(), r.Error)
	}
}

// A server that never asks for a certificate is no success of a case that could
// not be tried, and one that shows nothing is not said to ask for none.
func TestNothingTried(t *testing.T) {
	p := newPKI(t)
	o := p.options(p.goServer(t, &tls.Config{}, nil))
	o.Only = []string{"expired-client"}
	if r := probed(t, o); r.Exit() != ExitUnknown || r.Error != "the server asks for no certificate, so that nothing could be tried" {
		t.Errorf("exit status %d, %q", r.Exit(), r.Error)
	}
	o = p.options(p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}, nil))
	other := p.pair("other-ca")
	o.ClientCA, o.Only = &other, []string{"expired-client"}
	if r := probed(t, o); r.Exit() != ExitUnknown || !strings.HasPrefix(r.Error, "a good certificate of --client-ca is not let in") || r.Count(Warning) != 1 {
		t.Errorf("exit status %d, %q, %d warnings", r.Exit(), r.Error, r.Count(Warning))
	}
}

// Of a certificate of the probe's own that brings a 503, nothing is known.
func TestMintedUnclear(t *testing.T) {
	p := newPKI(t)
	o := p.options(p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(r.TLS.PeerCertificates[0].Subject.OrganizationalUnit, "lab probe") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})))
	o.Only = []string{mintedCase, "expired-client"}
	r := probed(t, o)
	if r.Exit() != ExitUnknown || r.Count(Unknown) != 1 || r.Count(Left) != 1 {
		t.Errorf("exit status %d, %d unknown, %d not tried", r.Exit(), r.Count(Unknown), r.Count(Left))
	}
}

// A connection that shows nothing does not say that no certificate is asked
// for.
func TestAskUnseen(t *testing.T) {
	p := newPKI(t)
	config := &tls.Config{Certificates: []tls.Certificate{p.pair("server")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
	var connections atomic.Int64
	o := p.options(listen(t, func(raw net.Conn) {
		defer raw.Close()
		if connections.Add(1) == 3 { // behind the good certificate, of any version and of this
			return
		}
		c := tls.Server(raw, config)
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.CloseWrite()
		}
	}))
	o.Versions, o.Only = []uint16{tls.VersionTLS12}, []string{"expired-client"}
	if r := probed(t, o); r.Exit() != ExitUnknown || !strings.HasPrefix(r.Error, "it cannot be told whether the server asks for a certificate") {
		t.Errorf("exit status %d, %q", r.Exit(), r.Error)
	}
}

// A stapled response counts between its dates.
func TestStapled(t *testing.T) {
	p := newPKI(t)
	ca, leaf, now := p.pair("server-ca"), p.pair("server"), time.Now()
	response, err := ocsp.CreateResponse(ca.Leaf, ca.Leaf, ocsp.Response{Status: ocsp.Good, SerialNumber: leaf.Leaf.SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}, ca.PrivateKey.(crypto.Signer))
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]string{0: "good", 2 * time.Hour: "good, but only until ", -2 * time.Hour: "good, but only from "} {
		got := stapled(response, []*x509.Certificate{leaf.Leaf, ca.Leaf}, now.Add(after))
		if !strings.HasPrefix(got, want) || after == 0 && got != want {
			t.Errorf("after %v: %s", after, got)
		}
	}
}

// OpenSSL, Python and Java take a CA below the root for a root where they are
// told so.
func TestPartialChain(t *testing.T) {
	p := newPKI(t)
	ca := p.file("client-sub-ca.pem")
	servers := map[string]func() string{
		"OpenSSL": func() string {
			return p.openssl(t, "-Verify", "9", "-verify_return_error", "-partial_chain", "-CAfile", ca)
		},
		"Python": func() string { return p.python(t, "partial", ca) },
	}
	if peertest.Full() {
		servers["Java"] = func() string { return p.java(t, "need", "client-sub-ca") }
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			o := p.options(start())
			o.Good, o.Only = p.pair("sub-client"), []string{"intermediate-as-root", mintedCase}
			want(t, probed(t, o), "intermediate-as-root", mintedCase)
		})
	}
}

// The good certificate has a CA between it and the root.
func TestIntermediateAsRoot(t *testing.T) {
	p := newPKI(t)
	for name, c := range map[string]struct {
		trusted       []string
		wrong, warned string
	}{
		"the root":              {[]string{"client-ca"}, "", ""},
		"both":                  {[]string{"client-ca", "client-sub-ca"}, "", "intermediate-as-root"},
		"the CA between, alone": {[]string{"client-sub-ca"}, "intermediate-as-root", "probe-certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			o := p.options(p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool(c.trusted...)}, nil))
			o.Good, o.Only = p.pair("sub-client"), []string{"intermediate-as-root", mintedCase, goodCase}
			want(t, probed(t, o), c.wrong, c.warned)
		})
	}
}
