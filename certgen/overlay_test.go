package certgen

import (
	"crypto/x509/pkix"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/certgen/yamldoc"
)

const overlaidBase = "subject: CN=ca\n---\nsubject: CN=a\nissuer: CN=ca\n---\nsubject: CN=b\nissuer: CN=ca\n"

func documentsOf(t *testing.T, file, text string) []yamldoc.Document {
	t.Helper()
	documents, err := yamldoc.Read(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

// What has the same file name is replaced, all else stays and can be issuer.
func TestOverlay(t *testing.T) {
	m, err := Overlay("mine.yaml", documentsOf(t, "base.yaml", overlaidBase),
		documentsOf(t, "mine.yaml", "title: not a certificate\n---\nsubject: CN=a\nissuer: CN=ca\nrevoked: true\n---\nsubject: CN=c\nissuer: CN=ca\n")[1:])
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range m.Certificates {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, []string{"ca", "b", "a", "c"}) || !m.Find("a").Revoked || m.Find("c").Issuer != m.Find("ca") {
		t.Errorf("%q, %+v", names, m.Find("a"))
	}
}

func TestOverlayFaultsHaveTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"subject: CN=d\n---\nsubject: CN=e\nexpires: soon\n":   `mine.yaml:4:10: "soon" is not a duration`,
		"subject: CN=d\n---\nsubject: CN=e\nissuer: CN=nobody": `mine.yaml:4:9: the issuer "CN=nobody" is not in the manifest`,
	} {
		_, err := Overlay("mine.yaml", documentsOf(t, "base.yaml", overlaidBase), documentsOf(t, "mine.yaml", text))
		if err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

// An extension of its own is in the certificate in place of the usual one, and
// the next run finds nothing to do.
func TestExtend(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	const manifest = "subject: CN=ca\n---\nsubject: CN=sub\nissuer: CN=ca\nca: true\n---\nsubject: CN=leaf\nissuer: CN=sub\n"
	notCA := pkix.Extension{Id: OIDBasicConstraints, Critical: true, Value: []byte{0x30, 0}}
	m, err := Parse("certs.yaml", []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Extend("sub", notCA); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{3, 0} {
		plan, err := Generate(t.Context(), m, dir, Options{})
		if err != nil || len(plan.Steps) != want {
			t.Fatalf("%v, %v, not %d steps", plan, err, want)
		}
	}
	sub, err := LoadCertificates(dir, "sub")
	if err != nil || sub[0].IsCA || !sub[0].BasicConstraintsValid {
		t.Errorf("it is a CA: %v", err)
	}
	var unknown *UnknownNameError
	if err := m.Extend("sbu", notCA); !errors.As(err, &unknown) || !slices.Contains(unknown.Nearest, "sub") {
		t.Errorf("%v", err)
	}
}

// An extension that is not asked for any more goes.
func TestExtensionsGo(t *testing.T) {
	for name, extension := range map[string]pkix.Extension{
		"path length":      {Id: OIDBasicConstraints, Critical: true, Value: []byte{0x30, 6, 1, 1, 0xff, 2, 1, 0}},
		"name constraints": {Id: OIDNameConstraints, Critical: true, Value: []byte{0x30, 7, 0xa0, 5, 0x30, 3, 0x82, 1, 'x'}},
	} {
		dir := filepath.Join(t.TempDir(), "certs")
		for i, want := range []int{1, 1, 0} {
			m, err := Parse("certs.yaml", []byte("subject: CN=ca\n"))
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				err = m.Extend("ca", extension)
			}
			if err != nil {
				t.Fatal(err)
			}
			plan, err := Generate(t.Context(), m, dir, Options{})
			if err != nil || len(plan.Steps) != want {
				t.Fatalf("%s, run %d: %v, %v, not %d steps", name, i, plan, err, want)
			}
		}
	}
}

// Revoke does what revoked: true does.
func TestRevoke(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "certs")
	m, err := Parse("certs.yaml", []byte(overlaidBase))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Revoke("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := Generate(t.Context(), m, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	crl, err := LoadCRL(dir, "ca")
	leaf, leafErr := LoadCertificates(dir, "a")
	if err != nil || leafErr != nil || len(crl.RevokedCertificateEntries) != 1 || crl.RevokedCertificateEntries[0].SerialNumber.Cmp(leaf[0].SerialNumber) != 0 {
		t.Errorf("%v, %v", err, leafErr)
	}
	if crl != nil && crl.NextUpdate.Before(time.Now()) {
		t.Error("out of date")
	}
	if err := m.Revoke("nobody"); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("%v", err)
	}
}
