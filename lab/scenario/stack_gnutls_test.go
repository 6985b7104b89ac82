package scenario

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var stackGnuTLS = &stack{
	name: "GnuTLS", needs: []string{"gnutls-cli", "gnutls-serv"},
	version: func(t *testing.T) string { return firstWords(t, 2, "gnutls-cli", "--version") },
	client:  "gnutls-cli --x509cafile CA --x509certfile CERT --x509keyfile KEY --verify-hostname HOST",
	server:  "gnutls-serv --require-client-cert --verify-client-cert --x509cafile CA --x509certfile CERT --x509keyfile KEY",
	crl:     true,
	lines:   `^(\*\*\* (Fatal error|Received alert).*|- Status: The certificate is NOT .*|Error in handshake.*|Error: .*)`,
	call: func(t *testing.T, e *end) (int, string) {
		args := []string{"--port", e.port, "--sni-hostname", e.host, "--verify-hostname", e.host, "127.0.0.1"}
		return output(t, "GET / HTTP/1.0\r\n\r\n", "gnutls-cli", append(args, e.gnutlsFlags()...)...)
	},
	serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		port := peertest.FreePort(t)
		cmd := exec.Command("gnutls-serv", append([]string{"--http", "--port", port, "--require-client-cert", "--verify-client-cert"}, e.gnutlsFlags()...)...)
		return "127.0.0.1:" + port, untilLine(listening(t, cmd, port))
	},
}

// hasCRL reports whether a PEM file has a CRL in it.
func hasCRL(file string) bool {
	text, err := os.ReadFile(file)
	return err == nil && bytes.Contains(text, []byte("X509 CRL"))
}

func (e *end) gnutlsFlags() []string {
	flags := []string{"--x509cafile", e.trust, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS" + e.version}
	if hasCRL(e.trust) { // it does not start with a file that has none
		flags = append(flags, "--x509crlfile", e.trust)
	}
	if e.cert != "" {
		flags = append(flags, "--x509certfile", e.cert, "--x509keyfile", e.key)
	}
	return flags
}
