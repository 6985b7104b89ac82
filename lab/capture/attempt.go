package capture

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Attempt is a connection that was begun by a SYN and never opened
// (RFC 9293 section 3.5).
type Attempt struct {
	Number         int       // of the TCP stream
	Time           time.Time // of its first packet
	Client, Server netip.AddrPort
	Answered       bool // there was a SYN/ACK
	Refused        bool // the server sent a RST
}

// failed reports a connection that ends before it was opened.
func (c *connection) failed() {
	if !c.knowsClient || !c.directions[c.client].syn {
		return
	}
	a := Attempt{
		Number: c.stream, Time: c.began, Client: c.key[c.client].addrPort(), Server: c.key[1-c.client].addrPort(),
		Answered: c.directions[1-c.client].syn, Refused: c.denied,
	}
	c.table.attempts.add(a)
	if c.table.attempt != nil {
		c.table.attempt(a)
	}
}

// attempts counts the attempts to reach each of a few servers.
type attempts struct {
	servers []netip.AddrPort // in the order in which they were called
	count   map[netip.AddrPort]*struct{ refused, answered, silent int }
}

// mostServers is how many servers are named.
const mostServers = 4

func (t *attempts) add(a Attempt) {
	n := t.count[a.Server]
	if n == nil {
		if len(t.servers) > mostServers {
			return
		}
		if t.count == nil {
			t.count = make(map[netip.AddrPort]*struct{ refused, answered, silent int })
		}
		n = new(struct{ refused, answered, silent int })
		t.servers, t.count[a.Server] = append(t.servers, a.Server), n
	}
	switch {
	case a.Refused:
		n.refused++
	case a.Answered:
		n.answered++
	default:
		n.silent++
	}
}

// String says what became of the attempts, by server: ": 192.0.2.1:443 refused
// 2 (RST)"; "": there were none.
func (t *attempts) String() string {
	var parts []string
	for _, server := range t.servers[:min(len(t.servers), mostServers)] {
		n := t.count[server]
		for _, of := range []struct {
			format string
			n      int
		}{
			{"%v refused %d (RST)", n.refused},
			{"%v never answered %d", n.silent},
			{"%v answered %d that the client gave up, as some health checks do", n.answered},
		} {
			if of.n > 0 {
				parts = append(parts, fmt.Sprintf(of.format, server, of.n))
			}
		}
	}
	if len(t.servers) > mostServers {
		parts = append(parts, "and others")
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
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
