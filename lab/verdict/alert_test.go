package verdict

import (
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Every alert says something, those that nobody has registered too, in a
// sentence that can go on, and with a code that has a fix. What it says of a
// certificate is what the other side has shown.
func TestMeanings(t *testing.T) {
	for n := range 256 {
		d := tlswire.AlertDescription(n)
		for _, by := range []endpoint.Side{endpoint.Server, endpoint.Client} {
			for _, other := range []Showing{MayHaveSent, SentCertificate, SentEmpty, SentNothing} {
				why := meaning(d, by, other)
				start := "the " + by.String() + " sent " + d.String() + ": "
				said, ok := strings.CutPrefix(why.Text, start)
				if !ok || said == "" || strings.ContainsAny(why.Text+why.Fix, "{}") || strings.HasSuffix(why.Text, ".") || strings.Contains(why.Text, "RFC") {
					t.Errorf("%d: %q, fix %q", n, why.Text, why.Fix)
				}
				if said != "" && strings.ToLower(said[:1]) != said[:1] {
					t.Errorf("%d is no clause: %q", n, said)
				}
				if fixes[why.Code] == "" {
					t.Errorf("%d: code %q", n, why.Code)
				}
				if other == SentNothing && (why.Code == RefusedByCertificate ||
					strings.Contains(said, "'s certificate is of") || strings.Contains(said, "refuses the") || strings.Contains(said, "got none")) {
					t.Errorf("%d, and no certificate was shown: %s, %q", n, why.Code, said)
				}
				if other == SentCertificate && (why.Code == NoClientCertificate || strings.Contains(said, "got none")) {
					t.Errorf("%d, and a certificate was shown: %s, %q", n, why.Code, said)
				}
				if other == SentEmpty && d.WantsCertificate() && why.Code != NoClientCertificate {
					t.Errorf("%d, and none was sent: %s, %q", n, why.Code, said)
				}
			}
		}
	}
}

// Each alert that has a name has a sentence of its own, and says what to change
// by its code or by itself.
func TestEachAlertHasMeaning(t *testing.T) {
	for n := range 256 {
		d := tlswire.AlertDescription(n)
		switch d {
		case tlswire.AlertCloseNotify, tlswire.AlertTooManyCIDsRequested: // ends nothing, and is DTLS's
			continue
		}
		why, ok := meanings[d]
		if named := !strings.HasPrefix(d.String(), "alert("); ok != named {
			t.Errorf("%v has a meaning: %v", d, ok)
		}
		if ok && why.Code == Other && why.Fix == "" && d != tlswire.AlertHandshakeFailure {
			t.Errorf("%v: there is nothing to change", d)
		}
	}
}

func TestMeaningOf(t *testing.T) {
	for _, test := range []struct {
		d     tlswire.AlertDescription
		by    endpoint.Side
		other Showing
		want  string
	}{
		{tlswire.AlertRecordOverflow, endpoint.Client, MayHaveSent, "the client sent record_overflow: a record of the server's is longer than allowed"},
		{tlswire.AlertUnknownCA, endpoint.Client, SentCertificate, "the client sent unknown_ca: it does not trust the CA of the server's certificate"},
		{tlswire.AlertUnknownCA, endpoint.Server, SentNothing, "the server sent unknown_ca: that is about a certificate, and the client has shown none by then"},
		{tlswire.AlertHandshakeFailure, endpoint.Client, SentCertificate, "the client sent handshake_failure: it cannot agree to what the server offers or has shown, which may be its certificate"},
		{tlswire.AlertHandshakeFailure, endpoint.Server, MayHaveSent, "the server sent handshake_failure: it cannot agree to what the client offers or has shown, or wants a certificate and got none"},
		{tlswire.AlertHandshakeFailure, endpoint.Server, SentNothing, "the server sent handshake_failure: it cannot agree to what the client offers or has shown"},
		{tlswire.AlertHandshakeFailure, endpoint.Server, SentEmpty, "the server sent handshake_failure: it wants a certificate, and got none"},
		{tlswire.AlertCertificateRequired, endpoint.Server, SentNothing, "the server sent certificate_required: it wants a certificate, and has not asked for one"},
		{tlswire.AlertAccessDenied, endpoint.Server, SentNothing, "the server sent access_denied: it does not let the client in, which has shown no certificate by then"},
		{tlswire.AlertDecryptError, endpoint.Server, SentNothing, "the server sent decrypt_error: a checksum of the client's is wrong"},
		{tlswire.AlertNoCertificate, endpoint.Server, MayHaveSent, "the server sent no_certificate_RESERVED: it wants a certificate, and got none"},
		{tlswire.AlertDescription(200), endpoint.Client, MayHaveSent, "the client sent alert(200): an alert that has no name here"},
	} {
		if got := meaning(test.d, test.by, test.other).Text; got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// A side that has failed by itself did not check a certificate that the other
// has not shown.
func TestInternalError(t *testing.T) {
	for showing, want := range map[Showing]bool{SentNothing: false, SentCertificate: true, MayHaveSent: true} {
		if why := meaning(tlswire.AlertInternalError, endpoint.Server, showing); strings.Contains(why.Fix, "checks the client's certificate by itself") != want || strings.Contains(why.Fix, "{") {
			t.Errorf("%q: %s", showing, why.Fix)
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
