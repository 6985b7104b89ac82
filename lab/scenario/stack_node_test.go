package scenario

import (
	"os/exec"
	"regexp"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var stackNode = &stack{
	name: "Node.js", needs: []string{"node"},
	version: func(t *testing.T) string {
		return "Node.js " + firstWords(t, 4, "node", "-p", "process.version + ' with OpenSSL ' + process.versions.openssl")
	},
	client: "https.get({ca: CA, cert: CERT, key: KEY, host: HOST})",
	server: "https.createServer({ca: CA, cert: CERT, key: KEY, requestCert: true, rejectUnauthorized: true}), its tlsClientError",
	lines:  `^(\[?\w*Error\b.*|  (code|reason): .*)`,
	call: func(t *testing.T, e *end) (int, string) {
		return output(t, "", "node", append([]string{"testdata/stacks/peer.js"}, e.peerArgs()...)...)
	},
	serve: func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		p := peertest.Start(t, exec.Command("node", append([]string{"testdata/stacks/peer.js"}, e.peerArgs()...)...))
		return "127.0.0.1:" + p.Await(t, "^listening on "), untilEnd(t, p)
	},
}
