package tlsdecrypt

import (
	"bytes"
	"crypto"
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

// shownIdentity is the certificate, or bare key, that a side showed.
type shownIdentity struct {
	name string
	key  crypto.PublicKey // nil when it cannot be read; a delegated credential's, if there is one
}

// certificate checks a Certificate of TLS 1.3.
func (k *checker) certificate(m *Message, body *tlswire.Certificate) {
	if len(body.Entries) == 0 {
		return
	}
	if body.CertificateType == tlswire.CertificateTypeRawPublicKey {
		k.bareKey(m, body.Entries[0].Data)
		return
	}
	ders := make([][]byte, len(body.Entries))
	for i, e := range body.Entries {
		ders[i] = e.Data
	}
	k.chain(m, ders)
	if dc, ok := tlswire.Lookup[*tlswire.DelegatedCredential](body.Entries[0].Extensions, tlswire.ExtensionDelegatedCredential); ok {
		key, _ := x509.ParsePKIXPublicKey(dc.PublicKeyInfo)
		*k.shown.Of(m.From) = &shownIdentity{name: "the delegated credential of " + (*k.shown.Of(m.From)).name, key: key}
	}
}

// bareKey stores a public key that was sent in place of a certificate
// (RFC 7250).
func (k *checker) bareKey(m *Message, spki []byte) {
	key, _ := x509.ParsePKIXPublicKey(spki)
	*k.shown.Of(m.From) = &shownIdentity{name: "the raw public key", key: key}
	note(m, "chain", Unknown, "There is no chain to check: this is a bare public key (RFC 7250), which the %v must know beforehand.", m.From.Other())
}

// chain checks whether a side's certificates lead to a CA.
func (k *checker) chain(m *Message, ders [][]byte) {
	if len(ders) == 0 {
		return
	}
	leaf, err := tlswire.ParseCertificate(ders[0])
	if err != nil {
		*k.shown.Of(m.From) = &shownIdentity{name: "its certificate"}
		note(m, "chain", Unknown, "Cannot be checked: the certificate does not parse.")
		return
	}
	name := chain.Name(leaf)
	*k.shown.Of(m.From) = &shownIdentity{name: name, key: leaf.PublicKey}
	q := chain.Question{DERs: ders, Of: m.From}
	if m.From == endpoint.Server {
		q.Host = k.hs.serverName
	}
	if offersECH(k.hs.hello) && leaf.VerifyHostname(q.Host) != nil {
		q.Host = "" // the true name may be in the hidden ClientHello
	}
	then, now := m.Time, k.trust.Time()
	if !k.hasTime(m) {
		then = now
	}
	if len(k.trust.CAs) == 0 && len(k.trust.TrustedBy(m.From.Other())) == 0 {
		k.underNoCA(m, q, leaf)
		return
	}
	purpose := " for " + q.Role()
	if q.Host != "" {
		purpose += " named " + q.Host
	}
	found, errThen := k.trust.Verify(q, then)
	unnamed := errThen != nil && k.refused(m.From) && !k.leadsToNone(m, q, leaf, errThen) && k.unnamed(m, q, leaf)
	later, errNow := k.trust.Verify(q, now)
	var revoked *chain.RevokedError
	switch {
	case errors.As(errThen, &revoked):
		k.chainIsWrong(m, k.trust.Explain(errThen, q), leaf)
	case errThen == nil && (k.unwanted(m, leaf, found) || k.notForSignatures(m, leaf)):
	case errThen == nil && k.refused(m.From) && !k.hungUp(m.From.Other()): // a side that closes may have another reason
		note(m, "chain", Unknown, "%s leads to the CA %s, and is good%s; yet the %v refuses it with %v.", name, found.Under, purpose, m.From.Other(), k.refusal())
	case errThen == nil && errNow == nil:
		note(m, "chain", Holds, "The chain holds: %s leads to the CA %s, and is good%s.", name, found.Under, purpose)
	case errThen == nil:
		reason := k.trust.Explain(errNow, q)
		note(m, "chain", Holds, "The chain held at the time of the connection: %s led to the CA %s, and was good%s. It does not any more: %s.", name, found.Under, purpose, reason.Of(name, leaf))
	case errNow == nil:
		k.chainFails(m, q, leaf, errThen, unnamed, "The chain did not hold at the time of the connection: ", fmt.Sprintf(" Now %s leads to the CA %s.", name, later.Under))
	default:
		k.chainFails(m, q, leaf, errThen, unnamed, "The chain fails: ", "")
	}
}

// underNoCA describes what a chain shows without any CA, and where it leads by
// its names.
func (k *checker) underNoCA(m *Message, q chain.Question, leaf *x509.Certificate) {
	unnamed := k.unnamed(m, q, leaf)
	if k.evident(m, q, leaf) || unnamed || k.notForSignatures(m, leaf) {
		return
	}
	note(m, "chain", Unknown, "Cannot be checked: no CA is given to check it under.")
}

// evident adds a failed check if a chain shows by itself what is wrong.
func (k *checker) evident(m *Message, q chain.Question, leaf *x509.Certificate) bool {
	at := m.Time
	if !k.hasTime(m) {
		at = time.Time{}
	}
	f := chain.Evident(q, at)
	if f == nil && k.refused(m.From) {
		if f = chain.ExpiredAbove(q, at); f != nil {
			f.Open = !k.sends(tlswire.AlertCertificateExpired)
		}
	}
	if f != nil {
		k.chainIsWrong(m, *f, leaf)
	}
	return f != nil
}

// unnamed adds a check if the names in a chain show why the other side refuses
// it, or may do so: they lead to none of the CAs that it asked for, or trusts.
// The check fails if that side has refused it.
func (k *checker) unnamed(m *Message, q chain.Question, leaf *x509.Certificate) bool {
	f := k.faultByNames(m, q, leaf)
	if f == nil {
		return false
	}
	if k.refused(m.From) {
		k.chainIsWrong(m, *f, leaf)
		return true
	}
	note(m, "chain", Unknown, "%s; the %v may take it all the same.", f.Of(chain.Name(leaf), leaf), m.From.Other())
	m.Checks[len(m.Checks)-1].Fault = f
	return true
}

// faultByNames returns what the names in a chain show: it leads to none of the
// CAs that the other side asked for, or trusts; nil: they show nothing.
func (k *checker) faultByNames(m *Message, q chain.Question, leaf *x509.Certificate) *chain.Fault {
	by, asked, sent, refused := m.From.Other(), *k.asked.Of(m.From), q.Chain(), k.refused(m.From)
	top := sent[len(sent)-1]
	f := &chain.Fault{Cert: leaf}
	switch {
	case refused && k.hasTwin(top):
		f.Code, f.Text = chain.LookAlikeCA, fmt.Sprintf("names %s as its issuer, but there are two CAs of that name: their key identifiers differ", top.Issuer)
	case len(sent) == 1 && chain.IsSelfIssued(leaf):
		f.Code, f.Text = chain.SelfSigned, "is signed by itself"
	case len(asked) > 0 && asked.none(sent):
		f.Code, f.Text = chain.UnknownCA, fmt.Sprintf("%s; the %v asked for a certificate of %s, and nothing between the two was sent along", leadsTo(sent), by, asked)
	case refused && k.sends(tlswire.AlertUnknownCA):
		f.Code, f.Text, f.Open = chain.UnknownCA, fmt.Sprintf("%s; the %v does not trust that CA, has another one of that name, or found no way to it: it sends unknown_ca", leadsTo(sent), by), true
	default:
		return nil
	}
	return f
}

// notForSignatures adds a failed check if the other side has refused a
// certificate whose key may not sign the handshake (RFC 9846 section 4.5.1.2).
// Many programs do not check that.
func (k *checker) notForSignatures(m *Message, leaf *x509.Certificate) bool {
	signs := m.From == endpoint.Client || k.hs.tls13()
	if !signs || leaf.KeyUsage == 0 || leaf.KeyUsage&x509.KeyUsageDigitalSignature != 0 || !k.refused(m.From) || k.hungUp(m.From.Other()) {
		return false
	}
	k.chainIsWrong(m, chain.Fault{Code: chain.WrongKeyUsage, Cert: leaf, Text: "is not for signatures (key usage)"}, leaf)
	return true
}

// leadsTo says where a chain leads by its names.
func leadsTo(sent []*x509.Certificate) string {
	top := sent[len(sent)-1]
	switch {
	case chain.IsSelfIssued(top):
		return "leads to " + chain.Name(top)
	case len(sent) == 1:
		return "was issued by " + top.Issuer.String()
	}
	return "leads to " + top.Issuer.String()
}

// hasTwin reports whether another certificate of the handshake has the issuer
// of top by name, but another key of that issuer (RFC 5280 section 4.2.1.1).
func (k *checker) hasTwin(top *x509.Certificate) bool {
	if chain.IsSelfIssued(top) || len(top.AuthorityKeyId) == 0 {
		return false
	}
	differs := func(id []byte) bool { return len(id) > 0 && !bytes.Equal(id, top.AuthorityKeyId) }
	return slices.ContainsFunc(k.certificates(), func(cert *x509.Certificate) bool {
		return bytes.Equal(cert.RawIssuer, top.RawIssuer) && differs(cert.AuthorityKeyId) || bytes.Equal(cert.RawSubject, top.RawIssuer) && differs(cert.SubjectKeyId)
	})
}

// certificates returns all that both sides show in the handshake.
func (k *checker) certificates() (all []*x509.Certificate) {
	for _, m := range k.hs.transcript {
		body := m.Handshake.Body
		if m.Inner != nil {
			body = m.Inner.Body
		}
		var ders [][]byte
		switch body := body.(type) {
		case *tlswire.Certificate:
			for _, e := range body.Entries {
				ders = append(ders, e.Data)
			}
		case *tlswire.CertificateTLS12:
			ders = body.Certificates
		}
		all = append(all, chain.Question{DERs: ders}.Chain()...)
	}
	return all
}

// chainIsWrong adds the check of a chain that fails.
func (k *checker) chainIsWrong(m *Message, f chain.Fault, leaf *x509.Certificate) {
	k.chainIsWrongIn(m, f, f.Of(chain.Name(leaf), leaf)+".")
}

func (k *checker) chainIsWrongIn(m *Message, f chain.Fault, sentence string) {
	note(m, "chain", Fails, "%s", sentence)
	m.Checks[len(m.Checks)-1].Fault = &f
}

// refused reports whether the other side refuses a side's certificate later,
// with an alert about certificates, by ending the connection in the handshake
// or, if it is the server, in HTTP.
func (k *checker) refused(side endpoint.Side) bool {
	if alert := k.progress.Alert; alert != nil {
		return alert.From == side.Other() && alert.Alert.Description.RefusesCertificate()
	}
	return side == endpoint.Client && k.refusedInHTTP() || k.hungUp(side.Other())
}

// hungUp reports whether a side ended the connection before the handshake did,
// without an alert.
func (k *checker) hungUp(side endpoint.Side) bool {
	if k.progress.Succeeded || k.progress.Lacking || k.progress.Alert != nil || k.c.EndedBy != side {
		return false
	}
	return !slices.ContainsFunc(k.c.Messages, func(m *Message) bool { return m.Encrypted && m.From == side }) // which may be its Finished
}

// refusedInHTTP reports whether the server refuses the client's certificate in
// its first response.
func (k *checker) refusedInHTTP() bool {
	return k.progress.Refusal != nil && k.progress.Refusal.HTTP.RefusesCertificate()
}

// refusal describes what refused reports.
func (k *checker) refusal() string {
	if k.progress.Alert != nil {
		return k.progress.Alert.Alert.Description.String()
	}
	return fmt.Sprintf("HTTP status %d", k.progress.Refusal.HTTP.Status)
}

// unwanted adds a failed check if a valid chain leads to a CA that the other
// side does not accept, by what it asked for (RFC 9846 section 4.3.4,
// RFC 5246 section 7.4.4), by what is known of its trust, and by its alert.
func (k *checker) unwanted(m *Message, leaf *x509.Certificate, found chain.Verification) bool {
	top, by := chain.Name(found.Authorities[len(found.Authorities)-1]), m.From.Other()
	trusted := k.trust.TrustedBy(by)
	wrong := func(code chain.Code, format string, args ...any) bool {
		k.chainIsWrong(m, chain.Fault{Code: code, Cert: leaf, Text: fmt.Sprintf(format, args...)}, leaf)
		return true
	}
	if asked := *k.asked.Of(m.From); len(asked) > 0 && !found.Has(asked.names) {
		if k.refused(m.From) {
			return wrong(chain.UnknownCA, "leads to %s; the %v asked for a certificate of %s", top, by, asked)
		}
		if len(trusted) == 0 { // it may take others than those that it names
			note(m, "chain", Unknown, "%s leads to %s; the %v asked for a certificate of %s, and may take this one all the same.", chain.Name(leaf), top, by, asked)
			m.Checks[len(m.Checks)-1].Fault = &chain.Fault{Code: chain.UnknownCA, Cert: leaf, Text: fmt.Sprintf("leads to %s; the %v asked for a certificate of %s", top, by, asked)}
			return true
		}
	}
	if len(trusted) > 0 && !found.Has(func(ca *x509.Certificate) bool { return slices.ContainsFunc(trusted, ca.Equal) }) {
		if i := slices.IndexFunc(found.Authorities, func(ca *x509.Certificate) bool { return looksLike(ca, trusted) }); i >= 0 {
			return wrong(chain.LookAlikeCA, "leads to another CA that also calls itself %s: the names are the same, the keys are not, and the %v trusts the other one",
				chain.Name(found.Authorities[i]), by)
		}
		var names []string
		for _, ca := range trusted {
			names = append(names, chain.Name(ca))
		}
		return wrong(chain.UnknownCA, "leads to %s; the %v trusts %s alone", top, by, alternatives(names, "and"))
	}
	if i := slices.IndexFunc(found.Authorities, k.hasNamesake); i >= 0 && k.refused(m.From) && !k.hungUp(by) {
		return wrong(chain.LookAlikeCA, "leads to %s; another CA that is known here has the same name and another key, and the %v must have that one", chain.Name(found.Authorities[i]), by)
	}
	if k.refused(m.From) && k.sends(tlswire.AlertUnknownCA) {
		defer func() { m.Checks[len(m.Checks)-1].Fault.Open = by == endpoint.Server }() // which may lack a CRL
		return wrong(chain.UnknownCA, "leads to %s, which the %v does not trust: it sends unknown_ca", top, by)
	}
	return false
}

// hasNamesake reports whether one of the given CAs has the name of a CA, and
// another key.
func (k *checker) hasNamesake(ca *x509.Certificate) bool {
	return slices.ContainsFunc(k.trust.CAs, func(other chain.NamedCA) bool { return looksLike(ca, []*x509.Certificate{other.Certificate}) })
}

// looksLike reports whether a CA has the name of one of others, and another
// key.
func looksLike(ca *x509.Certificate, others []*x509.Certificate) bool {
	return slices.ContainsFunc(others, func(other *x509.Certificate) bool {
		return bytes.Equal(ca.RawSubject, other.RawSubject) && !bytes.Equal(ca.RawSubjectPublicKeyInfo, other.RawSubjectPublicKeyInfo)
	})
}

// authorities are names of CAs that a side asks for.
type authorities []tlswire.DistinguishedName

func (a authorities) names(ca *x509.Certificate) bool {
	return slices.ContainsFunc(a, func(n tlswire.DistinguishedName) bool { return bytes.Equal(n, ca.RawSubject) })
}

// none reports whether no certificate of a chain is, or was issued by, one of
// the CAs.
func (a authorities) none(sent []*x509.Certificate) bool {
	return !slices.ContainsFunc(sent, func(cert *x509.Certificate) bool {
		return slices.ContainsFunc(a, func(n tlswire.DistinguishedName) bool {
			return bytes.Equal(n, cert.RawIssuer) || bytes.Equal(n, cert.RawSubject)
		})
	})
}

func (a authorities) String() string {
	var names []string
	for _, n := range a {
		names = append(names, n.String())
	}
	return alternatives(names, "or")
}

// alternatives is "a", "a or b", "a, b or 5 more".
func alternatives(names []string, or string) string {
	const few = 3
	if more := len(names) - few; more > 0 {
		names = append(names[:few:few], fmt.Sprintf("%d more", more))
	}
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " " + or + " " + names[last]
}

// ask stores the CAs that a side names in a message.
func (k *checker) ask(m *Message) {
	if named, ok := authoritiesIn(m); ok {
		*k.asked.Of(m.From.Other()) = named
	}
}

// authoritiesIn returns the CAs that a message asks for. ok is false for
// messages that ask for none or any.
func authoritiesIn(m *Message) (named authorities, ok bool) {
	var extensions []tlswire.Extension
	switch body := m.Handshake.Body.(type) {
	case *tlswire.CertificateRequestTLS12:
		return body.CertificateAuthorities, true
	case *tlswire.CertificateRequest:
		extensions = body.Extensions
	case *tlswire.ClientHello:
		extensions = body.Extensions
	default:
		return nil, false
	}
	if cas, ok := tlswire.Lookup[*tlswire.CertificateAuthorities](extensions, tlswire.ExtensionCertificateAuthorities); ok {
		return cas.Authorities, true
	}
	return nil, true
}

// A chain that does not verify is wrong if its own certificates show it, if the
// CAs that the other side trusts are known, or if that side says so. The CAs of
// a folder prove nothing: the capture may be of another PKI.

// chainFails notes that a chain does not verify: as failed, or as unknown with
// the reason. It adds end to the text of a failure.
func (k *checker) chainFails(m *Message, q chain.Question, leaf *x509.Certificate, err error, unnamed bool, text, end string) {
	if doubt := k.chainDoubt(m, q, leaf, err); doubt != "" {
		if !k.evident(m, q, leaf) && !unnamed && !k.notForSignatures(m, leaf) {
			unknown(m, "chain", "%s", doubt)
			m.Checks[len(m.Checks)-1].Fault = k.faultByNames(m, q, leaf)
		}
		return
	}
	f := k.trust.Explain(err, q)
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
	k.chainIsWrongIn(m, f, text+f.Of(chain.Name(leaf), leaf)+"."+end)
}

// chainDoubt returns why it is not proven that a chain fails, or "".
func (k *checker) chainDoubt(m *Message, q chain.Question, leaf *x509.Certificate, err error) string {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	known := len(k.trust.TrustedBy(m.From.Other())) > 0
	switch {
	case errors.As(err, &authority):
		if doubt := k.trust.Unverifiable(q); doubt != "" {
			return doubt
		}
		if known || k.refused(m.From) && k.isNamed() {
			return ""
		}
		return k.trust.LeadsElsewhere(q)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		if !k.hasTime(m) {
			return "the capture does not say when it was made, or has a time that cannot be"
		}
		if invalid.Cert != nil && invalid.Cert.Equal(leaf) {
			return ""
		}
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		if chain.Evident(chain.Question{DERs: q.DERs, Of: q.Of}, time.Time{}) != nil {
			return "" // its own extension says so
		}
	case errors.As(err, &host):
		return chain.OddNames(leaf, q.Host)
	case !errors.As(err, &invalid) && !errors.As(err, new(x509.UnhandledCriticalExtension)):
		return strings.TrimPrefix(err.Error(), "x509: ") // a limit, say
	}
	if known || k.refused(m.From) {
		return ""
	}
	if !errors.As(err, &invalid) {
		return fmt.Sprintf("a certificate of its chain has a critical extension that is not known here; the %v may know it", m.From.Other())
	}
	reason := k.trust.Explain(err, q)
	return fmt.Sprintf("%s; but the %v may trust other CAs than those that are known here", reason.Of(chain.Name(leaf), leaf), m.From.Other())
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

// sends reports whether an alert of that kind ended the connection.
func (k *checker) sends(d tlswire.AlertDescription) bool {
	return k.progress.Alert != nil && k.progress.Alert.Alert.Description == d
}
