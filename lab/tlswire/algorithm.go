package tlswire

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"go/version"
	"runtime"
	"strings"
)

// algorithmNames are those of keys without parameters, by their OIDs: RFC 3279
// section 2.3.2, RFC 8017 appendix C, RFC 8410 section 3, RFC 9881 section 2.
var algorithmNames = map[string]string{
	"1.2.840.10040.4.1":       "DSA",
	"1.2.840.113549.1.1.10":   "RSASSA-PSS",
	"1.3.101.112":             "Ed25519",
	"1.3.101.113":             "Ed448",
	"2.16.840.1.101.3.4.3.17": "ML-DSA-44",
	"2.16.840.1.101.3.4.3.18": "ML-DSA-65",
	"2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}

// KeyAlgorithm names the algorithm of a SubjectPublicKeyInfo (RFC 5280 section
// 4.1.2.7), by its OID if it has no name here. What is none is "".
func KeyAlgorithm(spki []byte) string {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &info); err != nil {
		return ""
	}
	return AlgorithmName(info.Algorithm.Algorithm)
}

// SignatureAlgorithm names the algorithm that a certificate is signed with (RFC
// 5280 section 4.1.1.2), by its OID if it has no name here.
func SignatureAlgorithm(cert *x509.Certificate) string {
	var signed struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if cert.SignatureAlgorithm != x509.UnknownSignatureAlgorithm {
		return cert.SignatureAlgorithm.String()
	}
	if _, err := asn1.Unmarshal(cert.Raw, &signed); err != nil {
		return "an unknown algorithm"
	}
	return AlgorithmName(signed.Algorithm.Algorithm)
}

// AlgorithmName names an algorithm of keys, by its OID if it has no name here.
func AlgorithmName(oid asn1.ObjectIdentifier) string {
	if name := algorithmNames[oid.String()]; name != "" {
		return name
	}
	return oid.String()
}

// Unverifiable names an algorithm that this program cannot verify, and says
// why.
func Unverifiable(algorithm string) string {
	return algorithm + ", which this lab cannot verify" + Missing(algorithm)
}

// Missing says why this program does not have an algorithm, as the end of a
// clause; "" if it may have it, or nothing is known about that.
func Missing(algorithm string) string {
	if !strings.HasPrefix(algorithm, "ML-DSA-") || version.Compare(runtime.Version(), "go1.27") >= 0 {
		return ""
	}
	return ": it was built with Go " + strings.TrimPrefix(runtime.Version(), "go") + ", and Go has ML-DSA from 1.27 on"
}
