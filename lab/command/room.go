package command

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
)

// maxGuests bounds the rows of a room: names that are only claimed cost nothing
// to make up.
const maxGuests = 1000

// redrawEvery is how often a room is drawn anew at most.
const redrawEvery = 200 * time.Millisecond

// guest is one row of a room: a client that is in, by the certificate that it
// has proven to have, or one that was refused, by its address and what it has
// claimed.
type guest struct {
	name  string
	in    bool
	calls int
	last  time.Time
	why   string // in a sentence
	code  string // the same in a word, for the table
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
		r.stdout().Paragraph("", 9, seen.last.Format(time.TimeOnly)+" "+seen.state()+" "+seen.name+colon(seen.why))
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
	g = guest{name: x.Client.Certificate, in: x.Outcome == verdict.Accepted && x.How != verdict.InHTTP && x.Client.Certificate != "", last: x.Time.Local()}
	if g.in {
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
	claimed := "without a certificate"
	if g.name != "" {
		claimed = "as " + g.name
	}
	g.name, g.why = host+", "+claimed, cmp.Or(x.Reason, "no certificate was asked for")
	g.code = cmp.Or(string(x.Code), g.why)
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
		if o := r.guests[oldest]; o == nil || o.in && !g.in || o.in == g.in && g.last.Before(o.last) {
			oldest = key
		}
	}
	delete(r.guests, oldest)
	r.left++
}

func (g guest) state() string {
	if g.in {
		return "in"
	}
	return "refused"
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

// table is the table in at most that many lines; 0 is any number.
func (r *room) table(most int) []byte {
	guests := make([]*guest, 0, len(r.guests))
	in := 0
	for _, g := range r.guests {
		guests = append(guests, g)
		if g.in {
			in++
		}
	}
	slices.SortFunc(guests, func(a, b *guest) int {
		if a.in != b.in { // those that were refused need help: they come first
			if b.in {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	for shown := len(guests); ; shown-- {
		var b bytes.Buffer
		out := text.Printer{W: &b, Columns: r.columns(r.Stdout), Charset: r.charset}
		out.Line(fmt.Sprintf("%d in, %d refused", in, len(guests)-in))
		rows := [][]string{{"WHO", "STATE", "CALLS", "LAST SEEN", "WHY"}}
		for _, g := range guests[:shown] {
			rows = append(rows, []string{g.name, g.state(), fmt.Sprint(g.calls), g.last.Format(time.TimeOnly), g.code})
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
