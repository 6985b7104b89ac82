package lab

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"

	"mtlslab.example/lab/lab/chain"
)

// What a side asks of a certificate beyond what Go does. One without a subject
// is called by its first alternative name.
func TestPeerChecks(t *testing.T) {
	rsaKey := func(bits uint) *rsa.PublicKey {
		return &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}
	}
	all := Checks{MinRSABits: 2048, KeyUsage: true}
	for name, test := range map[string]struct {
		checks Checks
		leaf   x509.Certificate
		want   string
	}{
		"as short as allowed":       {all, x509.Certificate{PublicKey: rsaKey(2048)}, ""},
		"a bit shorter":             {all, x509.Certificate{PublicKey: rsaKey(2047)}, "RSA key of (no subject) DNS:example.org has 2047 bits, less than 2048"},
		"any length":                {Checks{}, x509.Certificate{PublicKey: rsaKey(512)}, ""},
		"no RSA key":                {all, x509.Certificate{PublicKey: &ecdsa.PublicKey{}}, ""},
		"for signatures":            {all, x509.Certificate{KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}, ""},
		"not for signatures":        {all, x509.Certificate{KeyUsage: x509.KeyUsageKeyEncipherment}, "keyUsage of (no subject) DNS:example.org does not allow digitalSignature"},
		"without a usage":           {all, x509.Certificate{}, ""},
		"usages that do not matter": {Checks{}, x509.Certificate{KeyUsage: x509.KeyUsageKeyEncipherment}, ""},
	} {
		test.leaf.DNSNames = []string{"example.org"}
		err := test.checks.check(&test.leaf)
		if err == nil && test.want != "" || err != nil && err.Error() != test.want {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	var usage *chain.KeyUsageError
	if err := all.check(&x509.Certificate{KeyUsage: x509.KeyUsageCertSign, IsCA: true}); !errors.As(err, &usage) || !usage.CA {
		t.Errorf("of a CA: %v", err)
	}
}
