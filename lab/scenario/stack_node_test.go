package scenario

import "testing"

var stackNode = &stack{
	name: "Node.js", needs: []string{"node"},
	version: func(t *testing.T) string {
		return "Node.js " + firstWords(t, 4, "node", "-p", "process.version + ' with OpenSSL ' + process.versions.openssl")
	},
	client: "https.get({ca: CA, cert: CERT, key: KEY, host: HOST})",
	server: "https.createServer({ca: CA, cert: CERT, key: KEY, requestCert: true, rejectUnauthorized: true}), its tlsClientError",
	crl:    true,
	lines:  `^(\[?\w*Error\b.*|  (code|reason): .*)`,
	call:   callScript("node", "peer.js"), serve: serveScript("node", "peer.js"),
}
