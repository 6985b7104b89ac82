// Package check looks at the certificates, keys and CAs that people have before
// anything is started: what each file is, whether they belong together, and
// what programs will refuse. With the files of both sides, [Meet] lets the two
// shake hands in memory.
//
// What is called wrong, some verifier or program refuses. Each finding names
// one, and the section of the RFC. There are no rules here that are only good
// manners, as those for public CAs are.
package check

import (
	"slices"
	"sort"

	"mtlslab.example/lab/lab/endpoint"
)

// Level is how much a finding matters.
type Level string

// The levels. Wrong fails: what strict verifiers alone refuse works elsewhere.
const (
	Wrong   Level = "wrong"   // programs refuse it
	Strict  Level = "strict"  // strict verifiers alone refuse it: see strictly
	Unknown Level = "unknown" // it could not be looked at: a password is missing
	Note    Level = "note"    // nobody need refuse it
)

// Finding is one thing to know of a file or a certificate.
type Finding struct {
	Level       Level  `json:"level"`
	Rule        string `json:"rule"` // for programs, such as "expired"
	Text        string `json:"text"` // a sentence without a full stop
	Fix         string `json:"fix,omitempty"`
	RFC         string `json:"rfc,omitempty"`        // "RFC 5280 section 4.2.1.1"
	RefusedBy   string `json:"refused_by,omitempty"` // who refuses it
	Certificate string `json:"certificate,omitempty"`
	File        string `json:"file,omitempty"`
}

// Report is what was found in some files.
type Report struct {
	Files []*File
	Pairs []*Pair
	Loose []Finding // about certificates and keys without a partner

	beside []*File
	side   endpoint.Side // that shows the certificates; Unknown: either may
}

// Of looks at files that were opened. beside are others, such as those of the
// other side: CRLs among files may be about them.
func Of(files []*File, beside ...*File) *Report {
	return OfSide(endpoint.Unknown, files, beside...)
}

// OfSide is Of for the files of a side, which shows the certificates in them.
func OfSide(side endpoint.Side, files []*File, beside ...*File) *Report {
	r := &Report{Files: files, beside: beside, side: side}
	r.match()
	for _, p := range r.Pairs {
		p.look(r)
	}
	for _, f := range files {
		r.lookAtAuthorities(f)
	}
	r.lookAtRequests()
	r.lookAtCRLs()
	r.lookAtNamesakes()
	r.lookAtSides()
	return r
}

// Findings returns all of them, each once, the worst first.
func (r *Report) Findings() (all []Finding) {
	add := func(found []Finding) {
		for _, f := range found {
			if !slices.ContainsFunc(all, func(g Finding) bool { return g.Rule == f.Rule && g.Text == f.Text }) {
				all = append(all, f)
			}
		}
	}
	for _, f := range r.Files {
		add(f.Findings)
	}
	for _, p := range r.Pairs {
		add(p.Findings)
	}
	add(r.Loose)
	order := []Level{Wrong, Strict, Unknown, Note}
	sort.SliceStable(all, func(i, j int) bool { return slices.Index(order, all[i].Level) < slices.Index(order, all[j].Level) })
	return all
}

// Fails reports whether something would fail.
func (r *Report) Fails() bool {
	return Fails(r.Findings())
}

// Fails reports whether one of some findings is wrong.
func Fails(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Level == Wrong })
}
