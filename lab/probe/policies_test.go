package probe

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// nginxLocation starts nginx with a certificate that is optional in TLS, and
// wanted below /private.
func (p *pki) nginxLocation(t testing.TB, verify, condition string) string {
	t.Helper()
	peertest.Need(t, "nginx")
	port := peertest.FreePort(t)
	return startNginx(t, t.TempDir(), port, fmt.Sprintf("server { listen 127.0.0.1:%s ssl; ssl_protocols TLSv1.2 TLSv1.3; server_name localhost; ssl_certificate %s; ssl_certificate_key %s; ssl_verify_client %s; ssl_client_certificate %s; ssl_crl %s; ssl_verify_depth 2; location / { return 200 'all'; } location /private { if (%s) { return 403; } return 200 'private'; } }",
		port, p.file("server.pem"), p.file("server-key.pem"), verify, p.file("client-ca.pem"), p.file("client-ca-crl.pem"), condition))
}

// The application asks for the certificate of a connection, in HTTP.
func TestPolicies(t *testing.T) {
	p := newPKI(t)
	goHandler := func(auth tls.ClientAuthType, ok func(*http.Request) bool) func(*testing.T) string {
		return func(t *testing.T) string {
			return p.goServer(t, &tls.Config{ClientAuth: auth, ClientCAs: p.pool("client-ca")}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !ok(r) {
					w.WriteHeader(http.StatusForbidden)
				}
			}))
		}
	}
	for name, c := range map[string]struct {
		port          func(t *testing.T) string
		path          string
		wrong, warned string
	}{
		"nginx, a path that wants one": {func(t *testing.T) string { return p.nginxLocation(t, "optional", "$ssl_client_verify != SUCCESS") }, "/private", "", crlWarned},
		"nginx, a path for everybody":  {func(t *testing.T) string { return p.nginxLocation(t, "optional", "$ssl_client_verify != SUCCESS") }, "/", noneCase, crlWarned},
		"nginx, whoever shows one":     {func(t *testing.T) string { return p.nginxLocation(t, "optional_no_ca", "$ssl_client_s_dn = ''") }, "/private", without(noCA, noneCase, "revoked-client", "self-signed-client"), crlWarned},
		"nginx, one name":              {func(t *testing.T) string { return p.nginxLocation(t, "on", `$ssl_client_s_dn != "CN=client"`) }, "/private", "", "client-of-intermediate probe-certificate"},
		"Go, verified in the handler":  {goHandler(tls.VerifyClientCertIfGiven, func(r *http.Request) bool { return len(r.TLS.VerifiedChains) > 0 }), "/", "revoked-client", goLets},
		"Go, looked at in the handler": {goHandler(tls.RequestClientCert, func(r *http.Request) bool { return len(r.TLS.PeerCertificates) > 0 }), "/", anyChain, goLets},
		"Go, a name in the handler": {goHandler(tls.RequestClientCert, func(r *http.Request) bool {
			return len(r.TLS.PeerCertificates) > 0 && r.TLS.PeerCertificates[0].Subject.CommonName == "client"
		}), "/", without(anyChain, "revoked-client", "ca-as-client"), "weak-client-key"},
	} {
		t.Run(name, func(t *testing.T) {
			o := p.options(c.port(t))
			o.Target.URL.Path = c.path
			r := probed(t, o)
			want(t, r, c.wrong, c.warned)
		})
	}
}

// A certificate that is asked for after the handshake, for one path, cannot be
// shown: nothing is said of such a server.
func TestAskedLater(t *testing.T) {
	p := newPKI(t)
	if !peertest.Full() {
		t.Skip("LAB_FULL=1 starts Apache")
	}
	for _, version := range []string{"TLSv1.2", "TLSv1.3"} {
		t.Run(version, func(t *testing.T) {
			o := p.options(p.apache(t, "SSLProtocol -all +"+version+"\n<Location /private>\nSSLVerifyClient require\nSSLVerifyDepth 2\n</Location>"))
			o.Target.URL.Path = "/private"
			r := probed(t, o)
			if r.Exit() != ExitUnknown || !strings.Contains(r.Error, "It asks for none in the handshake") || !strings.Contains(r.Hint, "post-handshake-auth") || len(r.Findings) > 0 {
				t.Errorf("exit status %d, %q, hint %q", r.Exit(), r.Error, r.Hint)
			}
		})
	}
}

// The second virtual host of Apache and of HAProxy wants no certificate.
// HAProxy compares no names, and takes the one's sessions for the other.
func TestSecondHost(t *testing.T) {
	if !peertest.Full() {
		t.Skip("LAB_FULL=1 starts Apache and HAProxy")
	}
	p := newPKI(t)
	for name, c := range map[string]struct {
		start func(t *testing.T) string
		wrong string
	}{
		"Apache": {func(t *testing.T) string {
			return p.apache(t, fmt.Sprintf("SSLVerifyClient require\nSSLVerifyDepth 2\nRedirect gone /\n</VirtualHost>\n<VirtualHost 127.0.0.1:PORT>\nServerName other.test\nSSLEngine on\nSSLCertificateFile %s\nSSLCertificateKeyFile %s", p.file("public.pem"), p.file("public-key.pem")))
		}, "other-host"},
		"HAProxy": {func(t *testing.T) string {
			list := write(t, filepath.Join(t.TempDir(), "list"), p.join("public.pem", "public-key.pem")+" [verify none] other.test\n")
			return p.haproxy(t, "verify required ca-file "+p.file("client-ca.pem")+" crt-list "+list)
		}, "host-bypass other-host session-of-another-host"},
	} {
		t.Run(name, func(t *testing.T) {
			o := p.options(c.start(t))
			o.Only, o.Hosts = []string{"other-host", "host-bypass", "session-of-another-host"}, []string{"other.test"}
			want(t, probed(t, o), c.wrong, "")
		})
	}
}
