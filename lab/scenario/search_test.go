package scenario

import (
	"slices"
	"strings"
	"testing"
)

// What people paste finds what it is about.
func TestSearch(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		typed string
		first string
		also  []string // found too
		not   []string
	}{
		{"x509: certificate signed by unknown authority", "untrusted-server", []string{"server-missing-intermediate", "self-signed-client"}, []string{"expired-server"}},
		{`2026/11/24 12:42:48 http: TLS handshake error from 10.0.0.1:48116: tls: first record does not look like a TLS handshake`, "plain-http-to-tls", []string{"tls-to-plain-http"}, []string{"no-client-cert"}},
		{"curl: (60) SSL certificate problem: unable to get local issuer certificate", "server-missing-intermediate", []string{"untrusted-server"}, []string{"wrong-host"}},
		{"ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1006)", "expired-server", nil, []string{"wrong-host"}},
		{"CERTIFICATE_VERIFY_FAILED", "untrusted-server", []string{"wrong-host", "expired-server"}, []string{"no-client-cert"}},
		{"PKIX path building failed", "untrusted-server", []string{"self-signed-server"}, []string{"expired-server"}},
		{"alert number 116", "no-client-cert", []string{"untrusted-client-withheld"}, []string{"untrusted-server", "weak-client-key"}},
		{"116", "no-client-cert", nil, []string{"rsa"}},
		{"alert 48", "untrusted-client-forced", []string{"look-alike-ca"}, []string{"no-client-cert"}},
		{"42", "wrong-host", nil, []string{"no-client-cert", "client-too-old"}},
		{"forbidden", "authenticated-but-not-authorised", nil, []string{"no-client-cert"}},
		{"connection reset", "closed-mid-handshake", []string{"no-client-cert"}, []string{"rsa"}},
		{"EOF", "closed-mid-handshake", nil, []string{"rsa"}},
		{"no shared cipher", "no-common-cipher", []string{"no-common-group"}, []string{"rsa"}},
		{"wrong version number", "tls-to-plain-http", nil, []string{"client-too-old"}},
		{"400 No required SSL certificate was sent", "refused-in-http", []string{"no-client-cert"}, []string{"expired-server"}},
		{"yesterday", "expired-server", []string{"expired-client"}, []string{"rsa"}},
		{"javax.net.ssl.SSLHandshakeException: Received fatal alert: bad_certificate", "wrong-host", []string{"client-wrong-eku"}, []string{"no-client-cert", "tls-to-plain-http"}},
		{"error:0A000418:SSL routines::tlsv1 alert unknown ca, errno 0", "untrusted-client-forced", nil, []string{"wrong-host"}},
		{"remote error: tls: unknown certificate authority", "untrusted-client-forced", nil, []string{"wrong-host"}},
		{"*** Received alert [45]: Certificate is expired", "expired-client", nil, []string{"no-client-cert"}},
		{"SSL_ERROR_RX_CERTIFICATE_REQUIRED_ALERT", "no-client-cert", nil, []string{"wrong-host"}},
		{"http: TLS handshake error from 10.1.2.3:48116: remote error: tls: bad certificate", "wrong-host", []string{"untrusted-server"}, []string{"no-client-cert", "closed-mid-handshake"}},
		{"http: TLS handshake error from 10.1.2.3:48116: EOF", "closed-mid-handshake", nil, []string{"wrong-host"}},
		{"remote error: tls: handshake failure", "no-common-cipher", []string{"no-client-cert"}, []string{"client-key-mismatch"}},
		{"post-quantum", "post-quantum", nil, []string{"wrong-host"}},
		{"RFC 9849", "ech", nil, []string{"rsa"}},
		{"expired", "expired-server", []string{"expired-client"}, []string{"wrong-host"}},
		{"revoc", "revoked-client", nil, []string{"wrong-host"}},
		{"certificate_expired", "expired-client", nil, []string{"wrong-host"}},
		{"unknown_ca", "untrusted-client-forced", nil, []string{"expired-client"}},
	} {
		found, _ := Search(all, strings.Fields(c.typed))
		var names []string
		for _, s := range found {
			names = append(names, s.Name)
		}
		if !slices.Contains(names, c.first) {
			t.Errorf("%q finds %q, not %s", c.typed, names, c.first)
		}
		for _, name := range c.also {
			if !slices.Contains(names, name) {
				t.Errorf("%q finds %q, not %s", c.typed, names, name)
			}
		}
		for _, name := range c.not {
			if slices.Contains(names, name) {
				t.Errorf("%q finds %s", c.typed, name)
			}
		}
	}
	for typed, want := range map[string]string{"gibberish xyzzy": "", "expierd-client": "expired-client"} {
		found, nearest := Search(all, strings.Fields(typed))
		if len(found) > 0 || (want == "") != (len(nearest) == 0) || want != "" && nearest[0].Name != want {
			t.Errorf("%q finds %d, and nearest are %v", typed, len(found), nearest)
		}
	}
}
