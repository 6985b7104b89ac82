package lab

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"time"

	"mtlslab.example/lab/lab/chain"
)

// Checks are checks of the peer's certificate that Go does not make. OpenSSL
// makes similar ones by default.
type Checks struct {
	MinRSABits int  // the minimum size of an RSA key; 0: any
	KeyUsage   bool // keyUsage, if present, must have digitalSignature (RFC 9846 section 4.5.1.2)
}

// verifier returns a function for tls.Config.VerifyConnection, which checks a
// peer's certificate after its chain, dates and names. It is not one for
// VerifyPeerCertificate, since that is not called when a session is resumed.
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

// unlessResumed makes the check in full handshakes alone, as a server does that
// checks certificates where they are shown.
func unlessResumed(check func(tls.ConnectionState) error) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if state.DidResume {
			return nil
		}
		return check(state)
	}
}

func (c Checks) check(leaf *x509.Certificate) error {
	if key, ok := leaf.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < c.MinRSABits {
		return &chain.WeakKeyError{Subject: chain.Name(leaf), Bits: key.N.BitLen(), Min: c.MinRSABits}
	}
	if c.KeyUsage && leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return &chain.KeyUsageError{Subject: chain.Name(leaf), CA: leaf.IsCA}
	}
	return nil
}
