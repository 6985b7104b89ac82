package lab

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// Checks are what a side asks of the peer's certificate beyond what Go does.
// OpenSSL does the like by itself.
type Checks struct {
	MinRSABits int  // the least size of an RSA key; 0: any
	KeyUsage   bool // keyUsage, where there is one, must allow to sign (RFC 8446 section 4.4.2.2)
}

// KeyUsageError is a certificate whose key may not be used to sign a handshake.
type KeyUsageError struct {
	Subject string
	CA      bool // it is one for issuing certificates
}

func (e *KeyUsageError) Error() string {
	return "keyUsage of " + e.Subject + " does not allow digitalSignature"
}

// WeakKeyError is a certificate with too short a key.
type WeakKeyError struct {
	Subject   string
	Bits, Min int
}

func (e *WeakKeyError) Error() string {
	return fmt.Sprintf("RSA key of %s has %d bits, less than %d", e.Subject, e.Bits, e.Min)
}

// verifier returns what judges a peer's certificate once its chain, dates and
// names have been found good: crypto/tls's VerifyConnection, since
// VerifyPeerCertificate is not asked when a session is resumed.
func (c Checks) verifier(r *revocations) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return nil
		}
		if err := c.check(state.PeerCertificates[0]); err != nil {
			return err
		}
		return r.check(state.VerifiedChains, time.Now())
	}
}

func (c Checks) check(leaf *x509.Certificate) error {
	if key, ok := leaf.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < c.MinRSABits {
		return &WeakKeyError{Subject: leaf.Subject.String(), Bits: key.N.BitLen(), Min: c.MinRSABits}
	}
	if c.KeyUsage && leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return &KeyUsageError{Subject: leaf.Subject.String(), CA: leaf.IsCA}
	}
	return nil
}
