package certgen

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// Names are added in the style that is there, and all else stays.
func TestAddSANs(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"a list": {
			"# mine\nsubject: CN=a\nsans:\n- DNS:x # why\n\n# end\nkey_type: EC\n",
			"# mine\nsubject: CN=a\nsans:\n- DNS:x # why\n- IP:10.0.0.5\n\n# end\nkey_type: EC\n"},
		"an indented list at the end of a file without an end": {
			"subject: CN=a\nsans:\n  - DNS:x", "subject: CN=a\nsans:\n  - DNS:x\n  - IP:10.0.0.5\n"},
		"lines of Windows": {
			"subject: CN=a\r\nsans:\r\n- DNS:x\r\nca: false\r\n", "subject: CN=a\r\nsans:\r\n- DNS:x\r\n- IP:10.0.0.5\r\nca: false\r\n"},
		"brackets": {
			"subject: CN=a\nsans: [DNS:x, 'DNS:y' ] # z\n", "subject: CN=a\nsans: [DNS:x, 'DNS:y', IP:10.0.0.5 ] # z\n"},
		"brackets in quotes that are longer than their value": {
			"subject: CN=a\nsans: [\"DNS:\\x78\"]\n", "subject: CN=a\nsans: [IP:10.0.0.5, \"DNS:\\x78\"]\n"},
		"empty brackets": {"subject: CN=a\nsans: []\n", "subject: CN=a\nsans: [IP:10.0.0.5]\n"},
		"nothing":        {"subject: CN=a\nSANs:\nca: false\n", "subject: CN=a\nSANs:\n- IP:10.0.0.5\nca: false\n"},
		"no sans":        {"subject: CN=a\n# b\nca: false\n", "subject: CN=a\nsans:\n- IP:10.0.0.5\n# b\nca: false\n"},
		"no sans, and a subject of two lines": {
			"subject: >-\n  CN=a\nca: false\n", "sans:\n- IP:10.0.0.5\nsubject: >-\n  CN=a\nca: false\n"},
		"braces":            {"{subject: CN=a, ca: false}\n", "{sans: [IP:10.0.0.5], subject: CN=a, ca: false}\n"},
		"a byte order mark": {"\ufeffsubject: CN=a\n", "\ufeffsubject: CN=a\nsans:\n- IP:10.0.0.5\n"},
		"the second of two": {
			"subject: CN=b\nsans: [DNS:b]\n---\nsubject: CN=a\nsans:\n- DNS:é\u00e9\n---\nsubject: CN=c\n",
			"subject: CN=b\nsans: [DNS:b]\n---\nsubject: CN=a\nsans:\n- DNS:é\u00e9\n- IP:10.0.0.5\n---\nsubject: CN=c\n"},
		"there already": {"subject: CN=a\nsans: [IP:10.0.0.5]\n", "subject: CN=a\nsans: [IP:10.0.0.5]\n"},
	} {
		got, _, err := AddSANs("certs.yaml", []byte(c.before), "a", []string{"IP:10.0.0.5"})
		if err != nil || string(got) != c.after {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
}

// What would change more than it should is left to its author.
func TestAddSANsRefuses(t *testing.T) {
	manifest := "subject: CN=a\nkey_usages: &u [DigitalSignature]\nocsp: &names [DNS:x]\nsans: *names\n"
	_, _, err := AddSANs("certs.yaml", []byte(manifest), "a", []string{"DNS:y"})
	var edit *EditError
	if !errors.As(err, &edit) || edit.Write != "sans: [DNS:x, DNS:y]" {
		t.Errorf("an alias: %v", err)
	}
	var unknown *UnknownNameError
	if _, _, err := AddSANs("certs.yaml", []byte("subject: CN=a\n"), "b", []string{"DNS:y"}); !errors.As(err, &unknown) {
		t.Errorf("another name: %v", err)
	}
	for _, san := range []string{"DNS:a b", "DNS:*x", "DNS:", "IP:nowhere", "nothing"} {
		var refused *NameError
		if _, _, err := AddSANs("certs.yaml", []byte("subject: CN=a\n"), "a", []string{san}); !errors.As(err, &refused) {
			t.Errorf("%q: %v", san, err)
		}
	}
}

// A copy has all of a certificate but what is its alone.
func TestAddCopies(t *testing.T) {
	before := "# mine\nsubject: CN=ca\n---\nsubject: O=x, CN=me, OU=y\nissuer: CN=ca\nserial: 7\nsans: [URI:spiffe://example.org/me]\nkey_type: RSA\nkey_size: 2048\nexpires: 90m\n---\nsubject: CN=me-02"
	got, added, err := AddCopies("certs.yaml", []byte(before), "me", []string{"me-01", "me-02", "me-03"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(got), before+"\n---\n") || !slices.Equal(added, []string{"me-01", "me-03"}) {
		t.Errorf("%q of\n%s", added, got)
	}
	m, err := Parse("certs.yaml", got)
	if err != nil {
		t.Fatal(err)
	}
	first := m.Find("me-01")
	if first.Subject != "O=x, CN=me-01, OU=y" || first.Serial != nil || first.Issuer.Name != "ca" || first.KeySize != 2048 ||
		first.Expires != m.Find("me").Expires || !slices.Equal(first.SANs, []string{"URI:spiffe://example.org/me-01"}) {
		t.Errorf("%+v", first)
	}
	again, added, err := AddCopies("certs.yaml", got, "me", []string{"me-01", "me-02"})
	if err != nil || len(added) > 0 || string(again) != string(got) {
		t.Errorf("again: %v, %q", err, added)
	}
	var edit *EditError
	if _, _, err := AddCopies("certs.yaml", got, "ca", []string{"ca-01"}); !errors.As(err, &edit) {
		t.Errorf("a CA: %v", err)
	}
}

// Whatever a manifest looks like, only the names of one certificate change.
func FuzzAddSANs(f *testing.F) {
	manifest, err := os.ReadFile("../certs.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(manifest)
	f.Add([]byte("{subject: CN=server, sans: [\n DNS:x,\n]}"))
	f.Add([]byte("subject: CN=server\nsans:\n- |\n  DNS:x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, added, err := AddSANs("certs.yaml", data, "server", []string{"IP:10.0.0.5"})
		if err != nil || len(added) == 0 {
			return
		}
		before, err := Parse("certs.yaml", data)
		if err != nil {
			t.Fatal(err)
		}
		after, err := Parse("certs.yaml", got)
		if err != nil {
			t.Fatal(err)
		}
		if !after.differsIn(before, "server", append(slices.Clone(before.Find("server").SANs), "IP:10.0.0.5")) {
			t.Errorf("%q became %q", data, got)
		}
		for line := range strings.Lines(string(data)) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") && !strings.Contains(string(got), line) {
				t.Errorf("the comment %q is gone from %q", line, got)
			}
		}
	})
}
