package chain

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"mtlslab.example/lab/lab/text"
)

// path is the way from a leaf up through the certificates that were sent along:
// each is signed with the key of the next.
type path struct {
	certs []*x509.Certificate // the leaf first; not empty
	// ca is the known CA that issued the last of certs; nil: none is known, or
	// the last one is itself a root.
	ca *NamedCA
	// twin has the name of the issuer of the last of certs, but another key: a
	// known CA, or one that was sent along. nil: there is none.
	twin *x509.Certificate
	// twinIn is where twin is: "certs", say; "": it was sent along.
	twinIn string
}

func (p *path) leaf() *x509.Certificate { return p.certs[0] }
func (p *path) top() *x509.Certificate  { return p.certs[len(p.certs)-1] }

// above returns the CAs on the path, as far as they are known here.
func (p *path) above() []*x509.Certificate {
	if p.ca == nil {
		return p.certs[1:]
	}
	return append(slices.Clone(p.certs[1:]), p.ca.Certificate)
}

// maxPaths bounds the paths that are compared for one chain.
const maxPaths = 32

// way returns the way that a chain takes, and what is wrong on it above the
// leaf at a time. Of several ways it is one on which nothing is wrong; then one
// to a root that is known; then one to another known CA; then the longest.
func (t *Trust) way(sent []*x509.Certificate, q Question, at time.Time) (best *path, flaw *Fault) {
	for _, p := range t.paths(sent) {
		f := p.flaw(q, at)
		if best == nil || f == nil && flaw != nil || (f == nil) == (flaw == nil) && t.rank(p) > t.rank(best) {
			best, flaw = p, f
		}
	}
	return best, flaw
}

func (t *Trust) rank(p *path) int {
	rank := len(p.certs)
	switch {
	case t.isAnchored(p):
		rank += 2 * maxSignatures
	case p.ca != nil:
		rank += maxSignatures
	}
	return rank
}

// isAnchored reports whether a path ends at a root that is known here.
func (t *Trust) isAnchored(p *path) bool {
	return p.ca != nil && IsSelfIssued(p.ca.Certificate) || IsSelfIssued(p.top()) && t.known(p.top()) != nil
}

// Anchors reports whether the CAs here have to do with a chain: its signatures
// lead to a root that is known.
func (t *Trust) Anchors(q Question) bool {
	sent := q.Chain()
	return len(sent) > 0 && slices.ContainsFunc(t.paths(sent), t.isAnchored)
}

// paths returns the ways up from a leaf, one at the least.
func (t *Trust) paths(sent []*x509.Certificate) (all []*path) {
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
		p := &path{certs: certs}
		top, dead := p.top(), true
		if !IsSelfIssued(top) || len(certs) == 1 {
			for _, cert := range sent {
				if !bytes.Equal(cert.RawSubject, top.RawIssuer) || slices.ContainsFunc(certs, cert.Equal) {
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
		t.anchor(p, signed)
		if dead || p.ca != nil || len(all) == 0 {
			all = append(all, p)
		}
	}
	climb(sent[:1:1])
	return all
}

// anchor looks for the CA that issued the last certificate of a path.
func (t *Trust) anchor(p *path, signed func(cert, by *x509.Certificate) bool) {
	top := p.top()
	if t.known(top) != nil && IsSelfIssued(top) {
		return
	}
	known := slices.Concat(t.CAs, t.Between)
	for i, ca := range known {
		if !bytes.Equal(ca.Certificate.RawSubject, top.RawIssuer) || ca.Certificate.Equal(top) {
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
func (p *path) leads() string {
	above := p.certs[1:]
	to := p.top().Issuer.String()
	if IsSelfIssued(p.top()) && len(above) > 0 {
		above = above[:len(above)-1]
		to = Name(p.top()) + " (sent along)"
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
func (t *Trust) explainPath(p *path) Fault {
	leaf, top := p.leaf(), p.top()
	fault := func(code Code, format string, args ...any) Fault {
		return Fault{Code: code, Cert: leaf, Text: fmt.Sprintf(format, args...)}
	}
	here := func(code Code, format string, args ...any) Fault {
		f := fault(code, format, args...)
		f.Here = true
		return f
	}
	switch ca := p.ca; {
	case p.twin != nil && p.twinIn == "":
		return *p.impostor()
	case ca != nil && !canSign(ca.Certificate):
		return fault(NotACA, "%s in %s, whose certificate does not allow to sign others", p.leads(), t.place(ca))
	case t.isAnchored(p):
		for _, ca := range p.above() {
			if !ca.BasicConstraintsValid && ca.Version >= 3 {
				return Fault{Code: NotACA, Cert: ca, Text: "has no basic constraints, and so is no CA to all programs"}
			}
		}
		return fault(Invalid, "%s in %s, in a way that not all programs take", p.leads(), t.place(cmp.Or(ca, t.known(top))))
	case ca != nil:
		return fault(UnknownCA, "%s, an intermediate CA that was not sent along (it is in %s)", p.leads(), t.place(ca))
	case p.twin != nil && len(p.certs) == 1:
		return here(LookAlikeCA, "%s, but not by the CA of that name in %s: the keys differ", p.leads(), p.twinIn)
	case p.twin != nil:
		return here(LookAlikeCA, "%s, but not to the CA of that name in %s: the keys differ", p.leads(), p.twinIn)
	case IsSelfIssued(leaf):
		return fault(SelfSigned, "is signed by itself, and %s", t.absent())
	case IsSelfIssued(top), len(p.certs) > 1:
		return fault(UnknownCA, "%s, which %s%s", p.leads(), t.absent(), fetchFrom(top))
	}
	return fault(UnknownCA, "%s, which was not sent along and %s%s", p.leads(), t.absent(), fetchFrom(top))
}

// impostor is the fault of a path that ends before a certificate that was sent
// along and has the name of its issuer alone.
func (p *path) impostor() *Fault {
	return &Fault{Code: LookAlikeCA, Cert: p.top(), Text: fmt.Sprintf("names %s as its issuer, but is not signed with the key of the one that was sent along", Name(p.twin))}
}

// Impostor returns the fault of a chain that breaks off before a certificate
// that was sent along and has an issuer's name, but another key; nil: it does
// not.
func Impostor(q Question) *Fault {
	p := sentWay(q)
	if p == nil || p.twin == nil {
		return nil
	}
	return p.impostor()
}

// Lead says where a chain leads by its own certificates, as what follows the
// leaf's name in a sentence. The chain has a leaf that can be read.
func Lead(q Question) string {
	p := sentWay(q)
	return p.leads() + fetchFrom(p.top())
}

// Top returns the last certificate on the way that a chain takes by its own
// certificates. The chain has a leaf that can be read.
func Top(q Question) *x509.Certificate { return sentWay(q).top() }

// sentWay returns the way that a chain takes where no CA is known.
func sentWay(q Question) *path {
	sent := q.Chain()
	if len(sent) == 0 {
		return nil
	}
	p, _ := new(Trust).way(sent, q, sent[0].NotBefore)
	return p
}

// Leads says where a chain leads that leads to none of the CAs at a time.
func (t *Trust) Leads(q Question, at time.Time) Fault {
	sent := q.Chain()
	if len(sent) == 0 {
		return Fault{Code: Invalid, Text: "its certificate does not parse", Alone: true}
	}
	p, _ := t.way(sent, q, at)
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
