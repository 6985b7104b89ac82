package scenario

import (
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var stackMbedTLS = mbedTLSStack()

// mbedTLSStack compiles a program: Debian has the library alone. Its 2.28 has
// no TLS 1.3.
func mbedTLSStack() *stack {
	var program string
	return &stack{
		name: "mbedTLS", needs: []string{"cc"},
		client:  "mbedtls_ssl_handshake with mbedtls_ssl_conf_ca_chain, mbedtls_ssl_set_hostname, mbedtls_ssl_conf_own_cert",
		server:  "mbedtls_ssl_handshake with mbedtls_ssl_conf_authmode(MBEDTLS_SSL_VERIFY_REQUIRED)",
		lines:   `^(verify|mbedtls_ssl_\w+): .*`,
		newest:  tls.VersionTLS12,
		crl:     true,
		without: []string{"unknown-critical-extension/server"}, // it does not load the certificate
		version: func(t *testing.T) string {
			header, err := os.ReadFile("/usr/include/mbedtls/version.h")
			if err != nil {
				peertest.Missing(t, "needs libmbedtls-dev: %v", err)
			}
			program = filepath.Join(t.TempDir(), "mbedtls")
			if out, err := exec.Command("cc", "-o", program, "testdata/stacks/mbedtls.c", "-lmbedtls", "-lmbedx509", "-lmbedcrypto").CombinedOutput(); err != nil {
				t.Fatalf("cc: %v\n%s", err, out)
			}
			return "Mbed TLS " + string(regexp.MustCompile(`VERSION_STRING +"([\d.]+)"`).FindSubmatch(header)[1])
		},
		call: func(t *testing.T, e *end) (int, string) {
			return output(t, "", program, e.peerArgs()...)
		},
		serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
			p := peertest.Start(t, exec.Command(program, e.peerArgs()...))
			return "127.0.0.1:" + p.Await(t, "^listening on "), untilEnd(t, p)
		},
	}
}
