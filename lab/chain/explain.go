package chain

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"mtlslab.example/lab/lab/tlswire"
)

// Explain returns the fault in an error of Verify, with what the CAs of t show
// about it.
func (t *Trust) Explain(err error, q Question) Fault {
	sent := q.Chain()
	if len(sent) == 0 {
		return Fault{Code: Invalid, Text: strings.TrimPrefix(err.Error(), "x509: "), IsClause: true}
	}
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	isAuthority := errors.As(err, &authority)
	if isAuthority || errors.As(err, &invalid) && invalid.Reason != x509.Expired && !Forbids(sent[0], q.usage()) {
		p, flaw := t.bestPath(sent, q, time.Time{})
		switch {
		case flaw != nil:
			return *flaw
		case isAuthority:
			return t.explainPath(p)
		}
	}
	if f, ok := Explain(err, sent, q.Of.Other()); ok {
		return f
	}
	return Fault{Code: Invalid, Cert: sent[0], Text: "is not taken: " + strings.TrimPrefix(err.Error(), "x509: ")}
}

// maxSignatures bounds the signatures that are checked for one chain, as many
// as crypto/x509 checks.
const maxSignatures = 100

// Unverifiable says which signature or certificate of a chain cannot be judged
// here; "" if there is none.
func (t *Trust) Unverifiable(q Question) string {
	var above []*x509.Certificate
	for _, der := range q.DERs {
		cert, err := tlswire.ParseCertificate(der)
		if err != nil {
			return "a certificate of its chain does not parse: " + strings.TrimPrefix(err.Error(), "x509: ")
		}
		above = append(above, cert)
	}
	below := above
	for _, ca := range t.CAs {
		above = append(above, ca.Certificate)
	}
	checked := 0
	for _, cert := range below {
		for _, issuer := range above {
			if !NamesIssuer(cert, issuer) {
				continue
			}
			if checked++; checked > maxSignatures {
				return "there are more signatures in its chain than are checked"
			}
			switch err := certified(cert, issuer); {
			case cert.Equal(issuer): // a root, whose own signature does not count
			case err == errScheme && cert.SignatureAlgorithm == x509.UnknownSignatureAlgorithm:
				return fmt.Sprintf("the signature on %s is with %s", Name(cert), tlswire.Unverifiable(tlswire.SignatureAlgorithm(cert)))
			case err == errScheme, err == nil && isOutdated(cert.SignatureAlgorithm):
				return fmt.Sprintf("the signature on %s is of a kind (%v) that is not taken here", Name(cert), cert.SignatureAlgorithm)
			case err == errRefused:
				return fmt.Sprintf("the RSA key of %s is not one that is taken here", Name(issuer))
			}
		}
	}
	return ""
}

// isOutdated reports whether crypto/x509 takes no certificates with such
// signatures, although it can check them.
func isOutdated(a x509.SignatureAlgorithm) bool {
	return a == x509.SHA1WithRSA || a == x509.ECDSAWithSHA1
}

// OddNames returns why it is not known whether clients find a host's name in a
// certificate, since they differ (RFC 9525 section 6.3); "" where they do not.
func OddNames(leaf *x509.Certificate, host string) string {
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 && strings.EqualFold(leaf.Subject.CommonName, host) {
		return fmt.Sprintf("%s has the name %s in its subject alone, which older clients take and newer ones do not (RFC 9525 section 6.3)", Name(leaf), host)
	}
	for _, name := range leaf.DNSNames {
		if label, _, _ := strings.Cut(name, "."); strings.Contains(name, "*") && label != "*" {
			return fmt.Sprintf("%s is for %s, a wildcard that some clients take and others do not (RFC 9525 section 6.3)", Name(leaf), name)
		}
	}
	return ""
}

// firstTLS is before the first protocol that became TLS (SSL 2.0, February
// 1995).
var firstTLS = time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC)

// IsClock reports whether a capture's time can be that of a clock. Some
// captures have none, and some count from their own beginning, or from 1970.
func IsClock(at time.Time) bool { return at.After(firstTLS) }

// Evident returns a fault that a chain shows by itself, whatever CAs the other
// side trusts: its dates, at a time, what its leaf is for, and its names. nil:
// there is none.
func Evident(q Question, at time.Time) *Fault {
	sent := q.Chain()
	if len(sent) == 0 {
		return nil
	}
	f := evident(sent[0], q, at)
	if f != nil {
		f.addSuccessor(sent, q, at)
	}
	return f
}

// evident is Evident for a leaf.
func evident(leaf *x509.Certificate, q Question, at time.Time) *Fault {
	switch {
	case !IsClock(at):
	case at.Before(leaf.NotBefore):
		return &Fault{Code: NotYetValid, Cert: leaf, Text: "is not valid yet: it is valid from " + date(leaf.NotBefore)}
	case at.After(leaf.NotAfter):
		return &Fault{Code: Expired, Cert: leaf, Text: "has expired: it was valid until " + date(leaf.NotAfter)}
	}
	if Forbids(leaf, q.usage()) {
		f := wrongUsage(leaf, q.Of)
		return &f
	}
	if q.Host != "" && OddNames(leaf, q.Host) == "" {
		if err := leaf.VerifyHostname(q.Host); err != nil {
			if f, ok := Explain(err, []*x509.Certificate{leaf}, q.Of.Other()); ok {
				return &f
			}
		}
	}
	return nil
}
