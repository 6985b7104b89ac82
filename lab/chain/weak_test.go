package chain

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"
)

// The key of a certificate has a name, and says which signatures it makes.
func TestKey(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key    any
		name   string
		weak   bool
		fits   map[string]bool // in TLS 1.2
		fits13 map[string]bool
	}{
		{&short.PublicKey, "RSA 1,024 bits", true, map[string]bool{"rsa_pkcs1_sha256": true, "ecdsa_secp256r1_sha256": false}, map[string]bool{"rsa_pss_rsae_sha256": true, "rsa_pkcs1_sha256": false}},
		{&curve.PublicKey, "P-384", false, map[string]bool{"ecdsa_secp256r1_sha256": true}, map[string]bool{"ecdsa_secp256r1_sha256": false, "ecdsa_secp384r1_sha384": true}},
		{edwards, "Ed25519", false, map[string]bool{"ed25519": true, "ed448": false}, map[string]bool{"ed25519": true}},
	} {
		spki, err := x509.MarshalPKIXPublicKey(test.key)
		if err != nil {
			t.Fatal(err)
		}
		cert := &x509.Certificate{PublicKey: test.key, RawSubjectPublicKeyInfo: spki}
		if got := Key(cert); got != test.name || IsWeakKey(cert) != test.weak {
			t.Errorf("%s, weak %v, want %s", got, IsWeakKey(cert), test.name)
		}
		for isTLS13, all := range map[bool]map[string]bool{false: test.fits, true: test.fits13} {
			for scheme, want := range all {
				if Fits(cert, scheme, isTLS13) != want {
					t.Errorf("%s makes %s in TLS 1.3 (%v): %v", test.name, scheme, isTLS13, !want)
				}
			}
		}
	}
	if Key(nil) != "" {
		t.Error("no certificate has a key")
	}
}
