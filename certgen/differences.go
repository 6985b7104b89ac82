package certgen

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"net"
	"net/url"
	"slices"
	"time"
)

// differences returns the fields of the manifest that a certificate does not
// agree with, in the order of the manifest's table. Its signature is not
// looked at.
func (c *Certificate) differences(leaf *x509.Certificate) []string {
	keyType, keySize := keyOf(leaf)
	issuer := c
	if c.Issuer != nil {
		issuer = c.Issuer
	}
	var fields []string
	for _, check := range []struct {
		field string
		same  bool
	}{
		{"subject", bytes.Equal(leaf.RawSubject, c.subject.der)},
		{"sans", c.sans.equal(leaf)},
		{"key_type", keyType == c.KeyType},
		{"key_size", keyType != c.KeyType || keySize == c.KeySize},
		{"expires", !c.NotAfter.IsZero() || c.sameLifetime(leaf)},
		{"not_before", c.NotBefore.IsZero() || leaf.NotBefore.Equal(c.NotBefore)},
		{"not_after", c.NotAfter.IsZero() || leaf.NotAfter.Equal(c.NotAfter)},
		{"key_usages", leaf.KeyUsage == c.KeyUsage},
		{"ext_key_usages", slices.Equal(leaf.ExtKeyUsage, c.ExtKeyUsage) && len(leaf.UnknownExtKeyUsage) == 0},
		{"issuer", bytes.Equal(leaf.RawIssuer, issuer.subject.der) || bytes.Equal(leaf.RawIssuer, issuer.subject.issued)},
		{"ca", leaf.IsCA == c.CA || c.extends(OIDBasicConstraints)},
		{"serial", c.Serial == nil || leaf.SerialNumber.Cmp(c.Serial) == 0},
		{"crl_distribution_points", slices.Equal(leaf.CRLDistributionPoints, c.CRLDistributionPoints)},
		{"ocsp", slices.Equal(leaf.OCSPServer, c.OCSP)},
		{"extensions", c.sameExtensions(leaf)},
	} {
		if !check.same {
			fields = append(fields, check.field)
		}
	}
	return fields
}

// sameLifetime reports whether a certificate is valid for as long as asked.
// Both its dates were rounded down to seconds, maybe from fractions.
func (c *Certificate) sameLifetime(leaf *x509.Certificate) bool {
	return (leaf.NotAfter.Sub(leaf.NotBefore) - c.Expires).Abs() < time.Second
}

// equal reports whether a certificate has these names. Their order counts among
// names of one type only: certificates are written type by type.
func (n *alternativeNames) equal(leaf *x509.Certificate) bool {
	sameURI := func(a, b *url.URL) bool { return a.String() == b.String() }
	return slices.Equal(n.dns, leaf.DNSNames) &&
		slices.Equal(n.emails, leaf.EmailAddresses) &&
		slices.EqualFunc(n.ips, leaf.IPAddresses, net.IP.Equal) &&
		slices.EqualFunc(n.uris, leaf.URIs, sameURI)
}

// keyOf returns the type of a certificate's key and its size in bits.
func keyOf(leaf *x509.Certificate) (KeyType, int) {
	switch key := leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return EC, key.Curve.Params().BitSize
	case *rsa.PublicKey:
		return RSA, key.N.BitLen()
	case ed25519.PublicKey:
		return Ed25519, 8 * ed25519.PublicKeySize
	}
	return "", 0
}
