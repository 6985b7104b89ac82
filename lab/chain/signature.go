package chain

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"sync"
)

// How a certificate's signature does not verify. Only errSignature says that it
// is wrong.
var (
	errSignature = errors.New("the signature does not verify")
	errScheme    = errors.New("a signature scheme that is not known here")
	errRefused   = errors.New("a key that is refused here")
)

// minRSABits is the least size of keys that crypto/rsa takes.
const minRSABits = 1024

// Issued reports whether cert is signed with the key of a CA, which it names.
func Issued(ca, cert *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, ca.RawSubject) && certified(cert, ca) == nil
}

// certified verifies that a certificate is signed with the key of issuer. The
// error is nil when it is, errSignature when it is not, and another one when
// it cannot be known here. It remembers the results: one chain is walked
// several times, and connections show the same few.
func certified(cert, issuer *x509.Certificate) error {
	pair := [2]*x509.Certificate{cert, issuer}
	verified.Lock()
	err, ok := verified.signatures[pair]
	verified.Unlock()
	if ok {
		return err
	}
	err = verifySignature(cert, issuer)
	if len(cert.Raw)+len(issuer.Raw) > maxRememberedSize {
		return err
	}
	verified.Lock()
	defer verified.Unlock()
	if verified.signatures == nil || len(verified.signatures) >= maxCached {
		verified.signatures = make(map[[2]*x509.Certificate]error)
	}
	verified.signatures[pair] = err
	return err
}

// maxRememberedSize bounds the certificates whose signatures are remembered, in
// bytes.
const maxRememberedSize = 1 << 14

// verified are the results for pairs of a certificate and its issuer.
var verified struct {
	sync.Mutex
	signatures map[[2]*x509.Certificate]error
}

func verifySignature(cert, issuer *x509.Certificate) error {
	err := issuer.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature)
	var insecure x509.InsecureAlgorithmError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &insecure), errors.Is(err, x509.ErrUnsupportedAlgorithm):
		return errScheme
	}
	if key, ok := issuer.PublicKey.(*rsa.PublicKey); ok {
		if key.N.BitLen() < minRSABits || !errors.Is(err, rsa.ErrVerification) {
			return errRefused
		}
	}
	return errSignature
}
