package capture

import (
	"net/netip"
	"slices"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

const (
	maxComments = 16 // that are kept of a connection before it opens
	maxOthers   = 8  // sequence numbers of further SYNs that are kept
)

// connection puts the segments of one connection in order and delivers them as
// they were sent: a side's bytes in the order of their sequence numbers, and no
// segment before what it acknowledges. Segments wait for those that should come
// before them until it is clear that the capture has missed these.
type connection struct {
	table      *table
	key        pair
	stream     int // its number
	lastPacket int64
	began      time.Time // its first packet
	last       time.Time // its last event
	seen       time.Time // its last packet
	handle     wiretap.Handler
	client     int // index in directions of the client's; known once it is open or knowsClient
	ended      bool
	abandoned  bool // before it has ended
	reset      bool // there was a RST
	denied     bool // the server sent a RST before it opened
	closer     int  // index of the direction whose side a RST was sent to

	knowsClient bool
	directions  [2]direction // of the lower endpoint and of the higher one
	arrivals    int          // segments that had to wait, so far
	waiting     int          // bytes of those that wait
	comments    []string     // on packets before it opens
}

// isReused reports whether a SYN begins another connection between the same
// endpoints.
func (c *connection) isReused(s *segment, from int) bool {
	d := &c.directions[from]
	return c.ended || d.finished || d.syn && d.first != s.seq || !d.syn && d.begun
}

// isOther reports whether a SYN begins another stream between the same
// endpoints: it does if its sequence number is not the one that the stream's
// direction has begun with, as far as that is known. This is Wireshark's rule.
func (c *connection) isOther(s *segment, from int) bool {
	d := &c.directions[from]
	return d.based && d.base != s.seq
}

// number stores the sequence numbers of a segment for isOther.
func (c *connection) number(s *segment, from int) {
	d, peer := &c.directions[from], &c.directions[1-from]
	if s.syn && s.acks && d.based {
		d.base = s.seq
	}
	if s.quoted {
		return
	}
	if !d.based {
		d.based, d.base = true, s.seq
		if !s.syn {
			d.base--
		}
	}
	if s.acks && !peer.based {
		peer.based, peer.base = true, s.ack-1
	}
}

// renumber takes another stream number for a connection whose SYN came after
// later packets. It keeps the one that the sink knows.
func (c *connection) renumber() {
	if c.handle == nil {
		c.stream = c.table.streams
	}
	c.table.streams++
	c.directions[0].based, c.directions[1].based = false, false
}

// again begins a connection anew that was refused, or never opened: its SYN was
// sent again.
func (c *connection) again() {
	a, b := &c.directions[0], &c.directions[1]
	*a, *b = direction{based: a.based, base: a.base}, direction{based: b.based, base: b.base}
	c.ended, c.knowsClient, c.denied = false, false, false
}

// refused reports whether a connection has ended before it had opened.
func (c *connection) refused() bool { return c.ended && c.handle == nil }

// late takes a segment of a connection that has ended.
func (c *connection) late(s *segment, from int) {
	d, end := &c.directions[from], s.seq+uint32(s.length)
	if d.begun && before(d.next, end) && !c.abandoned && !s.rst {
		c.stray(min(int64(end-d.next), int64(s.length)))
		d.next = end
	}
}

// stray counts bytes that are not delivered.
func (c *connection) stray(bytes int64) {
	t := &c.table.stray
	if t.bytes == 0 {
		t.stream = c.stream
	}
	t.bytes += bytes
}

// segment takes a segment of the direction from.
func (c *connection) segment(s *segment, from int) {
	d, peer := &c.directions[from], &c.directions[1-from]
	if s.time.After(c.seen) {
		c.seen = s.time
	}
	if s.syn {
		c.synchronise(s, from)
		s.seq++
	}
	if !s.syn {
		d.settle(s.seq)
		if s.acks {
			peer.settle(s.ack)
		}
	}
	if s.acks && (!d.acks || before(d.acked, s.ack)) {
		d.acked, d.acks = s.ack, true
	}
	if s.rst && s.length > 0 {
		c.stray(int64(s.length)) // an error text, not data of the stream (RFC 9293 section 3.10.7.4)
		s.payload, s.length = nil, 0
	}
	if d.syn && s.length > 0 && before(s.seq+uint32(s.length), d.first) {
		c.stray(int64(s.length))
		return
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

// synchronise takes from a SYN which side is the client and where the
// directions begin.
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

// synchronise takes a SYN's sequence number. There may be several, from a
// server that does not remember the first: the client's answer shows which one
// counts.
func (d *direction) synchronise(seq uint32) {
	switch {
	case !d.syn:
		d.syn, d.first = true, seq
	case d.first != seq && len(d.others) < maxOthers:
		d.others = append(d.others, seq)
	}
	if !d.begun {
		d.begun, d.next = true, seq+1
	}
}

// settle takes a sequence number that was used or acknowledged after the SYNs:
// the connection goes on from the one before it, if that was one of theirs.
func (d *direction) settle(next uint32) {
	if len(d.others) > 0 && d.next == d.first+1 && slices.Contains(d.others, next-1) {
		d.first, d.next, d.others = next-1, next, nil
	}
}

// isQuiet reports whether a segment sends nothing: an acknowledgement, a
// keep-alive before anything else (RFC 9293 section 3.8.4), or the refusal of a
// connection.
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
		c.denied = !c.knowsClient || from != c.client
		c.end()
		return
	}
	established := c.directions[0].begun && c.directions[1].begun
	if c.handle == nil && established && s.acks && !s.syn {
		c.open()
	}
	c.comment(s, from)
}

// deliver passes on what is new in a segment.
func (c *connection) deliver(s *segment, from int) {
	d := &c.directions[from]
	c.open()
	old := int(d.next - s.seq) // the first bytes that were sent before
	if old == 0 {
		c.table.remember(s, d)
	} else if s.length > 0 {
		c.compare(s, d)
	}
	switch fresh := s.length - old; {
	case fresh > 0 && d.finished:
		c.stray(int64(fresh))
		d.next += uint32(fresh)
	case fresh > 0:
		payload := s.payload[min(old, len(s.payload)):]
		if len(payload) > 0 {
			c.emit(wiretap.Event{Kind: wiretap.Data, From: c.side(from), Time: s.time, Data: payload})
		}
		if cut := fresh - len(payload); cut > 0 {
			c.table.cut++
			c.emit(wiretap.Event{Kind: wiretap.Gap, From: c.side(from), Time: s.time, Missing: int64(cut)})
		}
		d.next += uint32(fresh)
	}
	closes := false
	switch {
	case s.rst && !c.reset:
		c.reset = true
		c.emit(wiretap.Event{Kind: wiretap.Reset, From: c.side(from), Time: s.time})
		if closes = c.table.live; !closes {
			c.closer = 1 - from
			c.table.aborted = append(c.table.aborted, c) // what is under way comes after it
		}
		from = 1 - from
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

// comment passes on the comments of a packet, or keeps them until the
// connection opens.
func (c *connection) comment(s *segment, from int) {
	for _, text := range s.comments {
		if c.handle != nil {
			c.emit(wiretap.Event{Kind: wiretap.Verdict, From: c.side(from), Time: s.time, Data: []byte(text)})
		} else if len(c.comments) < maxComments {
			c.comments = append(c.comments, text)
		}
	}
}

// flush delivers all waiting segments and ends the connection. It was closed by
// a side that has sent FIN; without one, its end was not seen.
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
	switch {
	case c.handle == nil:
	case c.reset:
		c.emit(wiretap.Event{Kind: wiretap.Close, From: c.side(c.closer), Time: c.last})
	case c.directions[0].finished:
		c.emit(wiretap.Event{Kind: wiretap.Close, From: c.side(0), Time: c.last})
	case c.directions[1].finished:
		c.emit(wiretap.Event{Kind: wiretap.Close, From: c.side(1), Time: c.last})
	default:
		c.emit(wiretap.Event{Kind: wiretap.CutOff, Time: c.seen})
	}
	c.end()
}

// end frees what an ended connection does not need.
func (c *connection) end() {
	c.ended = true
	if c.handle == nil {
		c.table.silent++
		c.failed()
	} else {
		c.table.open--
		c.handle = nobody // frees what the sink made for it
	}
	c.addWaiting(-c.waiting)
	c.directions[0].queue, c.directions[1].queue, c.comments = nil, nil, nil
	c.table.spareDelivered(&c.directions[0])
	c.table.spareDelivered(&c.directions[1])
}

// nobody takes the events of connections that have ended.
var nobody wiretap.Handler = func(wiretap.Event) {}

// open hands the connection to the sink, if that is not done.
func (c *connection) open() {
	if c.handle != nil {
		return
	}
	if c.table.open >= maxOpen {
		c.table.letGoIdle()
	}
	c.table.open++
	if !c.knowsClient {
		c.client = c.guessClient()
	}
	client, server := c.key[c.client].addrPort(), c.key[1-c.client].addrPort()
	c.last = c.began
	open := wiretap.Event{
		Kind: wiretap.Open, Exchange: c.stream, Time: c.began, From: endpoint.Client, Client: client, Server: server,
	}
	if !c.directions[c.client].syn { // nothing shows which byte is the first
		open.Missing = -1
	}
	c.handle = c.table.sink.Open(open)
	c.comment(&segment{time: c.began, comments: c.comments}, c.client)
	c.comments = nil
}

// guessClient returns the client of a connection whose SYN is missing: the side
// that sends ClientHello, or does not send ServerHello, or has the higher port.
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

func (e *address) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(e.addr).Unmap(), e.port)
}

func (c *connection) side(from int) endpoint.Side {
	if from == c.client {
		return endpoint.Client
	}
	return endpoint.Server
}

// emit delivers an event. Time does not run backwards in a connection, even if
// it does in the file.
func (c *connection) emit(e wiretap.Event) {
	if e.Time.Before(c.last) {
		e.Time = c.last
	}
	c.last = e.Time
	e.Exchange = c.stream
	c.handle(e)
}
