package certgen

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen/yamldoc"
)

// These are what the certyaml command v0.11.0 gets wrong, one by one.

func TestChangedFieldsAreMade(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, "subject: CN=a\n"), dir, Options{})
	wantSteps(t, generate(t, parse(t, "subject: CN=a\nexpires: 100h\n"), dir, Options{}), "a: certificate: changed: expires")
	made, err := Load(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	if lifetime := made.Leaf.NotAfter.Sub(made.Leaf.NotBefore); lifetime != 100*time.Hour {
		t.Errorf("the lifetime is %v", lifetime)
	}
}

func TestLeavesFollowTheirCA(t *testing.T) {
	dir, m := t.TempDir(), parse(t, "subject: CN=ca\n---\nsubject: CN=leaf\nissuer: CN=ca\n")
	generate(t, m, dir, Options{})
	remove(t, dir, "ca.pem")
	wantSteps(t, generate(t, m, dir, Options{}),
		"ca: certificate: certificate is missing, but the key exists", "leaf: certificate: issuer ca is made anew")
	openssl := referee(t, "openssl")
	openssl("verify", "-CAfile", filepath.Join(dir, "ca.pem"), filepath.Join(dir, "leaf.pem"))
}

func TestExpiredIsMade(t *testing.T) {
	dir, m := t.TempDir(), parse(t, "subject: CN=a\nexpires: 1h\n")
	generate(t, m, dir, at(morning))
	wantSteps(t, generate(t, m, dir, at(morning.Add(59*time.Minute))), "a: certificate: expired 4 minutes ago")
}

func TestOneMoreRevoked(t *testing.T) {
	const one = "subject: CN=ca\n---\nsubject: CN=a\nissuer: CN=ca\nrevoked: true\n---\nsubject: CN=b\nissuer: CN=ca\n"
	dir := t.TempDir()
	generate(t, parse(t, one), dir, Options{})
	both := parse(t, one+"revoked: true\n")
	wantSteps(t, generate(t, both, dir, Options{}), "ca: CRL: does not list b")
	wantListed(t, dir, "ca", "a", "b")
}

func TestIDNA(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, "subject: CN=a\nsans: ['DNS:bücher.example', 'DNS:*.Straße.example']\n"), dir, Options{})
	made, err := Load(dir, "a")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"xn--bcher-kva.example", "*.xn--strae-oqa.example"}; !slices.Equal(made.Leaf.DNSNames, want) {
		t.Errorf("names are %q, want %q", made.Leaf.DNSNames, want)
	}
}

func TestFilesStayInTheFolder(t *testing.T) {
	for _, manifest := range []string{"subject: CN=a\nfilename: ../escaped\n", "subject: CN=../escaped\n"} {
		var bad *yamldoc.Error
		if _, err := Parse("certs.yaml", []byte(manifest)); !errors.As(err, &bad) {
			t.Errorf("%q: got %v", manifest, err)
		}
	}
}

func TestLargeDocument(t *testing.T) {
	manifest := "subject: CN=ca\n---\nsubject: CN=large\nissuer: CN=ca\nsans:\n" +
		strings.Repeat("- DNS:a-rather-long-name.example.com\n", 3000) + "---\nsubject: CN=after\nissuer: CN=ca\n"
	dir := t.TempDir()
	if steps := generate(t, parse(t, manifest), dir, Options{}); len(steps) != 3 {
		t.Errorf("made %q", steps)
	}
	made, err := Load(dir, "large")
	if err != nil {
		t.Fatal(err)
	}
	if len(made.Leaf.DNSNames) != 3000 {
		t.Errorf("%d names", len(made.Leaf.DNSNames))
	}
}

func TestIssuerIsComparedAsName(t *testing.T) {
	dir := t.TempDir()
	m := parse(t, "subject: CN=Case CA\n---\nsubject: CN=a\nissuer: cn=Case CA\n")
	if steps := generate(t, m, dir, Options{}); len(steps) != 2 {
		t.Errorf("made %q", steps)
	}
	verifyAll(t, m, dir, time.Now())
}

func TestSameSubject(t *testing.T) {
	var bad *yamldoc.Error
	_, err := Parse("certs.yaml", []byte("subject: CN=a\n---\nsubject: CN=a\n"))
	if !errors.As(err, &bad) || bad.Line != 3 || !strings.Contains(bad.Problem, "line 1") {
		t.Errorf("got %v", err)
	}
	dir, m := t.TempDir(), parse(t, "subject: CN=a\n---\nsubject: CN=a\nfilename: b\n")
	if steps := generate(t, m, dir, Options{}); len(steps) != 2 {
		t.Errorf("made %q", steps)
	}
}
