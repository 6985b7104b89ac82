package check

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/chain"
)

// strictly names those who apply the rules of this file. Each rule is one of
// OpenSSL's X509_V_FLAG_X509_STRICT (crypto/x509/x509_vfy.c). Those for key
// identifiers that are critical are not here: crypto/x509 does not read such a
// certificate.
const strictly = "Python from 3.13 on, OpenSSL with -x509_strict"

// strictRule is what strict verifiers ask of each certificate of a chain that
// has more than one.
type strictRule struct {
	name string
	rfc  string
	text string // what follows the certificate's name
	fix  string
	// broken reports whether a certificate breaks the rule. isLast says that it
	// is the end of its chain.
	broken func(cert *x509.Certificate, isLast bool) bool
}

var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidSubjectAltName   = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
)

var strictRules = []strictRule{
	{"missing_authority_key_identifier", "RFC 5280 section 4.2.1.1",
		"has no authority key identifier", "issue it again with authorityKeyIdentifier=keyid",
		func(c *x509.Certificate, isLast bool) bool {
			return c.Version >= 3 && !isLast && len(c.AuthorityKeyId) == 0
		}},
	{"missing_subject_key_identifier", "RFC 5280 section 4.2.1.2",
		"is a CA without a subject key identifier", "issue it again with subjectKeyIdentifier=hash",
		func(c *x509.Certificate, _ bool) bool {
			return c.Version >= 3 && isCA(c) && extension(c, oidSubjectKeyID) == nil
		}},
	{"basic_constraints_not_critical", "RFC 5280 section 4.2.1.9",
		"is a CA whose basic constraints are not critical", "issue it again with basicConstraints=critical,CA:TRUE",
		func(c *x509.Certificate, _ bool) bool { return isCA(c) && !isCritical(c, oidBasicConstraints) }},
	{"ca_without_basic_constraints", "RFC 5280 section 4.2.1.9",
		"stands above others without basic constraints, which make a CA", "issue it again with basicConstraints=critical,CA:TRUE",
		nil}, // by its place in the chain
	{"path_length_without_cert_sign", "RFC 5280 section 4.2.1.9",
		"has a path length, and no key usage keyCertSign that it would be for", "issue it again with keyUsage=critical,keyCertSign,cRLSign",
		func(c *x509.Certificate, _ bool) bool {
			return hasPathLength(c) && isCA(c) && c.KeyUsage&x509.KeyUsageCertSign == 0
		}},
	{"path_length_without_ca", "RFC 5280 section 4.2.1.9",
		"has a path length, and is no CA", "issue it again without a path length",
		func(c *x509.Certificate, _ bool) bool { return hasPathLength(c) && !isCA(c) }},
	{"ca_without_key_usage", "RFC 5280 section 4.2.1.3",
		"is a CA without a key usage", "issue it again with keyUsage=critical,keyCertSign,cRLSign",
		func(c *x509.Certificate, _ bool) bool { return isCA(c) && extension(c, oidKeyUsage) == nil }},
	{"cert_sign_without_ca", "RFC 5280 section 4.2.1.9",
		"has the key usage keyCertSign, and is no CA", "issue it again without keyCertSign",
		func(c *x509.Certificate, _ bool) bool { return !isCA(c) && c.KeyUsage&x509.KeyUsageCertSign != 0 }},
	{"empty_issuer", "RFC 5280 section 4.1.2.4",
		"names no issuer", "issue it again under a CA that has a subject",
		func(c *x509.Certificate, _ bool) bool { return isEmptyName(c.RawIssuer) }},
	{"empty_subject", "RFC 5280 section 4.1.2.6",
		"has neither a subject nor an alternative name, or is a CA without a subject", "issue it again with a subject",
		func(c *x509.Certificate, _ bool) bool {
			return isEmptyName(c.RawSubject) && (isCA(c) || c.KeyUsage&x509.KeyUsageCRLSign != 0 || extension(c, oidSubjectAltName) == nil)
		}},
	{"alternative_name_not_critical", "RFC 5280 section 4.2.1.6",
		"has no subject, and alternative names that are not critical", "issue it again with a subject, or with subjectAltName=critical,…",
		func(c *x509.Certificate, _ bool) bool {
			return isEmptyName(c.RawSubject) && extension(c, oidSubjectAltName) != nil && !isCritical(c, oidSubjectAltName)
		}},
	{"empty_alternative_name", "RFC 5280 section 4.2.1.6",
		"has the extension for alternative names, and none in it", "issue it again with a name, or without the extension",
		func(c *x509.Certificate, _ bool) bool {
			e := extension(c, oidSubjectAltName)
			return e != nil && bytes.Equal(e, []byte{0x30, 0})
		}},
	{"extensions_without_version_3", "RFC 5280 section 4.1.2.1",
		"has extensions, and a version that has none", "issue it again as version 3",
		func(c *x509.Certificate, _ bool) bool { return c.Version < 3 && len(c.Extensions) > 0 }},
}

// noConstraints is the rule of CAs that basic constraints do not make one.
const noConstraints = "ca_without_basic_constraints"

// strict returns what strict verifiers refuse of a chain, its leaf first, as
// far up as it is known. A certificate that signs itself and stands alone is
// not looked at (RFC 6818 section 2).
func strict(certs []*x509.Certificate) (found []Finding) {
	if len(certs) == 1 && chain.IsSelfIssued(certs[0]) {
		return nil
	}
	for i, cert := range certs {
		isLast := i == len(certs)-1 && chain.IsSelfIssued(cert)
		found = append(found, strictOf(cert, isLast, i > 0)...)
	}
	return found
}

// strictOf applies the rules to one certificate. isLast says that it ends its
// chain, isAbove that it has issued another one.
func strictOf(cert *x509.Certificate, isLast, isAbove bool) (found []Finding) {
	for _, rule := range strictRules {
		isBroken := rule.name == noConstraints && isAbove && !isCA(cert)
		if rule.broken != nil {
			isBroken = rule.broken(cert, isLast)
		}
		if isBroken {
			found = append(found, Finding{Level: Strict, Rule: rule.name, Certificate: chain.Name(cert),
				Text: chain.Name(cert) + " " + rule.text, Fix: rule.fix, RFC: rule.rfc, RefusedBy: strictly})
		}
	}
	return found
}

// isCA reports whether basic constraints make a certificate a CA.
func isCA(c *x509.Certificate) bool { return c.BasicConstraintsValid && c.IsCA }

func hasPathLength(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && (c.MaxPathLen > 0 || c.MaxPathLen == 0 && c.MaxPathLenZero)
}

// isEmptyName reports whether a distinguished name is a SEQUENCE of nothing.
func isEmptyName(der []byte) bool { return len(der) == 2 }

// extension returns the value of an extension, nil if there is none.
func extension(c *x509.Certificate, id asn1.ObjectIdentifier) []byte {
	for _, e := range c.Extensions {
		if e.Id.Equal(id) {
			return e.Value
		}
	}
	return nil
}

func isCritical(c *x509.Certificate, id asn1.ObjectIdentifier) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(id) {
			return e.Critical
		}
	}
	return false
}

// keyIdentifiers returns a finding if a certificate names the key of its
// issuer, and that CA says that it has another (RFC 5280 section 4.2.1.1).
// Verifiers that look for the issuer by it do not find the CA.
func keyIdentifiers(cert, issuer *x509.Certificate) (f Finding, ok bool) {
	if len(cert.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(cert.AuthorityKeyId, issuer.SubjectKeyId) {
		return f, false
	}
	return Finding{Level: Wrong, Rule: "key_identifiers_differ", Certificate: chain.Name(cert), RFC: "RFC 5280 section 4.2.1.1", RefusedBy: "OpenSSL",
		Text: fmt.Sprintf("%s names the key %s as its issuer's, and %s says that its own is %s", chain.Name(cert), short(cert.AuthorityKeyId), chain.Name(issuer), short(issuer.SubjectKeyId)),
		Fix:  "issue it again under the certificate that its CA has now"}, true
}

func short(id []byte) string {
	return strings.ToUpper(hex.EncodeToString(id[:min(4, len(id))])) + "…"
}
