package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var stackNginx = &stack{
	name: "nginx", needs: []string{"nginx"},
	version: func(t *testing.T) string { return firstWords(t, 3, "nginx", "-v")[len("nginx version: "):] },
	client:  "proxy_pass https://HOST with proxy_ssl_verify on, proxy_ssl_trusted_certificate CA, proxy_ssl_certificate CERT",
	server:  "ssl_verify_client on, ssl_client_certificate CA, ssl_certificate CERT; error_log at level info",
	lines:   `\[(error|crit)\] .*|\[info\] .*SSL.*`,
	proxy:   true,
	crl:     true,
	without: []string{"weak-client-key/client"}, // it does not load the key
	call: func(t *testing.T, e *end) (int, string) {
		port := peertest.FreePort(t)
		directives := fmt.Sprintf("listen 127.0.0.1:%s; location / { proxy_pass https://127.0.0.1:%s; proxy_ssl_name %s; proxy_ssl_server_name on; proxy_ssl_verify on; proxy_ssl_verify_depth 4; proxy_ssl_protocols %s; proxy_ssl_trusted_certificate %s;", port, e.port, e.host, e.nginxVersion("proxy_ssl_ciphers"), e.trust)
		if e.cert != "" {
			directives += fmt.Sprintf("proxy_ssl_certificate %s; proxy_ssl_certificate_key %s;", e.cert, e.key)
		}
		if e.crl {
			directives += "proxy_ssl_crl " + e.trust + ";"
		}
		return askProxy(t, startNginx(t, directives+"}"), port, regexp.MustCompile(`\[(error|crit)\] `))
	},
	serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		port := peertest.FreePort(t)
		directives := fmt.Sprintf("listen 127.0.0.1:%s ssl; ssl_protocols %s; ssl_verify_client on; ssl_verify_depth 4; ssl_client_certificate %s; ssl_certificate %s; ssl_certificate_key %s;", port, e.nginxVersion("ssl_ciphers"), e.trust, e.cert, e.key)
		if e.crl {
			directives += "ssl_crl " + e.trust + ";"
		}
		return "127.0.0.1:" + port, untilLine(startNginx(t, directives+"location / { return 200; }"))
	},
}

// nginxVersion returns the version, and behind it the directive that old ones
// need.
func (e *end) nginxVersion(ciphers string) string {
	if e.version == "1.1" {
		return "TLSv1.1; " + ciphers + " DEFAULT@SECLEVEL=0"
	}
	return "TLSv" + e.version
}

// startNginx starts nginx with a server, and returns when it listens.
func startNginx(t *testing.T, directives string) *peertest.Program {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log stderr info; \nevents {}\nhttp { access_log off; client_body_temp_path %[1]s/1; proxy_temp_path %[1]s/2; fastcgi_temp_path %[1]s/3; uwsgi_temp_path %[1]s/4; scgi_temp_path %[1]s/5;\nserver { %[2]s }\n}\n", dir, directives)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := peertest.Start(t, exec.Command("nginx", "-p", dir, "-e", "stderr", "-c", config))
	p.Await(t, `using the "\w+" event method`) // behind listen
	return p
}
