package tlsdecrypt

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// faultByNames returns what the names in a chain show: it leads to none of the
// CAs that the other side asked for, or trusts; nil: they show nothing.
func (k *checker) faultByNames(m *Message, q chain.Question, leaf *x509.Certificate) *chain.Fault {
	by, asked, sent, refused := m.From.Other(), *k.asked.Of(m.From), q.Chain(), k.refusedForCA(m.From)
	path, ok := chain.PathOf(q)
	if !ok {
		return nil
	}
	top := path.Top()
	f := &chain.Fault{Cert: leaf}
	switch {
	case refused && k.hasTwin(top):
		f.Code, f.Text = chain.LookAlikeCA, fmt.Sprintf("names %s as its issuer, but there are two CAs of that name: their key identifiers differ", dn.Issuer(top))
	case chain.IsSelfIssued(leaf) && !slices.ContainsFunc(sent, func(cert *x509.Certificate) bool { return !cert.Equal(leaf) }): // it may be sent twice
		f.Code, f.Text = chain.SelfSigned, "is signed by itself"
	case len(asked) > 0 && asked.none(sent):
		f.Code, f.Text = chain.UnknownCA, fmt.Sprintf("%s; the %v asked for a certificate of %s, and nothing between the two was sent along", path.Leads(), by, asked)
	case refused && chain.GapIn(q) != nil:
		gap := chain.GapIn(q)
		f.Code, f.Text, f.Fix, f.Reported = chain.UnknownCA, fmt.Sprintf("%s, which was not sent along (%s)", path.Leads(), gap.Instead()), gap.Fix(), true
	case refused && k.sends(tlswire.AlertUnknownCA):
		f.Code, f.Text, f.Reported = chain.UnknownCA, fmt.Sprintf("%s; the %v does not trust that CA, has another one of that name, or found no way to it: it sends unknown_ca", path.Leads(), by), true
	default:
		return nil
	}
	return f
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
		ders, _ := m.Certificates()
		all = append(all, chain.Question{DERs: ders}.Chain()...)
	}
	return all
}

// authorities are names of CAs that a side asks for.
type authorities []tlswire.DistinguishedName

func (a authorities) names(ca *x509.Certificate) bool {
	return slices.ContainsFunc(a, func(n tlswire.DistinguishedName) bool { return bytes.Equal(n, ca.RawSubject) })
}

// namesIssuer reports whether the issuer of a certificate is one of the CAs.
func (a authorities) namesIssuer(cert *x509.Certificate) bool {
	return slices.ContainsFunc(a, func(n tlswire.DistinguishedName) bool { return bytes.Equal(n, cert.RawIssuer) })
}

// intermediateAsked says that the other side asked for certificates of a CA on
// a chain's way that is no root; "": it did not. OpenSSL takes chains that end
// there only with X509_V_FLAG_PARTIAL_CHAIN.
func (k *checker) intermediateAsked(m *Message, q chain.Question) string {
	asked, sent := *k.asked.Of(m.From), q.Chain()
	cas := slices.Clone(sent[1:])
	for _, ca := range slices.Concat(k.trust.CAs, k.trust.Between) {
		cas = append(cas, ca.Certificate)
	}
	for _, ca := range cas {
		isIssuer := func(cert *x509.Certificate) bool { return chain.Issued(ca, cert) }
		if !chain.IsSelfIssued(ca) && asked.names(ca) && slices.ContainsFunc(sent, isIssuer) {
			return fmt.Sprintf("the %v asked for a certificate of %s, which is no root: OpenSSL takes that only if it has the root, too, or with partial_chain", m.From.Other(), chain.Name(ca))
		}
	}
	return ""
}

// none reports whether no certificate of a chain is, or was issued by, one of
// the CAs. The names may be written in other types of strings, which OpenSSL
// does not mind.
func (a authorities) none(sent []*x509.Certificate) bool {
	isOne := func(is func(n tlswire.DistinguishedName, cert *x509.Certificate) bool) bool {
		return slices.ContainsFunc(sent, func(cert *x509.Certificate) bool {
			return slices.ContainsFunc(a, func(n tlswire.DistinguishedName) bool { return is(n, cert) })
		})
	}
	return !isOne(func(n tlswire.DistinguishedName, cert *x509.Certificate) bool {
		return bytes.Equal(n, cert.RawIssuer) || bytes.Equal(n, cert.RawSubject)
	}) && !isOne(func(n tlswire.DistinguishedName, cert *x509.Certificate) bool {
		asked := n.String()
		return asked == dn.Issuer(cert) || asked == dn.Subject(cert)
	})
}

func (a authorities) String() string {
	var names []string
	for _, n := range a {
		names = append(names, n.String())
	}
	return text.JoinedFew(names, 3, "or")
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
