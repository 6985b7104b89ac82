package tlsdecrypt

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/tlswire"
)

// A chain that does not verify is wrong if its own certificates show it, if what the other side trusts is known, or if
// that side says so. The CAs of a folder are none of these: the capture may be of another PKI.

// chainFails notes that a chain does not verify: that it fails, or why it is not known whether it does. end is what to
// add when it fails.
func (k *checker) chainFails(m *Message, q question, leaf *x509.Certificate, err error, text, end string) {
	reason := k.trust.reason(leaf, err, q)
	switch doubt := k.chainDoubt(m, q, leaf, err); doubt {
	case "":
		note(m, "chain", Fails, "%s%s.%s", text, reason, end)
	default:
		unknown(m, "chain", "%s", doubt)
	}
}

// chainDoubt says why it is not proven that a chain fails, and is empty when it is.
func (k *checker) chainDoubt(m *Message, q question, leaf *x509.Certificate, err error) string {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	known := len(k.trust.trustedBy(m.From.Other())) > 0
	switch {
	case errors.As(err, &authority):
		if doubt := k.trust.unverifiable(q); doubt != "" {
			return doubt
		}
		if known || k.refused(m.From) && k.alert.Alert.Description == tlswire.AlertUnknownCA {
			return ""
		}
		return k.trust.leadsElsewhere(q, leaf)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if !hasTime(m) {
			return "the capture does not say when it was made"
		}
		if invalid.Cert != nil && invalid.Cert.Equal(leaf) {
			return ""
		}
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		if forbids(leaf, q.usage) {
			return "" // its own extension says so
		}
	case errors.As(err, &host):
		return oddNames(leaf, q.host)
	case !errors.As(err, &invalid) && !errors.As(err, new(x509.UnhandledCriticalExtension)):
		return strings.TrimPrefix(err.Error(), "x509: ") // a limit, say
	}
	if known || k.refused(m.From) {
		return ""
	}
	if !errors.As(err, &invalid) {
		return fmt.Sprintf("a certificate of its chain has a critical extension that is not known here; the %v may know it", m.From.Other())
	}
	return fmt.Sprintf("%s; but the %v may trust other CAs than those that are known here", k.trust.reason(leaf, err, q), m.From.Other())
}

// hasTime reports whether the capture says when a message was sent.
func hasTime(m *Message) bool { return m.Time.Unix() > 0 }

// unverifiable says which signature or certificate of a chain cannot be judged here, if there is one.
func (t *Trust) unverifiable(q question) string {
	var above []*x509.Certificate
	for _, der := range q.ders {
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
	for _, cert := range below {
		for _, issuer := range above {
			if !bytes.Equal(cert.RawIssuer, issuer.RawSubject) {
				continue
			}
			switch err := certified(cert, issuer); {
			case cert.Equal(issuer): // a root, whose own signature does not count
			case err == errScheme, err == nil && isOutdated(cert.SignatureAlgorithm):
				return fmt.Sprintf("the signature on %s is of a kind (%v) that is not taken here", subject(cert), cert.SignatureAlgorithm)
			case err == errRefused:
				return fmt.Sprintf("the RSA key of %s is not one that is taken here", subject(issuer))
			}
		}
	}
	return ""
}

// forbids reports whether a certificate's own extKeyUsage leaves out a usage (RFC 5280 4.2.1.12).
func forbids(cert *x509.Certificate, usage x509.ExtKeyUsage) bool {
	return len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) > 0 &&
		!slices.Contains(cert.ExtKeyUsage, usage) && !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// isOutdated reports whether crypto/x509 takes no certificates with such signatures, although it can check them.
func isOutdated(a x509.SignatureAlgorithm) bool {
	return a == x509.SHA1WithRSA || a == x509.ECDSAWithSHA1
}

// leadsElsewhere says where a chain leads that leads to none of the CAs.
func (t *Trust) leadsElsewhere(q question, leaf *x509.Certificate) string {
	top := leaf
	for range q.ders {
		for _, der := range q.ders {
			if cert, err := tlswire.ParseCertificate(der); err == nil && !isRoot(top) && bytes.Equal(cert.RawSubject, top.RawIssuer) {
				top = cert
			}
		}
	}
	name := top.Issuer.String()
	for _, ca := range t.CAs {
		if !bytes.Equal(ca.Certificate.RawSubject, top.RawIssuer) {
			continue
		}
		if certified(top, ca.Certificate) == nil {
			if isRoot(ca.Certificate) {
				return fmt.Sprintf("%s leads to the CA %s, whose certificate does not allow to sign others", subject(leaf), ca.Name)
			}
			return fmt.Sprintf("%s leads to the CA %s, which is no root, and what leads from there to a root was not sent along", subject(leaf), ca.Name)
		}
		return fmt.Sprintf("%s leads to a CA that calls itself %s, and not to the CA %s that is known here: the names are the same, the keys are not", subject(leaf), name, ca.Name)
	}
	if isRoot(leaf) {
		return fmt.Sprintf("%s is signed by itself, and is none of the CAs that are known here", subject(leaf))
	}
	return fmt.Sprintf("%s leads to %s, which is none of the CAs that are known here", subject(leaf), name)
}

// oddNames says why it cannot be told whether a certificate has a host's name, if so.
func oddNames(leaf *x509.Certificate, host string) string {
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 && strings.EqualFold(leaf.Subject.CommonName, host) {
		return fmt.Sprintf("%s has the name %s in its subject alone, which older clients take and newer ones do not (RFC 9525 6.3)", subject(leaf), host)
	}
	for _, name := range leaf.DNSNames {
		if label, _, _ := strings.Cut(name, "."); strings.Contains(name, "*") && label != "*" {
			return fmt.Sprintf("%s is for %s, a wildcard that some clients take and others do not (RFC 9525 6.3)", subject(leaf), name)
		}
	}
	return ""
}
