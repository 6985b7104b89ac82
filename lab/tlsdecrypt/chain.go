package tlsdecrypt

import (
	"crypto"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// shownIdentity is the certificate, or bare key, that a side showed.
type shownIdentity struct {
	name      string
	key       crypto.PublicKey // nil when it cannot be read; a delegated credential's, if there is one
	algorithm string           // of the key
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
	k.chain(m, body.Chain())
	if dc, ok := tlswire.Lookup[*tlswire.DelegatedCredential](body.Entries[0].Extensions, tlswire.ExtensionDelegatedCredential); ok {
		key, _ := x509.ParsePKIXPublicKey(dc.PublicKeyInfo)
		*k.shown.Of(m.From) = &shownIdentity{name: "the delegated credential of " + (*k.shown.Of(m.From)).name, key: key, algorithm: tlswire.KeyAlgorithm(dc.PublicKeyInfo)}
	}
}

// bareKey stores a public key that was sent in place of a certificate
// (RFC 7250).
func (k *checker) bareKey(m *Message, spki []byte) {
	key, _ := x509.ParsePKIXPublicKey(spki)
	*k.shown.Of(m.From) = &shownIdentity{name: "the raw public key", key: key, algorithm: tlswire.KeyAlgorithm(spki)}
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
		if why := strings.TrimPrefix(err.Error(), "x509: "); k.refused(m.From) || k.sends(tlswire.AlertDecodeError) {
			noteFault(m, Fails, chain.Fault{Code: chain.Malformed, Text: "cannot be read: " + why}, "The certificate cannot be read: "+text.Clean(why)+".")
		} else {
			note(m, "chain", Unknown, "Cannot be checked: the certificate does not parse.")
		}
		return
	}
	defer k.address(m, leaf)
	defer k.remark(m, chain.Question{DERs: ders, Of: m.From})
	name := chain.Name(leaf)
	*k.shown.Of(m.From) = &shownIdentity{name: name, key: leaf.PublicKey, algorithm: tlswire.KeyAlgorithm(leaf.RawSubjectPublicKeyInfo)}
	q := chain.Question{DERs: ders, Of: m.From}
	if m.From == endpoint.Server {
		q.Host = k.calledHost()
	}
	if offersECH(k.hs.hello) && leaf.VerifyHostname(q.Host) != nil {
		q.Host = "" // the true name may be in the hidden ClientHello
	}
	then, now := m.Time, k.trust.Time()
	if !k.hasTime(m) {
		then = now
	}
	purpose := " for " + q.Role()
	if q.Host != "" {
		purpose += " named " + q.Host
	}
	found, errThen := k.trust.Verify(q, then)
	if errThen != nil && k.underIntermediate(m, q, then, name+" is good"+purpose) {
		return
	}
	later, errNow := k.trust.Verify(q, now)
	var revoked *chain.RevokedError
	switch {
	case errors.As(errThen, &revoked):
		k.chainIsWrong(m, k.trust.Explain(errThen, q), leaf)
	case errThen == nil && (k.notForSignatures(m, leaf) || k.unwanted(m, q, leaf, found) || k.differs(m, q, leaf, found, then)):
	case errThen == nil && k.refused(m.From) && !k.hungUp(m.From.Other()): // a side that closes may have another reason
		why := k.refusal()
		if named := k.intermediateAsked(m, q); named != "" {
			why += ": " + named
		}
		note(m, "chain", Unknown, "%s is good%s under %s; yet the %v refuses it with %s.", name, purpose, found.Under, m.From.Other(), why)
		k.goodHere(m, found, then)
	case errThen == nil && errNow == nil:
		note(m, "chain", Holds, "The chain holds under %s: %s is good%s.", found.Under, name, purpose)
	case errThen == nil:
		reason := k.trust.Explain(errNow, q)
		note(m, "chain", Holds, "The chain held at the time of the connection under %s: %s was good%s. It does not any more: %s.", found.Under, name, purpose, reason.Of(name, leaf))
	case errNow == nil:
		k.chainFails(m, q, leaf, errThen, "The chain did not hold at the time of the connection: ", " Now it holds under "+later.Under+".")
	default:
		k.chainFails(m, q, leaf, errThen, "The chain fails: ", "")
	}
}

// remark adds what is odd about a chain to what its check says. What is weak
// may be why the other side has refused it, if nothing else is known.
func (k *checker) remark(m *Message, q chain.Question) {
	if len(m.Checks) == 0 {
		return
	}
	check, weak := &m.Checks[len(m.Checks)-1], chain.Weaknesses(q)
	remarks := chain.Remarks(q, k.hs.tls13())
	for _, f := range weak {
		isSaid := check.Fault != nil && check.Fault.Code == f.Code || f.Code == chain.WeakSignature && strings.Contains(check.Text, f.Cert.SignatureAlgorithm.String())
		if !isSaid {
			remarks = append(remarks, chain.Name(f.Cert)+" "+f.Text)
		}
	}
	instead := chain.GapIn(q).Instead()
	for _, remark := range remarks {
		if instead != "" && strings.HasSuffix(remark, instead) && strings.Contains(check.Text, text.Clean(instead)) {
			continue // it is said
		}
		check.Text += " " + text.Clean(remark) + "."
	}
	if check.Result == Unknown && check.Fault == nil && k.refused(m.From) && len(weak) > 0 {
		check.Fault = weak[0]
	}
}

// goodHere notes that a chain holds that the other side refuses, and that a CRL
// of one of its CAs was out of date, if it was.
func (k *checker) goodHere(m *Message, found chain.Verification, at time.Time) {
	check := &m.Checks[len(m.Checks)-1]
	check.Good = len(k.trust.TrustedBy(m.From.Other())) > 0
	if stale := k.trust.StaleCRL(found, at); stale != nil && k.hasTime(m) {
		check.Fault = stale
		check.Text += " " + text.Clean(text.Sentence(stale.Text))
	}
}

// calledHost returns the host that the client called, "" if that is not known.
// Java names a host without a dot in its name to a proxy alone.
func (k *checker) calledHost() string {
	if k.hs.hello == nil || tlswire.Has(k.hs.hello.Extensions, tlswire.ExtensionServerName) {
		return k.hs.serverName
	}
	return k.c.ProxiedHost()
}

// address adds a check that cannot be decided: whether the server's certificate
// is for the name that the client called. Who calls an IP address sends no
// server_name (RFC 6066 section 3), and the one on the wire may be another's,
// as behind a proxy.
func (k *checker) address(m *Message, leaf *x509.Certificate) {
	if addr := k.c.Server.Addr().Unmap(); k.isForAnother(m, leaf) && k.refused(m.From) {
		if wrong := chain.MisnomerOf(leaf, addr.String()); wrong != nil {
			note(m, "name", Unknown, "%s is in the certificate as a DNS name, and clients look for an address among the IP addresses. The client named no host, as one does that calls an IP address: if it called this one, the certificate is not for it.", text.Clean(wrong.Name))
			return
		}
		note(m, "name", Unknown, "%v is not in the certificate. The client named no host, as one does that calls an IP address: if it called this one, the certificate is not for it.", addr)
	}
}

// isForAnother reports whether the client called the server by a name that is
// not known, and the server's certificate is not for its address.
func (k *checker) isForAnother(m *Message, leaf *x509.Certificate) bool {
	hello, addr := k.hs.hello, k.c.Server.Addr().Unmap()
	if m.From != endpoint.Server || hello == nil || k.calledHost() != "" || tlswire.Has(hello.Extensions, tlswire.ExtensionServerName) || offersECH(hello) {
		return false
	}
	return addr.IsValid() && leaf.VerifyHostname(addr.String()) != nil
}

// underIntermediate adds a check that holds if a chain leads to an intermediate
// CA that is known here and was not sent along, and the other side does not
// refuse it: a side may trust an intermediate, or have it from elsewhere.
func (k *checker) underIntermediate(m *Message, q chain.Question, at time.Time, good string) bool {
	by := m.From.Other()
	if k.refused(m.From) || len(k.trust.TrustedBy(by)) > 0 {
		return false
	}
	found, err := k.trust.VerifyPartial(q, at)
	if err == nil && !k.differs(m, q, found.Leaf(), found, at) {
		note(m, "chain", Holds, "The chain holds under %s: %s. The %v must have that CA: it was not sent along.", found.Under, good, by)
	}
	return err == nil
}

// chainIsWrong adds the check of a chain that fails.
func (k *checker) chainIsWrong(m *Message, f chain.Fault, leaf *x509.Certificate) {
	noteFault(m, Fails, f, f.Of(chain.Name(leaf), leaf)+".")
}

// noteFault adds the check of a chain with its fault.
func noteFault(m *Message, r Result, f chain.Fault, sentence string) {
	note(m, "chain", r, "%s", sentence)
	m.Checks[len(m.Checks)-1].Fault = &f
}
