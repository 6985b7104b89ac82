//go:build go1.27

package tlsdecrypt

import (
	"crypto"
	"crypto/mldsa"

	"mtlslab.example/lab/lab/tlswire"
)

// verifyLater checks a signature with ML-DSA (FIPS 204), without a context
// (draft-ietf-tls-mldsa).
func verifyLater(key crypto.PublicKey, s *tlswire.DigitallySigned, content []byte) error {
	public, ok := key.(*mldsa.PublicKey)
	if !ok || map[tlswire.SignatureScheme]mldsa.Parameters{
		tlswire.SchemeMLDSA44: mldsa.MLDSA44(), tlswire.SchemeMLDSA65: mldsa.MLDSA65(), tlswire.SchemeMLDSA87: mldsa.MLDSA87(),
	}[s.Algorithm] != public.Parameters() {
		return errScheme
	}
	return matches(mldsa.Verify(public, content, s.Signature, nil) == nil)
}
