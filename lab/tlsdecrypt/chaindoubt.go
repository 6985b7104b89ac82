package tlsdecrypt

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// A chain that does not verify is wrong if its own certificates show it, or if
// the other side refuses it and the names in it, or the CAs that are known
// here, show why. The CAs of a folder alone prove nothing: the capture may be
// of another PKI.

// chainFails notes that a chain does not verify: as failed, or as unknown with
// the reason. It adds end to the text of a failure.
func (k *checker) chainFails(m *Message, q chain.Question, leaf *x509.Certificate, err error, text, end string) {
	by := m.From.Other()
	f := k.proven(m, q, leaf, err)
	if f == nil {
		k.chainDoubt(m, q, leaf, err)
		return
	}
	sentence := text + f.Of(chain.Name(leaf), leaf)
	if k.accepted(m.From) {
		sentence += fmt.Sprintf("; the %v takes it all the same", by)
	}
	noteFault(m, Fails, *f, sentence+"."+end)
	if also := chain.Evident(q, k.timeOf(m)); also != nil && also.Code != f.Code {
		k.chainIsWrong(m, *also, leaf)
	}
}

// proven returns the fault of a chain that does not verify if it is known to be
// wrong, or nil.
func (k *checker) proven(m *Message, q chain.Question, leaf *x509.Certificate, err error) *chain.Fault {
	isNoCA := errors.As(err, new(x509.UnknownAuthorityError))
	if asked := *k.asked.Of(m.From); len(asked) > 0 && asked.none(q.Chain()) && k.refusedForCA(m.From) { // programs look for the CA first
		if isNoCA {
			if f := k.noCA(m, q, leaf, err); f != nil {
				return f
			}
		}
		return k.faultByNames(m, q, leaf)
	}
	if f := chain.Evident(q, k.timeOf(m)); f != nil {
		return f
	}
	if f := k.signingFault(m, leaf); f != nil {
		return f
	}
	refused := k.refused(m.From)
	switch f := k.flawAbove(m, q); {
	case f == nil:
	case k.trust.LeadsToRoot(q):
		return f
	case refused:
		f.Reported = f.Code == chain.Expired && !k.sends(tlswire.AlertCertificateExpired) // it may have a newer one
		return f
	}
	switch {
	case isNoCA:
		return k.noCA(m, q, leaf, err)
	case refused && (errors.As(err, new(x509.CertificateInvalidError)) && k.hasTime(m) || errors.As(err, new(x509.UnhandledCriticalExtension))):
		f := k.trust.Explain(err, q)
		return &f
	}
	return nil
}

// noCA returns the fault of a chain that leads to none of the CAs if it is
// known to be wrong, or nil.
func (k *checker) noCA(m *Message, q chain.Question, leaf *x509.Certificate, err error) *chain.Fault {
	by, asked := m.From.Other(), *k.asked.Of(m.From)
	told, unasked := len(k.trust.TrustedBy(by)) > 0, len(asked) > 0 && asked.none(q.Chain())
	refused := k.refusedForCA(m.From)
	if weak := chain.Weak(q); refused && !k.hungUp(by) && weak != nil && weak.Code == chain.WeakSignature {
		weak.Reported = true
		return weak
	}
	if k.trust.Unverifiable(q) != "" {
		return nil
	}
	path, ok := chain.PathOf(q)
	if !ok {
		return nil
	}
	if f := path.Impostor(); f != nil && refused {
		return f
	}
	f := k.trust.Explain(err, q)
	named := k.intermediateAsked(m, q)
	switch theirs := k.isTheirPKI(chain.Issued); {
	case refused && f.Code != chain.LookAlikeCA && k.hasTwin(path.Top()):
		return k.faultByNames(m, q, leaf)
	case refused && asked.namesIssuer(path.Top()) && !f.ByName && !k.sends(tlswire.AlertUnknownCA):
		return nil // the other side has a CA of that name
	case refused && named != "" && f.Code == chain.UnknownCA:
		f.Text, f.Reported = path.Leads()+"; "+named, true
	case told && !k.accepted(m.From), refused && theirs && k.isNamed():
		if unasked && f.Code == chain.UnknownCA {
			f.Text += fmt.Sprintf("; the %v asked for a certificate of %s", by, asked)
		}
	case !refused:
		return nil
	case unasked || !k.isNamed(): // whatever the CAs are that are known here
		return k.faultByNames(m, q, leaf)
	case f.ByName && k.isForAnother(m, leaf) && !k.sends(tlswire.AlertUnknownCA) && !k.sends(tlswire.AlertDecryptError):
		return nil // which needs no CAs of a folder
	default:
		f.Reported = true
		if f.ByName {
			f.Text += ", if the CAs that are known here are those of this connection"
		}
	}
	return &f
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

// chainDoubt notes why it is not proven that a chain fails.
func (k *checker) chainDoubt(m *Message, q chain.Question, leaf *x509.Certificate, err error) {
	by, name := m.From.Other(), chain.Name(leaf)
	if why := k.uncheckable(m, q, leaf, err); why != "" {
		unknown(m, "chain", "%s", why)
		return
	}
	flaw, asked := k.flawAbove(m, q), *k.asked.Of(m.From)
	path, issued := chain.PathOf(q)
	where := k.trust.Leads(q, k.timeOf(m))
	doubt := where.Of(name, leaf)
	if flaw != nil {
		doubt += "; " + chain.Name(flaw.Cert) + " " + flaw.Text
	}
	switch named, accepted := k.intermediateAsked(m, q), k.accepted(m.From); {
	case named != "" && k.refused(m.From):
		doubt += "; " + named
	case len(asked) > 0 && asked.none(q.Chain()) && accepted:
		doubt += fmt.Sprintf("; the %v asked for a certificate of %s, and takes this one all the same", by, asked)
	case len(asked) > 0 && asked.none(q.Chain()):
		doubt += fmt.Sprintf("; the %v asked for a certificate of %s, and may take this one all the same", by, asked)
	case accepted && issued && asked.namesIssuer(path.Top()): // which may be no root
		doubt += fmt.Sprintf("; the %v asked for a certificate of that CA, and takes this one", by)
	case accepted && len(k.trust.TrustedBy(by)) > 0:
		doubt += fmt.Sprintf("; yet the %v takes it", by)
	}
	unknown(m, "chain", "%s", doubt)
	if flaw == nil {
		flaw = k.faultByNames(m, q, leaf)
	}
	m.Checks[len(m.Checks)-1].Fault = flaw
}

// uncheckable returns why a chain that does not verify cannot be checked here,
// or "".
func (k *checker) uncheckable(m *Message, q chain.Question, leaf *x509.Certificate, err error) string {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return k.trust.Unverifiable(q)
	case errors.As(err, new(x509.HostnameError)):
		return chain.OddNames(leaf, q.Host)
	case errors.As(err, new(x509.UnhandledCriticalExtension)):
		return fmt.Sprintf("a certificate of its chain has a critical extension that is not known here; the %v may know it", m.From.Other())
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && !k.hasTime(m):
		return "the capture does not say when it was made, or has a time that cannot be"
	case errors.As(err, &invalid):
		return ""
	}
	return strings.TrimPrefix(err.Error(), "x509: ") // a limit, say
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
		k.isTheirPKI(func(ca, cert *x509.Certificate) bool { return chain.NamesIssuer(cert, ca) })
}
