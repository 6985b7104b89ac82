package scenario

import "testing"

var stackRuby = &stack{
	name: "Ruby", needs: []string{"ruby"},
	version: func(t *testing.T) string {
		return firstWords(t, 5, "ruby", "-ropenssl", "-e", "puts RUBY_VERSION + ' with ' + OpenSSL::OPENSSL_LIBRARY_VERSION")
	},
	client: "Net::HTTP with use_ssl = true, ca_file = CA, cert and key",
	server: "OpenSSL::SSL::SSLSocket#accept with VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, ca_file = CA",
	lines:  `\bSSL_.*\(.*Error\)$|: .*\(.*Error\)$`,
	only:   commonFaults, // it takes a tenth of a second to start
	call:   callScript("ruby", "peer.rb"), serve: serveScript("ruby", "peer.rb"),
}

// commonFaults are what a stack is run with that is slow to start, so that the
// whole table takes a minute and a half.
var commonFaults = []string{"mtls", "expired-client", "untrusted-client-forced", "no-client-cert", "client-wrong-eku", "client-missing-intermediate",
	"client-too-old", "server-too-old", "expired-server", "untrusted-server", "self-signed-server", "server-missing-intermediate", "wrong-host", "server-wrong-eku"}
