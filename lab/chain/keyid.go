package chain

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"

	"crypto/x509/pkix"
)

// KeyID returns the first eight hexadecimal digits of the SHA-256 of a
// certificate's public key, which tell apart two CAs of one name: those of the
// subject key identifier too, where it is made so (RFC 7093 section 2, method
// 1), as the lab's and Go's are.
func KeyID(c *x509.Certificate) string {
	sum := KeySum(c)
	return hex.EncodeToString(sum[:4])
}

// SameKey reports whether two certificates have one key.
func SameKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// KeySum is the SHA-256 of the subjectPublicKey.
func KeySum(c *x509.Certificate) [sha256.Size]byte {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &info); err != nil {
		return sha256.Sum256(c.RawSubjectPublicKeyInfo)
	}
	return sha256.Sum256(info.Key.RightAlign())
}

// keysOfNamesakes says which keys two CAs of one name have: that which the last
// of a path was signed with, as far as it says so, and that of twin.
func (p *Path) keysOfNamesakes() string {
	top, there := p.Top(), KeyID(p.twin)
	sum := KeySum(p.twin)
	switch {
	case IsSelfIssued(top):
		return " (SHA-256 " + KeyID(top) + ", there " + there + ")"
	case len(top.AuthorityKeyId) == 20 && bytes.Equal(p.twin.SubjectKeyId, sum[:20]): // so that of its namesake is likely made so too
		return " (SHA-256 " + hex.EncodeToString(top.AuthorityKeyId[:4]) + ", there " + there + ")"
	}
	return " (there SHA-256 " + there + ")"
}

// TrustedError is a chain that did not verify, with the CAs that it was
// verified under, so that [Explain] can name the one that it was taken for.
type TrustedError struct {
	Err error
	CAs []*x509.Certificate
}

func (e *TrustedError) Error() string { return e.Err.Error() }
func (e *TrustedError) Unwrap() error { return e.Err }

// keysOfTwin is keysOfNamesakes of a certificate and a CA of its issuer's name.
func keysOfTwin(cert, ca *x509.Certificate) string {
	return (&Path{certs: []*x509.Certificate{cert}, twin: ca}).keysOfNamesakes()
}

// keysOf says which keys two CAs of one name have: that which cert names as its
// issuer's, and that of the CA of the issuer's name that err knows of; "" where
// it knows of none.
func keysOf(err error, cert *x509.Certificate) string {
	var trusted *TrustedError
	if cert == nil || !errors.As(err, &trusted) {
		return ""
	}
	for _, ca := range trusted.CAs {
		if NamesIssuer(cert, ca) {
			return keysOfTwin(cert, ca)
		}
	}
	return ""
}
