package fault

import (
	"crypto"
	"io"
)

// Impostor returns a key that claims to be the one of a certificate, with the
// public key claimed, and signs with another: crypto/tls then sends a
// CertificateVerify that does not fit the certificate.
func Impostor(claimed crypto.PublicKey, signer crypto.Signer) crypto.Signer {
	return impostor{claimed, signer}
}

type impostor struct {
	claimed crypto.PublicKey
	signer  crypto.Signer
}

func (i impostor) Public() crypto.PublicKey { return i.claimed }

func (i impostor) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return i.signer.Sign(random, digest, o)
}
