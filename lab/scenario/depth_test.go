package scenario

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// By default nginx takes one CA between the leaf and the root, of a client and
// of an upstream. It reports a longer chain in the words for a missing link.
func TestDepthOfNginx(t *testing.T) {
	peertest.Need(t, "nginx")
	s, err := Find("long-chain")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Manifest: baseManifest(t), Dir: t.TempDir()}
	if err := s.Prepare(t.Context(), o.Manifest, o.certs()); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return file(s, o, name) }
	refusal := regexp.MustCompile(`SSL certificate verify error: \(20:unable to get local issuer certificate\)`)
	for _, test := range []struct {
		own, proxied     string // directives
		server, upstream int    // the status of each
	}{
		{"", "", http.StatusBadRequest, http.StatusBadGateway},
		{"ssl_verify_depth 2;", "proxy_ssl_verify_depth 2;", http.StatusOK, http.StatusOK},
	} {
		port := peertest.FreePort(t)
		serves := startNginx(t, fmt.Sprintf("listen 127.0.0.1:%s ssl; ssl_verify_client on; ssl_client_certificate %s; ssl_certificate %s; ssl_certificate_key %s; %s location / { return 200; }",
			port, in("client-ca.pem"), in("server.pem"), in("server-key.pem"), test.own))
		x := labCalls(t, o, s, tls.VersionTLS12, "127.0.0.1:"+port)
		if x.HTTP == nil || x.HTTP.Status != test.server {
			t.Errorf("%q: %+v", test.own, x.HTTP)
		}
		if test.server != http.StatusOK && !refusal.MatchString(untilLine(serves)(refusal)) {
			t.Errorf("%q: %s", test.own, &serves.Output)
		}
		labServes(t, o, s, tls.VersionTLS12, func(lab string) {
			front := peertest.FreePort(t)
			p := startNginx(t, fmt.Sprintf("listen 127.0.0.1:%s; location / { proxy_pass https://127.0.0.1:%s; proxy_ssl_name localhost; proxy_ssl_verify on; proxy_ssl_trusted_certificate %s; proxy_ssl_certificate %s; proxy_ssl_certificate_key %s; %s }",
				front, lab, in("server-ca.pem"), in("client.pem"), in("client-key.pem"), test.proxied))
			if status, said := askProxy(t, p, front, refusal); status != test.upstream || status != http.StatusOK && !refusal.MatchString(said) {
				t.Errorf("%q: %d %s", test.proxied, status, said)
			}
		})
	}
}
