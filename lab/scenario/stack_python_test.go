package scenario

import (
	"os/exec"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
)

var stackPython = &stack{
	name: "Python", needs: []string{"python3"},
	version: func(t *testing.T) string {
		return "Python " + firstWords(t, 5, "python3", "-c", "import sys, ssl; print(sys.version.split()[0], 'with', ssl.OPENSSL_VERSION)")
	},
	client: "ssl.create_default_context(cafile=CA), load_cert_chain, wrap_socket(server_hostname=HOST)",
	server: "ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=CA) with verify_mode = ssl.CERT_REQUIRED",
	crl:    true,
	lines:  `^\w+(\.\w+)*(Error|Exception): .*`,
	call:   callScript("python3", "peer.py"), serve: serveScript("python3", "peer.py"),
}

// callScript and serveScript let a script in testdata/stacks be one end.
func callScript(program, script string) func(*testing.T, *end) (int, string) {
	return func(t *testing.T, e *end) (int, string) {
		return output(t, "", program, e.scriptArgs(script)...)
	}
}

func serveScript(program, script string) func(*testing.T, *end) (string, func(*regexp.Regexp) string) {
	return func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		p := peertest.Start(t, exec.Command(program, e.scriptArgs(script)...))
		return "127.0.0.1:" + p.Await(t, "^listening on "), untilEnd(t, p)
	}
}

func (e *end) scriptArgs(script string) []string {
	return append([]string{"testdata/stacks/" + script}, e.peerArgs()...)
}

// peerArgs are those of the programs in testdata/stacks.
func (e *end) peerArgs() []string {
	crls := "off"
	switch {
	case e.crl && e.as == endpoint.Server:
		crls = "chain"
	case e.crl:
		crls = "leaf"
	}
	args := []string{e.as.String(), orDash(e.host), orDash(e.port), e.version, e.trust, crls}
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
