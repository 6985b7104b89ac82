package capture

import (
	"net/netip"
	"time"
)

// Attempt is a connection that was begun by a SYN and never opened
// (RFC 9293 section 3.5).
type Attempt struct {
	Number         int       // of the TCP stream
	Time           time.Time // of its first packet
	Client, Server netip.AddrPort
	Answered       bool // there was a SYN/ACK
	Refused        bool // there was a RST
}

// failed reports a connection that ends before it was opened.
func (c *connection) failed() {
	if c.table.attempt == nil || !c.knowsClient || !c.directions[c.client].syn {
		return
	}
	c.table.attempt(Attempt{
		Number: c.stream, Time: c.began, Client: c.key[c.client].addrPort(), Server: c.key[1-c.client].addrPort(),
		Answered: c.directions[1-c.client].syn, Refused: c.denied,
	})
}

// period is the time between the first and the last packet.
type period struct{ first, last time.Time }

func (p *period) take(t time.Time) {
	if p.first.IsZero() || t.Before(p.first) {
		p.first = t
	}
	if t.After(p.last) {
		p.last = t
	}
}
