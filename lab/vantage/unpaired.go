package vantage

import (
	"net/netip"
	"slices"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
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
	case side == endpoint.Client && isRefusedByProxy(c):
		p.found(NeverReached, "", "", "%s did not reach the server: the proxy before it has not opened the way", r.stream(p, side))
	case r.endedBefore(side.Other(), from, side), r.startedAfter(side.Other(), to, side):
		p.found(OneEnd, "", "", "%s was made when %s was not recording%s", r.stream(p, side), other, r.clockDoubt())
	case r.isBegun(c, side.Other()):
		p.found(NotCaptured, "", "", "of %s there is no more than a SYN in %s", r.stream(p, side), other)
	case !isComparable(c):
		p.found(OneEnd, Unknown, "", "%s shows nothing by which it could be found in %s: neither ClientHello nor ServerHello is there", r.stream(p, side), other)
	case side == endpoint.Server:
		p.found(OneEnd, "", "", "%s is not in %s: another client made it, or it came another way", r.stream(p, side), other)
	case !r.leads(c.Server, c.ServerName):
		p.found(OneEnd, Unknown, "", "%s to %v is not in %s, and nothing shows that this address leads to that server", r.stream(p, side), c.Server, other)
	case r.mayBeHeadless(c):
		p.found(OneEnd, Unknown, "", "%s to %v may be in %s, which has a connection of that time without its hellos", r.stream(p, side), c.Server, other)
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

// isRefusedByProxy reports whether the client asked a proxy for the way to the
// server, and did not get it.
func isRefusedByProxy(c *tlsdecrypt.Connection) bool {
	l := c.Prologue.Last()
	return l != nil && l.Kind == prologue.Proxy && l.Refused != ""
}

// isBegun reports whether the other capture has the SYN of a connection, and
// nothing that was said on it.
func (r *Report) isBegun(c *tlsdecrypt.Connection, other endpoint.Side) bool {
	at := func(t time.Time) time.Time { return r.convert(t, other, endpoint.Client) }
	opened := r.convert(c.Opened, other.Other(), endpoint.Client)
	return slices.ContainsFunc(r.Captures.Of(other).Attempts, func(a capture.Attempt) bool {
		if a.Refused || a.Server.Port() != c.Server.Port() {
			return false
		}
		same := a.Client == c.Client && a.Server == c.Server
		return same && !r.Clock.Known || at(a.Time).Sub(opened).Abs() <= r.slack() && (same || a.Answered)
	})
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
	if len(r.Captures.Server.Connections) > 0 && !slices.ContainsFunc(r.Pairs, func(p *Pair) bool { return p.Relation == Same }) {
		return false // the two captures may have nothing to do with each other
	}
	return !slices.ContainsFunc(r.Captures.Client.Connections, func(c *tlsdecrypt.Connection) bool { return c.Server != address }) &&
		!slices.ContainsFunc(r.Captures.Client.Attempts, func(a capture.Attempt) bool { return a.Server != address })
}

// leadsNear reports whether an address of an attempt is one that the client has
// called on another port, and has got to the server by.
func (r *Report) leadsNear(a capture.Attempt) bool {
	for _, p := range r.Pairs {
		if p.Ends.Client != nil && p.Ends.Server != nil && p.Ends.Client.Server.Addr() == a.Server.Addr() {
			return true
		}
	}
	isHere := func(c netip.AddrPort) bool { return c.Addr() == a.Server.Addr() }
	return slices.ContainsFunc(r.Captures.Server.Connections, func(c *tlsdecrypt.Connection) bool { return isHere(c.Server) }) ||
		slices.ContainsFunc(r.Captures.Server.Attempts, func(b capture.Attempt) bool { return isHere(b.Server) })
}

// mayBeHeadless reports whether the other capture has a connection that may be
// this one, and shows nothing to compare it by.
func (r *Report) mayBeHeadless(c *tlsdecrypt.Connection) bool {
	from, to := lifetime(c)
	for _, p := range r.Pairs {
		if p.Relation != Alone || p.Ends.Server == nil || isComparable(p.Ends.Server) {
			continue
		}
		opened, ended := lifetime(p.Ends.Server)
		if !r.near(opened).After(to.Add(r.slack())) && !r.near(ended).Before(from.Add(-r.slack())) {
			return true
		}
	}
	return false
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
