package scenario

import (
	"os/exec"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var stackPython = &stack{
	name: "Python", needs: []string{"python3"},
	version: func(t *testing.T) string {
		return "Python " + firstWords(t, 5, "python3", "-c", "import sys, ssl; print(sys.version.split()[0], 'with', ssl.OPENSSL_VERSION)")
	},
	client: "ssl.create_default_context(cafile=CA), load_cert_chain, wrap_socket(server_hostname=HOST)",
	server: "ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CA) with verify_mode = ssl.CERT_REQUIRED",
	lines:  `^\w+(\.\w+)*(Error|Exception): .*`,
	call: func(t *testing.T, e *end) (int, string) {
		return output(t, "", "python3", append([]string{"testdata/stacks/peer.py"}, e.peerArgs()...)...)
	},
	serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		p := peertest.Start(t, exec.Command("python3", append([]string{"testdata/stacks/peer.py"}, e.peerArgs()...)...))
		return "127.0.0.1:" + p.Await(t, "^listening on "), untilEnd(t, p)
	},
}

// peerArgs are those of the programs in testdata/stacks.
func (e *end) peerArgs() []string {
	args := []string{e.as.String(), orDash(e.host), orDash(e.port), e.version, e.trust}
	if e.cert != "" {
		args = append(args, e.cert, e.key)
	}
	return args
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
