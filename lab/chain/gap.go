package chain

import (
	"crypto/x509"
	"slices"

	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/text"
)

// Gap is a hole that a chain itself shows, whatever CAs the other side has: the
// issuer of its leaf was not sent along, and another CA was. Above a CA that
// was sent along such a CA may just be needless.
type Gap struct {
	Below  *x509.Certificate   // the leaf: its issuer is missing
	Others []*x509.Certificate // the CAs that were sent and issued nothing below them; not empty
}

// GapIn returns the hole in a chain, nil if it shows none. That a chain ends
// below a root is none: who trusts the root has it.
func GapIn(q Question) *Gap {
	path, ok := PathOf(q)
	if !ok {
		return nil
	}
	return path.gap(q.Chain())
}

func (p *Path) gap(sent []*x509.Certificate) *Gap {
	top := p.Top()
	if len(p.certs) > 1 || IsSelfIssued(top) || p.twin != nil {
		return nil
	}
	g := &Gap{Below: top}
	for _, cert := range sent[1:] {
		if NamesIssuer(top, cert) { // its signature could not be checked
			return nil
		}
		if cert.IsCA && !slices.ContainsFunc(p.certs, cert.Equal) {
			g.Others = append(g.Others, cert)
		}
	}
	if len(g.Others) == 0 {
		return nil
	}
	return g
}

// Issuer names the CA that is missing.
func (g *Gap) Issuer() string { return dn.Issuer(g.Below) }

// Instead says what was sent: "CN=root was sent in its place". It is empty for
// nil.
func (g *Gap) Instead() string {
	if g == nil {
		return ""
	}
	verb := " was"
	if len(g.Others) > 1 {
		verb = " were"
	}
	return text.JoinedFew(namesOf(g.Others), 3, "and") + verb + " sent in its place"
}

// Fix is what to change. It is empty for nil.
func (g *Gap) Fix() string {
	if g == nil {
		return ""
	}
	return "send the certificate of " + g.Issuer() + " along, behind that of " + Name(g.Below) + " and in place of " + text.JoinedFew(namesOf(g.Others), 3, "and")
}

func namesOf(certs []*x509.Certificate) (names []string) {
	for _, cert := range certs {
		names = append(names, Name(cert))
	}
	return names
}

// Above counts the certificates that were sent along with a leaf: those that
// lead up from it, one after the other, and others.
func Above(q Question) (leading, others int) {
	path, ok := PathOf(q)
	if !ok {
		return 0, 0
	}
	leading = len(path.certs) - 1
	return leading, len(q.DERs) - 1 - leading
}
