package certgen

import (
	"crypto/x509/pkix"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tsaarni/x500dn"
	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/dn"
)

// FuzzParse checks that no manifest panics, that every fault points into the
// text, and that certyaml takes what is taken.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, seed := range []string{family, revocation, pastByIntent, "", "---", "a: &a [*a]", "subject: CN=#0c0161", "subject: CN=a,uid=b+2.5.4.97=c", "<<: [&a {ca: true}, {sans: []}]\nsubject: CN=a\nserial: 1e3", "\ufeffsubject: CN=a\r\n...\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse("certs.yaml", data)
		if err != nil {
			checkFault(t, data, err)
			return
		}
		if len(m.Certificates) == 0 {
			t.Fatal("an empty manifest was taken")
		}
		for _, c := range m.Certificates {
			checkParsed(t, m, c)
		}
	})
}

// checkFault checks that an error points at a line that exists and helps.
func checkFault(t *testing.T, data []byte, err error) {
	var bad *yamldoc.Error
	if !errors.As(err, &bad) {
		t.Fatalf("%T: %v", err, err)
	}
	lines := 1 + len(lineBreak.FindAll(data, -1))
	if bad.Line < 1 || bad.Line > lines || bad.Column < 1 || bad.Problem == "" || bad.Hint == "" {
		t.Fatalf("%v (hint %q) of %d lines", err, bad.Hint, lines)
	}
}

// lineBreak ends a line in YAML 1.1 section 5.4.
var lineBreak = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")

// checkParsed checks one certificate of a manifest that was taken.
func checkParsed(t *testing.T, m *Manifest, c *Certificate) {
	if _, err := x500dn.ParseDN(c.subject.issuable); err != nil {
		t.Fatalf("certyaml does not take %q of the subject %q: %v", c.subject.issuable, c.Subject, err)
	}
	if m.Find(c.Name) != c || checkName(c.Name) != "" || filepath.Base(c.CertificateFile()) != c.CertificateFile() {
		t.Fatalf("the name %q", c.Name)
	}
	if c.Issuer != nil && (!c.Issuer.CA || c.depth != c.Issuer.depth+1) || c.Revoked && c.Issuer == nil {
		t.Fatalf("%s and its issuer", c.Name)
	}
	notBefore, notAfter := c.validity(time.Now())
	if notAfter.Before(notBefore) || notAfter.Year() > 9999 {
		t.Fatalf("valid from %v to %v", notBefore, notAfter)
	}
}

// FuzzSubject checks that every distinguished name that certyaml takes is
// taken, with the same attributes.
func FuzzSubject(f *testing.F) {
	for _, seed := range []string{"CN=a", "cn = a b , O=x+ou=y\\,z", `CN=\ a\20\c3\bc ,DC=b,E=c@d`, "CN=#0c0161,uid=b", "CN=a,O=", "CN=\"a\";<b>", `CN=a\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := dn.Parse(text)
		got = slices.DeleteFunc(got, func(a pkix.AttributeTypeAndValue) bool { return a.Value == "" })
		if err != nil && (strings.Contains(text, "=#") || strings.Contains(err.Error(), "UTF-8")) {
			return // x500dn follows lengths that are not so, and certyaml then fails
		}
		name, wantErr := x500dn.ParseDN(text)
		if wantErr != nil || strings.Contains(text, `\`) && err != nil {
			return // it takes escapes in a type
		}
		var want []pkix.AttributeTypeAndValue
		typed := 0
		for _, a := range name.Names {
			if len(a.Type) > 0 {
				typed++
			}
			if len(a.Type) > 0 && a.Value != "" {
				want = append(want, a)
			}
		}
		if typed != strings.Count(text, "=") {
			return // it takes a "=" in a value for the end of a type
		}
		if err != nil || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %v, %v; certyaml has %v", text, got, err, want)
		}
	})
}

// FuzzIssue checks that certyaml issues what is taken as asked, or that the
// error names the certificate.
func FuzzIssue(f *testing.F) {
	f.Add("CN=a", "DNS:a", "http://a/", int64(0), "1h")
	f.Add("CN=a,O=b,DC=c,E=d@e", "URI:https://a:1/b?c#d", "x", int64(255), "500ms")
	f.Add("uid=a,CN=b+CN=c,1.2.3=d\\,\\00", "DNS:a", "x", int64(1), "1h")
	f.Add("cn=ü", "email:a", " ", int64(1<<62), "2562047h")
	f.Fuzz(func(t *testing.T, subject, san, url string, serial int64, expires string) {
		manifest := manifestOf(t, map[string]any{"subject": subject, "filename": "a", "sans": []string{san}, "ocsp": []string{url}, "serial": serial, "expires": expires})
		m, err := Parse("certs.yaml", manifest)
		if err != nil {
			return
		}
		c := m.Certificates[0]
		w := (&folder{manifest: m, now: time.Now(), reasons: make([][]Reason, 1), crlReasons: make([][]Reason, 1)}).workshop(Options{}, "")
		var failed *IssueError
		if err := issue(c, w.request(c)); err != nil && !errors.As(err, &failed) {
			t.Fatalf("%s\n%v", manifest, err)
		} else if err != nil {
			t.Fatalf("taken, and then not issued:\n%s\n%v", manifest, err)
		}
	})
}

// manifestOf writes one document.
func manifestOf(t *testing.T, fields map[string]any) []byte {
	data, err := yaml.Marshal(fields)
	if err != nil {
		t.Skip("not for YAML")
	}
	return data
}
