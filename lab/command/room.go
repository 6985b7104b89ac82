package command

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
)

// maxGuests bounds the rows of a room: names that are only claimed cost nothing
// to make up.
const maxGuests = 1000

// redrawEvery is how often a room is drawn anew at most.
const redrawEvery = 200 * time.Millisecond

// guest is one row of a room: a client that is in, by the certificate that it
// has proven to have, or another, by its address and what it has claimed.
type guest struct {
	name  string
	state guestState
	calls int
	last  time.Time
	why   string // in a sentence
	code  string // the same in a word, for the table
}

// guestState is how the last call of a guest ended.
type guestState string

const (
	refused   guestState = "refused"   // by the server
	refuses   guestState = "refuses"   // the server
	cutOff    guestState = "cut off"   // without a refusal, or later
	anonymous guestState = "anonymous" // accepted without a certificate
	isIn      guestState = "in"
)

// guestStates are all of them. Those that need help come first.
var guestStates = []guestState{refused, refuses, cutOff, anonymous, isIn}

// stateOf returns how an exchange ended for its client.
func stateOf(x *lab.Exchange) guestState {
	switch {
	case x.Outcome == verdict.Accepted && x.How == verdict.InHTTP:
		return refused
	case x.Outcome == verdict.Accepted && x.Client.Certificate == "":
		return anonymous
	case x.Outcome == verdict.Accepted:
		return isIn
	case x.Outcome != verdict.Rejected || x.How == verdict.Aborted:
		return cutOff
	case x.RejectedBy == endpoint.Client:
		return refuses
	}
	return refused
}

// room is who has called a server: who is in, and who was refused and why.
type room struct {
	*Program
	height func() int // of the terminal; 0: there is none, and each change is a line

	mu     sync.Mutex
	guests map[string]*guest
	left   int // rows that were left out
	lines  int // that are drawn
	drawn  time.Time
	later  *time.Timer
}

func (p *Program) newRoom() *room {
	r := &room{Program: p, guests: map[string]*guest{}, height: func() int { return 0 }}
	if f, ok := p.Stdout.(interface{ Fd() uintptr }); ok && isTerminal(p.Stdout) {
		r.height = func() int {
			_, height, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return 24
			}
			return max(height, 8)
		}
	}
	return r
}

// see takes in an exchange.
func (r *room) see(x *lab.Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key, seen := r.guestOf(x)
	known := r.guests[key]
	if known == nil {
		r.makeRoom()
		known = &guest{}
		r.guests[key] = known
	}
	isNews := known.calls == 0 || known.why != seen.why
	seen.calls = known.calls + 1
	*known = seen
	switch {
	case r.height() == 0 && isNews:
		r.stdout().Paragraph("", 9, seen.last.Format(time.TimeOnly)+" "+string(seen.state)+" "+seen.name+colon(seen.why))
	case r.height() > 0:
		r.drawSoon()
	}
}

func colon(s string) string {
	if s == "" {
		return ""
	}
	return ": " + s
}

// guestOf is who an exchange is of, and how it ended.
func (r *room) guestOf(x *lab.Exchange) (key string, g guest) {
	g = guest{name: x.Client.Certificate, state: stateOf(x), last: x.Time.Local()}
	if g.state == isIn {
		if x.HTTP != nil && x.HTTP.Status >= 400 {
			g.why = fmt.Sprintf("HTTP %d", x.HTTP.Status)
			g.code = g.why
		}
		return "in " + g.name, g
	}
	host, _, err := net.SplitHostPort(x.ClientAddr)
	if err != nil {
		host = x.ClientAddr
	}
	switch {
	case g.name != "":
		g.name = host + ", as " + g.name
	case g.state == refused || g.state == anonymous:
		g.name = host + ", without a certificate"
	default: // it had no time to show one, perhaps
		g.name = host
	}
	g.why, g.code = x.Reason, cmp.Or(string(x.Code), x.Reason)
	if g.state == anonymous && g.why == "" {
		g.why, g.code = "no certificate was asked for", "not asked"
	}
	return "out " + g.name, g
}

// makeRoom leaves out the guest that was seen the longest time ago, those that
// are not in first.
func (r *room) makeRoom() {
	if len(r.guests) < maxGuests {
		return
	}
	oldest := ""
	for key, g := range r.guests {
		if o := r.guests[oldest]; o == nil || o.state == isIn && g.state != isIn || (o.state == isIn) == (g.state == isIn) && g.last.Before(o.last) {
			oldest = key
		}
	}
	delete(r.guests, oldest)
	r.left++
}

// drawSoon draws now, or a little later if it has just been drawn. mu is held.
func (r *room) drawSoon() {
	wait := redrawEvery - time.Since(r.drawn)
	switch {
	case r.later != nil:
	case wait <= 0:
		r.draw()
	default:
		r.later = time.AfterFunc(wait, func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.later != nil {
				r.later = nil
				r.draw()
			}
		})
	}
}

// draw draws the table in place of the one before.
func (r *room) draw() {
	var b bytes.Buffer
	if r.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", r.lines) // up, and clear to the end of the screen
	}
	table := r.table(r.height() - 3)
	b.Write(table)
	r.lines, r.drawn = bytes.Count(table, []byte("\n")), time.Now()
	_, _ = r.results.Write(b.Bytes()) // an error ends the run by itself
}

// summary counts the guests.
func (r *room) summary() string {
	counts := map[guestState]int{}
	for _, g := range r.guests {
		counts[g.state]++
	}
	s := fmt.Sprintf("%d in, %d refused", counts[isIn], counts[refused])
	switch n := counts[refuses]; n {
	case 0:
	case 1:
		s += ", 1 refuses the server"
	default:
		s += fmt.Sprintf(", %d refuse the server", n)
	}
	for _, state := range []guestState{cutOff, anonymous} {
		if n := counts[state]; n > 0 {
			s += fmt.Sprintf(", %d %s", n, state)
		}
	}
	return s
}

// table is the table in at most that many lines; 0 is any number.
func (r *room) table(most int) []byte {
	guests := slices.SortedFunc(maps.Values(r.guests), func(a, b *guest) int {
		return cmp.Or(slices.Index(guestStates, a.state)-slices.Index(guestStates, b.state), strings.Compare(a.name, b.name))
	})
	shown := len(guests)
	if most > 0 {
		shown = min(shown, most) // each takes a line or more
	}
	for ; ; shown-- {
		var b bytes.Buffer
		out := text.Printer{W: &b, Columns: r.columns(r.Stdout), Charset: r.charset}
		out.Line(r.summary())
		rows := [][]string{{"WHO", "STATE", "CALLS", "LAST SEEN", "WHY"}}
		for _, g := range guests[:shown] {
			rows = append(rows, []string{g.name, string(g.state), fmt.Sprint(g.calls), g.last.Format(time.TimeOnly), g.code})
		}
		out.Table(rows, 16, 0, 0, 0, 16)
		if more := len(guests) - shown + r.left; more > 0 {
			out.Line(fmt.Sprintf("and %d more", more))
		}
		if most <= 0 || shown == 0 || bytes.Count(b.Bytes(), []byte("\n")) <= most {
			return b.Bytes()
		}
	}
}

// end draws the whole table for the last time.
func (r *room) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.later != nil {
		r.later.Stop()
		r.later = nil
	}
	if len(r.guests) == 0 {
		return
	}
	if r.lines > 0 {
		_, _ = r.results.Write(fmt.Appendf(nil, "\x1b[%dA\x1b[J", r.lines))
	}
	_, _ = r.results.Write(r.table(0))
}
