package tlsdecrypt

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
)

// A chain that does not verify is wrong if its own certificates show it, if the
// CAs that the other side trusts are known, or if that side says so. The CAs of
// a folder prove nothing: the capture may be of another PKI.

// chainFails notes that a chain does not verify: as failed, or as unknown with
// the reason. It adds end to the text of a failure.
func (k *checker) chainFails(m *Message, q chain.Question, leaf *x509.Certificate, err error, unnamed bool, text, end string) {
	if doubt := k.chainDoubt(m, q, leaf, err); doubt != "" {
		if !k.evident(m, q, leaf) && !unnamed && !k.notForSignatures(m, leaf) {
			unknown(m, "chain", "%s", doubt)
			m.Checks[len(m.Checks)-1].Fault = cmp.Or(k.flawAbove(m, q), k.faultByNames(m, q, leaf))
		}
		return
	}
	f := k.trust.Explain(err, q)
	if above := k.flawAbove(m, q); above != nil && !isOfLeaf(err, leaf) {
		f = *above
	}
	var authority x509.UnknownAuthorityError
	asked := *k.asked.Of(m.From)
	unasked := len(asked) > 0 && asked.none(q.Chain())
	switch byName := errors.As(err, &authority) && len(k.trust.TrustedBy(m.From.Other())) == 0 && !k.isTheirPKI(chain.Issued); {
	case byName && unasked: // whatever the CAs are that are known here
		f = *k.faultByNames(m, q, leaf)
	case byName:
		f.Text, f.Open = f.Text+", if the CAs that are known here are those of this connection", true
	case unasked && f.Code == chain.UnknownCA:
		f.Text += fmt.Sprintf("; the %v asked for a certificate of %s", m.From.Other(), asked)
	}
	sentence := text + f.Of(chain.Name(leaf), leaf)
	if k.accepted(m.From) {
		sentence += fmt.Sprintf("; the %v takes it all the same", m.From.Other())
	}
	noteFault(m, Fails, f, sentence+"."+end)
}

// isOfLeaf reports whether an error is about the leaf alone.
func isOfLeaf(err error, leaf *x509.Certificate) bool {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) {
		return invalid.Reason == x509.Expired && invalid.Cert != nil && invalid.Cert.Equal(leaf)
	}
	return !errors.As(err, new(x509.UnknownAuthorityError))
}

// flawAbove returns what a chain shows to be wrong above its leaf when it was
// sent, or nil.
func (k *checker) flawAbove(m *Message, q chain.Question) *chain.Fault {
	return k.trust.FlawAbove(q, k.timeOf(m))
}

// timeOf returns when a message was sent, zero if the capture does not say.
func (k *checker) timeOf(m *Message) time.Time {
	if !k.hasTime(m) {
		return time.Time{}
	}
	return m.Time
}

// accepted reports whether the other side goes on with a side's certificate.
func (k *checker) accepted(side endpoint.Side) bool {
	return k.progress.Succeeded && !k.refused(side)
}

// chainDoubt returns why it is not proven that a chain fails, or "".
func (k *checker) chainDoubt(m *Message, q chain.Question, leaf *x509.Certificate, err error) string {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	told := len(k.trust.TrustedBy(m.From.Other())) > 0
	switch {
	case errors.As(err, &authority):
		if doubt := k.trust.Unverifiable(q); doubt != "" {
			return doubt
		}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if !k.hasTime(m) {
			return "the capture does not say when it was made, or has a time that cannot be"
		}
		if isOfLeaf(err, leaf) {
			return ""
		}
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		if chain.Evident(chain.Question{DERs: q.DERs, Of: q.Of}, time.Time{}) != nil {
			return "" // its own extension says so
		}
	case errors.As(err, &host):
		return chain.OddNames(leaf, q.Host)
	case errors.As(err, new(x509.UnhandledCriticalExtension)):
		if told || k.refused(m.From) {
			return ""
		}
		return fmt.Sprintf("a certificate of its chain has a critical extension that is not known here; the %v may know it", m.From.Other())
	case !errors.As(err, &invalid):
		return strings.TrimPrefix(err.Error(), "x509: ") // a limit, say
	}
	return k.doubtAbove(m, q, leaf, errors.As(err, &authority))
}

// doubtAbove is chainDoubt for what is above the leaf. isNoCA says that the
// chain leads to none of the CAs.
func (k *checker) doubtAbove(m *Message, q chain.Question, leaf *x509.Certificate, isNoCA bool) string {
	by := m.From.Other()
	told := len(k.trust.TrustedBy(by)) > 0
	flaw := k.flawAbove(m, q)
	switch {
	case flaw != nil && (k.refused(m.From) || k.trust.Anchors(q)):
		return ""
	case told && !k.accepted(m.From):
		return ""
	case isNoCA && k.refused(m.From) && k.isNamed():
		return ""
	}
	where := k.trust.Leads(q, k.timeOf(m))
	doubt := where.Of(chain.Name(leaf), leaf)
	if flaw != nil {
		doubt += "; " + chain.Name(flaw.Cert) + " " + flaw.Text
	}
	if told {
		doubt += fmt.Sprintf("; yet the %v takes it", by)
	}
	return doubt
}

// hasTime reports whether the capture says when a message was sent: not of one
// that is yet to come, by the clock here.
func (k *checker) hasTime(m *Message) bool {
	return chain.IsClock(m.Time) && !m.Time.After(k.trust.Time().Add(24*time.Hour))
}

// isTheirPKI reports whether the CAs that are given have to do with the
// connection: one of them has issued a certificate in it. A name proves little:
// many PKIs have CAs of the same names.
func (k *checker) isTheirPKI(issued func(ca, cert *x509.Certificate) bool) bool {
	shown := k.certificates()
	return slices.ContainsFunc(slices.Concat(k.trust.CAs, k.trust.Between), func(ca chain.NamedCA) bool {
		return slices.ContainsFunc(shown, func(cert *x509.Certificate) bool { return issued(ca.Certificate, cert) })
	})
}

// isNamed reports whether one of the CAs that are given is named in the
// connection: as an issuer, or by who asks for a certificate.
func (k *checker) isNamed() bool {
	asked := func(m *Message) bool {
		named, ok := authoritiesIn(m)
		return ok && slices.ContainsFunc(k.trust.CAs, func(ca chain.NamedCA) bool { return named.names(ca.Certificate) })
	}
	return slices.ContainsFunc(k.hs.transcript, asked) || // whole: it is asked for after it was shown
		k.isTheirPKI(func(ca, cert *x509.Certificate) bool { return bytes.Equal(cert.RawIssuer, ca.RawSubject) })
}

// leadsToNone reports whether a chain is known to lead to none of the CAs that
// the other side trusts.
func (k *checker) leadsToNone(m *Message, q chain.Question, leaf *x509.Certificate, err error) bool {
	var authority x509.UnknownAuthorityError
	return len(k.trust.TrustedBy(m.From.Other())) > 0 || errors.As(err, &authority) && k.chainDoubt(m, q, leaf, err) == ""
}
