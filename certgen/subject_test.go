package certgen

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSubjects has OpenSSL say what is in the certificates of all kinds of
// distinguished names, in the order that certyaml writes them in.
func TestSubjects(t *testing.T) {
	openssl := referee(t, "openssl")
	for subject, want := range map[string]string{
		"CN=joe":                             "CN=joe",
		"cn=foo,uid=admin,ou=system":         "OU=system,CN=foo,UID=admin",
		"uid=admin":                          "UID=admin",
		"UID = a b , O=x":                    "O=x,UID=a b",
		`CN=Doe\, John,O=a\+b\;c`:            `O=a\+b\;c,CN=Doe\, John`,
		`CN=\23x\20,O=\ y`:                   `O=\ y,CN=\#x\ `,
		`CN=J\C3\BCrgen`:                     "CN=Jürgen",
		"CN=#0c03616263,O=#130178":           "O=x,CN=abc",
		"CN=a+uid=b,DC=c":                    "CN=a,UID=b,DC=c",
		"CN=a,DC=c,DC=d,e=x@y":               "CN=a,DC=c,DC=d,emailAddress=x@y",
		"CN=a,CN=b":                          "CN=a,CN=b",
		"CN=a=b":                             "CN=a=b",
		"OU=a,OU=b,CN=c":                     "OU=a+OU=b,CN=c",
		"CN=a,2.5.4.12=boss,OID.2.5.4.10=x":  "O=x,CN=a,title=boss",
		"CN=a,2.5.4.97=VAT":                  "CN=a,organizationIdentifier=VAT",
		"CN=a,1.2.3.4=x":                     "CN=a,1.2.3.4=x",
		"sn=Doe,givenName=Joe,title=Dr,CN=a": "CN=a,SN=Doe,GN=Joe,title=Dr",
		"postOfficeBox=1,dnQualifier=2,CN=a": "CN=a,postOfficeBox=1,dnQualifier=2",
		"CN=a,O=":                            "CN=a",
		"CN=a,":                              "CN=a",
		"":                                   "",
	} {
		m := parse(t, string(manifestOf(t, map[string]any{"subject": subject, "filename": "ca"}))+
			"---\n"+string(manifestOf(t, map[string]any{"subject": "CN=leaf," + subject, "issuer": subject, "filename": "leaf"})))
		if subject == "" { // then it signs itself
			m = parse(t, "filename: ca\n---\nfilename: leaf\n")
		}
		dir := t.TempDir()
		generate(t, m, dir, Options{})
		wantSteps(t, generate(t, m, dir, Options{}))
		verifyAll(t, m, dir, time.Now())
		path := func(file string) string { return filepath.Join(dir, file) }
		out := openssl("x509", "-in", path("ca.pem"), "-noout", "-subject", "-nameopt", "utf8,sep_comma_plus,esc_2253")
		if got := strings.TrimSpace(strings.TrimPrefix(strings.TrimSuffix(out, "\n"), "subject=")); got != strings.TrimSpace(want) {
			t.Errorf("%s: OpenSSL sees %q, want %q", subject, got, want)
		}
		if subject != "" {
			openssl("verify", "-CAfile", path("ca.pem"), path("leaf.pem"))
		}
	}
}

// TestSubjectIsCompared makes a certificate anew when the part of its subject
// changes that certyaml does not write.
func TestSubjectIsCompared(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, "subject: CN=a,uid=x\n"), dir, Options{})
	wantSteps(t, generate(t, parse(t, "subject: CN=a,uid=y\n"), dir, Options{}), "a: certificate: changed: subject, issuer")
	wantSteps(t, generate(t, parse(t, "subject: UID=y + cn=a\n"), dir, Options{}))
	generate(t, parse(t, "subject: CN=a\n"), dir, Options{})
	wantSteps(t, generate(t, parse(t, "subject: CN=a,uid=z\n"), dir, Options{}), "a: certificate: changed: subject")
}
