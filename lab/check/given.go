package check

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// Given are the reports on all files of both sides. Together they know more of
// a refusal than the side that refuses: where the CA is that it misses.
type Given []*Report

// certificates returns the certificates in all files that are wanted, each with
// its file, and each once.
func (g Given) certificates(wanted func(*x509.Certificate) bool) (all []chain.NamedCA) {
	for _, r := range g {
		for _, f := range r.Files {
			for _, part := range f.parts {
				for _, cert := range part.Certificates {
					has := func(ca chain.NamedCA) bool { return ca.Certificate.Equal(cert) }
					if wanted(cert) && !slices.ContainsFunc(all, has) {
						all = append(all, chain.NamedCA{Name: chain.Name(cert), Certificate: cert, In: f.Name})
					}
				}
			}
		}
	}
	return all
}

// pairOf returns the pair whose certificate a side shows; nil: it shows none.
func (g Given) pairOf(l *lab.Loaded) *Pair {
	if len(l.Certificates) == 0 {
		return nil
	}
	for _, r := range g {
		for _, p := range r.Pairs {
			if p.leaf().Equal(l.Certificates[0].Leaf) {
				return p
			}
		}
	}
	return nil
}

// Explain says in the reasons of refusals, and in what to do about them, what
// the files of both sides show. It changes the exchanges of met. quoted writes
// the name of a file in a command.
func (g Given) Explain(met []Handshake, sides endpoint.Pair[*lab.Loaded], quoted func(string) string) {
	for _, h := range met {
		x := h.Exchange
		by := x.RejectedBy
		if by == endpoint.Unknown {
			continue
		}
		shown := g.pairOf(*sides.Of(by.Other()))
		if shown == nil {
			continue
		}
		var f *chain.Fault
		switch x.Code {
		case chain.UnknownCA, chain.LookAlikeCA:
			f = g.explainCA(shown, by, (*sides.Of(by)).CAs)
		case chain.Expired, chain.NotYetValid, chain.WrongUsage:
			f = g.explainLeaf(shown, by.Other(), x.Reason)
		}
		if f != nil {
			x.Reason, x.Fix = f.Of("the "+by.Other().String()+"'s certificate", shown.leaf()), strings.ReplaceAll(f.Fix, "$FILE", quoted(shown.CertificateFile))
		}
	}
}

// explainCA says where a chain leads that a side does not take, and in which
// file what is missing is; nil: the files do not show it.
func (g Given) explainCA(p *Pair, by endpoint.Side, trusted []*x509.Certificate) *chain.Fault {
	isTrusted := func(cert *x509.Certificate) bool { return slices.ContainsFunc(trusted, cert.Equal) }
	known := g.certificates(isAuthority)
	sort.SliceStable(known, func(i, j int) bool { return isTrusted(known[i].Certificate) && !isTrusted(known[j].Certificate) })
	way := p.climb(&chain.Trust{CAs: known})
	end := way.certs[len(way.certs)-1]
	f := &chain.Fault{Code: chain.UnknownCA, Cert: p.leaf()}
	switch beyond := way.certs[way.sent:]; {
	case isTrusted(end) && len(beyond) > 1:
		missing := beyond[:len(beyond)-1]
		f.Text = fmt.Sprintf("leads to %s, which the %v trusts, but through %s, %s not sent along: %s", chain.Name(end), by, names(missing), intermediates(missing), places(missing, known))
		if gap := chain.GapIn(chain.Question{DERs: p.Certificate().Certificate}); gap != nil {
			f.Text += "; " + gap.Instead()
		}
		f.Fix = p.completion(missing, known)
	case isTrusted(end), len(way.certs) == 1 && !chain.IsSelfIssued(end):
		return g.explainTwin(p.leaf(), end, by, trusted)
	case len(beyond) == 0 && !chain.IsSelfIssued(end):
		return g.explainTwin(p.leaf(), end, by, trusted)
	case !chain.IsSelfIssued(end):
		f.Text = fmt.Sprintf("leads to %s, an intermediate CA that is in %s; the root above it is in none of the files", chain.Name(end), placeOf(end, known))
		f.Fix = fmt.Sprintf("name the root of %s among the files, or use a certificate of a CA that the %v trusts", dn.Issuer(end), by)
	case len(way.certs) == 1:
		return nil // signed by itself
	default:
		return g.explainRoot(p.leaf(), end, by, trusted, known)
	}
	return f
}

// explainRoot says of a chain that leads to a root that a side does not trust
// where that root is, and whether the side has another one of its name.
func (g Given) explainRoot(leaf, root *x509.Certificate, by endpoint.Side, trusted []*x509.Certificate, known []chain.NamedCA) *chain.Fault {
	in := placeOf(root, known)
	f := &chain.Fault{Code: chain.UnknownCA, Cert: leaf, Text: fmt.Sprintf("leads to %s, which is in %s and which the %v does not trust", chain.Name(root), in, by),
		Fix: fmt.Sprintf("have the %v trust %s, out of %s; or use a certificate of a CA that it trusts", by, chain.Name(root), in)}
	if twin := namesake(root, trusted); twin != nil {
		there := placeOf(twin, known)
		f.Text = fmt.Sprintf("is signed by %s, the CA in %s (%s); the %v trusts another one of that name, with another key: the one in %s (%s)", chain.Name(root), in, keyAndDates(root), by, there, keyAndDates(twin))
		f.Fix = fmt.Sprintf("have the %v trust the CA in %s beside the one in %s, until all certificates are of the newer one; or have the certificate issued again by the one in %s", by, in, there, there)
	}
	return f
}

// explainTwin says of a chain whose next CA is in no file that a side has
// another one of its name, and whether that is newer; nil: it has none.
func (g Given) explainTwin(leaf, end *x509.Certificate, by endpoint.Side, trusted []*x509.Certificate) *chain.Fault {
	for _, ca := range trusted {
		if !chain.NamesIssuer(end, ca) || chain.Issued(ca, end) {
			continue
		}
		there := placeOf(ca, g.certificates(isAuthority))
		f := &chain.Fault{Code: chain.LookAlikeCA, Cert: leaf,
			Text: fmt.Sprintf("names %s as its issuer, but the key of the one that the %v trusts, in %s (%s), has not signed it; the CA that has is in none of the files", chain.Name(ca), by, there, keyAndDates(ca)),
			Fix:  fmt.Sprintf("find the CA that has signed it, and have the %v trust it beside the one in %s, until all certificates are of the newer one; or have the certificate issued again by the one in %s", by, there, there)}
		return f
	}
	return nil
}

// explainLeaf adds to the reason for which a side's own certificate is refused
// that a good one is in the files; nil: there is none.
func (g Given) explainLeaf(p *Pair, of endpoint.Side, reason string) *chain.Fault {
	for _, r := range g {
		if !slices.Contains(r.Pairs, p) {
			continue
		}
		if said, fix := r.successor(p, of); fix != "" {
			return &chain.Fault{IsClause: true, Text: reason + said, Fix: fix}
		}
	}
	return nil
}

// successor says that a certificate that may take the place of a pair's is in
// another file, and what to do; "": there is none.
func (r *Report) successor(p *Pair, of endpoint.Side) (said, fix string) {
	leaf := p.leaf()
	for _, f := range r.Files {
		for _, part := range f.parts {
			if part == p.part {
				continue
			}
			for i, cert := range part.Certificates {
				isOne := bytes.Equal(cert.RawSubjectPublicKeyInfo, leaf.RawSubjectPublicKeyInfo) || i == 0 && bytes.Equal(cert.RawSubject, leaf.RawSubject)
				if !isOne || cert.IsCA || cert.Equal(leaf) || chain.Evident(chain.Question{DERs: [][]byte{cert.Raw}, Of: of}, time.Now()) != nil {
					continue
				}
				return fmt.Sprintf("; %s has one of the same name or key that is right, valid until %s", f.Name, cert.NotAfter.UTC().Format(time.DateOnly)),
					fmt.Sprintf("use the certificate in %s, with its key: no new one is needed", f.Name)
			}
		}
	}
	return "", ""
}

// completion says how the file of a pair comes to have the CAs that it lacks.
// $FILE stands for that file, to be quoted for a shell.
func (p *Pair) completion(missing []*x509.Certificate, known []chain.NamedCA) string {
	what := fmt.Sprintf("the %s of %s (%s)", is(missing, "certificate", "certificates"), names(missing), places(missing, known))
	switch p.part.Form {
	case certfile.PKCS12:
		return "make the store anew with " + what + ", in CA.pem: openssl pkcs12 -nodes -out all.pem -in $FILE, then openssl pkcs12 -export -in all.pem -certfile CA.pem -out new.p12; remove all.pem"
	case certfile.JKS:
		return "import the whole chain into the entry of the key: the certificate itself, then " + what + ", in chain.pem: keytool -importcert -alias " + cmp.Or(p.part.Entry, "ALIAS") + " -file chain.pem -keystore $FILE"
	case certfile.DER:
		return "make a PEM file of it, since DER has room for one certificate, and append " + what + ": openssl x509 -inform DER -out chain.pem -in $FILE"
	}
	to := p.CertificateFile
	if p.part.Entry != "" {
		to = p.part.Entry + " in " + to
	}
	if gap := chain.GapIn(chain.Question{DERs: p.Certificate().Certificate}); gap != nil {
		return fmt.Sprintf("put %s into %s, behind the first certificate and in place of %s", what, to, names(gap.Others))
	}
	return "append " + what + " to " + to
}

// placeOf names the file of a CA.
func placeOf(cert *x509.Certificate, known []chain.NamedCA) string {
	for _, ca := range known {
		if ca.Certificate.Equal(cert) {
			return ca.In
		}
	}
	return "none of the files"
}

// places says in which files CAs are: "it is in ca.pem".
func places(certs []*x509.Certificate, known []chain.NamedCA) string {
	var in []string
	for _, cert := range certs {
		if place := placeOf(cert, known); !slices.Contains(in, place) {
			in = append(in, place)
		}
	}
	return is(certs, "it is", "they are") + " in " + text.JoinedFew(in, 3, "and")
}

func intermediates(certs []*x509.Certificate) string {
	return is(certs, "an intermediate CA that is", "intermediate CAs that are")
}

// is returns the words for one, or for several.
func is(certs []*x509.Certificate, one, several string) string {
	if len(certs) == 1 {
		return one
	}
	return several
}

func names(certs []*x509.Certificate) string { return text.JoinedFew(namesOf(certs), 3, "and") }

func namesOf(certs []*x509.Certificate) (names []string) {
	for _, cert := range certs {
		names = append(names, chain.Name(cert))
	}
	return names
}

// namesake returns the CA among others that has the name of a CA and another
// key; nil: there is none.
func namesake(ca *x509.Certificate, others []*x509.Certificate) *x509.Certificate {
	for _, other := range others {
		if chain.HaveOneName(ca, other) && !bytes.Equal(ca.RawSubjectPublicKeyInfo, other.RawSubjectPublicKeyInfo) {
			return other
		}
	}
	return nil
}

// keyAndDates tells apart two CAs of one name.
func keyAndDates(cert *x509.Certificate) string {
	return "SHA-256 of its key " + chain.KeyID(cert) + ", " + dates(cert)
}

func dates(cert *x509.Certificate) string {
	return "valid from " + cert.NotBefore.UTC().Format(time.DateOnly) + " to " + cert.NotAfter.UTC().Format(time.DateOnly)
}

// Withheld is a note on a client whose certificate is of none of the CAs that
// the server takes: it may show none at all. ok is false of other refusals.
func Withheld(met []Handshake, sides endpoint.Pair[*lab.Loaded]) (f Finding, ok bool) {
	isOne := func(h Handshake) bool {
		return h.Exchange.RejectedBy == endpoint.Server && slices.Contains([]chain.Code{chain.UnknownCA, chain.SelfSigned}, h.Exchange.Code)
	}
	if !slices.ContainsFunc(met, isOne) || len(sides.Client.Certificates) == 0 {
		return f, false
	}
	for _, sent := range (chain.Question{DERs: sides.Client.Certificates[0].Certificate}).Chain() {
		if slices.ContainsFunc(sides.Server.CAs, func(ca *x509.Certificate) bool { return chain.NamesIssuer(sent, ca) }) {
			return f, false
		}
	}
	return Finding{Level: Note, Rule: "may_be_withheld", Certificate: chain.Name(sides.Client.Certificates[0].Leaf),
		Text: fmt.Sprintf("a server that names its CAs, %s, gets no certificate at all from many clients then (Java, browsers, Go, GnuTLS): it logs that the client sent none (OpenSSL: peer did not return a certificate), and the alert is certificate_required (116) in TLS 1.3, and handshake_failure (40) or bad_certificate (42) in TLS 1.2", names(sides.Server.CAs))}, true
}
