package fault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	_ "crypto/sha1" // one of the flaws
	_ "crypto/sha256"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Flaw is what is wrong with a certificate that no tool of today issues.
type Flaw string

// The flaws.
const (
	SHA1Signature    Flaw = "sha1-signature"
	NegativeSerial   Flaw = "negative-serial"
	NoAuthorityKeyID Flaw = "no-authority-key-identifier"
)

// Reissue gives the leaf of certificate a flaw, and signs it again with the key
// of its issuer, which is RSA or EC.
func (f Flaw) Reissue(certificate *tls.Certificate, issuer crypto.Signer) error {
	der, err := resigned(certificate.Certificate[0], issuer, func(t *tbsCertificate) crypto.Hash {
		switch f {
		case SHA1Signature:
			return crypto.SHA1
		case NegativeSerial:
			t.SerialNumber.Neg(t.SerialNumber)
		case NoAuthorityKeyID:
			t.Extensions = slices.DeleteFunc(t.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidAuthorityKeyID) })
		}
		return crypto.SHA256
	})
	if err != nil {
		return err
	}
	certificate.Certificate = append([][]byte{der}, certificate.Certificate[1:]...)
	return nil
}

// Renewed returns a root certificate made anew with the same key and name: with
// another serial number, valid from now on for as long as the old one was.
func Renewed(root []byte, key crypto.Signer, now time.Time) ([]byte, error) {
	return resigned(root, key, func(t *tbsCertificate) crypto.Hash {
		t.SerialNumber.Add(t.SerialNumber, big.NewInt(1))
		t.Validity = validity{NotBefore: now.UTC(), NotAfter: now.UTC().Add(t.Validity.NotAfter.Sub(t.Validity.NotBefore))}
		return crypto.SHA256
	})
}

// tbsCertificate is TBSCertificate (RFC 5280 section 4.1).
type tbsCertificate struct {
	Version      int `asn1:"optional,explicit,default:0,tag:0"`
	SerialNumber *big.Int
	Signature    pkix.AlgorithmIdentifier
	Issuer       asn1.RawValue
	Validity     validity
	Subject      asn1.RawValue
	PublicKey    asn1.RawValue
	Extensions   []pkix.Extension `asn1:"omitempty,optional,explicit,tag:3"`
}

type validity struct{ NotBefore, NotAfter time.Time }

// signedCertificate is Certificate (RFC 5280 section 4.1).
type signedCertificate struct {
	TBS       asn1.RawValue
	Algorithm pkix.AlgorithmIdentifier
	Signature asn1.BitString
}

var (
	oidAuthorityKeyID  = asn1.ObjectIdentifier{2, 5, 29, 35}
	signatureAlgorithm = map[crypto.Hash]struct{ rsa, ecdsa asn1.ObjectIdentifier }{ // RFC 3279 section 2.2, RFC 4055 section 5, RFC 5758 section 3.2
		crypto.SHA1:   {asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}},
		crypto.SHA256: {asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
	}
)

// resigned returns a certificate that was changed and signed again. change
// returns the hash to sign with. crypto/x509 would refuse to make some.
func resigned(der []byte, key crypto.Signer, change func(*tbsCertificate) crypto.Hash) ([]byte, error) {
	var old signedCertificate
	if _, err := asn1.Unmarshal(der, &old); err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	var t tbsCertificate
	if _, err := asn1.Unmarshal(old.TBS.FullBytes, &t); err != nil {
		return nil, fmt.Errorf("reading the certificate: %w", err)
	}
	hash := change(&t)
	t.Signature = pkix.AlgorithmIdentifier{Algorithm: signatureAlgorithm[hash].rsa, Parameters: asn1.NullRawValue}
	if _, ok := key.Public().(*ecdsa.PublicKey); ok {
		t.Signature = pkix.AlgorithmIdentifier{Algorithm: signatureAlgorithm[hash].ecdsa}
	}
	signed, err := asn1.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("writing the certificate: %w", err)
	}
	digest := hash.New()
	digest.Write(signed)
	signature, err := key.Sign(rand.Reader, digest.Sum(nil), hash)
	if err != nil {
		return nil, fmt.Errorf("signing the certificate: %w", err)
	}
	return asn1.Marshal(signedCertificate{TBS: asn1.RawValue{FullBytes: signed}, Algorithm: t.Signature,
		Signature: asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
}
