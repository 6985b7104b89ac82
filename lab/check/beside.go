package check

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// What shows only when several files are looked at together.

// place is a certificate and the files that have it.
type place struct {
	cert  *x509.Certificate
	files []string
}

// lookAtNamesakes finds CAs of one name with different keys, unless they are
// always together in one file. Nothing is wrong with them: so a CA is replaced.
// But what the one has issued is refused where only the other is trusted.
func (r *Report) lookAtNamesakes() {
	var names []string
	byName := make(map[string][]*place)
	for _, f := range r.Files {
		for _, part := range f.parts {
			for _, cert := range part.Certificates {
				if !cert.IsCA {
					continue
				}
				name := string(cert.RawSubject)
				if byName[name] == nil {
					names = append(names, name)
				}
				byName[name] = addPlace(byName[name], cert, f.Name)
			}
		}
	}
	for _, name := range names {
		if of := byName[name]; len(of) > 1 && slices.ContainsFunc(of, func(p *place) bool { return !slices.Equal(p.files, of[0].files) }) {
			r.Loose = append(r.Loose, r.namesakes(of))
		}
	}
}

// addPlace adds a CA and its file to those of its name; certificates for one
// key are one CA.
func addPlace(all []*place, cert *x509.Certificate, file string) []*place {
	for _, p := range all {
		if bytes.Equal(p.cert.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo) {
			if !slices.Contains(p.files, file) {
				p.files = append(p.files, file)
			}
			return all
		}
	}
	return append(all, &place{cert, []string{file}})
}

// namesakes is the finding of CAs of one name.
func (r *Report) namesakes(of []*place) Finding {
	var each []string
	for _, p := range of {
		each = append(each, text.JoinedFew(p.files, 3, "and")+" ("+keyAndDates(p.cert)+r.issued(p.cert)+")")
	}
	name := chain.Name(of[0].cert)
	return Finding{Level: Note, Rule: "ca_namesakes", Certificate: name,
		Text: fmt.Sprintf("%d CAs are called %s, and have different keys: the one in %s. Who trusts one of them alone refuses what the other has issued", len(of), name, text.Joined(each, "and the one in")),
		Fix:  "trust both until all certificates are of the newer one"}
}

// issued names the leaves in the files that a CA has issued.
func (r *Report) issued(ca *x509.Certificate) string {
	var leaves []string
	for _, p := range r.Pairs {
		if !p.leaf().IsCA && chain.Issued(ca, p.leaf()) && !slices.Contains(leaves, p.Subject) {
			leaves = append(leaves, p.Subject)
		}
	}
	if len(leaves) == 0 {
		return ""
	}
	return ", it has issued " + text.JoinedFew(leaves, 3, "and")
}

// lookAtSides finds certificates that are for another side than the name of
// their file says, and files in which there is none for one of the sides.
func (r *Report) lookAtSides() {
	var leaves []*Pair
	isSaid := false
	for _, p := range r.Pairs {
		if p.leaf().IsCA || isSame(leaves, p) {
			continue
		}
		leaves = append(leaves, p)
		if side := sideIn(p.CertificateFile); side != endpoint.Unknown && p.isForOther(side) {
			isSaid = true
			p.Findings = append(p.Findings, Finding{Level: Note, Rule: "for_the_other_side", Certificate: p.Subject, File: p.CertificateFile, RFC: rules[chain.WrongUsage].rfc, RefusedBy: rules[chain.WrongUsage].by + ", where a " + side.String() + " shows it",
				Text: fmt.Sprintf("%s is called a %v's, and its certificate, %s, is for %ss alone (extended key usage)", p.CertificateFile, side, p.Subject, side.Other()),
				Fix:  fmt.Sprintf("if a %v is to show it, have it issued again with the extended key usage %vAuth", side, side)})
		}
	}
	if isSaid || len(leaves) < 2 {
		return
	}
	for _, side := range []endpoint.Side{endpoint.Server, endpoint.Client} {
		if !slices.ContainsFunc(leaves, func(p *Pair) bool { return !p.isForOther(side) }) {
			r.Loose = append(r.Loose, Finding{Level: Note, Rule: "none_for_a_side",
				Text: fmt.Sprintf("all %d certificates with a key are for %ss alone (extended key usage): as a %v's, programs refuse each of them", len(leaves), side.Other(), side)})
		}
	}
}

// isForOther reports whether a pair is for the other side alone.
func (p *Pair) isForOther(side endpoint.Side) bool {
	of := sides(p.leaf())
	return len(of) == 1 && of[0] == side.Other()
}

// sideIn returns the side that the name of a file has; Unknown: none, or both.
func sideIn(file string) (side endpoint.Side) {
	words := strings.FieldsFunc(strings.ToLower(filepath.Base(file)), func(r rune) bool { return strings.ContainsRune("-_. ", r) })
	server, client := slices.Contains(words, "server"), slices.Contains(words, "client")
	switch {
	case server == client:
		return endpoint.Unknown
	case server:
		return endpoint.Server
	}
	return endpoint.Client
}

// lookAtTwin finds a CA in the other files that a pair's chain names as its
// next, and that has another key.
func (p *Pair) lookAtTwin(w *way, trust *chain.Trust, now time.Time) {
	top := w.certs[len(w.certs)-1]
	f := trust.Leads(chain.Question{DERs: p.Certificate().Certificate, Of: endpoint.Server}, now)
	if f.Code != chain.LookAlikeCA || !f.ByName || chain.IsSelfIssued(top) {
		return
	}
	f.Text += "; who trusts that one alone refuses it"
	f.Fix = "find the CA that has signed it, and name it too; who is to accept the certificate must trust that one"
	p.add(Note, &f)
}
