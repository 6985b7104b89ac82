package vantage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// What ends TLS on the way calls the server on a connection of its own, which
// begins while the client's is open, or was left open by an earlier call.

// patience is how long a connection may go on behind something after the one in
// front of it has ended, and how exact clocks are taken to be that nothing
// compares.
const patience = time.Second

// candidate is two connections that may belong together.
type candidate struct {
	near, far *tlsdecrypt.Connection
	requests  int  // of HTTP that are the same in both
	named     bool // they ask for the same server name
	within    bool // far was opened while near was open
	after     time.Duration
}

// joinApart pairs the connections that are left over and belong together very
// probably.
func (r *Report) joinApart() {
	near, far := r.left(endpoint.Client), r.left(endpoint.Server)
	if len(near) == 0 || len(far) == 0 {
		return
	}
	all := r.candidates(near, far)
	if len(all) == 0 && !r.Clock.Known {
		if clock, ok := guess(near, far); ok {
			was := r.Clock
			r.Clock = clock
			if all = r.candidates(near, far); len(all) == 0 {
				r.Clock = was
			}
		}
	}
	slices.SortStableFunc(all, candidate.compare)
	taken := make(map[*tlsdecrypt.Connection]bool)
	for i, c := range all {
		if taken[c.near] || taken[c.far] {
			continue
		}
		taken[c.near], taken[c.far] = true, true
		p := &Pair{Relation: Apart, Evidence: c.evidence(), Sure: c.requests > 0 || c.named || !isRivalled(all, i)}
		p.Ends.Client, p.Ends.Server = c.near, c.far
		r.Pairs = append(r.Pairs, p)
	}
	if !r.Clock.Known {
		r.Clock = r.estimateApart()
	}
}

// compare puts the better candidate first.
func (c candidate) compare(other candidate) int {
	rank := func(yes bool) int {
		if yes {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(other.requests, c.requests), cmp.Compare(rank(c.named), rank(other.named)),
		cmp.Compare(rank(c.within), rank(other.within)), cmp.Compare(c.after.Abs(), other.after.Abs()))
}

// isRivalled reports whether another candidate with one of the same connections
// is as good but for the time.
func isRivalled(all []candidate, i int) bool {
	c := all[i]
	return slices.ContainsFunc(all, func(o candidate) bool {
		one := (o.near == c.near) != (o.far == c.far)
		return one && o.requests == c.requests && o.named == c.named && o.within == c.within
	})
}

func (c candidate) evidence() string {
	var why []string
	if c.requests > 0 {
		why = append(why, "the same HTTP requests in the same order")
	}
	if c.named {
		why = append(why, "the same server name")
	}
	if c.within {
		why = append(why, fmt.Sprintf("opened %s after the client's, while that was open", rounded(c.after)))
	} else {
		why = append(why, "both were open at the time")
	}
	return strings.Join(why, ", ")
}

// candidates are the connections that were open at the same time. What asks for
// different things does not belong together.
func (r *Report) candidates(near, far []*tlsdecrypt.Connection) (all []candidate) {
	slack := r.Clock.Error + steady
	if !r.Clock.Known {
		slack = patience
	}
	for _, f := range far {
		opened, ended := lifetime(f)
		opened, ended = r.near(opened), r.near(ended)
		for _, n := range near {
			from, to := lifetime(n)
			if opened.After(to.Add(slack)) || ended.Before(from.Add(-slack)) {
				continue
			}
			c := candidate{near: n, far: f, after: opened.Sub(from), within: !opened.Before(from.Add(-slack))}
			asked, passed := requestsOf(n), requestsOf(f)
			c.requests = common(asked, passed)
			c.named = n.ServerName != "" && n.ServerName == f.ServerName
			if len(asked) > 0 && len(passed) > 0 && c.requests == 0 {
				continue
			}
			if !c.within && c.requests == 0 { // one that was open before shows it by what it carries alone
				continue
			}
			all = append(all, c)
		}
	}
	return all
}

// guess compares the clocks of two captures that have no time in common by the
// first connections that ask for the same.
func guess(near, far []*tlsdecrypt.Connection) (Clock, bool) {
	for _, n := range near {
		for _, f := range far {
			if common(requestsOf(n), requestsOf(f)) == 0 && (n.ServerName == "" || n.ServerName != f.ServerName) {
				continue
			}
			from, to := lifetime(n)
			opened, _ := lifetime(f)
			return Clock{Known: true, Ahead: opened.Sub(from), Error: to.Sub(from) + steady}, true
		}
	}
	return Clock{}, false
}

// estimateApart compares the clocks by requests and responses of HTTP that went
// through: they take their time in between, too.
func (r *Report) estimateApart() Clock {
	var all []bounds
	for _, p := range r.Pairs {
		if p.Relation != Apart || !p.Sure || len(requestsOf(p.Ends.Client)) == 0 {
			continue
		}
		b := unbounded
		for _, sender := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			near, far := httpOf(p.Ends.Client, sender), httpOf(p.Ends.Server, sender)
			if len(near) == len(far) {
				for i := range near {
					b.take(sender, near[i].Time, far[i].Time)
				}
			}
		}
		if b.known() && b.room() >= 0 {
			all = append(all, b)
		}
	}
	return clockOf(all)
}

// httpOf are the heads of HTTP that a side sent.
func httpOf(c *tlsdecrypt.Connection, side endpoint.Side) (heads []*tlsdecrypt.Message) {
	for _, m := range c.Messages {
		if m.HTTP != nil && m.From == side && (m.HTTP.Request || m.HTTP.Status >= 200) {
			heads = append(heads, m)
		}
	}
	return heads
}

// requestsOf are the requests of HTTP that can be read: method and path.
func requestsOf(c *tlsdecrypt.Connection) (requests []string) {
	if line := c.Plain.Client; line.HTTP {
		if words := strings.Fields(line.Line); len(words) > 1 {
			requests = append(requests, words[0]+" "+words[1])
		}
	}
	for _, m := range httpOf(c, endpoint.Client) {
		if m.HTTP.Request {
			requests = append(requests, m.HTTP.Method+" "+m.HTTP.Target)
		}
	}
	return requests
}

// common counts the requests of a that are in b in the same order.
func common(a, b []string) (n int) {
	for _, request := range a {
		if at := slices.Index(b, request); at >= 0 {
			n++
			b = b[at+1:]
		}
	}
	return n
}

// rounded is a duration as people say it.
func rounded(d time.Duration) string {
	switch d = d.Abs(); {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}
