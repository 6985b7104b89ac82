package capture

import (
	"net/netip"
	"time"

	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

const maxComments = 16 // that are kept of a connection before it opens

// connection puts the segments of one connection in order. It hands on what was sent first: a side's bytes in the order
// of their sequence numbers, and no segment before what it acknowledges. Segments wait for those that should come before
// them until it is clear that the capture has missed these.
type connection struct {
	table      *table
	key        pair
	number     int // of the TCP stream
	lastPacket int64
	began      time.Time // its first packet
	last       time.Time // its last event
	handle     wiretap.Handler
	client     int // index in directions of the client's; known once it is open or knowsClient
	ended      bool

	knowsClient bool
	directions  [2]direction // of the lower endpoint and of the higher one
	arrivals    int          // segments that had to wait, so far
	waiting     int          // bytes of those that wait
	comments    []string     // on packets before it opens
}

// isReused reports whether a SYN begins another connection between the same endpoints.
func (c *connection) isReused(s *segment, from int) bool {
	d := &c.directions[from]
	return c.ended || d.finished || d.syn && d.first != s.seq || !d.syn && d.begun
}

// segment takes a segment of the direction from.
func (c *connection) segment(s *segment, from int) {
	d, peer := &c.directions[from], &c.directions[1-from]
	if s.syn {
		c.synchronise(s, from)
		s.seq++
	}
	if s.acks && (!d.acks || before(d.acked, s.ack)) {
		d.acked, d.acks = s.ack, true
	}
	if s.rst {
		s.payload, s.length = nil, 0 // words, not of the stream (RFC 9293, section 3.10.7.4)
	}
	if c.isQuiet(s, d, peer) {
		c.quiet(s, from)
		c.advance()
		return
	}
	if len(d.queue) == 0 && c.isNext(s, d, peer) {
		c.deliver(s, from)
		if len(peer.queue) > 0 {
			c.advance()
		}
		return
	}
	c.wait(s, d)
	c.advance()
}

// synchronise learns from a SYN who the client is and where the directions begin.
func (c *connection) synchronise(s *segment, from int) {
	d, peer := &c.directions[from], &c.directions[1-from]
	client := from
	if s.acks {
		client = 1 - from
		peer.synchronise(s.ack - 1)
	}
	d.synchronise(s.seq)
	if c.handle == nil {
		c.client, c.knowsClient = client, true
	}
}

func (d *direction) synchronise(seq uint32) {
	if !d.syn {
		d.syn, d.first = true, seq
	}
	if !d.begun {
		d.begun, d.next = true, seq+1
	}
}

// isQuiet reports whether a segment sends nothing: an acknowledgement, a keep-alive before anything else (RFC 9293,
// section 3.8.4), or the refusal of a connection.
func (c *connection) isQuiet(s *segment, d, peer *direction) bool {
	switch {
	case s.rst:
		return c.handle == nil && c.waiting == 0
	case s.fin:
		return false
	}
	return s.length == 0 || s.length == 1 && !d.begun && peer.acks && before(s.seq, peer.acked)
}

// quiet takes a segment that sends nothing.
func (c *connection) quiet(s *segment, from int) {
	if s.rst {
		c.end()
		return
	}
	established := c.directions[0].begun && c.directions[1].begun
	if c.handle == nil && established && s.acks && !s.syn {
		c.open()
	}
	c.comment(s, from)
}

// deliver hands on what is new in a segment.
func (c *connection) deliver(s *segment, from int) {
	d := &c.directions[from]
	c.open()
	old := int(d.next - s.seq) // the first bytes that were sent before
	if fresh := s.length - old; fresh > 0 && !d.finished {
		payload := s.payload[min(old, len(s.payload)):]
		if len(payload) > 0 {
			c.emit(wiretap.Event{Kind: wiretap.Data, From: c.side(from), Time: s.time, Data: payload})
		}
		if cut := fresh - len(payload); cut > 0 {
			c.emit(wiretap.Event{Kind: wiretap.Gap, From: c.side(from), Time: s.time, Missing: int64(cut)})
		}
		d.next += uint32(fresh)
	}
	closes := false
	switch {
	case s.rst:
		c.emit(wiretap.Event{Kind: wiretap.Reset, From: c.side(from), Time: s.time})
		closes, from = true, 1-from
	case s.fin && !d.finished && d.next == s.seq+uint32(s.length):
		d.finished = true
		d.next++
		if closes = c.directions[1-from].finished; !closes {
			c.emit(wiretap.Event{Kind: wiretap.HalfClose, From: c.side(from), Time: s.time})
			c.table.lingering = append(c.table.lingering, c)
		}
	}
	c.comment(s, from)
	if closes {
		c.emit(wiretap.Event{Kind: wiretap.Close, From: c.side(from), Time: s.time})
		c.end()
	}
}

// comment hands on the comments of a packet, or keeps them until the connection opens.
func (c *connection) comment(s *segment, from int) {
	for _, text := range s.comments {
		if c.handle != nil {
			c.emit(wiretap.Event{Kind: wiretap.Verdict, From: c.side(from), Time: s.time, Data: []byte(text)})
		} else if len(c.comments) < maxComments {
			c.comments = append(c.comments, text)
		}
	}
}

// flush hands on what waits, whatever it waits for. A connection that one side has finished with was closed by it.
func (c *connection) flush() {
	for !c.ended && c.waiting > 0 {
		if from := c.ready(); from >= 0 {
			c.shift(from)
		} else {
			c.force()
		}
	}
	if c.ended {
		return
	}
	for from := range c.directions {
		if c.directions[from].finished {
			c.emit(wiretap.Event{Kind: wiretap.Close, From: c.side(from), Time: c.last})
		}
	}
	c.end()
}

// end frees what an ended connection does not need.
func (c *connection) end() {
	c.ended = true
	if c.handle == nil {
		c.table.silent++
	} else {
		c.handle = func(wiretap.Event) {} // frees what the sink made for it
	}
	c.addWaiting(-c.waiting)
	c.directions[0].queue, c.directions[1].queue, c.comments = nil, nil, nil
}

// open hands the connection to the sink, if that is not done.
func (c *connection) open() {
	if c.handle != nil {
		return
	}
	if !c.knowsClient {
		c.client = c.guessClient()
	}
	client, server := c.key[c.client].addrPort(), c.key[1-c.client].addrPort()
	c.last = c.began
	c.handle = c.table.sink.Open(wiretap.Event{
		Kind: wiretap.Open, Exchange: c.number, Time: c.began, From: wiretap.Client, Client: client, Server: server,
	})
	c.comment(&segment{time: c.began, comments: c.comments}, c.client)
	c.comments = nil
}

// guessClient tells the client of a connection whose SYN is not there: it sends ClientHello, the server ServerHello, or
// else the server has the lower port.
func (c *connection) guessClient() int {
	for from := range c.directions {
		for i := range c.directions[from].queue {
			p := c.directions[from].queue[i].payload
			if len(p) <= tlswire.RecordHeaderLen || tlswire.ContentType(p[0]) != tlswire.ContentTypeHandshake || p[1] != 3 {
				continue
			}
			switch tlswire.HandshakeType(p[tlswire.RecordHeaderLen]) {
			case tlswire.TypeClientHello:
				return from
			case tlswire.TypeServerHello:
				return 1 - from
			}
		}
	}
	if c.key[0].port < c.key[1].port {
		return 1
	}
	return 0
}

func (e *endpoint) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.addr).Unmap(), e.port)
}

func (c *connection) side(from int) wiretap.Side {
	if from == c.client {
		return wiretap.Client
	}
	return wiretap.Server
}

// emit hands on an event. Time does not run backwards in a connection, even if it does in the file.
func (c *connection) emit(e wiretap.Event) {
	if e.Time.Before(c.last) {
		e.Time = c.last
	}
	c.last = e.Time
	e.Exchange = c.number
	c.handle(e)
}
