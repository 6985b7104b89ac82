package certfile_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"go/version"
	"runtime"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/certfile"
)

// mldsaKey reads a key of ML-DSA-65 from PEM in the form of RFC 9881 section 6.
func mldsaKey(t *testing.T, form any) certfile.Key {
	t.Helper()
	inner, raw := form.([]byte)
	if !raw {
		inner = marshal(t, form)
	}
	type algorithm struct{ OID asn1.ObjectIdentifier }
	der := marshal(t, struct {
		Version   int
		Algorithm algorithm
		Key       []byte
	}{0, algorithm{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}}, inner})
	parts, err := certfile.Parse("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "")
	if err != nil || len(parts) != 1 || len(parts[0].Keys) != 1 {
		t.Fatalf("%+v, %v", parts, err)
	}
	return parts[0].Keys[0]
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

var hasMLDSA = version.Compare(runtime.Version(), "go1.27") >= 0

// TestUnusableMLDSA: a key of ML-DSA that cannot be read is not put down to a
// Go without ML-DSA by a lab that has it.
func TestUnusableMLDSA(t *testing.T) {
	for name, test := range map[string]struct {
		form any
		want string
	}{
		"damaged":          {[]byte("damaged"), "cannot be read"},
		"without the seed": {marshal(t, make([]byte, 4032)), "has a key of ML-DSA-65 in its expanded form alone"},
	} {
		if !hasMLDSA {
			test.want = "built with"
		}
		if key := mldsaKey(t, test.form); key.Signer != nil || !strings.Contains(key.Problem, test.want) {
			t.Errorf("%s, with %s: %q", name, runtime.Version(), key.Problem)
		}
	}
}

// TestFormsOfMLDSA: the seed alone, as Go writes it, and seed and expanded key,
// as OpenSSL does, are the same key.
func TestFormsOfMLDSA(t *testing.T) {
	seed := bytes.Repeat([]byte{7}, 32)
	var public [][]byte
	for name, form := range map[string]any{
		"seed": asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, Bytes: seed},
		"both": struct{ Seed, Expanded []byte }{seed, make([]byte, 4032)},
	} {
		key := mldsaKey(t, form)
		if !hasMLDSA {
			if !strings.Contains(key.Problem, "built with Go") || key.Err != certfile.ErrAlgorithm {
				t.Errorf("%s: %+v", name, key)
			}
			continue
		}
		if key.Signer == nil {
			t.Fatalf("%s: %q", name, key.Problem)
		}
		spki, err := x509.MarshalPKIXPublicKey(key.Signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		public = append(public, spki)
	}
	if hasMLDSA && !bytes.Equal(public[0], public[1]) {
		t.Error("the two forms of one key are two keys")
	}
}
