package chain

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"mtlslab.example/lab/lab/text"
)

// FlawAbove returns what is wrong with a chain above its leaf, whatever CAs the
// other side trusts: a CA on its path is out of date at a time, may not issue,
// or not what is below it. nil: there is none, or there is another path
// without.
//
// Only the path that was sent along is looked at, up to a CA that is known. A
// verifier that has another path, such as through a reissued CA certificate, is
// not affected.
func (t *Trust) FlawAbove(q Question, at time.Time) *Fault {
	sent := q.Chain()
	if len(sent) == 0 {
		return nil
	}
	_, flaw := t.bestPath(sent, q, at)
	return flaw
}

// flaw checks the certificates above the leaf (RFC 5280 section 6.1.4).
func (p *Path) flaw(q Question, at time.Time) *Fault {
	between := 0 // CAs between the certificate and the leaf that count (RFC 5280 section 4.2.1.9)
	for _, ca := range p.above() {
		fault := func(code Code, format string, args ...any) *Fault {
			return &Fault{Code: code, Cert: ca, Text: fmt.Sprintf(format, args...)}
		}
		switch {
		case isNoCA(ca):
			return fault(NotACA, "is no CA (basic constraints)")
		case !canSign(ca):
			return fault(NotACA, "may not sign certificates (key usage)")
		case IsClock(at) && at.Before(ca.NotBefore):
			return fault(NotYetValid, "is not valid yet: it is valid from %s", date(ca.NotBefore))
		case IsClock(at) && at.After(ca.NotAfter):
			return fault(Expired, "has expired: it was valid until %s", date(ca.NotAfter))
		case Forbids(ca, q.usage()):
			return fault(WrongUsage, "is not for authenticating a %v (extended key usage)", q.Of)
		case ca.BasicConstraintsValid && ca.MaxPathLen >= 0 && between > ca.MaxPathLen && (ca.MaxPathLen > 0 || ca.MaxPathLenZero):
			return fault(PathTooLong, "allows %s below it, and has %d (path length)", text.Counted(ca.MaxPathLen, "CA"), between)
		}
		if !IsSelfIssued(ca) {
			between++
		}
	}
	return p.constrained()
}

// constrained checks name constraints (RFC 5280 section 4.2.1.10).
func (p *Path) constrained() *Fault {
	above := p.above()
	for i, ca := range above {
		if !constrainsNames(ca) {
			continue
		}
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(ca)
		for _, cert := range above[:i] {
			between.AddCert(cert)
		}
		_, err := p.leaf().Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: p.leaf().NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		var invalid x509.CertificateInvalidError
		if errors.As(err, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName {
			return &Fault{Code: NameConstraint, Cert: ca, Text: "may not issue certificates for a name in " + Name(p.leaf()) + " (name constraints)"}
		}
	}
	return nil
}

func constrainsNames(ca *x509.Certificate) bool {
	for _, e := range ca.Extensions {
		if e.Id.Equal(oidNameConstraints) {
			return true
		}
	}
	return false
}

// oidNameConstraints is id-ce-nameConstraints.
var oidNameConstraints = []int{2, 5, 29, 30}

// isNoCA reports whether a certificate must not issue others by its basic
// constraints (RFC 5280 section 4.2.1.9). Some programs take a key usage in
// their place, and all take a root of version 1, which has no extensions.
func isNoCA(cert *x509.Certificate) bool {
	if cert.BasicConstraintsValid {
		return !cert.IsCA
	}
	return cert.KeyUsage == 0 && (cert.Version >= 3 || !IsSelfIssued(cert))
}

// canSign reports whether a certificate's key usage allows to sign others (RFC
// 5280 section 4.2.1.3).
func canSign(ca *x509.Certificate) bool {
	return ca.KeyUsage == 0 || ca.KeyUsage&x509.KeyUsageCertSign != 0
}
