package certgen

import (
	"crypto"
	"crypto/tls"
	"errors"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

const exported = `subject: CN=root
---
subject: CN=middle
issuer: CN=root
ca: true
---
subject: CN=ec
issuer: CN=middle
---
subject: CN=rsa
issuer: CN=middle
key_type: RSA
---
subject: CN=ed25519
issuer: CN=middle
key_type: ED25519
`

// TestExport: keys of every type, with the intermediate and without the root.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, exported), dir, Options{})
	for _, name := range []string{"ec", "rsa", "ed25519"} {
		want, err := Load(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		for profile, export := range map[string]func(dir, name, password string) ([]byte, error){"modern": PKCS12, "legacy": LegacyPKCS12} {
			p12, err := export(dir, name, "pass")
			if err != nil {
				t.Fatal(err)
			}
			key, leaf, intermediates, err := pkcs12.DecodeChain(p12, "pass")
			if err != nil {
				t.Fatal(err)
			}
			if signer, ok := key.(crypto.Signer); !ok || !IsKeyOf(want.Leaf, signer) || !leaf.Equal(want.Leaf) || len(intermediates) != 1 {
				t.Errorf("%s: PKCS#12, %s, has %T, %v and %d intermediates", name, profile, key, leaf.Subject, len(intermediates))
			}
			if _, _, _, err := pkcs12.DecodeChain(p12, "other"); err == nil {
				t.Errorf("%s: any password opens it", profile)
			}
		}
		bundle, err := Bundle(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tls.X509KeyPair(bundle, bundle)
		if err != nil || len(got.Certificate) != 2 || !got.Leaf.Equal(want.Leaf) {
			t.Errorf("%s: the bundle has %d certificates, %v", name, len(got.Certificate), err)
		}
	}
}

// TestExportTrustStore: a CA under its name, and nothing else than a CA.
func TestExportTrustStore(t *testing.T) {
	dir := t.TempDir()
	generate(t, parse(t, exported), dir, Options{})
	store, err := TrustStore(dir, "root", "pass")
	if err != nil {
		t.Fatal(err)
	}
	if trusted, err := pkcs12.DecodeTrustStore(store, "pass"); err != nil || len(trusted) != 1 || trusted[0].Subject.CommonName != "root" {
		t.Errorf("the trust store has %v, %v", trusted, err)
	}
	var noAnchor *NoAnchorError
	if _, err := TrustStore(dir, "ec", "pass"); !errors.As(err, &noAnchor) {
		t.Errorf("got %v", err)
	}
}
