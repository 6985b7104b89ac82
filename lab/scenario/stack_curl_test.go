package scenario

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

var stackCurl = &stack{
	name: "curl", needs: []string{"curl"},
	version: func(t *testing.T) string { return firstWords(t, 5, "curl", "--version") },
	client:  "curl --cacert CA --cert CERT --key KEY https://HOST/",
	lines:   `^curl: .*`,
	knobs:   true, crl: true,
	without: []string{"no-common-alpn"}, // it cannot be told what to offer
	call: func(t *testing.T, e *end) (int, string) {
		args := []string{"-sS", "-o", os.DevNull, "--cacert", e.trust, "--resolve", "localhost:" + e.port + ":127.0.0.1", "--noproxy", "*",
			"--tlsv" + e.version, "--tls-max", e.version, "https://" + net.JoinHostPort(e.host, e.port) + "/"}
		if e.cert != "" {
			args = append(args, "--cert", e.cert, "--key", e.key)
		}
		if e.crl {
			args = append(args, "--crlfile", filepath.Join(filepath.Dir(e.key), "server-ca-crl.pem"))
		}
		flags := e.opensslKnobs()
		for i, f := range flags {
			switch f {
			case "-cipher":
				args = append(args, "--ciphers", flags[i+1])
			case "-ciphersuites":
				args = append(args, "--tls13-ciphers", flags[i+1])
			case "-groups":
				args = append(args, "--curves", flags[i+1])
			}
		}
		return output(t, "", "curl", args...)
	},
}
