package vantage

import (
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// A capture may have missed packets. In the middle of a stream the sequence
// numbers show it; before its first byte, and after the last packet of the
// connection, nothing does.

// mayHaveMissed reports whether the capture of an end may have missed a message
// that the other end has.
func (r *Report) mayHaveMissed(p *Pair, at endpoint.Side, m *tlsdecrypt.Message) bool {
	c := *p.Ends.Of(at)
	return *c.Gaps.Of(m.From) || p.isBeforeStart(at, m) || r.mayLackEnd(p, at, m.From, m.Time)
}

// isBeforeStart reports whether a message of the other end comes before all
// that this one has of its sender, whose SYN it has not seen.
func (p *Pair) isBeforeStart(at endpoint.Side, m *tlsdecrypt.Message) bool {
	c := *p.Ends.Of(at)
	if !c.NoSYN && !c.Late || len(m.Records) == 0 {
		return false
	}
	spans := spansOf(c, m.From)
	return len(spans) == 0 || endOf(m)+p.shiftTo(at.Other(), m.From) <= spans[0].Offset
}

// mayLackEnd reports whether the capture of an end may have missed what a
// sender sent at a time by the other end's clock: it has neither the end of
// what the sender sent, nor a packet of the connection that is later by more
// than a packet is under way, sent again or not. A capture of the lab's lacks
// no packet.
func (r *Report) mayLackEnd(p *Pair, at, sender endpoint.Side, t time.Time) bool {
	c := *p.Ends.Of(at)
	if r.Captures.Of(at).Own || hasEnded(c, sender) {
		return false
	}
	return !c.LastSeen.After(r.convert(t, at.Other(), at).Add(2*r.Clock.Error + patience))
}

// hasEnded reports whether a connection has a FIN or RST of a side.
func hasEnded(c *tlsdecrypt.Connection, side endpoint.Side) bool {
	ends := endpoint.Pair[[2]tlsdecrypt.End]{
		Client: [2]tlsdecrypt.End{tlsdecrypt.ClientClosed, tlsdecrypt.ClientReset},
		Server: [2]tlsdecrypt.End{tlsdecrypt.ServerClosed, tlsdecrypt.ServerReset},
	}
	own := *ends.Of(side)
	return c.End == tlsdecrypt.Closed || c.End == own[0] || c.End == own[1] || c.EndedBy == side
}
