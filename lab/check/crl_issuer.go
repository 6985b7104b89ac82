package check

import (
	"bytes"
	"crypto/x509"
	"slices"

	"mtlslab.example/lab/certgen/revocation"
)

// Whose a CRL is. Several CAs may have one name: a CA with a new key, or that
// of another company. A CRL may write its issuer's name another way than the
// CA's certificate does (RFC 5280 section 7.1): OpenSSL, Java and the lab's own
// server find it all the same.

// issuerOfCRL returns the CA by whose name a CRL is, or nil. Of several it is
// one whose key has signed it, else one whose key the CRL names (RFC 5280
// section 5.2.1).
func issuerOfCRL(crl *x509.RevocationList, authorities []*x509.Certificate) (issuer *x509.Certificate) {
	for _, ca := range authorities {
		if !revocation.IsSameName(ca.RawSubject, crl.RawIssuer) {
			continue
		}
		if ca.CheckSignature(crl.SignatureAlgorithm, crl.RawTBSRevocationList, crl.Signature) == nil {
			return ca
		}
		if issuer == nil || !mayBeOfKey(crl.AuthorityKeyId, issuer.SubjectKeyId) {
			issuer = ca
		}
	}
	return issuer
}

// isOfOne reports whether one of some CRLs is that of a CA, and not of another
// of its name among the authorities.
func isOfOne(all []*x509.RevocationList, ca *x509.Certificate, authorities []*x509.Certificate) bool {
	return slices.ContainsFunc(all, func(crl *x509.RevocationList) bool {
		return revocation.IsSameName(ca.RawSubject, crl.RawIssuer) && isSameCA(issuerOfCRL(crl, append([]*x509.Certificate{ca}, authorities...)), ca)
	})
}

// isAbout reports whether a CRL is of the CA that has issued a certificate, and
// not of another of its name.
func isAbout(crl *x509.RevocationList, cert *x509.Certificate, authorities []*x509.Certificate) bool {
	if !revocation.IsSameName(crl.RawIssuer, cert.RawIssuer) {
		return false
	}
	signed := slices.IndexFunc(authorities, func(ca *x509.Certificate) bool {
		return revocation.IsSameName(ca.RawSubject, cert.RawIssuer) && ca.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature) == nil
	})
	if signed < 0 {
		return mayBeOfKey(crl.AuthorityKeyId, cert.AuthorityKeyId)
	}
	issuer := issuerOfCRL(crl, authorities)
	return isSameCA(issuer, authorities[signed]) && mayBeOfKey(crl.AuthorityKeyId, issuer.SubjectKeyId)
}

// isSameCA reports whether two certificates are of one CA, by name and by key.
func isSameCA(a, b *x509.Certificate) bool {
	return revocation.IsSameName(a.RawSubject, b.RawSubject) && bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// mayBeOfKey reports whether two key identifiers may be of one key. They may be
// left out.
func mayBeOfKey(a, b []byte) bool { return len(a) == 0 || len(b) == 0 || bytes.Equal(a, b) }
