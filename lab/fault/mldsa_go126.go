//go:build !go1.27

package fault

import "crypto/tls"

// HasMLDSA reports whether this program has ML-DSA.
const HasMLDSA = false

// Reissue returns the certificates of a PKI with keys of the type: Go has them
// from 1.27 on. The error is *KeyTypeError.
func (t KeyType) Reissue(map[string]tls.Certificate) (map[string]tls.Certificate, error) {
	return nil, &KeyTypeError{t}
}
