package chain

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// Code is why one side rejected the other, for programs. Those of certificates
// are here, the others in package verdict.
type Code string

// The codes of certificates.
const (
	UnknownCA      Code = "unknown_ca" // or an intermediate certificate was not sent along
	LookAlikeCA    Code = "look_alike_ca"
	SelfSigned     Code = "self_signed"
	Expired        Code = "expired"
	NotYetValid    Code = "not_yet_valid"
	WrongHost      Code = "wrong_host"
	NoSAN          Code = "no_san"
	WrongUsage     Code = "wrong_usage" // extended key usage
	WrongKeyUsage  Code = "wrong_key_usage"
	NotACA         Code = "not_a_ca"
	PathTooLong    Code = "path_too_long"
	NameConstraint Code = "name_constraint"
	Revoked        Code = "revoked"
	IssuerRevoked  Code = "issuer_revoked"
	CRLStale       Code = "crl_stale"
	CRLMissing     Code = "crl_missing"
	WeakKey        Code = "weak_key"
	WeakSignature  Code = "weak_signature" // of a certificate, with SHA-1 say
	Invalid        Code = "other"          // something else that crypto/x509 does not take

	UnknownCritical Code = "unknown_critical_extension"
	Malformed       Code = "malformed_certificate" // it cannot even be read
)

// Fault is what is wrong with a chain.
type Fault struct {
	Code Code
	// Cert is the certificate that Text is about: the first of the chain, or one
	// above it; nil if that is not known, or is no certificate.
	Cert *x509.Certificate
	Text string // what follows the certificate's name in a sentence, or a clause of its own
	// IsClause says that Text is a clause of its own, about something else.
	IsClause bool
	// Reported says that the other side reports it, and that the chain alone does
	// not prove it.
	Reported bool
	// ByName says that the CA was compared by its name with one that is known
	// here: if that belongs to another PKI, there is no fault.
	ByName bool
	// Fix is what to change, where that is not what Code says.
	Fix string
}

// Of returns the fault in a sentence about the first certificate of a chain,
// which is called name; leaf is that certificate, or nil if it is not known.
// The sentence has no full stop.
func (f *Fault) Of(name string, leaf *x509.Certificate) string {
	switch {
	case f.IsClause:
		return f.Text
	case f.Cert == nil || leaf == nil || f.Cert.Equal(leaf):
		return name + " " + f.Text
	}
	return name + " leads through " + Name(f.Cert) + ", which " + f.Text
}

// Explain finds the fault in an error of crypto/x509, of crypto/tls, or of this
// package. by is the side that judged, sent is the chain that it was shown, as
// far as it is known. ok is false for other errors.
func Explain(err error, sent []*x509.Certificate, by endpoint.Side) (f Fault, ok bool) {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		sent = verification.UnverifiedCertificates
	}
	if f, ok = explain(err, sent, by); ok {
		q := Question{Of: by.Other()}
		if host := (x509.HostnameError{}); errors.As(err, &host) {
			q.Host = host.Host
		}
		f.addSuccessor(sent, q, time.Now())
	}
	return f, ok
}

// explain is Explain but for what else was sent.
func explain(err error, sent []*x509.Certificate, by endpoint.Side) (f Fault, ok bool) {
	var leaf *x509.Certificate
	if len(sent) > 0 {
		leaf = sent[0]
	}
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var unhandled x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &authority):
		return explainAuthority(err, authority, sent, by), true
	case errors.As(err, &host):
		return explainHost(host), true
	case errors.As(err, &invalid):
		if f := flawIn(sent, by.Other()); f != nil && invalid.Reason != x509.Expired && f.Code == explainInvalid(invalid, leaf, by).Code {
			return *f, true // it names the CA
		}
		return explainInvalid(invalid, leaf, by), true
	case errors.As(err, &unhandled):
		return Fault{Code: UnknownCritical, Cert: leaf, Text: "has a critical extension that the " + by.String() + " does not know"}, true
	}
	return explainOwn(err, leaf, by)
}

// flawIn returns what is wrong above the leaf of a chain that a side has sent,
// but for dates; nil: nothing.
func flawIn(sent []*x509.Certificate, of endpoint.Side) *Fault {
	if len(sent) == 0 {
		return nil
	}
	_, flaw := new(Trust).bestPath(sent, Question{Of: of}, time.Time{})
	return flaw
}

// explainHost: RFC 9525 section 6.3.
func explainHost(err x509.HostnameError) Fault {
	leaf := err.Certificate
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if m := MisnomerOf(leaf, err.Host); m != nil {
		return Fault{Code: WrongHost, Cert: leaf, Text: "is not for " + err.Host + ": " + m.Clause(), Fix: m.Fix()}
	}
	if len(names) == 0 {
		return Fault{Code: NoSAN, Cert: leaf, Text: "is not for " + err.Host + ": it has no subject alternative name"}
	}
	const few = 3
	if more := len(names) - few; more > 0 {
		names = append(names[:few:few], fmt.Sprintf("%d more", more))
	}
	return Fault{Code: WrongHost, Cert: leaf, Text: "is not for " + err.Host + ": it is for " + strings.Join(names, ", ")}
}

// explainAuthority explains why a chain does not lead to a trusted CA.
func explainAuthority(err error, authority x509.UnknownAuthorityError, sent []*x509.Certificate, by endpoint.Side) Fault {
	last := authority.Cert // the last certificate of the chain that was found
	var leaf *x509.Certificate
	if len(sent) > 0 {
		leaf = sent[0]
	}
	if leaf != nil && IsSelfIssued(leaf) {
		return Fault{Code: SelfSigned, Cert: leaf, Text: "is signed by itself, and the " + by.String() + " does not trust it"}
	}
	switch text := err.Error(); { // hints that crypto/x509 has no types for
	case strings.Contains(text, "parent certificate cannot sign"):
		if f := flawIn(sent, by.Other()); f != nil {
			return *f
		}
		return Fault{Code: NotACA, Cert: cmp.Or(last, leaf), Text: "was issued by a certificate that is not a CA: " + issuerOf(last)}
	case strings.Contains(text, "insecure algorithm") && cmp.Or(last, leaf) != nil:
		return Fault{Code: WeakSignature, Cert: cmp.Or(last, leaf), Text: "is signed with an algorithm that the " + by.String() + " refuses as too weak: " + tlswire.SignatureAlgorithm(cmp.Or(last, leaf))}
	case strings.Contains(text, "candidate authority certificate"):
		return lookAlike(cmp.Or(last, leaf), issuerOf(last), by.String(), keysOf(err, cmp.Or(last, leaf)))
	}
	if trusted := new(TrustedError); errors.As(err, &trusted) && cmp.Or(last, leaf) != nil {
		if f := explainRespelled(cmp.Or(last, leaf), trusted.CAs, by.String()); f != nil {
			return *f
		}
	}
	f := Fault{Code: UnknownCA, Cert: leaf, Text: "is not signed by a CA that the " + by.String() + " trusts" + missingIssuer(last, leaf, by)}
	if len(sent) > 0 {
		if path, _ := new(Trust).bestPath(sent, Question{Of: by.Other()}, time.Time{}); path.hole != nil {
			f.Text, f.Fix = f.Text+" ("+path.hole.Instead()+")", path.hole.Fix()
		}
	}
	return f
}

// missingIssuer names the CA at which a chain ended. Whether that CA is a root,
// or one between that should have been sent along, is not known without its
// certificate.
func missingIssuer(last, leaf *x509.Certificate, by endpoint.Side) string {
	if last == nil || leaf == nil {
		return ""
	}
	if IsSelfIssued(last) {
		return ": the chain ends with " + Name(last)
	}
	issued := "it"
	if !last.Equal(leaf) {
		issued = Name(last) + " above it"
	}
	return ": " + issued + " was issued by " + dn.Issuer(last) + ", which was not sent along and which the " + by.String() + " does not have"
}

func issuerOf(c *x509.Certificate) string {
	if c == nil {
		return "its issuer"
	}
	return dn.Issuer(c)
}

// explainInvalid explains what is wrong with one certificate of a chain.
func explainInvalid(err x509.CertificateInvalidError, leaf *x509.Certificate, by endpoint.Side) Fault {
	cert := err.Cert
	if cert == nil {
		cert = leaf
	}
	switch err.Reason {
	case x509.Expired:
		return outOfDate(cert, err.Detail, by)
	case x509.IncompatibleUsage:
		return wrongUsage(leaf, by.Other())
	case x509.NotAuthorizedToSign:
		if err.Cert != nil && !err.Cert.Equal(leaf) {
			return Fault{Code: NotACA, Cert: err.Cert, Text: "is no CA"}
		}
		return Fault{Code: NotACA, Cert: leaf, Text: "was issued by a certificate that is not a CA"}
	case x509.TooManyIntermediates:
		return Fault{Code: PathTooLong, Cert: leaf, Text: "has more CAs above it than one of them allows (path length)"}
	case x509.CANotAuthorizedForThisName:
		return Fault{Code: NameConstraint, Cert: leaf, Text: "has a name that a CA above it may not issue certificates for (name constraints)"}
	}
	return Fault{Code: Invalid, Cert: leaf, Text: "is not valid: " + strings.TrimPrefix(err.Error(), "x509: ")}
}

// outOfDate explains which of its two dates a certificate is beyond. detail is
// the text of crypto/x509, which has the time that it compared, by the clock of
// a side.
func outOfDate(cert *x509.Certificate, detail string, by endpoint.Side) Fault {
	switch {
	case cert == nil:
		return Fault{Code: Expired, Text: "has expired, or is not valid yet"}
	case strings.Contains(detail, "is before") || detail == "" && cert.NotBefore.After(time.Now()):
		return Fault{Code: NotYetValid, Cert: cert, Text: "is not valid yet: it is valid from " + date(cert.NotBefore) + aheadOf(cert.NotBefore, detail, by)}
	}
	return Fault{Code: Expired, Cert: cert, Text: "has expired: it was valid until " + date(cert.NotAfter)}
}

// aheadOf says how far a date is ahead of the clock that detail has the time
// of, where that is so little that two clocks may differ by as much; else "".
func aheadOf(date time.Time, detail string, by endpoint.Side) string {
	_, rest, _ := strings.Cut(detail, "current time ")
	now, _, _ := strings.Cut(rest, " ")
	at, err := time.Parse(time.RFC3339, now)
	if ahead := date.Sub(at); err == nil && ahead > 0 && ahead <= 26*time.Hour { // a time zone, at most
		return ", " + text.Roughly(ahead) + " ahead of the " + by.String() + "'s clock"
	}
	return ""
}

// wrongUsage: RFC 5280 section 4.2.1.12. Without cert it may be that of a CA.
func wrongUsage(cert *x509.Certificate, role endpoint.Side) Fault {
	usage := x509.ExtKeyUsageServerAuth
	if role == endpoint.Client {
		usage = x509.ExtKeyUsageClientAuth
	}
	if cert != nil && !Forbids(cert, usage) {
		return Fault{Code: WrongUsage, Cert: cert, Text: "has a CA above it that is not for authenticating a " + role.String() + " (extended key usage)"}
	}
	return Fault{Code: WrongUsage, Cert: cert, Text: "is not for authenticating a " + role.String() + " (extended key usage)"}
}

// explainOwn explains the errors of lab's own checks.
func explainOwn(err error, leaf *x509.Certificate, by endpoint.Side) (Fault, bool) {
	var (
		revoked *RevokedError
		crl     *CRLError
		usage   *KeyUsageError
		weak    *WeakKeyError
	)
	switch {
	case errors.As(err, &revoked) && revoked.CA:
		return Fault{Code: IssuerRevoked, Cert: leaf, Text: "comes from a CA that is revoked: " + revoked.Subject + " " + revoked.how()}, true
	case errors.As(err, &revoked):
		return Fault{Code: Revoked, Cert: leaf, Text: revoked.how()}, true
	case errors.As(err, &crl) && crl.Unfit != "":
		return Fault{Code: CRLMissing, Text: "the " + by.String() + " has no complete CRL of " + crl.Issuer + ", and requires one: the one that it has " + crl.Unfit, IsClause: true}, true
	case errors.As(err, &crl) && crl.NextUpdate.IsZero():
		return Fault{Code: CRLMissing, Text: "the " + by.String() + " has no CRL of " + crl.Issuer + ", and requires one", IsClause: true}, true
	case errors.As(err, &crl):
		return Fault{Code: CRLStale, Text: "the " + by.String() + "'s CRL of " + crl.Issuer + " is out of date since " + crl.NextUpdate.Format(time.DateOnly), IsClause: true}, true
	case errors.As(err, &usage) && usage.CA:
		return Fault{Code: WrongKeyUsage, Cert: leaf, Text: "is that of a CA, which is for issuing certificates and not for signing in (key usage)"}, true
	case errors.As(err, &usage):
		return Fault{Code: WrongKeyUsage, Cert: leaf, Text: "is not for signatures (key usage)"}, true
	case errors.As(err, &weak):
		return Fault{Code: WeakKey, Cert: leaf, Text: "has too weak a key: " + strings.TrimPrefix(weak.Error(), "RSA key of ")}, true
	}
	return Fault{}, false
}

// Forbids reports whether a certificate's own extended key usage leaves out a
// usage (RFC 5280 section 4.2.1.12).
func Forbids(cert *x509.Certificate, usage x509.ExtKeyUsage) bool {
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return false
	}
	for _, has := range cert.ExtKeyUsage {
		if has == usage || has == x509.ExtKeyUsageAny {
			return false
		}
	}
	return true
}

// IsSelfIssued reports whether a certificate names itself as its issuer, as
// roots do.
func IsSelfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// Name names a certificate by its subject or, if that is empty, by the first of
// its alternative names. It is never empty.
func Name(c *x509.Certificate) string {
	if s := dn.Subject(c); s != "" {
		return s
	}
	for _, names := range []struct {
		kind  string
		first []string
	}{{"DNS", c.DNSNames}, {"IP", texts(c.IPAddresses)}, {"URI", texts(c.URIs)}, {"email", c.EmailAddresses}} {
		if len(names.first) > 0 {
			return "(no subject) " + names.kind + ":" + names.first[0]
		}
	}
	return "(no subject)"
}

// texts returns the values as they are written.
func texts[T fmt.Stringer](values []T) (written []string) {
	for _, v := range values {
		written = append(written, v.String())
	}
	return written
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
