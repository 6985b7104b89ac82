package scenario

import (
	"crypto/tls"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
)

var stackOpenSSL = &stack{
	name: "OpenSSL", needs: []string{"openssl"},
	version: func(t *testing.T) string { return firstWords(t, 2, "openssl", "version") },
	client:  "openssl s_client -verify_return_error -CAfile CA -verify_hostname HOST -cert CERT -key KEY",
	server:  "openssl s_server -Verify 9 -verify_return_error -CAfile CA -cert CERT -key KEY",
	lines:   `^verify error:.*|^.*:error:[0-9A-F]+:.*|^Verification error: .*`,
	knobs:   true, crl: true,
	call: func(t *testing.T, e *end) (int, string) {
		args := append([]string{"s_client", "-connect", "127.0.0.1:" + e.port, "-ign_eof", "-verify_return_error"}, e.opensslFlags()...)
		if net.ParseIP(e.host) != nil {
			args = append(args, "-verify_ip", e.host)
		} else {
			args = append(args, "-verify_hostname", e.host, "-servername", e.host)
		}
		if e.half.ALPN != nil {
			args = append(args, "-alpn", strings.Join(e.half.ALPN, ","))
		}
		return output(t, "GET / HTTP/1.0\r\n\r\n", "openssl", args...)
	},
	serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		args := append([]string{"s_server", "-accept", "127.0.0.1:0", "-naccept", "1", "-www", "-Verify", "9", "-verify_return_error"}, e.opensslFlags()...)
		if e.half.ALPN == nil {
			args = append(args, "-alpn", "http/1.1")
		}
		p := peertest.Start(t, exec.Command("openssl", args...))
		return p.Await(t, "^ACCEPT "), untilEnd(t, p)
	},
}

// opensslFlags are those of s_client and s_server for one end.
func (e *end) opensslFlags() []string {
	flags := []string{map[string]string{"1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"}[e.version], "-CAfile", e.trust}
	if e.cert != "" {
		flags = append(flags, "-cert", e.cert, "-cert_chain", e.cert, "-key", e.key)
	}
	switch {
	case e.crl && e.as == endpoint.Server:
		flags = append(flags, "-crl_check_all")
	case e.crl:
		flags = append(flags, "-crl_check")
	}
	return append(flags, e.opensslKnobs()...)
}

// opensslKnobs are those for cipher suites and groups.
func (e *end) opensslKnobs() (flags []string) {
	if e.version == "1.1" {
		flags = append(flags, "-cipher", "DEFAULT@SECLEVEL=0")
	}
	if e.half.CipherSuites != nil {
		flags = append(flags, "-cipher", map[uint16]string{
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
		}[e.half.CipherSuites[0]])
	}
	if e.half.Offer != nil {
		flags = append(flags, "-cipher", "ECDHE-ECDSA-AES128-CCM", "-ciphersuites", "TLS_AES_128_CCM_SHA256")
	}
	if e.half.Groups != nil {
		flags = append(flags, "-groups", map[tls.CurveID]string{tls.X25519: "X25519", tls.CurveP521: "P-521"}[e.half.Groups[0]])
	}
	return flags
}

// firstWords returns the first words that a program prints.
func firstWords(t *testing.T, n int, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	words := strings.Fields(string(out))
	return strings.Join(words[:min(n, len(words))], " ")
}
