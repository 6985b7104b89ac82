package command

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/tlsdecrypt"
)

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// rsaBlocks are the blocks that a PEM file may have.
func rsaBlocks(t testing.TB) (pkcs1, pkcs8, other, certificate, encrypted []byte) {
	t.Helper()
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	elliptic := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server"}, NotAfter: time.Now()}
	return block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))),
		block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(elliptic))),
		block("CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte{1, 2, 3},
			Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00000000000000000000000000000000"}})
}

// A file of keys may have anything besides, in any order, as those of haproxy,
// stunnel and openssl have.
func TestRSAKeysOfAFile(t *testing.T) {
	pkcs1, pkcs8, other, certificate, encrypted := rsaBlocks(t)
	join := func(blocks ...[]byte) []byte { return bytes.Join(blocks, []byte("# a comment\n")) }
	for name, test := range map[string]struct {
		text []byte
		keys int
	}{
		"PKCS #1":                {pkcs1, 1},
		"PKCS #8":                {pkcs8, 1},
		"certificates first":     {join(certificate, certificate, pkcs8), 1},
		"key first":              {join(pkcs1, certificate), 1},
		"parameters first":       {join(block("EC PARAMETERS", []byte{6, 1, 1}), other, pkcs1), 1},
		"several keys":           {join(pkcs1, certificate, pkcs8), 2},
		"an encrypted one too":   {join(encrypted, pkcs8), 1},
		"text before and behind": {append([]byte("Bag Attributes\n  friendlyName: x\n"), join(pkcs8, nil)...), 1},
	} {
		keys, err := rsaKeys(test.text)
		if err != nil || len(keys) != test.keys {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
	ed25519Key := must(x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, 32))))
	for name, test := range map[string]struct {
		text       []byte
		want, hint string
	}{
		"encrypted":         {join(certificate, encrypted), "the key is encrypted", "openssl pkey -in "},
		"encrypted PKCS #8": {block("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}), "the key is encrypted", "openssl pkey -in "},
		"elliptic":          {join(other, certificate), "the key is EC", "only RSA keys open anything"},
		"Ed25519":           {block("PRIVATE KEY", ed25519Key), "the key is Ed25519", "only RSA keys open anything"},
		"certificate":       {certificate, "it has other things alone, such as certificates", "it takes the private key"},
		"no key at all":     {[]byte("hello"), "it is not PEM, DER or PKCS#12", "it takes the private key"},
		"damaged":           {block("PRIVATE KEY", []byte{0x30, 0}), "the key does not parse", "it takes the private key"},
	} {
		file := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(file, test.text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := loadRSAKeys(file, "")
		if err == nil || !strings.HasSuffix(err.Error(), "key.pem has no RSA private key: "+test.want) || !strings.HasPrefix(hint(err), test.hint) {
			t.Errorf("%s: %v, hint %q", name, err, hint(err))
		}
	}
}

func TestRSAKeySummary(t *testing.T) {
	for want, uses := range map[string]rsaKeyUses{
		"the RSA key opened 2 connections": {tlsdecrypt.RSAKeyOpened: 2, tlsdecrypt.RSAKeyUnused: 7},
		"the RSA key opened 0 connections; it cannot open 3 with forward secrecy, 1 with the certificate of another key": {tlsdecrypt.RSAForward: 3, tlsdecrypt.RSAOtherKey: 1},
	} {
		if got := uses.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// smallKey is an RSA key of few bytes: its primes are 2^61-1 and 2^89-1.
func smallKey() *rsa.PrivateKey {
	one := big.NewInt(1)
	p, q := new(big.Int).Lsh(one, 61), new(big.Int).Lsh(one, 89)
	p.Sub(p, one)
	q.Sub(q, one)
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, Primes: []*big.Int{p, q}}
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	key.D = new(big.Int).ModInverse(big.NewInt(int64(key.E)), phi)
	return key
}

// FuzzRSAKeys has no file of keys panic, and what is read be keys that can be
// used. To run it:
//
//	go test -fuzz FuzzRSAKeys -fuzztime 1m ./lab/command
func FuzzRSAKeys(f *testing.F) {
	key := smallKey()
	pkcs1, pkcs8 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
	for _, seed := range [][]byte{pkcs1, pkcs8, append(block("CERTIFICATE", []byte{0x30, 0}), pkcs8...),
		block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, 32))))),
		block("EC PRIVATE KEY", []byte{0x30, 0}), block("ENCRYPTED PRIVATE KEY", []byte{0x30, 0})} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := rsaKeys(text)
		if err == nil && len(keys) == 0 || err != nil && len(keys) > 0 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, key := range keys {
			if key == nil || key.N == nil || key.D == nil {
				t.Fatal("a key without its numbers")
			}
			_ = (&rsaKeyError{"key.pem", err}).hint()
		}
	})
}
