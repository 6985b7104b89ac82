package scenario

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"mtlslab.example/lab/certgen/yamldoc"
)

// A fault in a document has its line and column; so has one in its
// certificates.
func TestFaultsHaveAPlace(t *testing.T) {
	good := "name: mine\ntitle: Mine\nside: works\ntopic: basics\nteaches: a\nreason: b\nexpect:\n  TLS 1.3: {status: 200}\n"
	if _, err := Parse("mine.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{
		{strings.Replace(good, "title", "tilte", 1), `mine.yaml:2:1: unknown field "tilte"`},
		{good + "server: {groups: [x25519, x448]}\n", `mine.yaml:9:27: unknown value "x448"`},
		{good + "client: {resume: maybe}\n", `mine.yaml:9:18: "maybe" is neither true nor false`},
		{good + "client: {allow: [CN=x]}\n", `mine.yaml:9:10: unknown field "allow"`},
		{good + "age: 30d\n", `mine.yaml:9:6: "30d" is not a duration`},
		{good + "age: -1h\n", `mine.yaml:9:6: the duration -1h0m0s is negative`},
		{good + "age: 1h\nage: 2h\n", `mine.yaml:10:1: field age is given twice, first on line 9`},
		{good + "client:\n  header:\n    A: b\n    A: c\n", `mine.yaml:12:5: "A" is given twice, first on line 11`},
		{good + "server:\n", `mine.yaml:9:8: expected fields, not nothing`},
		{good + "server: [x25519]\n", `mine.yaml:9:9: expected fields, not a list`},
		{good + "server: {trust: client-ca}\n", `mine.yaml:9:17: expected a list, not the text "client-ca"`},
		{good + "server: {trust: [[client-ca]]}\n", `mine.yaml:9:18: expected a text, not a list`},
		{good + "server: {groups: [x25519, ]}\nclient: {groups: [~]}\n", `mine.yaml:10:19: an item of the list is empty`},
		{good + "server: {crl: {soft: true}}\n", `mine.yaml:9:15: expected a text, not a mapping`},
		{good + "says: wrong\n", `mine.yaml:9:7: expected names with values, not the text "wrong"`},
		{strings.Replace(good, "status: 200", "alert: bad", 1), `mine.yaml:8:20: unknown value "bad"`},
		{strings.Replace(good, "status: 200", "code: unknown-ca", 1), `mine.yaml:8:19: unknown value "unknown-ca"`},
		{strings.Replace(good, "name: mine", "name: ../mine", 1), `mine.yaml:1:7: the name "../mine" is not one for a folder`},
		{strings.Replace(good, "name: mine", "name: mtls", 1), `mine.yaml:1:7: the built-in scenario is called mtls too`},
		{strings.Replace(good, "name: mine\n", "", 1), `mine.yaml:1:1: the scenario has no name`},
		{good + "client: {url: \"https://localhost/\"}\n", `mine.yaml:9:15: "https://localhost/" is not a host`},
		{good + "calls: 0\n", `mine.yaml:9:8: 0 is too much, or too little`},
		{good + "calls: 1000000\n", `mine.yaml:9:8: 1000000 is too much, or too little`},
		{"name: [", `mine.yaml:1:8: not YAML`},
		{strings.Replace(good, "200", "700", 1), `mine.yaml:8:21: 700 is too much, or too little`},
		{"", `mine.yaml:1:1: the file is empty`},
		{"# mine\n---\n", `mine.yaml:1:1: the file is empty`},
	} {
		_, err := Parse("mine.yaml", []byte(c.text))
		var fault *yamldoc.Error
		if !errors.As(err, &fault) || !strings.HasPrefix(err.Error(), c.want) || fault.Hint == "" {
			t.Errorf("%q: %v, not %s", c.text, err, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{good + "---\nsubject: CN=client\nissuer: CN=nobody\n", `mine.yaml:11:9: the issuer "CN=nobody" is not in the manifest`},
		{good + "---\nsubject: CN=client\nexpires: soon\n", `mine.yaml:11:10: "soon" is not a duration`},
		{good + "extensions: {nobody: {path_length: 1}}\n", `mine.yaml:9:14: no certificate is called "nobody"`},
		{good + "then: {revoke: [nobody]}\n", `mine.yaml:9:17: no certificate is called "nobody"`},
		{good + "client: {certificate: nobody}\n", `mine.yaml:9:23: no certificate is called "nobody"`},
		{good + "client: {key: nobody}\n", `mine.yaml:9:15: no certificate is called "nobody"`},
		{good + "server: {trust: [client-ca, nobody]}\n", `mine.yaml:9:29: no certificate is called "nobody"`},
		{good + "server: {trust: [client-ca, client]}\n", `mine.yaml:9:29: client is not a CA`},
		{good + "server: {key: &n server, certificate: *n, trust: [*n]}\n", `mine.yaml:9:51: server is not a CA`}, // through an alias
	} {
		s, err := Parse("mine.yaml", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Run(t.Context(), tls.VersionTLS13, Options{Manifest: baseManifest(t), Dir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, not %s", c.text, err, c.want)
		}
	}
}

// A document is printed as it is, so that it has nothing that a terminal would
// not show.
func TestInvisibleCharacters(t *testing.T) {
	const document = "name: mine\ntitle: a%sb # %s\nexpect: {TLS 1.3: {status: 200}}\n"
	for _, r := range []string{"\u202e", "\u200b", "\u00ad", "\U000e0041", "\u2028"} {
		_, err := Parse("mine.yaml", fmt.Appendf(nil, document, r, ""))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("mine.yaml:2:9: the character %U cannot be seen", []rune(r)[0])) {
			t.Errorf("%q: %v", r, err)
		}
	}
	if _, err := Parse("mine.yaml", fmt.Appendf([]byte("\ufeff"), document, "漢é", "ok")); err != nil {
		t.Error(err)
	}
}

// An exchange that is accepted is one that was answered with 200, unless the
// document says otherwise.
func TestAcceptedMeans200(t *testing.T) {
	s, err := Parse("mine.yaml", []byte("name: mine\nserver: {allow: [CN=admin]}\nexpect: {TLS 1.3: {}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Run(t.Context(), tls.VersionTLS13, Options{Manifest: baseManifest(t), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"HTTP status should be 200, and is 403"}; fmt.Sprint(r.Wrong) != fmt.Sprint(want) {
		t.Errorf("%q", r.Wrong)
	}
}

// A value that is wrong is answered with the nearest, and quoted.
func TestHints(t *testing.T) {
	for text, want := range map[string]string{
		"expect: {TLS 1.3: {alert: bad_certifcate}}":      `did you mean "bad_certificate"?`,
		"expect: {TLS 1.3: {code: unknown-ca}}":           `did you mean "unknown_ca"?`,
		"expect: {TLS 1.3: {alert: certificate_too_old}}": `did you mean "certificate_expired" or "certificate_revoked" or "certificate_unknown"?`,
		"expect: {TLS 1.3: {code: certificate_too_old}}":  `did you mean "certificate_refused"?`,
		"client: {cipher_suites: [AES256-GCM]}":           `did you mean "TLS_AES_256_GCM_SHA384" or "TLS_RSA_WITH_AES_256_GCM_SHA384" or "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"?`,
		"client: {offer_cipher_suites: [xyzzy]}":          `none of the 341 names there are looks like it; one is "TLS_AES_128_CCM_8_SHA256"`,
		"tilte: Mine":                                     `did you mean title?`,
		"side: fails":                                     `write one of "asked for later", "before the handshake", "client rejects server", "in, but not allowed", "no common ground", "not even TLS", "server rejects client", "works", "works here, not everywhere"`,
		"client: {groups: [x448]}":                        `write one of "X25519MLKEM768", "secp256r1", "secp384r1", "secp521r1", "x25519"`,
	} {
		_, err := Parse("mine.yaml", []byte("name: mine\n"+text+"\n"))
		var fault *yamldoc.Error
		if !errors.As(err, &fault) || fault.Hint != want {
			t.Errorf("%s: %v, hint %q", text, err, fault.Hint)
		}
	}
}

// Each of the catalogue has every text of a lesson.
func TestCatalogueIsComplete(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		for field, value := range map[string]string{"title": s.Title, "side": s.Side, "topic": s.Topic, "teaches": s.Teaches, "reason": s.Reason, "rfc": s.RFC} {
			if value == "" {
				t.Errorf("%s has no %s", s.Name, field)
			}
		}
		if s.Side != "works" && (s.Fix == "" || len(s.Says) == 0) {
			t.Errorf("%s has no fix or nothing that is said", s.Name)
		}
	}
}

// FuzzParse looks for documents that cannot be refused in words.
func FuzzParse(f *testing.F) {
	all, err := All()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range all {
		f.Add(s.Text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := Parse("fuzz.yaml", text)
		var fault *yamldoc.Error
		if err != nil && !errors.As(err, &fault) {
			t.Errorf("%T: %v", err, err)
		}
	})
}

// Every field that a document may have is explained in README.md.
func TestFieldsAreInTheREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, fields := range []map[string]yamldoc.Setter{(&Scenario{}).fields(yamldoc.Document{}), (&Scenario{}).ServerFields(yamldoc.Document{}, &Half{}), (&Scenario{}).ClientFields(yamldoc.Document{}, &Half{}), new(Expectation).fields(yamldoc.Document{})} {
		for field := range fields {
			if !strings.Contains(string(readme), "`"+field+"`") {
				t.Errorf("%s is not in lab/scenario/README.md", field)
			}
		}
	}
}
