package chain

import (
	//lint:ignore SA1019 old certificates have such keys
	"crypto/dsa"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// minStrongBits is the least size of RSA keys that programs take without
// question (NIST SP 800-131A revision 2, section 3).
const minStrongBits = 2048

// Weak returns the first thing in a chain that many programs refuse because it
// is weak: an old signature, or a short key. nil: there is none.
func Weak(q Question) *Fault {
	if all := Weaknesses(q); len(all) > 0 {
		return all[0]
	}
	return nil
}

// Weaknesses returns all that many programs refuse in a chain because it is
// weak.
func Weaknesses(q Question) (all []*Fault) {
	for _, cert := range q.Chain() {
		if HasOldSignature(cert) {
			all = append(all, &Fault{Code: WeakSignature, Cert: cert, Text: "is signed with " + tlswire.SignatureAlgorithm(cert) + ", which programs refuse nowadays"})
		}
		if IsWeakKey(cert) {
			all = append(all, &Fault{Code: WeakKey, Cert: cert, Text: "has " + aKey(cert) + ", which many programs refuse"})
		}
	}
	return all
}

// aKey is a key with its size, as in "an RSA key of 1,024 bits".
func aKey(cert *x509.Certificate) string {
	kind, size, _ := strings.Cut(Key(cert), " ")
	article := "a"
	if kind == "RSA" {
		article = "an"
	}
	return article + " " + kind + " key of " + size
}

// HasOldSignature reports whether a certificate is signed with an algorithm
// that is no longer safe. Nobody looks at a root's own.
func HasOldSignature(cert *x509.Certificate) bool {
	switch cert.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		return !IsSelfIssued(cert)
	}
	return false
}

// IsWeakKey reports whether many programs refuse a certificate's key for its
// size.
func IsWeakKey(cert *x509.Certificate) bool {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() < minStrongBits
	case *dsa.PublicKey:
		return key.P.BitLen() < minStrongBits
	}
	return false
}

// Key names the key of a certificate: "RSA 2,048 bits", "P-256", "ML-DSA-65".
func Key(cert *x509.Certificate) string {
	if cert == nil {
		return ""
	}
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %s bits", text.Grouped(int64(key.N.BitLen())))
	case *dsa.PublicKey:
		return fmt.Sprintf("DSA %s bits", text.Grouped(int64(key.P.BitLen())))
	case *ecdsa.PublicKey:
		return key.Curve.Params().Name
	}
	return tlswire.KeyAlgorithm(cert.RawSubjectPublicKeyInfo)
}

// Fits reports whether the key of a certificate makes signatures of a scheme,
// by IANA's name of it (RFC 9846 section 4.3.3). Before TLS 1.3 ECDSA is not
// bound to a curve.
func Fits(cert *x509.Certificate, scheme string, isTLS13 bool) bool {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(scheme, "rsa_pss_rsae_") || !isTLS13 && strings.HasPrefix(scheme, "rsa_pkcs1_")
	case *ecdsa.PublicKey:
		curve := map[string]string{"P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1"}[key.Curve.Params().Name]
		return strings.HasPrefix(scheme, "ecdsa_") && (!isTLS13 || curve != "" && strings.Contains(scheme, curve))
	case ed25519.PublicKey:
		return scheme == "ed25519"
	}
	return scheme == strings.ToLower(strings.ReplaceAll(Key(cert), "-", "")) // mldsa65, ed448
}
