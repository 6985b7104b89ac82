package command

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/selection"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/verdict"
)

// bothPrinter prints what two captures have together: first what sits between
// them, then the connections.
type bothPrinter struct {
	*Program
	*vantage.Report
	list, json, verbose, brief bool
	stream                     int    // of the first file; -1: all
	first                      string // that file
	asked                      *selection.Selection
	options                    ladder.Options
	drawn                      kinds
	said                       map[string]bool // findings, and what to do
	verdicts                   map[*tlsdecrypt.Connection]*verdict.Verdict
	uses                       rsaKeyUses
}

func (p *Program) newBothPrinter(c *cli.Context, r *vantage.Report, first string) *bothPrinter {
	options := p.ladderOptions(c)
	options.Stream, options.Brief = true, c.Bool("brief")
	return &bothPrinter{
		Program: p, Report: r, list: c.Bool("list"), json: c.Bool("json"), verbose: c.Bool("verbose"), brief: c.Bool("brief"),
		stream: c.Int("stream"), first: first, options: options, said: make(map[string]bool),
		verdicts: make(map[*tlsdecrypt.Connection]*verdict.Verdict), uses: rsaKeyUses{},
	}
}

// judge says what became of the connections of a capture, in the order in which
// a reader of that capture alone would have judged them.
func (b *bothPrinter) judge(r *reading, trust func(*tlsdecrypt.Connection) *chain.Trust) {
	joined := make(map[*tlsdecrypt.Connection]*tlsdecrypt.Connection)
	for _, pair := range b.Pairs {
		if base := *pair.Ends.Of(pair.Base); pair.Relation == vantage.Same && base != nil {
			joined[base] = pair.Joined
		}
	}
	var taken verdict.Taken
	for _, end := range r.capture.Connections {
		for _, c := range []*tlsdecrypt.Connection{end, joined[end]} {
			if c == nil || b.verdicts[c] != nil {
				continue
			}
			v := judged(c, func() *chain.Trust { return trust(c) }, !b.list)
			taken.Add(&v, c)
			b.verdicts[c] = &v
		}
		taken.Learn(verdict.ChosenOn(end))
		b.uses[end.RSAKey]++
	}
}

func (b *bothPrinter) print() error {
	pairs := b.wanted()
	if b.stream >= 0 && len(pairs) == 0 {
		return &nothingError{file: b.first, stream: b.stream}
	}
	if b.json {
		b.printJSON(b.summary())
		for i, pair := range pairs {
			b.printJSON(b.account(i, pair))
		}
		return nil
	}
	b.head()
	if len(pairs) == 0 {
		return nil
	}
	if b.list {
		b.stdout().Line()
		b.table(pairs)
		return nil
	}
	var others []*vantage.Pair
	for _, pair := range pairs {
		if b.isDrawn(pair) {
			b.draw(pair, len(pairs) > 1)
		} else {
			others = append(others, pair)
		}
	}
	if len(others) > 0 {
		b.stdout().Line()
		b.table(others)
	}
	return nil
}

// wanted returns the pairs that are asked for.
func (b *bothPrinter) wanted() (pairs []*vantage.Pair) {
	side := endpoint.Client
	if b.Swapped {
		side = endpoint.Server
	}
	for _, pair := range b.Pairs {
		if c := *pair.Ends.Of(side); (b.stream < 0 || c != nil && c.Number == b.stream) && b.isAsked(pair) {
			pairs = append(pairs, pair)
		}
	}
	return pairs
}

// isAsked reports whether one of the two ends of a pair is wanted.
func (b *bothPrinter) isAsked(pair *vantage.Pair) bool {
	return slices.ContainsFunc(ends(pair), func(side endpoint.Side) bool {
		c := *pair.Ends.Of(side)
		return b.asked.Has(c, b.verdicts[c])
	})
}

// isDrawn reports whether a pair is the first of its kind. What is in the
// server's capture alone is other clients', as a rule.
func (b *bothPrinter) isDrawn(pair *vantage.Pair) bool {
	switch {
	case b.verbose, b.stream >= 0:
		return true
	case pair.Ends.Client == nil || pair.Relation == vantage.Another:
		return false
	case b.brief:
		return true
	}
	kind := string(pair.Relation)
	for _, f := range pair.Findings {
		kind += "; " + string(f.Code)
	}
	for _, side := range ends(pair) {
		kind += "; " + ladder.Kind(*pair.Ends.Of(side))
	}
	return b.drawn.isNew(kind)
}

// head says what sits between the two captures, what arrived, and how their
// clocks compare.
func (b *bothPrinter) head() {
	b.paragraph(fmt.Sprintf("%s was recorded near the client, %s near the server: %s.", b.name(endpoint.Client), b.name(endpoint.Server), b.counts()))
	between := false
	for _, f := range b.Findings {
		between = between || f.IsBetween()
		b.finding(f)
	}
	if !between {
		b.paragraph(b.unremarkable())
	}
	clock := b.Clock.Describe(b.name(endpoint.Client), b.name(endpoint.Server))
	for _, f := range b.Findings {
		if f.Code == vantage.ClocksDiffer {
			return
		}
	}
	b.paragraph(text.Sentence(clock))
}

// unremarkable says that nothing was found, as far as that can be seen.
func (b *bothPrinter) unremarkable() string {
	for _, pair := range b.Pairs {
		if pair.Relation == vantage.Same {
			return "Nothing between the two ends has changed anything: what both have of a connection is the same."
		}
	}
	near, far := b.Captures.Client, b.Captures.Server
	if near.Last.Before(far.First) || far.Last.Before(near.First) {
		return "What is between the two ends cannot be seen: the captures have no connection in common, and by their clocks no time either."
	}
	return "What is between the two ends cannot be seen: the captures have no connection in common."
}

func (b *bothPrinter) name(side endpoint.Side) string { return b.Captures.Of(side).Name }

// counts says how many connections are at both ends.
func (b *bothPrinter) counts() string {
	n := make(map[vantage.Relation]int)
	unsure := 0
	alone := endpoint.Pair[int]{}
	for _, pair := range b.Pairs {
		if pair.Relation == vantage.Apart && !pair.Sure {
			unsure++
			continue
		}
		n[pair.Relation]++
		if pair.Relation == vantage.Alone {
			*alone.Of(ends(pair)[0])++
		}
	}
	parts := []string{text.Counted(n[vantage.Same], "connection") + " at both ends"}
	if n[vantage.Apart] > 0 {
		parts = append(parts, text.Counted(n[vantage.Apart], "pair")+" of two that belong together")
	}
	if unsure > 0 {
		parts = append(parts, text.Counted(unsure, "pair")+" of two that may belong together")
	}
	for side, count := range alone.All() {
		if *count > 0 {
			parts = append(parts, fmt.Sprintf("%s more in %s", text.Grouped(int64(*count)), b.name(side)))
		}
	}
	return strings.Join(parts, ", ")
}

// finding writes a finding, and what to do about it if that was not said yet.
func (b *bothPrinter) finding(f vantage.Finding) {
	said := f.Text
	b.said[said], b.said[withoutNumbers(f)] = true, true
	switch f.How {
	case vantage.Probably:
		said = "very probably, " + said
	case vantage.Unknown:
		if !strings.Contains(said, "not known") {
			said = "not known: " + said
		}
	}
	if f.More > 0 {
		said += fmt.Sprintf(" (and %s more of this kind)", text.Grouped(int64(f.More)))
	}
	b.paragraph(text.Sentence(said))
	if f.Fix != "" && !b.said[f.Fix] {
		b.said[f.Fix] = true
		label := "Fix: "
		if f.How == vantage.Unknown {
			label = "To know: "
		}
		b.stdout().Paragraph("  ", 4, strings.SplitAfter(label+f.Fix+".", " ")...)
	}
}

func (b *bothPrinter) paragraph(said string) {
	b.stdout().Paragraph("", 2, strings.SplitAfter(said, " ")...)
}

// draw draws a pair: one ladder of one TLS connection, and one of each end
// where there are two.
func (b *bothPrinter) draw(pair *vantage.Pair, findings bool) {
	b.stdout().Line()
	if pair.Relation == vantage.Same {
		b.ladder(pair, pair.Joined, b.streams(pair))
	} else {
		for i, side := range ends(pair) {
			if i > 0 {
				b.stdout().Line()
			}
			c := *pair.Ends.Of(side)
			b.ladder(pair, c, fmt.Sprintf("TCP stream %d of %s", c.Number, b.name(side)))
		}
	}
	var again []string
	for _, f := range pair.Findings {
		switch {
		case !findings || b.said[f.Text]:
		case b.said[withoutNumbers(f)] && !b.verbose && b.stream < 0:
			again = append(again, string(f.Code))
		default:
			f.Fix = "" // stands above
			b.finding(f)
		}
	}
	if len(again) > 0 {
		b.paragraph("As above, here too: " + strings.Join(slices.Compact(again), ", ") + ".")
	}
}

// withoutNumbers is what a finding says without its numbers, such as those of
// streams, ports and bytes: what differs in nothing else is said once.
func withoutNumbers(f vantage.Finding) string {
	return fmt.Sprintf("%s %s: %s", f.Code, f.How, numbers().ReplaceAllString(f.Text, "#"))
}

var numbers = text.Pattern(`[0-9]+([.:][0-9]+)*`)

// streams names the streams of a pair.
func (b *bothPrinter) streams(pair *vantage.Pair) string {
	var names []string
	for _, side := range ends(pair) {
		names = append(names, fmt.Sprintf("%d of %s", (*pair.Ends.Of(side)).Number, b.name(side)))
	}
	return "TCP stream " + strings.Join(names, ", ")
}

func (b *bothPrinter) ladder(pair *vantage.Pair, c *tlsdecrypt.Connection, title string) {
	v := b.verdictOf(pair, c)
	options := b.options
	options.Title, options.Scenario = title, hinted(v, c)
	options.Note = func(m *tlsdecrypt.Message) string {
		at, ok := pair.OneEnd[m]
		switch {
		case !ok:
			return ""
		case at.Missed:
			return fmt.Sprintf("not in %s, which may have missed it", b.name(at.In.Other()))
		}
		return fmt.Sprintf("in %s only", b.name(at.In))
	}
	var out bytes.Buffer
	_ = ladder.Draw(&out, c, v, options)
	_, _ = b.results.Write(out.Bytes())
}

// verdictOf returns the verdict on a connection of a pair. An end may show what
// the two have not in common, such as a PROXY line before TLS: it says more than
// what is joined.
func (b *bothPrinter) verdictOf(pair *vantage.Pair, c *tlsdecrypt.Connection) *verdict.Verdict {
	v := b.verdicts[c]
	if pair.Relation != vantage.Same || !v.IsVague() {
		return v
	}
	for _, side := range ends(pair) {
		if end := b.verdicts[*pair.Ends.Of(side)]; end.Outcome == v.Outcome && end.RejectedBy == v.RejectedBy && end.Code != "" && !end.IsVague() {
			return end
		}
	}
	return v
}

// table lists pairs, one a line.
func (b *bothPrinter) table(pairs []*vantage.Pair) {
	rows := [][]string{{"client", "server", "relation", "outcome", "TLS", "name", "between"}}
	for _, pair := range pairs {
		rows = append(rows, b.row(pair))
	}
	b.stdout().Table(rows, 0, 0, 0, 10, 0, 8, 10)
}

func (b *bothPrinter) row(pair *vantage.Pair) []string {
	number := func(side endpoint.Side) string {
		if c := *pair.Ends.Of(side); c != nil {
			return strconv.Itoa(c.Number)
		}
		return "-"
	}
	c := pair.Joined
	relation := string(pair.Relation)
	if pair.Relation == vantage.Apart && !pair.Sure {
		relation += "?"
	}
	version, name := "-", c.ServerName
	if c.Version != 0 {
		version = strings.TrimPrefix(c.Version.String(), "TLS ")
	}
	if name == "" && c.Server.IsValid() {
		name = c.Server.String()
	}
	var codes []string
	for _, f := range pair.Findings {
		code := string(f.Code)
		if f.How == vantage.Unknown {
			code += "?"
		} else if f.Code == vantage.OneEnd || f.Code == vantage.KeysShared {
			continue
		}
		if !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	if len(codes) == 0 {
		codes = []string{"-"}
	}
	return []string{number(endpoint.Client), number(endpoint.Server), relation, b.outcomes(pair), version, name, strings.Join(codes, ", ")}
}

// outcomes says what became of a connection. Where something ends TLS there are
// two, which may differ: the client's first.
func (b *bothPrinter) outcomes(pair *vantage.Pair) string {
	of := func(c *tlsdecrypt.Connection) string {
		v := b.verdicts[c]
		if v.How == verdict.Probably {
			return string(v.Outcome) + "?"
		}
		return string(v.Outcome)
	}
	if pair.Relation != vantage.Apart {
		return of(pair.Joined)
	}
	near, far := of(pair.Ends.Client), of(pair.Ends.Server)
	if near == far {
		return near
	}
	return near + ", " + far
}
