package vantage

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// What ends TLS on the way calls the server on a connection of its own, which
// begins while the client's is open, or was left open by an earlier call.

// patience is how long a connection may go on behind something after the one in
// front of it has ended, and how exact clocks are taken to be that nothing
// compares.
const patience = time.Second

// profile is what two connections are compared by.
type profile struct {
	*tlsdecrypt.Connection
	from, to time.Time // by the clock near the client
	requests []string  // of HTTP
}

// profiles returns the profiles of connections.
func (r *Report) profiles(all []*tlsdecrypt.Connection, side endpoint.Side) (profiles []profile) {
	for _, c := range all {
		from, to := lifetime(c)
		profiles = append(profiles, profile{c, r.convert(from, side, endpoint.Client), r.convert(to, side, endpoint.Client), requestsOf(c)})
	}
	return profiles
}

// fit is how well two connections fit each other.
type fit struct {
	hello    bool // the ClientHello is the same, and the ServerHello is not
	header   bool // the PROXY line before the one near the server has the client's address and port
	requests int  // of HTTP that are the same in both
	named    bool // they ask for the same server name
	renamed  bool // they ask for two different ones
	within   bool // the one near the server was opened while the other one was open
	// nested is set if the one near the server took place while the other one
	// waited for it, as far as the times of both show: see isNested.
	nested bool
	shown  bool // both were shown the same server certificate
	called bool // it was opened from the address that the client has called
}

// isSure reports whether two connections that have no rivals belong together
// very probably. That they were open at the same time does not show it: other
// clients call the server, too.
func (f fit) isSure() bool {
	return f.hello || f.header || f.requests > 0 || f.within && f.nested && (f.named || f.called || f.shown)
}

// candidate is two connections that may belong together.
type candidate struct {
	near, far *tlsdecrypt.Connection
	fit
	after time.Duration // that far was opened later than near
}

// joinApart pairs the connections that are left over and belong together very
// probably: first those that fit best, each with one other. A proxy may use one
// connection for several clients, or several for one: then what is left over is
// joined with one that has an other already.
func (r *Report) joinApart() {
	near, far := r.left(endpoint.Client), r.left(endpoint.Server)
	if len(near) == 0 || len(far) == 0 {
		return
	}
	all := r.candidates(near, far)
	if len(all) == 0 && !r.Clock.Known {
		if clock, ok := guess(near, far); ok {
			r.Clock = clock
			if all = r.candidates(near, far); len(all) == 0 {
				r.Clock = Clock{}
			}
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].compare(all[j]) < 0 })
	type rival struct {
		c   *tlsdecrypt.Connection
		fit fit
	}
	rivals := make(map[rival]int)
	for _, c := range all {
		rivals[rival{c.near, c.fit}]++
		rivals[rival{c.far, c.fit}]++
	}
	taken := make(map[*tlsdecrypt.Connection]bool)
	pair := func(c candidate, sure bool) {
		taken[c.near], taken[c.far] = true, true
		p := &Pair{Relation: Apart, Evidence: c.evidence(), Sure: sure}
		p.Ends.Client, p.Ends.Server = c.near, c.far
		r.Pairs = append(r.Pairs, p)
	}
	for _, c := range all {
		if !taken[c.near] && !taken[c.far] {
			pair(c, c.requests > 0 || c.isSure() && rivals[rival{c.near, c.fit}] == 1 && rivals[rival{c.far, c.fit}] == 1)
		}
	}
	for _, c := range all {
		if taken[c.near] != taken[c.far] && (c.requests > 0 || c.within) {
			pair(c, c.requests > 0)
		}
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
	return cmp.Or(cmp.Compare(rank(c.hello), rank(other.hello)), cmp.Compare(rank(c.header), rank(other.header)), cmp.Compare(other.requests, c.requests), cmp.Compare(rank(c.named), rank(other.named)),
		cmp.Compare(rank(!c.renamed), rank(!other.renamed)), cmp.Compare(rank(c.called), rank(other.called)),
		cmp.Compare(rank(c.within && c.nested), rank(other.within && other.nested)), cmp.Compare(rank(c.within), rank(other.within)), cmp.Compare(c.after.Abs(), other.after.Abs()))
}

func (c candidate) evidence() string {
	if c.hello {
		return "the ClientHello is the same"
	}
	var why []string
	if c.header {
		why = append(why, "the PROXY line has the client's address and port")
	}
	if c.requests > 0 {
		why = append(why, "the same HTTP requests in the same order")
	}
	if c.named {
		why = append(why, "the same server name")
	}
	if c.shown {
		why = append(why, "the same server certificate")
	}
	if c.called {
		why = append(why, "called from the address that the client has called")
	}
	switch {
	case c.within:
		why = append(why, fmt.Sprintf("opened %s after the client's, while that was open", text.Duration(c.after)))
	case c.after < 0:
		why = append(why, "open already when the client's was opened")
	default:
		why = append(why, "opened at about the same time")
	}
	return strings.Join(why, ", ")
}

// candidates are the connections that were open at the same time. What asks for
// different things does not belong together.
func (r *Report) candidates(near, far []*tlsdecrypt.Connection) (all []candidate) {
	exact := r.Clock.Error + steady
	slack := exact
	if !r.Clock.Known {
		slack = patience
	}
	nears := r.profiles(near, endpoint.Client)
	for _, f := range r.profiles(far, endpoint.Server) {
		for _, n := range nears {
			if n.ClientRandom != nil && bytes.Equal(n.ClientRandom, f.ClientRandom) {
				all = append(all, candidate{near: n.Connection, far: f.Connection, fit: fit{hello: true}, after: f.from.Sub(n.from)})
				continue
			}
			if f.from.After(n.to.Add(slack)) || f.to.Before(n.from.Add(-slack)) {
				continue
			}
			c := candidate{near: n.Connection, far: f.Connection, after: f.from.Sub(n.from)}
			c.requests = common(n.requests, f.requests)
			c.named = n.ServerName != "" && n.ServerName == f.ServerName
			c.renamed = n.ServerName != "" && f.ServerName != "" && !c.named
			c.called = n.Server.Addr() == f.Client.Addr() && n.Client.Addr() != f.Client.Addr()
			c.header = n.Client.IsValid() && sourceOf(f.Connection) == n.Client.String()
			shown := leafAt(n.Connection, endpoint.Server)
			c.shown = shown != nil && shown.Equal(leafAt(f.Connection, endpoint.Server))
			c.nested = r.isNested(n.Connection, f.Connection, exact)
			c.within = !f.from.Before(n.from.Add(-exact)) && !f.from.After(n.to.Add(exact))
			other := len(n.requests) > 0 && len(f.requests) > 0 && c.requests == 0
			early := f.from.Before(n.from.Add(-slack)) && c.requests == 0 // only what it carries would show it
			if !other && !early && (c.requests > 0 || isComparable(n.Connection) && isComparable(f.Connection)) && !isDirect(n.Connection, f.Connection) {
				all = append(all, c)
			}
		}
	}
	return all
}

// isComparable reports whether a connection shows anything that another one can
// be compared with: its hellos, or what it says before TLS or in place of it.
func isComparable(c *tlsdecrypt.Connection) bool {
	return len(randomsOf(c)) > 0 || isPlain(c) || c.Prologue != nil
}

// sourceOf returns the address and port of the client in the PROXY line that a
// connection begins with; "": there is none.
func sourceOf(c *tlsdecrypt.Connection) string {
	if h := c.Prologue.Header(); h != nil {
		return h.Source
	}
	return ""
}

// isNested reports whether the times let a connection near the server be made
// on behalf of the client. What ends TLS learns from the ClientHello, or from
// the request, whom to call. So the ClientHello comes first at the client. Then
// either the server answers before the client is answered, or it is called
// after the client has said all of its handshake.
func (r *Report) isNested(near, far *tlsdecrypt.Connection, slack time.Duration) bool {
	_, asked := clientHello(near)
	_, answered := serverHello(near)
	_, passed := clientHello(far)
	_, came := serverHello(far)
	if asked == nil || answered == nil {
		return false
	}
	called, _ := lifetime(far)
	called = r.near(called)
	if passed != nil && r.near(passed.Time).Before(asked.Time.Add(-slack)) {
		return false
	}
	if came != nil && r.near(came.Time).Before(answered.Time) {
		return true
	}
	said := time.Time{} // the first that the client says after the server's hello
	for _, m := range near.Messages {
		if m.From == endpoint.Client && m.Time.After(answered.Time) {
			said = m.Time
			break
		}
	}
	return !said.IsZero() && !called.Before(said)
}

// isDirect reports whether two connections are two calls of the same server
// rather than the two sides of a proxy: at the same address the server has
// shown the same certificate.
func isDirect(near, far *tlsdecrypt.Connection) bool {
	a, _ := certificateOf(near, endpoint.Server)
	b, _ := certificateOf(far, endpoint.Server)
	return near.Server == far.Server && len(a) > 0 && len(b) > 0 && bytes.Equal(a[0], b[0])
}

// guess compares the clocks of two captures that have no time in common: if all
// requests of HTTP are the same in both, in the same order, and there are
// several, they are of the same calls.
func guess(near, far []*tlsdecrypt.Connection) (Clock, bool) {
	asked, first := allRequests(near)
	passed, second := allRequests(far)
	if !slices.Equal(asked, passed) || len(slices.Compact(slices.Sorted(slices.Values(asked)))) < 2 {
		return Clock{}, false
	}
	from, to := lifetime(first)
	opened, _ := lifetime(second)
	return Clock{Known: true, Ahead: opened.Sub(from), Error: to.Sub(from) + steady}, true
}

// allRequests are the requests of all connections, and the first that has one.
func allRequests(all []*tlsdecrypt.Connection) (requests []string, first *tlsdecrypt.Connection) {
	for _, c := range all {
		more := requestsOf(c)
		if requests = append(requests, more...); first == nil && len(more) > 0 {
			first = c
		}
	}
	return requests, first
}

// estimateApart compares the clocks by requests and responses of HTTP that went
// through: they take their time in between, too.
func (r *Report) estimateApart() Clock {
	var all []bounds
	for _, p := range r.Pairs {
		if p.Relation != Apart || !p.Sure || len(requestsOf(p.Ends.Client)) == 0 {
			continue
		}
		b := boundsOfHTTP(p.Ends.Client, p.Ends.Server)
		if b.known() && b.room() >= 0 {
			all = append(all, b)
		}
	}
	return clockOf(all)
}

// boundsOfHTTP compares the times of requests and responses that went through a
// proxy.
func boundsOfHTTP(near, far *tlsdecrypt.Connection) bounds {
	b := unbounded
	for _, sender := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		sent, passed := httpOf(near, sender), httpOf(far, sender)
		if len(sent) == len(passed) {
			for i := range sent {
				b.take(sender, sent[i].Time, passed[i].Time)
			}
		}
	}
	return b
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
	if plain := c.Plain.Client; plain.HTTP && plain.Target != "" {
		method, _, _ := strings.Cut(plain.Line, " ")
		requests = append(requests, method+" "+plain.Target)
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
