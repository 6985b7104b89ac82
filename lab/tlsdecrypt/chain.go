package tlsdecrypt

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// bareKey takes a public key in place of a certificate (RFC 7250).
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
	name := subject(leaf)
	*k.shown.Of(m.From) = &shownIdentity{name: name, key: leaf.PublicKey}
	if len(k.trust.CAs) == 0 && len(k.trust.trustedBy(m.From.Other())) == 0 {
		note(m, "chain", Unknown, "Cannot be checked: no CA is given to check it under.")
		return
	}
	q := question{ders: ders, usage: x509.ExtKeyUsageServerAuth, host: k.hs.serverName, role: "a server"}
	if offersECH(k.hs.hello) && leaf.VerifyHostname(q.host) != nil {
		q.host = "" // the true name may be in the hidden ClientHello
	}
	if m.From == endpoint.Client {
		q.usage, q.host, q.role = x509.ExtKeyUsageClientAuth, "", "a client"
	}
	then, now := m.Time, k.trust.now()
	if !hasTime(m) {
		then = now
	}
	purpose := " for " + q.role
	if q.host != "" {
		purpose += " named " + q.host
	}
	chain, errThen := k.trust.judge(q, then)
	later, errNow := k.trust.judge(q, now)
	var revoked *revokedError
	switch {
	case errors.As(errThen, &revoked):
		note(m, "chain", Fails, "%s.", revoked.sentence(leaf))
	case errThen == nil && k.unwanted(m, name, chain):
	case errThen == nil && k.refused(m.From):
		note(m, "chain", Unknown, "%s leads to the CA %s, and is good%s; yet the %v refuses it with %v.", name, chain.under, purpose, m.From.Other(), k.alert.Alert.Description)
	case errThen == nil && errNow == nil:
		note(m, "chain", Holds, "The chain holds: %s leads to the CA %s, and is good%s.", name, chain.under, purpose)
	case errThen == nil:
		note(m, "chain", Holds, "The chain held at the time of the connection: %s led to the CA %s, and was good%s. It does not any more: %s.", name, chain.under, purpose, k.trust.reason(leaf, errNow, q))
	case errNow == nil:
		k.chainFails(m, q, leaf, errThen, "The chain did not hold at the time of the connection: ", fmt.Sprintf(" Now %s leads to the CA %s.", name, later.under))
	default:
		k.chainFails(m, q, leaf, errThen, fmt.Sprintf("The chain of %s fails: ", name), "")
	}
}

// refused tells whether a side's certificate is refused later.
func (k *checker) refused(side endpoint.Side) bool {
	return k.alert != nil && k.alert.From == side.Other() && k.alert.Alert.Description.RefusesCertificate()
}

// unwanted notes that a chain that holds is none of those that the other side
// takes, by what it asked for (RFC 8446 4.2.4, RFC 5246 7.4.4), by what is known
// of its trust, and by its alert.
func (k *checker) unwanted(m *Message, name string, chain verification) bool {
	top := subject(chain.authorities[len(chain.authorities)-1])
	if asked := *k.asked.Of(m.From); len(asked) > 0 && !chain.has(func(ca *x509.Certificate) bool { return asked.names(ca) }) {
		if k.refused(m.From) {
			note(m, "chain", Fails, "%s leads to %s; the %v asked for a certificate of %s.", name, top, m.From.Other(), asked)
			return true
		}
		if len(k.trust.trustedBy(m.From.Other())) == 0 { // it may take others than those that it names
			note(m, "chain", Unknown, "%s leads to %s; the %v asked for a certificate of %s, and may take this one all the same.", name, top, m.From.Other(), asked)
			return true
		}
	}
	trusted := k.trust.trustedBy(m.From.Other())
	if len(trusted) > 0 && !chain.has(func(ca *x509.Certificate) bool { return slices.ContainsFunc(trusted, ca.Equal) }) {
		if i := slices.IndexFunc(chain.authorities, func(ca *x509.Certificate) bool { return looksLike(ca, trusted) }); i >= 0 {
			note(m, "chain", Fails, "%s leads to another CA that also calls itself %s: the names are the same, the keys are not, and the %v trusts the other one.",
				name, subject(chain.authorities[i]), m.From.Other())
			return true
		}
		var names []string
		for _, ca := range trusted {
			names = append(names, subject(ca))
		}
		note(m, "chain", Fails, "%s leads to %s; the %v trusts %s alone.", name, top, m.From.Other(), alternatives(names, "and"))
		return true
	}
	if k.refused(m.From) && k.alert.Alert.Description == tlswire.AlertUnknownCA {
		note(m, "chain", Fails, "%s leads to %s, which the %v does not trust: it sends unknown_ca.", name, top, m.From.Other())
		return true
	}
	return false
}

// looksLike tells whether a CA has the name of one of others, and another key.
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

// ask takes note of the CAs that a side names in a message.
func (k *checker) ask(from endpoint.Side, body tlswire.Body) {
	var extensions []tlswire.Extension
	switch body := body.(type) {
	case *tlswire.CertificateRequestTLS12:
		*k.asked.Of(from.Other()) = body.CertificateAuthorities
		return
	case *tlswire.CertificateRequest:
		extensions = body.Extensions
	case *tlswire.ClientHello:
		extensions = body.Extensions
	default:
		return
	}
	*k.asked.Of(from.Other()) = nil
	if cas, ok := tlswire.Lookup[*tlswire.CertificateAuthorities](extensions, tlswire.ExtensionCertificateAuthorities); ok {
		*k.asked.Of(from.Other()) = cas.Authorities
	}
}
