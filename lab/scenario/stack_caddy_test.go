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

var stackCaddy = &stack{
	name: "Caddy", needs: []string{"caddy"},
	version: func(t *testing.T) string { return "Caddy " + firstWords(t, 1, "caddy", "version") },
	client:  "reverse_proxy https://HOST with transport http tls_trusted_ca_certs CA, tls_client_auth CERT KEY",
	server:  "tls CERT KEY with client_auth mode require_and_verify, trusted_ca_cert_file CA; option debug, without which it logs nothing of it",
	lines:   `.*("http\.stdlib"|"level":"error").*`,
	proxy:   true,
	without: []string{"client-too-old", "server-too-old"}, // it takes no version as a client, and none before TLS 1.2
	call: func(t *testing.T, e *end) (int, string) {
		port, own := peertest.FreePort(t), ""
		if e.cert != "" {
			own = "tls_client_auth " + e.cert + " " + e.key
		}
		p := startCaddy(t, port, fmt.Sprintf("http://127.0.0.1:%s {\n\treverse_proxy https://127.0.0.1:%s {\n\t\ttransport http {\n\t\t\ttls_server_name %s\n\t\t\ttls_trusted_ca_certs %s\n\t\t\t%s\n\t\t}\n\t}\n}\n", port, e.port, e.host, e.trust, own))
		return askProxy(t, p, port, regexp.MustCompile(`"level":"error"`))
	},
	serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		port := peertest.FreePort(t)
		p := startCaddy(t, port, fmt.Sprintf("https://localhost:%s {\n\tbind 127.0.0.1\n\ttls %s %s {\n\t\tprotocols tls%s tls%[4]s\n\t\tclient_auth {\n\t\t\tmode require_and_verify\n\t\t\ttrusted_ca_cert_file %[5]s\n\t\t}\n\t}\n\trespond hello\n}\n", port, e.cert, e.key, e.version, e.trust))
		return "127.0.0.1:" + port, untilLine(p)
	},
}

// startCaddy starts it with a site, and returns when it listens.
func startCaddy(t *testing.T, port, site string) *peertest.Program {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, []byte("{\n\tadmin off\n\tauto_https off\n\tdebug\n}\n"+site), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("caddy", "run", "--config", config)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	return listening(t, cmd, port)
}
