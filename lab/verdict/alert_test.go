package verdict

import (
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Every alert says something, those that nobody has registered too, in a
// sentence that can go on, and with a code that has a fix.
func TestMeanings(t *testing.T) {
	for n := range 256 {
		d := tlswire.AlertDescription(n)
		for _, by := range []endpoint.Side{endpoint.Server, endpoint.Client} {
			for _, none := range []bool{false, true} {
				why := meaning(d, by, none)
				start := "the " + by.String() + " sent " + d.String() + ": "
				said, ok := strings.CutPrefix(why.Text, start)
				if !ok || said == "" || strings.ContainsAny(why.Text, "{}") || strings.HasSuffix(why.Text, ".") || strings.Contains(why.Text, "RFC") {
					t.Errorf("%d: %q", n, why.Text)
				}
				if said != "" && strings.ToLower(said[:1]) != said[:1] {
					t.Errorf("%d is no clause: %q", n, said)
				}
				if fixes[why.Code] == "" {
					t.Errorf("%d: code %q", n, why.Code)
				}
				if (why.Code == NoClientCertificate) != (d == tlswire.AlertCertificateRequired || none && d.WantsCertificate()) {
					t.Errorf("%d, none sent %v: %s", n, none, why.Code)
				}
				if _, ok := meanings[d]; ok && strings.Contains(said, "the "+by.String()) {
					t.Errorf("%d is about its sender: %q", n, said)
				}
			}
		}
	}
}

func TestMeaningOf(t *testing.T) {
	for d, want := range map[tlswire.AlertDescription]string{
		tlswire.AlertRecordOverflow:   "the client sent record_overflow: a record was longer than allowed",
		tlswire.AlertUnknownCA:        "the client sent unknown_ca: it does not trust the CA of the server's certificate",
		tlswire.AlertHandshakeFailure: "the client sent handshake_failure: it found nothing that both can do, or wants a certificate and got none",
		tlswire.AlertDescription(200): "the client sent alert(200): an alert that has no name here",
	} {
		if got := meaning(d, endpoint.Client, false).Text; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Each alert about certificates may mean some fault, and one with a name of its
// own no other.
func TestMayMean(t *testing.T) {
	for n := range 256 {
		d, any := tlswire.AlertDescription(n), false
		for _, code := range Codes() {
			any = any || mayMean(d, code)
		}
		if d.RefusesCertificate() && !any {
			t.Errorf("%v means no fault", d)
		}
	}
	for d, test := range map[tlswire.AlertDescription]struct{ may, never string }{
		tlswire.AlertCertificateExpired:  {"expired not_yet_valid crl_stale", "unknown_ca wrong_usage revoked"},
		tlswire.AlertCertificateRevoked:  {"revoked issuer_revoked", "unknown_ca expired"},
		tlswire.AlertUnknownCA:           {"unknown_ca look_alike_ca self_signed not_a_ca path_too_long crl_missing", "expired wrong_usage revoked wrong_host"},
		tlswire.AlertDecryptError:        {"look_alike_ca unknown_ca", "expired wrong_usage"},
		tlswire.AlertBadCertificate:      {"expired wrong_usage unknown_ca revoked wrong_host", ""},
		tlswire.AlertHandshakeFailure:    {"expired wrong_usage unknown_ca", ""},
		tlswire.AlertProtocolVersion:     {"", "expired wrong_usage unknown_ca"},
		tlswire.AlertCertificateRequired: {"", "expired wrong_usage unknown_ca"},
	} {
		for _, code := range strings.Fields(test.may) {
			if !mayMean(d, Code(code)) {
				t.Errorf("%v cannot mean %s", d, code)
			}
		}
		for _, code := range strings.Fields(test.never) {
			if mayMean(d, Code(code)) {
				t.Errorf("%v means %s", d, code)
			}
		}
	}
}
