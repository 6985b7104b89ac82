package scenario

import "testing"

var stackRuby = &stack{
	name: "Ruby", needs: []string{"ruby"},
	version: func(t *testing.T) string {
		return firstWords(t, 5, "ruby", "-ropenssl", "-e", "puts RUBY_VERSION + ' with ' + OpenSSL::OPENSSL_LIBRARY_VERSION")
	},
	client: "Net::HTTP with use_ssl = true, cert_store = CA, cert and key",
	server: "OpenSSL::SSL::SSLSocket#accept with VERIFY_PEER | VERIFY_FAIL_IF_NO_PEER_CERT, cert_store = CA",
	lines:  `\bSSL_.*\(.*Error\)$|: .*\(.*Error\)$`,
	crl:    true,
	call:   callScript("ruby", "peer.rb"), serve: serveScript("ruby", "peer.rb"),
}
