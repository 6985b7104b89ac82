package chain

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/text"
)

// Path leads from a leaf up through the certificates that were sent along: each
// is signed with the key of the next.
type Path struct {
	certs []*x509.Certificate // the leaf first; not empty
	// ca is the known CA that issued the last of certs; nil: none is known, or
	// the last one is itself a root.
	ca *NamedCA
	// twin has the name of the issuer of the last of certs, but another key: a
	// known CA, or one that was sent along. nil: there is none.
	twin *x509.Certificate
	// twinIn is where twin is: "certs", say; "": it was sent along.
	twinIn string
	hole   *Gap // nil: the chain shows none
}

func (p *Path) leaf() *x509.Certificate { return p.certs[0] }

// Top returns the last of the certificates that were sent along on the path.
func (p *Path) Top() *x509.Certificate { return p.certs[len(p.certs)-1] }

// Between returns how many CAs of the path stand between the leaf and a root:
// what nginx and OpenSSL count against their verify depth.
func (p *Path) Between() (n int) {
	for _, cert := range p.certs[1:] {
		if !IsSelfIssued(cert) {
			n++
		}
	}
	return n
}

// above returns the CAs on the path, as far as they are known here.
func (p *Path) above() []*x509.Certificate {
	if p.ca == nil {
		return p.certs[1:]
	}
	return append(slices.Clone(p.certs[1:]), p.ca.Certificate)
}

// maxPaths bounds the paths that are compared for one chain.
const maxPaths = 32

// bestPath returns the path that a chain takes, and what is wrong on it above
// the leaf at a time. Of several paths it is one on which nothing is wrong;
// then one to a root that is known; then one to another known CA; then the
// longest.
func (t *Trust) bestPath(sent []*x509.Certificate, q Question, at time.Time) (best *Path, flaw *Fault) {
	for _, p := range t.buildPaths(sent) {
		f := p.flaw(q, at)
		if best == nil || f == nil && flaw != nil || (f == nil) == (flaw == nil) && t.rank(p) > t.rank(best) {
			best, flaw = p, f
		}
	}
	best.hole = best.gap(sent)
	return best, flaw
}

func (t *Trust) rank(p *Path) int {
	rank := len(p.certs)
	switch {
	case t.endsAtRoot(p):
		rank += 2 * maxSignatures
	case p.ca != nil:
		rank += maxSignatures
	}
	return rank
}

// endsAtRoot reports whether a path ends at a root that is known here.
func (t *Trust) endsAtRoot(p *Path) bool {
	return p.ca != nil && IsSelfIssued(p.ca.Certificate) || IsSelfIssued(p.Top()) && t.known(p.Top()) != nil
}

// LeadsToRoot reports whether the CAs here have to do with a chain: its
// signatures lead to a root that is known.
func (t *Trust) LeadsToRoot(q Question) bool {
	sent := q.Chain()
	return len(sent) > 0 && slices.ContainsFunc(t.buildPaths(sent), t.endsAtRoot)
}

// buildPaths returns the paths up from a leaf, one at the least.
func (t *Trust) buildPaths(sent []*x509.Certificate) (all []*Path) {
	checks := 0
	signed := func(cert, by *x509.Certificate) bool {
		checks++
		return checks <= maxSignatures && certified(cert, by) != errSignature
	}
	var climb func(certs []*x509.Certificate)
	climb = func(certs []*x509.Certificate) {
		if len(all) >= maxPaths {
			return
		}
		p := &Path{certs: certs}
		top, dead := p.Top(), true
		if !IsSelfIssued(top) || len(certs) == 1 {
			for _, cert := range sent {
				if !NamesIssuer(top, cert) || slices.ContainsFunc(certs, cert.Equal) {
					continue
				}
				if signed(top, cert) {
					dead = false
					climb(append(slices.Clip(certs), cert))
				} else if checks <= maxSignatures {
					p.twin = cert
				}
			}
		}
		if !dead {
			p.twin = nil
		}
		t.findIssuer(p, signed)
		if dead || p.ca != nil || len(all) == 0 {
			all = append(all, p)
		}
	}
	climb(sent[:1:1])
	return all
}

// findIssuer looks for the CA that issued the last certificate of a path.
func (t *Trust) findIssuer(p *Path, signed func(cert, by *x509.Certificate) bool) {
	top := p.Top()
	if t.known(top) != nil && IsSelfIssued(top) {
		return
	}
	known := slices.Concat(t.CAs, t.Between)
	for i, ca := range known {
		if !NamesIssuer(top, ca.Certificate) || ca.Certificate.Equal(top) {
			continue
		}
		if !signed(top, ca.Certificate) {
			if p.twin != nil {
				continue
			}
			p.twin, p.twinIn = ca.Certificate, t.place(&known[i])
			continue
		}
		if p.ca == nil || !IsSelfIssued(p.ca.Certificate) {
			p.ca = &known[i]
		}
	}
}

// known returns the CA that a certificate is, nil if it is not known here.
func (t *Trust) known(cert *x509.Certificate) *NamedCA {
	for _, of := range [][]NamedCA{t.CAs, t.Between} {
		for i := range of {
			if of[i].Certificate.Equal(cert) {
				return &of[i]
			}
		}
	}
	return nil
}

// leads says where a path leads, as what follows the leaf's name in a sentence:
// "leads over CN=Issuing (sent along) to CN=Root".
func (p *Path) leads() string {
	above := p.certs[1:]
	to := dn.Issuer(p.Top())
	if IsSelfIssued(p.Top()) && len(above) > 0 {
		above = above[:len(above)-1]
		to = Name(p.Top()) + " (sent along)"
	}
	if len(above) == 0 {
		if len(p.certs) == 1 {
			return "was issued by " + to
		}
		return "leads to " + to
	}
	var over []string
	for _, cert := range above {
		over = append(over, Name(cert))
	}
	return "leads over " + text.JoinedFew(over, 3, "and") + " (sent along) to " + to
}

// explainPath says why a path leads to no CA that chains are checked under.
func (t *Trust) explainPath(p *Path) Fault {
	leaf, top := p.leaf(), p.Top()
	fault := func(code Code, format string, args ...any) Fault {
		return Fault{Code: code, Cert: leaf, Text: fmt.Sprintf(format, args...)}
	}
	missing := func(format string, args ...any) Fault {
		f := fault(UnknownCA, format, args...)
		if p.hole != nil {
			f.Text, f.Fix = f.Text+" ("+p.hole.Instead()+")", p.hole.Fix()
		}
		return f
	}
	here := func(code Code, format string, args ...any) Fault {
		f := fault(code, format, args...)
		f.ByName = true
		return f
	}
	switch ca := p.ca; {
	case p.twin != nil && p.twinIn == "":
		return *p.Impostor()
	case ca != nil && !canSign(ca.Certificate):
		return fault(NotACA, "%s in %s, whose certificate does not allow to sign others", p.leads(), t.place(ca))
	case t.endsAtRoot(p):
		for _, ca := range p.above() {
			if !ca.BasicConstraintsValid && ca.Version >= 3 {
				return Fault{Code: NotACA, Cert: ca, Text: "has no basic constraints, and so is no CA to all programs"}
			}
		}
		if p.isRespelled() {
			f := fault(Invalid, "%s in %s, %s", p.leads(), t.place(cmp.Or(ca, t.known(top))), respelled)
			f.Fix = respelledFix
			return f
		}
		return fault(Invalid, "%s in %s, in a way that not all programs take", p.leads(), t.place(cmp.Or(ca, t.known(top))))
	case ca != nil:
		return missing("%s, an intermediate CA that was not sent along (it is in %s)", p.leads(), t.place(ca))
	case p.twin != nil && len(p.certs) == 1:
		return here(LookAlikeCA, "%s, but not by the CA of that name in %s: the keys differ%s", p.leads(), p.twinIn, p.keysOfNamesakes())
	case p.twin != nil:
		return here(LookAlikeCA, "%s, but not to the CA of that name in %s: the keys differ%s", p.leads(), p.twinIn, p.keysOfNamesakes())
	case IsSelfIssued(leaf):
		return fault(SelfSigned, "is signed by itself, and %s", t.absent())
	case IsSelfIssued(top), len(p.certs) > 1:
		return missing("%s, which %s%s", p.leads(), t.absent(), fetchFrom(top))
	}
	return missing("%s, which was not sent along and %s%s", p.leads(), t.absent(), fetchFrom(top))
}

// Impostor returns the fault of a path that breaks off before a certificate
// that was sent along and has an issuer's name, but another key; nil: it does
// not.
func (p *Path) Impostor() *Fault {
	if p.twin == nil || p.twinIn != "" {
		return nil
	}
	return &Fault{Code: LookAlikeCA, Cert: p.Top(), Text: fmt.Sprintf("names %s as its issuer, but is not signed with the key of the one that was sent along", Name(p.twin))}
}

// Leads says where a path leads by the certificates that were sent along, as
// what follows the leaf's name in a sentence.
func (p *Path) Leads() string { return p.leads() + fetchFrom(p.Top()) }

// PathOf returns the path that a chain takes by its own certificates, where no
// CA is known; false: it has no leaf that can be read.
func PathOf(q Question) (*Path, bool) {
	sent := q.Chain()
	if len(sent) == 0 {
		return nil, false
	}
	p, _ := new(Trust).bestPath(sent, q, sent[0].NotBefore)
	return p, true
}

// Leads says where a chain leads that leads to none of the CAs at a time.
func (t *Trust) Leads(q Question, at time.Time) Fault {
	sent := q.Chain()
	if len(sent) == 0 {
		return Fault{Code: Invalid, Text: "its certificate does not parse", IsClause: true}
	}
	p, _ := t.bestPath(sent, q, at)
	return t.explainPath(p)
}

// fetchFrom says where the certificate of an issuer is, if a certificate says
// so (RFC 5280 section 4.2.2.1).
func fetchFrom(cert *x509.Certificate) string {
	if IsSelfIssued(cert) || len(cert.IssuingCertificateURL) == 0 {
		return ""
	}
	return " (to be had from " + cert.IssuingCertificateURL[0] + ")"
}

// place says where a known CA is.
func (t *Trust) place(ca *NamedCA) string {
	switch {
	case ca.In != "":
		return ca.In
	case len(t.Places) > 0:
		return t.Places[0]
	}
	return "the CAs that are given"
}

// absent says that a CA is in none of the places that were looked through.
func (t *Trust) absent() string {
	if len(t.Places) == 0 {
		return "is not known here"
	}
	return "is not in " + text.Joined(t.Places, "or")
}
