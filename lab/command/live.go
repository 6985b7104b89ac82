package command

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// report prints exchanges while they happen: each in a line, and the first of
// each kind as a ladder, too.
type report struct {
	*Program
	certs   string // folder of the PKI that chains are checked under
	trusts  trusts
	json    bool
	brief   bool // one line an exchange
	undrawn bool // no ladders
	blind   bool // no verdict
	options ladder.Options
	drawn   kinds
	refused map[string]int // the first exchange of each kind of refusal
	taken   verdict.Taken  // by servers, so far

	trusting  sync.Mutex
	trusted   *chain.Trust // see trust
	trustedAt time.Time
}

// exchange prints one.
func (r *report) exchange(x *lab.Exchange) {
	if x.Wire != nil {
		r.taken.Add(&x.Verdict, x.Wire)
		r.taken.Learn(verdict.ChosenOn(x.Wire))
	}
	switch {
	case r.blind:
		r.printBlind(x)
	case r.json && r.options.Verbose && x.Wire != nil:
		r.check(x.Wire)
		r.printJSON(struct {
			*lab.Exchange
			Wire verdict.Account `json:"wire"`
		}{x, verdict.Account{Connection: x.Wire, Verdict: &x.Verdict, Scenario: shown(&x.Verdict, x.Wire)}})
	case r.json && r.options.Verbose && x.WireLeftOut:
		r.printJSON(struct {
			*lab.Exchange
			LeftOut bool `json:"wire_left_out"`
		}{x, true})
	case r.json:
		r.printJSON(x)
	case r.brief:
		r.printBriefly(x)
	default:
		r.printExchange(x, r.before(x), r.options.Verbose)
		r.draw(x)
		r.printLeftOut(x)
	}
}

// mostRefusals bounds how many kinds of refusals are remembered.
const mostRefusals = 1000

// before returns the number of the first exchange that was refused just so, by
// all that is printed of it; 0: it is this one.
func (r *report) before(x *lab.Exchange) int {
	if isRefused := x.Outcome == verdict.Rejected || x.IsDenied(); !isRefused || r.options.Verbose {
		return 0
	}
	said := details(x)
	kind := currentTime().ReplaceAllString(outcome(x)+x.Reason+fmt.Sprint(said[:len(said)-1]), "") // but for where it came from
	if first, ok := r.refused[kind]; ok {
		return first
	}
	if r.refused == nil || len(r.refused) == mostRefusals {
		r.refused = map[string]int{}
	}
	r.refused[kind] = x.Number
	return 0
}

// printLeftOut prints how much is not shown because results were read too
// slowly.
func (r *report) printLeftOut(x *lab.Exchange) {
	if x.WireLeftOut && r.options.Verbose && !r.brief {
		r.stdout().Line("      not drawn: results were read too slowly")
	}
	if more := x.NotShown; more != nil {
		r.stdout().Paragraph("      ", 6, fmt.Sprintf("and %s, not shown: %s; results were read too slowly", text.Counted(more.Len(), "more exchange"), counted(more)))
	}
}

// counted says how many exchanges ended in each way.
func counted(n *lab.Counts) string {
	said := fmt.Sprintf("%s accepted, %s rejected", text.Grouped(int64(n.Accepted)), text.Grouped(int64(n.Rejected)))
	if n.Refused > 0 {
		said += fmt.Sprintf(", %s refused", text.Grouped(int64(n.Refused)))
	}
	if n.Silent > 0 {
		said += fmt.Sprintf(", %s without a ClientHello", text.Grouped(int64(n.Silent)))
	}
	return said
}

// printBriefly writes an exchange on one line: a rejected one with the side
// that rejected it, the alert, and as much of why as there is room for.
func (r *report) printBriefly(x *lab.Exchange) {
	said := outcome(x) + ": " + x.Reason
	switch {
	case x.Outcome == verdict.Accepted && x.Reason == "":
		said = strings.Join(r.accepted(x), "  ")
	case x.Outcome == verdict.Unknown:
		said = x.Reason
	}
	out := r.stdout()
	line := fmt.Sprintf("%4d  %s", x.Number, out.Clean(said))
	if out.Columns > 0 { // in a file all of it can be read
		line = out.Cut(line, out.Width())
	}
	out.Line(line)
	if x.Code == verdict.NotAsked && x.Fix != "" { // the client failed, although it was accepted
		out.Paragraph("      fix ", 10, x.Fix)
	}
}

// draw draws what was said, if anything was and it is the first of its kind.
func (r *report) draw(x *lab.Exchange) {
	c := x.Wire
	if c == nil || r.undrawn || x.Outcome == verdict.Unknown || r.drawsRefusals && x.Reason == "" {
		return
	}
	if !r.drawn.isNew(ladder.Kind(c)) && !r.options.Verbose {
		return
	}
	r.check(c)
	drawn := *c
	drawn.Comments = nil // the verdict stands above
	r.stdout().Line()
	options := r.options
	options.Below = true
	_ = ladder.Draw(r.results, &drawn, &x.Verdict, options)
	r.stdout().Line()
}

// check checks the connection under the CAs that there are by now.
func (r *report) check(c *tlsdecrypt.Connection) { c.Check(r.trust()) }

// learnTrust changes what is known of the sides' trust. Exchanges may be under
// way, since others can call the server of lab up before its client does.
func (r *report) learnTrust(change func(*trusts)) {
	r.trusting.Lock()
	defer r.trusting.Unlock()
	change(&r.trusts)
	r.trustedAt = time.Time{}
}

// trust returns the CAs of the folder as they were a second ago at most.
func (r *report) trust() *chain.Trust {
	r.trusting.Lock()
	defer r.trusting.Unlock()
	if time.Since(r.trustedAt) < time.Second {
		return r.trusted
	}
	trust, err := trustOf(r.certs, r.trusts)
	if err != nil {
		trust = &chain.Trust{}
	}
	r.trusted, r.trustedAt = trust, time.Now()
	return trust
}
