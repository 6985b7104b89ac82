package certgen

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// mostSignatures is how many certificates have their signatures checked
// whenever they are compared. In a larger PKI that would be half of the time
// of a run that finds nothing to do, so there the authority key identifier is
// taken as evidence of who signed; Verify checks the signatures of any.
const mostSignatures = 256

// isSignedBy reports whether issuer's present key signed a certificate. Unlike
// x509.Certificate.CheckSignatureFrom it does not ask whether the issuer was
// allowed to: that is the manifest's affair.
func isSignedBy(leaf, issuer *x509.Certificate, thorough bool) bool {
	if !bytes.Equal(leaf.RawIssuer, issuer.RawSubject) {
		return false
	}
	if !thorough && len(leaf.AuthorityKeyId) > 0 && identifiesKey(leaf.AuthorityKeyId, issuer) {
		return true
	}
	return issuer.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
}

// identifiesKey reports whether id is a hash of the public key of a
// certificate, by method 1 of RFC 5280 section 4.2.1.2 or of RFC 7093 section
// 2. Any other identifier says nothing about the key.
func identifiesKey(id []byte, certificate *x509.Certificate) bool {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(certificate.RawSubjectPublicKeyInfo, &info); err != nil {
		return false
	}
	short, long := sha1.Sum(info.Key.Bytes), sha256.Sum256(info.Key.Bytes)
	return bytes.Equal(id, short[:]) || bytes.Equal(id, long[:len(short)])
}
