package verdict_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// TestUnusual: captures of OpenSSL, GnuTLS, nginx, curl, Python and socat with
// settings that few have. What is said of them is what both programs said, and
// no more.
func TestUnusual(t *testing.T) {
	for _, test := range []struct {
		name          string // of the capture
		keys, without string // the outcome and its code, with the keys and without; "": as with them
		says          string // with the keys
	}{
		// socat TCP-LISTEN:4433 PIPE
		{"echo", "rejected by client: not_tls", "", "the server did not speak TLS, but sends back what it gets"},
		// openssl s_client -tls1_2 -sigalgs RSA+SHA1, which fails by itself
		{"nothing-to-offer", "rejected by client: other", "", "the client sent internal_error in place of ClientHello"},
		// s_client -sigalgs RSA-PSS+SHA256, and the server has an ECDSA key
		{"rsa-pss-alone", "rejected by server: other", "", "or has no certificate that fits what the client offers"},
		// s_client -psk -psk_identity bob, and the server has -nocert and another identity
		{"psk-unknown", "rejected by server: other", "", "or has no certificate that fits what the client offers"},
		// s_client -tls1_2 -psk -cipher PSK: both know each other
		{"psk-tls12", "accepted: ", "", ""},
		// gnutls-cli --pskusername, and no request: there is no certificate to refuse
		{"psk-tls12-unused", "accepted: ", "", "after the handshake the client closed without a request, as it does with a spare connection"},
		{"psk-tls13-unused", "accepted: ", "", "after the handshake the client closed without a request, as it does with a spare connection"},
		// s_client -crl_check with a CRL that is out of date
		{"crl-stale", "rejected by client: certificate_refused", "rejected by client: expired", "a CA above it or a CRL has expired"},
		// s_client -early_data to s_server -tls1_2
		{"early-data-tls12", "rejected by server: other", "", "the client offered early data (0-RTT)"},
		// user_canceled in TLS 1.3, unencrypted, which the server answers with an error
		{"user-canceled", "rejected by client: canceled", "", "the client sent user_canceled"},
		// R in s_server: the second handshake takes up the session of the first
		{"renegotiation-resumes-own", "accepted: ", "unknown: ", "not mutual: the server never asked for a certificate"},
		// R in s_client, to a server without -client_renegotiation
		{"no-renegotiation", "broken: other", "accepted: ", "the client wanted to renegotiate, which the server does not do"},
		// ClientHello, and then a plain GET
		{"http-after-hello", "rejected by server: other", "", "although the two had agreed on TLS 1.3"},
		// ClientHello twice: the alert is encrypted
		{"two-hellos", "rejected by server: other", "", "the server sent unexpected_message"},
		// nginx: ssl_verify_client optional; if ($ssl_client_verify != SUCCESS) {return 421;}
		{"http2-421-no-certificate", "accepted: refused_in_http", "accepted: ", "it may be because the client sent no certificate"},
	} {
		file := filepath.Join("testdata", "unusual", test.name)
		head, packets := packetsOf(t, file+".pcap")
		keys, _ := os.ReadFile(file + ".keys") // where there are any
		told := readPackets(t, head, packets, keys)[0]
		if got := outcomeOf(told.verdict); got != test.keys || !strings.Contains(told.verdict.Reason, test.says) {
			t.Errorf("%s: %s, %q; want %s, %q", test.name, got, told.verdict.Reason, test.keys, test.says)
		}
		want := test.without
		if want == "" {
			want = test.keys
		}
		blind := readPackets(t, head, packets, nil)[0].verdict
		if got := outcomeOf(blind); got != want || strings.Contains(blind.Reason, "without an alert") ||
			strings.HasSuffix(test.name, "-unused") && strings.Contains(blind.Reason, "certificate") {
			t.Errorf("%s, no keys: %s, %q; want %s", test.name, got, blind.Reason, want)
		}
		if test.name != "psk-tls13-unused" && told.Resumption != tlsdecrypt.FullHandshake {
			t.Errorf("%s: %s resumed", test.name, told.Resumption)
		}
		if m := told.verdict.Mutual; test.name == "psk-tls12" && (m != nil || told.verdict.NeverAsked()) {
			t.Error("a client that is known by its pre-shared key is said not to be known")
		}
	}
}

func outcomeOf(v verdict.Verdict) string {
	said := string(v.Outcome)
	if v.RejectedBy != 0 {
		said += " by " + v.RejectedBy.String()
	}
	return said + ": " + string(v.Code)
}
