package scenario

import (
	"crypto/tls"
	"testing"
)

// Its tls_server is left out: it chooses a protocol (ALPN) that Go's client has
// not offered, and cannot ask for a certificate.
var stackBotan = &stack{
	name: "Botan", needs: []string{"botan"},
	version:  func(t *testing.T) string { return "Botan " + firstWords(t, 1, "botan", "version") },
	client:   "botan tls_client HOST --trusted-cas=CA; it has no certificate of its own, and goes on whatever it finds wrong",
	lines:    `^(Certificate validation status|Alert|Usage error|Error): .*`,
	newest:   tls.VersionTLS12,
	certless: true,
	call: func(t *testing.T, e *end) (int, string) {
		return output(t, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "botan", "tls_client", e.host, "--port="+e.port, "--skip-system-cert-store", "--trusted-cas="+e.trust, "--tls"+e.version)
	},
}
