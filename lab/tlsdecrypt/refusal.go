package tlsdecrypt

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// notForSignatures adds a failed check if the other side has refused a
// certificate for that.
func (k *checker) notForSignatures(m *Message, leaf *x509.Certificate) bool {
	f := k.signingFault(m, leaf)
	if f != nil {
		noteFault(m, Fails, *f, "The chain fails: "+f.Of(chain.Name(leaf), leaf)+".")
	}
	return f != nil
}

// signingFault returns the fault of a certificate whose key may not sign the
// handshake (RFC 9846 section 4.5.1.2), if the other side has refused it:
// GnuTLS does so with internal_error. Many programs do not check that.
func (k *checker) signingFault(m *Message, leaf *x509.Certificate) *chain.Fault {
	refused := k.refused(m.From) || k.sends(tlswire.AlertInternalError) && k.progress.Alert.From == m.From.Other() && !k.progress.Succeeded
	if !k.signs(m.From) || chain.MaySign(leaf) || !refused || k.hungUp(m.From.Other()) || k.sends(tlswire.AlertUnknownCA) {
		return nil
	}
	return &chain.Fault{Code: chain.WrongKeyUsage, Cert: leaf, Text: "is not for signatures (key usage)", Reported: !k.refused(m.From)}
}

// signs reports whether a side signs the handshake with the key of its
// certificate.
func (k *checker) signs(side endpoint.Side) bool {
	return side == endpoint.Client || k.hs.tls13() || slices.ContainsFunc(k.c.Messages, func(m *Message) bool {
		return m.Handshake != nil && m.Handshake.Type == tlswire.TypeServerKeyExchange // which all but an anonymous one sign (RFC 5246 section 7.4.3)
	})
}

// differs adds a check if programs differ about a chain that holds. It fails if
// the other side has refused it.
func (k *checker) differs(m *Message, q chain.Question, leaf *x509.Certificate, found chain.Verification, at time.Time) bool {
	f := found.Disputed(q, at, k.signs(m.From))
	switch by := m.From.Other(); {
	case f == nil:
		return false
	case k.refused(m.From) && !k.hungUp(by):
		f.Reported = true
		k.chainIsWrong(m, *f, leaf)
	case k.accepted(m.From):
		noteFault(m, Unknown, *f, fmt.Sprintf("%s; under %s it holds otherwise, and the %v takes it.", f.Of(chain.Name(leaf), leaf), found.Under, by))
	default:
		noteFault(m, Unknown, *f, fmt.Sprintf("%s; under %s it holds otherwise.", f.Of(chain.Name(leaf), leaf), found.Under))
	}
	return true
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

// refusedForCA reports whether the other side refuses a side's certificate, and
// with no alert that says another reason than its CA.
func (k *checker) refusedForCA(side endpoint.Side) bool {
	return k.refused(side) && !k.sends(tlswire.AlertCertificateExpired) && !k.sends(tlswire.AlertCertificateRevoked) && !k.sends(tlswire.AlertUnsupportedCertificate)
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
// a response.
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
func (k *checker) unwanted(m *Message, q chain.Question, leaf *x509.Certificate, found chain.Verification) bool {
	top, by := chain.Name(found.Authorities[len(found.Authorities)-1]), m.From.Other()
	trusted := k.trust.TrustedBy(by)
	fault := func(code chain.Code, format string, args ...any) chain.Fault {
		return chain.Fault{Code: code, Cert: leaf, Text: fmt.Sprintf(format, args...)}
	}
	wrong := func(f chain.Fault) bool {
		if k.accepted(m.From) { // then it is not known after all what the other side trusts
			noteFault(m, Unknown, f, fmt.Sprintf("%s; yet the %v takes it.", f.Of(chain.Name(leaf), leaf), by))
			return true
		}
		k.chainIsWrong(m, f, leaf)
		return true
	}
	if asked := *k.asked.Of(m.From); len(asked) > 0 && !found.Has(asked.names) && asked.none(q.Chain()) {
		f := fault(chain.UnknownCA, "leads to %s; the %v asked for a certificate of %s", top, by, asked)
		if k.refused(m.From) {
			return wrong(f)
		}
		if len(trusted) == 0 { // it may take others than those that it names
			noteFault(m, Unknown, f, f.Of(chain.Name(leaf), leaf)+", and may take this one all the same.")
			return true
		}
	}
	if len(trusted) > 0 && !found.Has(func(ca *x509.Certificate) bool { return slices.ContainsFunc(trusted, ca.Equal) }) {
		if i := slices.IndexFunc(found.Authorities, func(ca *x509.Certificate) bool { return looksLike(ca, trusted) }); i >= 0 {
			return wrong(fault(chain.LookAlikeCA, "leads to another CA that also calls itself %s: the names are the same, the keys are not, and the %v trusts the other one",
				chain.Name(found.Authorities[i]), by))
		}
		var names []string
		for _, ca := range trusted {
			names = append(names, chain.Name(ca))
		}
		return wrong(fault(chain.UnknownCA, "leads to %s; the %v trusts %s alone", top, by, text.JoinedFew(names, 3, "and")))
	}
	if i := slices.IndexFunc(found.Authorities, k.hasNamesake); i >= 0 && k.refused(m.From) && !k.hungUp(by) {
		return wrong(fault(chain.LookAlikeCA, "leads to %s; another CA that is known here has the same name and another key, and the %v must have that one", chain.Name(found.Authorities[i]), by))
	}
	if k.refused(m.From) && k.sends(tlswire.AlertUnknownCA) {
		f := fault(chain.UnknownCA, "leads to %s, which the %v does not trust: it sends unknown_ca", top, by)
		if by == endpoint.Server {
			f = fault(chain.UnknownCA, "leads to %s, which the server does not trust, or has no CRL of where it wants one: it sends unknown_ca", top)
		}
		if named := k.intermediateAsked(m, q); named != "" {
			f = fault(chain.UnknownCA, "leads to %s; %s", top, named)
		} else if asked := *k.asked.Of(m.From); found.Has(asked.names) {
			f = fault(chain.LookAlikeCA, "leads to %s; the %v asked for a certificate of a CA of that name, and sends unknown_ca to this one: it has another CA of that name, or wants a CRL of this one and has none, for which OpenSSL sends the same", top, by)
			f.Fix = fmt.Sprintf("compare the fingerprints of the CA's certificate on both sides: if they differ, have the %v trust this one, too; if not, give the %v a CRL of this CA", by, by)
		}
		f.Reported = by == endpoint.Server // which may lack a CRL
		return wrong(f)
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
		return chain.HaveOneName(ca, other) && !bytes.Equal(ca.RawSubjectPublicKeyInfo, other.RawSubjectPublicKeyInfo)
	})
}

// sends reports whether an alert of that kind ended the connection.
func (k *checker) sends(d tlswire.AlertDescription) bool {
	return k.progress.Alert != nil && k.progress.Alert.Alert.Description == d
}
