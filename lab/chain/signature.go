package chain

import (
	"crypto/rsa"
	"crypto/sha256"
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
	return NamesIssuer(cert, ca) && certified(cert, ca) == nil
}

// certified verifies that a certificate is signed with the key of issuer. The
// error is nil when it is, errSignature when it is not, and another one when
// it cannot be known here. It remembers the results: one chain is walked
// several times, and connections show the same few.
func certified(cert, issuer *x509.Certificate) error {
	of := signature{sha256.Sum256(cert.Raw), sha256.Sum256(issuer.Raw)}
	verified.Lock()
	err, ok := verified.results[of]
	verified.Unlock()
	if ok {
		return err
	}
	err = verifySignature(cert, issuer)
	verified.Lock()
	defer verified.Unlock()
	if verified.results == nil || len(verified.results) >= maxCached {
		verified.results = make(map[signature]error)
	}
	verified.results[of] = err
	return err
}

// signature is that of a certificate by an issuer: the hashes of the two.
type signature [2][sha256.Size]byte

// verified are the results for signatures. They do not depend on whom one
// trusts, so all share them. They take at most half a megabyte, and hold no
// certificate.
var verified struct {
	sync.Mutex
	results map[signature]error
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
