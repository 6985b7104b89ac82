package certfile

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
)

// KeyID returns the first eight hexadecimal digits of the SHA-256 of a
// certificate's public key (SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7): it
// tells apart two CAs of one name.
func KeyID(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:4])
}

// SameKey reports whether two certificates have one key.
func SameKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}
