package vantage

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// alone describes a connection that is in one capture only.
func (r *Report) alone(p *Pair) {
	side := endpoint.Client
	if p.Ends.Client == nil {
		side = endpoint.Server
	}
	c := *p.Ends.Of(side)
	p.Joined, p.Base = c, side
	other := r.name(side.Other())
	from, to := lifetime(c)
	switch {
	case p.Relation == Another:
		p.found(SeenAgain, "", "", "%s is the same TLS connection as another one of that file: it was recorded on both sides of something that passes TLS through", r.stream(p, side))
	case r.endedBefore(side.Other(), from, side), r.startedAfter(side.Other(), to, side):
		p.found(OneEnd, "", "", "%s was made when %s was not recording%s", r.stream(p, side), other, r.clockDoubt())
	case side == endpoint.Server:
		p.found(OneEnd, "", "", "%s is not in %s: another client made it, or it came another way", r.stream(p, side), other)
	case !r.leads(c.Server, c.ServerName):
		p.found(OneEnd, Unknown, "", "%s to %v is not in %s, and nothing shows that this address leads to that server", r.stream(p, side), c.Server, other)
	case r.mayBeCarried(c):
		p.found(OneEnd, Unknown, "", "%s to %v may have been answered by what ends TLS in between, or have gone on in a connection that was open already: without keys its requests cannot be seen", r.stream(p, side), c.Server)
	default:
		answered := ""
		if slices.ContainsFunc(c.Messages, func(m *tlsdecrypt.Message) bool { return m.From == endpoint.Server }) {
			answered = ". Something else has answered it"
		}
		p.found(NeverReached, "", wayFix, "%s to %v never reached the server: it is not in %s, which was recording%s%s", r.stream(p, side), c.Server, other, r.clockDoubt(), answered)
	}
}

// leads reports whether something shows that an address leads to the server of
// the other capture: that has it as well, a connection to it got there, it asks
// for the same name, or there is no other.
func (r *Report) leads(address netip.AddrPort, name string) bool {
	for _, p := range r.Pairs {
		if p.Ends.Client != nil && p.Ends.Server != nil && p.Ends.Client.Server == address {
			return true
		}
	}
	for _, c := range r.Captures.Server.Connections {
		if c.Server == address || name != "" && c.ServerName == name {
			return true
		}
	}
	for _, a := range r.Captures.Server.Attempts {
		if a.Server == address {
			return true
		}
	}
	return !slices.ContainsFunc(r.Captures.Client.Connections, func(c *tlsdecrypt.Connection) bool { return c.Server != address }) &&
		!slices.ContainsFunc(r.Captures.Client.Attempts, func(a capture.Attempt) bool { return a.Server != address })
}

// mayBeCarried reports whether a connection of the client's may go on in one of
// the server's that belongs to another: something ends TLS, and what is in one
// of them cannot be seen.
func (r *Report) mayBeCarried(c *tlsdecrypt.Connection) bool {
	from, to := lifetime(c)
	for _, p := range r.Pairs {
		if p.Relation != Apart || p.Ends.Client.Server != c.Server {
			continue
		}
		opened, ended := lifetime(p.Ends.Server)
		if !r.near(opened).After(to) && !r.near(ended).Before(from) && (len(requestsOf(c)) == 0 || len(requestsOf(p.Ends.Server)) == 0) {
			return true
		}
	}
	return false
}

// clockDoubt says that two clocks are taken to agree.
func (r *Report) clockDoubt() string {
	if r.Clock.Known {
		return ""
	}
	return " if the two clocks agree, which nothing here shows"
}

// attempts describes the connections that were never opened.
func (r *Report) attempts() {
	far := r.Captures.Server
	used := make([]bool, len(far.Attempts))
	counts := make(map[string]int)
	kinds := make(map[string]Finding)
	for _, a := range r.Captures.Client.Attempts {
		code, fix, said := r.attempt(a, far, used)
		if code == "" {
			continue
		}
		if counts[said]++; counts[said] == 1 {
			kinds[said] = Finding{Code: code, Text: said, Fix: fix}
		}
	}
	for _, f := range kinds {
		f.More = counts[f.Text] - 1
		r.Findings = append(r.Findings, f)
	}
	slices.SortFunc(r.Findings, func(a, b Finding) int { return cmp.Compare(a.Text, b.Text) })
}

const wayFix = "look at what is on the way: routes, firewalls, security groups, and where the name of the server leads"

// attempt says what became of a connection that the client never got.
func (r *Report) attempt(a capture.Attempt, far Capture, used []bool) (code Code, fix, said string) {
	seen := -1
	for i, b := range far.Attempts {
		if used[i] || b.Server.Port() != a.Server.Port() {
			continue
		}
		late := r.near(b.Time).Sub(a.Time)
		if b.Client == a.Client && b.Server == a.Server || late.Abs() <= r.slack() && seen < 0 {
			seen = i
		}
	}
	if seen >= 0 {
		used[seen] = true
		if b := far.Attempts[seen]; a.Refused && !b.Refused {
			return RefusedBetween, wayFix, fmt.Sprintf("a connection to %v was refused (RST) by something in between: the server's RST is not in %s", a.Server, r.name(endpoint.Server))
		} else if b.Answered && !a.Answered {
			return AnswerLost, wayFix, fmt.Sprintf("the server answered a connection to %v (SYN/ACK), and the answer did not arrive at the client", a.Server)
		}
		return "", "", "" // both ends saw the same
	}
	for _, c := range far.Connections {
		if c.Client == a.Client && c.Server == a.Server && r.near(c.Opened).Sub(a.Time).Abs() <= time.Minute {
			return "", "", ""
		}
	}
	switch {
	case !r.leads(a.Server, ""):
		return "", "", ""
	case r.endedBefore(endpoint.Server, a.Time, endpoint.Client), r.startedAfter(endpoint.Server, a.Time, endpoint.Client):
		return OneEnd, "", fmt.Sprintf("a connection to %v failed when %s was not recording%s", a.Server, r.name(endpoint.Server), r.clockDoubt())
	case a.Refused:
		return RefusedBetween, wayFix, fmt.Sprintf("a connection to %v was refused (RST), and never reached the server: %s was recording and has no SYN of it%s", a.Server, r.name(endpoint.Server), r.clockDoubt())
	}
	return NeverReached, wayFix, fmt.Sprintf("a connection to %v never reached the server: its SYN was not answered, and %s was recording and has none of it%s", a.Server, r.name(endpoint.Server), r.clockDoubt())
}

// slack is how far apart two times may be of what belongs together.
func (r *Report) slack() time.Duration {
	if r.Clock.Known {
		return r.Clock.Error + steady
	}
	return patience
}

// sort puts the pairs in order: by the client's connections, then by the
// server's.
func (r *Report) sort() {
	slices.SortStableFunc(r.Pairs, func(a, b *Pair) int {
		if x, y := a.Ends.Client, b.Ends.Client; x != nil && y != nil {
			return cmp.Compare(x.Number, y.Number)
		} else if (x == nil) != (y == nil) {
			if x == nil {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.Ends.Server.Number, b.Ends.Server.Number)
	})
}

// clocks says that the clocks differ, and by how much.
func (r *Report) clocks() {
	if r.Swapped {
		r.found(Swapped, "", "", "%s was recorded nearer to the client than %s, as the times of the messages show: it is taken for the client's", r.name(endpoint.Client), r.name(endpoint.Server))
	}
	if !r.Clock.differs() {
		return
	}
	r.found(ClocksDiffer, "", "set both by NTP: certificates are judged by them", "%s", r.Clock.Describe(r.name(endpoint.Client), r.name(endpoint.Server)))
}

// Describe says how the clocks compare, as a clause.
func (c Clock) Describe(client, server string) string {
	word := "ahead of"
	if c.Ahead < 0 {
		word = "behind"
	}
	switch {
	case !c.Known:
		return "how the clocks compare is not known, because no message in each direction was seen at both ends"
	case c.Drift > apart:
		return fmt.Sprintf("the clock of %s is about %s %s that of %s, and they have moved against each other by %s at least", server, rounded(c.Ahead), word, client, rounded(c.Drift))
	case !c.differs():
		return fmt.Sprintf("the clocks agree within %s", rounded(c.Ahead.Abs()+c.Error))
	}
	return fmt.Sprintf("the clock of %s is %s %s that of %s (± %s)", server, rounded(c.Ahead), word, client, rounded(c.Error))
}
