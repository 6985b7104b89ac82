package fault

import (
	"crypto"
	"crypto/tls"
	"io"
	"slices"
)

// Chain is which certificates are sent besides the leaf, and in which order.
type Chain string

// The chains. The zero value is right: the leaf, then the intermediates up to
// but not including the root (RFC 8446 section 4.4.2).
const (
	ChainLeaf     Chain = "leaf"     // the leaf alone
	ChainReversed Chain = "reversed" // the leaf last
)

// Apply changes the chain that is sent with certificate.
func (c Chain) Apply(certificate *tls.Certificate) {
	switch c {
	case ChainLeaf:
		certificate.Certificate = certificate.Certificate[:1]
	case ChainReversed:
		slices.Reverse(certificate.Certificate)
	}
}

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
