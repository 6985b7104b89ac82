package command

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/probe/mirror"
	"mtlslab.example/lab/lab/text"
)

// probePrinter prints findings while they come.
type probePrinter struct {
	*Program
	asJSON bool
	headed bool
	table  probe.Table
	bar    *progress

	// holes sums up what a client has accepted; nil: each finding is explained.
	holes func([]*probe.Finding) []mirror.Hole
}

// start prepares the options to print what comes.
func (p *probePrinter) start(o *probe.ServerOptions) {
	p.bar = newProgress(p.Stderr, "probing")
	p.table = probe.Table{Printer: p.stdout(), Names: len("client-missing-intermediate")}
	p.table.W = p.bar.above(p.table.W)
	o.Begin = func(connections int) {
		p.say("probing %s as %s: %d connections at most, %d at a time", &o.Target, dn.Subject(o.Good.Leaf), connections, o.Concurrency)
	}
	o.Pinned = func(addr string, others []string) {
		p.say("%s has several addresses: all connections go to %s, and none to %s; --addr HOST:PORT chooses another", o.Target.URL.Hostname(), addr, text.JoinedFew(others, 3, "or"))
	}
	o.Offered = p.offers
	o.Progress = p.bar.update
	o.Each = func(row []*probe.Finding) { p.row(row...) }
}

// row prints the findings of one case.
func (p *probePrinter) row(row ...*probe.Finding) {
	if !p.asJSON {
		if !p.headed {
			p.table.Head()
		}
		p.headed = true
		p.table.Row(row...)
		return
	}
	for _, f := range row {
		p.printJSON(f)
	}
}

// summary prints what is not right, and the counts.
func (p *probePrinter) summary(r *probe.Report, accepted probe.Accepted) {
	if p.asJSON {
		p.printJSON(struct {
			*probe.Report
			Counts map[probe.Judgement]int `json:"counts"`
			Exit   int                     `json:"exit_status"`
		}{r, r.Counts(), r.Exit()})
	} else {
		p.table.Rest()
		if p.holes != nil {
			for _, hole := range p.holes(r.Findings) {
				p.explainHole(hole)
			}
		}
		p.diagnosis(r)
		fixes := map[string]string{} // the cases by what to change
		for _, f := range r.Worst() {
			if p.holes == nil || f.Judgement != probe.Wrong {
				p.explain(r, f, fixes)
			}
		}
	}
	for _, unused := range accepted.Unused() {
		p.say("line %d of the accept file, about %s, is of no use: nothing such was found", unused.Line, strings.TrimSpace(unused.Case+" "+unused.TLS))
	}
	if len(r.Findings) == 0 {
		return
	}
	took := text.Duration(text.OfMilliseconds(r.DurationMS))
	p.say("%s in %s: %s", text.Counted(r.Connections, "connection"), took, strings.Join(r.CountsInWords(), ", "))
}

// diagnosis prints what is wrong, in sentences.
func (p *probePrinter) diagnosis(r *probe.Report) {
	for i, says := range r.Diagnosis {
		if i == 0 {
			p.stdout().Line()
			p.stdout().Line("In short:")
		}
		p.stdout().Paragraph("- ", 2, says)
	}
}

// explain prints why something is not right, what to change, and where to learn
// it. What is to be changed for an earlier case, too, is printed there alone.
func (p *probePrinter) explain(r *probe.Report, f *probe.Finding, fixes map[string]string) {
	out, fix := p.stdout(), f.Fix
	if first, ok := fixes[fix]; ok && fix != "" {
		fix = "that of " + first
	} else {
		fixes[fix] = f.Case
	}
	out.Line()
	out.Paragraph("", 6, f.Case, prefixed(" in ", r.Versions(f)), ": ", f.Title)
	for _, part := range []struct{ label, text string }{
		{"what", f.Words()}, {"why", f.Reason}, {"fix", fix}, {"learn", lessonOf(f)},
	} {
		if part.text != "" {
			p.printDetail(part.label, part.text)
		}
	}
}

// explainHole prints what a client fails to do, what it has accepted, and what to
// change.
func (p *probePrinter) explainHole(hole mirror.Hole) {
	out := p.stdout()
	out.Line()
	out.Paragraph("", 6, hole.What)
	p.printDetail("cases", text.Joined(hole.Cases, "and"))
	p.printDetail("fix", hole.Fix)
	p.printDetail("learn", "lab scenario show "+hole.Lesson())
}

func lessonOf(f *probe.Finding) string {
	if f.Scenario == "" {
		return ""
	}
	return "lab scenario show " + f.Scenario
}

// offers prints what a server offers.
func (p *probePrinter) offers(o *probe.Offers) {
	if p.asJSON {
		p.printJSON(struct {
			*probe.Offers `json:"offers"`
		}{o})
		return
	}
	p.printDetail("versions", strings.Join(o.Versions, ", "))
	for _, version := range o.Versions {
		if suites, ok := o.Suites[version]; ok {
			p.printDetail(strings.TrimPrefix(version, "TLS "), cmp.Or(strings.Join(suites, ", "), "suites that are not known here"))
		}
	}
	p.printDetail("groups", cmp.Or(strings.Join(o.Groups, ", "), "others than are asked for"))
	p.printDetail("ALPN", cmp.Or(strings.Join(o.ALPN, ", "), "none"))
	for i, link := range o.Chain {
		p.printDetail(map[bool]string{true: "shows", false: "with it"}[i == 0], fmt.Sprintf("%s, of %s, %s, until %s", link.Subject, link.Issuer, link.Key, link.NotAfter.Format(time.DateOnly)))
	}
	p.printDetail("holds", o.Holds)
	p.printDetail("OCSP", cmp.Or(o.OCSP, "no response is stapled"))
	var resumed, asks []string
	for _, version := range o.Versions {
		if how, ok := o.Resumption[version]; ok {
			resumed = append(resumed, version+": "+how)
		}
		if r, ok := o.Requests[version]; ok {
			asks = append(asks, version+": "+r.String())
		}
	}
	p.printDetail("resumes", strings.Join(resumed, ", "))
	if o.EarlyData > 0 {
		p.printDetail("0-RTT", fmt.Sprintf("of up to %d bytes, which can be sent again by others: a request must not change anything then", o.EarlyData))
	}
	p.printDetail("asks for", strings.Join(asks, "; "))
	p.stdout().Line()
}
