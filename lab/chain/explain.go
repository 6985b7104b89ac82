package chain

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/tlswire"
)

// Explain returns the fault in an error of Verify, with what the CAs of t show
// about it.
func (t *Trust) Explain(err error, q Question) Fault {
	sent := q.Chain()
	if len(sent) == 0 {
		return Fault{Code: Invalid, Text: strings.TrimPrefix(err.Error(), "x509: "), Alone: true}
	}
	var authority x509.UnknownAuthorityError
	if errors.As(err, &authority) {
		if f := explainAuthority(err, authority, sent, q.Of.Other()); f.Code == NotACA {
			return f
		}
		return t.explainAuthority(sent)
	}
	if f, ok := Explain(err, sent, q.Of.Other()); ok {
		return f
	}
	return Fault{Code: Invalid, Cert: sent[0], Text: "is not taken: " + strings.TrimPrefix(err.Error(), "x509: ")}
}

// explainAuthority says why the last certificate of a chain leads to no root.
func (t *Trust) explainAuthority(sent []*x509.Certificate) Fault {
	leaf, top := sent[0], sent[0]
	for range sent {
		for _, cert := range sent {
			if !IsSelfIssued(top) && bytes.Equal(cert.RawSubject, top.RawIssuer) && certified(top, cert) != errSignature {
				top = cert
			}
		}
	}
	for _, ca := range slices.Concat(t.CAs, t.Between) {
		if !bytes.Equal(ca.Certificate.RawSubject, top.RawIssuer) {
			continue
		}
		switch usage, err := ca.Certificate.KeyUsage, certified(top, ca.Certificate); {
		case err == errSignature && IsSelfIssued(top) && top != leaf:
			return Fault{Code: LookAlikeCA, Cert: top, Text: fmt.Sprintf("has the name of the CA %s, but another key", ca.Name)}
		case err == errSignature:
			return Fault{Code: LookAlikeCA, Cert: top, Text: fmt.Sprintf("names %s as its issuer, but it is not signed with the key of the CA %s", top.Issuer, ca.Name)}
		case err != nil:
			return Fault{Code: Invalid, Cert: top, Text: fmt.Sprintf("is signed by the CA %s in a way that is not taken here: %v", ca.Name, err)}
		case usage != 0 && usage&x509.KeyUsageCertSign == 0:
			return Fault{Code: NotACA, Cert: top, Text: fmt.Sprintf("was issued by the CA %s, whose keyUsage does not allow to sign certificates", ca.Name)}
		case IsSelfIssued(ca.Certificate):
			return Fault{Code: NotACA, Cert: top, Text: fmt.Sprintf("was issued by %s, whose certificate does not allow to sign others", ca.Name)}
		}
		return Fault{Code: UnknownCA, Cert: top, Text: fmt.Sprintf("was issued by the CA %s, which is no root and was not sent along", ca.Name)}
	}
	switch {
	case IsSelfIssued(leaf):
		return Fault{Code: SelfSigned, Cert: leaf, Text: "is signed by itself, and is none of the CAs that are known here"}
	case IsSelfIssued(top):
		return Fault{Code: UnknownCA, Cert: top, Text: "is none of the CAs that are known here"}
	}
	alone := ""
	if len(sent) == 1 {
		alone = ", and whose certificate was not sent along"
	}
	return Fault{Code: UnknownCA, Cert: top, Text: fmt.Sprintf("was issued by %s, which is none of the CAs that are known here%s", top.Issuer, alone)}
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
			if !bytes.Equal(cert.RawIssuer, issuer.RawSubject) {
				continue
			}
			if checked++; checked > maxSignatures {
				return "there are more signatures in its chain than are checked"
			}
			switch err := certified(cert, issuer); {
			case cert.Equal(issuer): // a root, whose own signature does not count
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

// LeadsElsewhere returns where a chain leads that leads to none of the CAs.
func (t *Trust) LeadsElsewhere(q Question) string {
	sent := q.Chain()
	if len(sent) == 0 {
		return "its certificate does not parse"
	}
	leaf, top := sent[0], sent[0]
	for range min(len(sent), maxSignatures) {
		i := slices.IndexFunc(sent, func(cert *x509.Certificate) bool { return bytes.Equal(cert.RawSubject, top.RawIssuer) })
		if i < 0 || IsSelfIssued(top) {
			break
		}
		top = sent[i]
	}
	name := top.Issuer.String()
	for _, ca := range slices.Concat(t.CAs, t.Between) {
		if !bytes.Equal(ca.Certificate.RawSubject, top.RawIssuer) {
			continue
		}
		if certified(top, ca.Certificate) == nil {
			if IsSelfIssued(ca.Certificate) {
				return fmt.Sprintf("%s leads to the CA %s, whose certificate does not allow to sign others", Name(leaf), ca.Name)
			}
			return fmt.Sprintf("%s leads to the CA %s, which is no root and was not sent along", Name(leaf), ca.Name)
		}
		return fmt.Sprintf("%s leads to a CA that calls itself %s, and not to the CA %s that is known here: the names are the same, the keys are not", Name(leaf), name, ca.Name)
	}
	if IsSelfIssued(leaf) {
		return fmt.Sprintf("%s is signed by itself, and is none of the CAs that are known here", Name(leaf))
	}
	return fmt.Sprintf("%s leads to %s, which is none of the CAs that are known here", Name(leaf), name)
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
	leaf, by := sent[0], q.Of.Other()
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
			if f, ok := Explain(err, sent, by); ok {
				return &f
			}
		}
	}
	return nil
}

// ExpiredAbove returns the fault of a chain with a CA in it that has expired at a
// time; nil: there is none. Who has another way to a root does not mind.
func ExpiredAbove(q Question, at time.Time) *Fault {
	sent := q.Chain()
	if len(sent) == 0 || !IsClock(at) {
		return nil
	}
	top := sent[0]
	for range min(len(sent), maxSignatures) {
		i := slices.IndexFunc(sent, func(cert *x509.Certificate) bool { return bytes.Equal(cert.RawSubject, top.RawIssuer) })
		if i < 0 || IsSelfIssued(top) {
			return nil
		}
		if top = sent[i]; at.After(top.NotAfter) {
			return &Fault{Code: Expired, Cert: top, Text: "has expired: it was valid until " + date(top.NotAfter)}
		}
	}
	return nil
}

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
// it cannot be known here.
func certified(cert, issuer *x509.Certificate) error {
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
