package chain

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Disputed returns what programs differ about in a chain that holds here at a
// time: some refuse it. signs says that the key of its leaf signs the
// handshake. nil: there is nothing.
func (v Verification) Disputed(q Question, at time.Time, signs bool) (first *Fault) {
	for _, chain := range v.chains {
		f := disputed(chain, q, at, signs)
		if f == nil {
			return nil
		}
		if first == nil {
			first = f
		}
	}
	return first
}

func disputed(chain []*x509.Certificate, q Question, at time.Time, signs bool) *Fault {
	leaf := chain[0]
	if signs && !MaySign(leaf) {
		return &Fault{Code: WrongKeyUsage, Cert: leaf, Text: "is not for signatures (key usage), which not all programs look at"}
	}
	for _, cert := range chain {
		if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) > 0 && !slices.Contains(cert.ExtKeyUsage, q.usage()) {
			return &Fault{Code: WrongUsage, Cert: cert, Text: "is for any use, and not expressly for authenticating a " + q.Of.String() + " (extended key usage), which OpenSSL refuses"}
		}
	}
	for _, ca := range chain[1:] {
		switch {
		case constrainsOtherNames(ca):
			return &Fault{Code: NameConstraint, Cert: ca, Text: "constrains subjects or other kinds of names (name constraints), which not all programs compare"}
		case len(leaf.DNSNames) == 0 && isHost(leaf.Subject.CommonName) && excludes(ca, leaf.Subject.CommonName):
			return &Fault{Code: NameConstraint, Cert: ca, Text: "may not issue certificates for the host in the subject of " + Name(leaf) + " (name constraints), which OpenSSL looks at and others do not"}
		}
	}
	if cert := q.detour(chain, at); cert != nil {
		return &Fault{Code: UnknownCA, Cert: cert, Text: "was sent along twice, from two issuers: a program that tries the first alone (OpenSSL) finds no CA"}
	}
	return nil
}

// MaySign reports whether a certificate's key usage allows its key to sign a
// handshake (RFC 9846 section 4.5.1.2).
func MaySign(cert *x509.Certificate) bool {
	return cert.KeyUsage == 0 || cert.KeyUsage&x509.KeyUsageDigitalSignature != 0
}

// constrainsOtherNames reports whether a CA has constraints on kinds of names
// that crypto/x509 does not compare (RFC 5280 section 4.2.1.10).
func constrainsOtherNames(ca *x509.Certificate) bool {
	for _, e := range ca.Extensions {
		if !e.Id.Equal(oidNameConstraints) {
			continue
		}
		var constraints, subtrees, subtree, base cryptobyte.String
		var kind cbasn1.Tag
		input := cryptobyte.String(e.Value)
		if !input.ReadASN1(&constraints, cbasn1.SEQUENCE) {
			return true
		}
		for !constraints.Empty() {
			if !constraints.ReadAnyASN1(&subtrees, &kind) {
				return true
			}
			for !subtrees.Empty() {
				if !subtrees.ReadASN1(&subtree, cbasn1.SEQUENCE) || !subtree.ReadAnyASN1(&base, &kind) {
					return true
				}
				switch kind &^ 0xe0 { // without its class
				case 1, 2, 6, 7: // rfc822Name, dNSName, uniformResourceIdentifier, iPAddress
				default:
					return true
				}
			}
		}
	}
	return false
}

func isHost(name string) bool {
	return strings.Contains(name, ".") && !strings.ContainsAny(name, " @/:*")
}

// excludes reports whether a CA's constraints leave out a host.
func excludes(ca *x509.Certificate, host string) bool {
	within := func(domain string) bool {
		domain = strings.TrimPrefix(domain, ".")
		return domain == "" || strings.EqualFold(host, domain) || strings.HasSuffix(strings.ToLower(host), "."+strings.ToLower(domain))
	}
	return slices.ContainsFunc(ca.ExcludedDNSDomains, within) || len(ca.PermittedDNSDomains) > 0 && !slices.ContainsFunc(ca.PermittedDNSDomains, within)
}

// detour returns a certificate of a chain that stands in what was sent behind
// another one of the same CA, from another issuer; nil: there is none.
func (q Question) detour(chain []*x509.Certificate, at time.Time) *x509.Certificate {
	sent := q.Chain()
	for i, cert := range chain[1:] {
		for _, other := range sent[1:] {
			if other.Equal(cert) {
				break
			}
			may := bytes.Equal(other.RawSubject, cert.RawSubject) && bytes.Equal(other.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo)
			if may && i < len(chain)-2 && !at.Before(other.NotBefore) && !at.After(other.NotAfter) && canSign(other) {
				return cert
			}
		}
	}
	return nil
}
