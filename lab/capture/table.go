package capture

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"mtlslab.example/lab/lab/wiretap"
)

const (
	maxConnections = 1 << 15     // that are kept, so that a late packet finds its stream
	maxOpen        = 1 << 13     // that are open for the sink; past it those that are idle longest are let go
	maxEnded       = 1 << 12     // that have ended and are remembered, for the packets that come late
	maxWaiting     = 64 << 20    // bytes of segments that wait for others, of all connections
	maxLingering   = 1 << 12     // packets of others after which a connection with one FIN or a RST is taken to have ended
	maxAfterReset  = time.Second // after which one with a RST is
)

// table has the connections of a file by their endpoints.
type table struct {
	sink        wiretap.Sink
	live        bool // the reader waits for the events
	attempt     func(Attempt)
	attempts    attempts // that failed, for the notice
	connections map[pair]*connection
	latest      *connection   // that a segment was of; nil: none, or it was forgotten
	ended       []*connection // a ring
	oldest      int           // index in ended, once that is full
	lingering   []*connection // with one FIN, and perhaps ended since, in the order of that
	aborted     []*connection // with a RST, likewise
	streams     int           // connections so far
	packets     int64         // so far
	open        int           // connections that are open for the sink
	waiting     int           // bytes of segments in connections
	spare       []*delivered  // of connections that have ended

	silent int   // connections that were begun but not opened
	idle   int   // connections that were let go
	cut    int   // packets that have not all their bytes
	stray  stray // bytes that are of no connection's sequence
}

// stray counts bytes that were not delivered.
type stray struct {
	bytes  int64
	stream int // of the first ones
}

// pair is both ends of a connection, the lower one first.
type pair [2]address

func newTable(sink wiretap.Sink, live bool) *table {
	return &table{sink: sink, live: live, connections: make(map[pair]*connection)}
}

// segment adds a segment to its connection.
func (t *table) segment(s *segment) {
	t.packets++
	key, from := pair{s.from, s.to}, 0
	if s.from.compare(&s.to) > 0 {
		key, from = pair{s.to, s.from}, 1
	}
	c := t.latest
	if c == nil || c.key != key {
		c = t.connections[key]
	}
	switch {
	case c == nil:
		c = t.begin(key, s)
	case !s.syn:
		if c.refused() && s.length > 0 && !s.rst && !s.quoted {
			t.silent--
			c.ended = false // the RST was not heeded
		}
	case !s.acks && c.isOther(s, from):
		if !s.quoted && c.isReused(s, from) {
			c.flush()
			c = t.begin(key, s)
		} else {
			c.renumber()
		}
	case c.refused() && !s.quoted:
		t.silent--
		c.again()
	}
	t.latest = c
	c.lastPacket = t.packets
	c.number(s, from)
	switch {
	case s.quoted: // it was sent before, if not here
	case c.ended:
		c.late(s, from)
	default:
		if c.segment(s, from); c.ended {
			t.keepEnded(c)
		}
	}
	t.expire(s.time)
}

// expire ends connections whose end is not in the file: a host that has closed
// its socket does not hear of the other FIN, and a RST is the end if nothing
// comes after it.
func (t *table) expire(now time.Time) {
	t.lingering = t.expireFirst(t.lingering, func(c *connection) bool { return false })
	t.aborted = t.expireFirst(t.aborted, func(c *connection) bool { return now.Sub(c.last) > maxAfterReset })
}

// expireFirst ends the first of list, if nothing came after that for long, and
// returns the rest.
func (t *table) expireFirst(list []*connection, isOld func(*connection) bool) []*connection {
	if len(list) == 0 {
		return list
	}
	c := list[0]
	switch idle := t.packets - c.lastPacket; {
	case c.ended:
		return list[1:]
	case idle >= maxLingering || isOld(c):
		c.flush()
		t.keepEnded(c)
		return list[1:]
	case idle == 0 && len(list) > 1: // it goes on
		return append(list[1:], c)
	}
	return list
}

func (e *address) compare(other *address) int {
	if order := bytes.Compare(e.addr[:], other.addr[:]); order != 0 {
		return order
	}
	return int(e.port) - int(other.port)
}

func (t *table) begin(key pair, s *segment) *connection {
	if len(t.connections) >= maxConnections {
		t.forgetIdle()
	}
	c := &connection{table: t, key: key, stream: t.streams, began: s.time}
	t.streams++
	t.connections[key] = c
	return c
}

// keepEnded keeps a connection that has ended, in place of the one that has
// ended first.
func (t *table) keepEnded(c *connection) {
	if len(t.ended) < maxEnded {
		t.ended = append(t.ended, c)
		return
	}
	if old := t.ended[t.oldest]; old.ended { // it may have begun anew
		t.forget(old)
	}
	t.ended[t.oldest] = c
	t.oldest = (t.oldest + 1) % maxEnded
}

// forget takes a connection out of the table, unless another one has its place.
func (t *table) forget(c *connection) {
	if t.connections[c.key] == c {
		delete(t.connections, c.key)
	}
	if t.latest == c {
		t.latest = nil
	}
}

// forgetIdle forgets the connections that had no packet for longest. The others
// go to a new map: one with many deletions grows.
func (t *table) forgetIdle() {
	for _, c := range t.idlest(func(*connection) bool { return true }) {
		t.letGo(c)
		t.forget(c)
	}
	kept := make(map[pair]*connection, maxConnections)
	maps.Copy(kept, t.connections)
	t.connections = kept
}

// letGoIdle ends the open connections that had no packet for longest.
func (t *table) letGoIdle() {
	for _, c := range t.idlest(func(c *connection) bool { return c.handle != nil && !c.ended }) {
		t.letGo(c)
	}
}

// letGo ends a connection that goes on, perhaps.
func (t *table) letGo(c *connection) {
	if c.ended {
		return
	}
	if c.flush(); c.handle != nil {
		c.abandoned = true
		t.idle++
	}
}

// idlest returns the eighth of some connections that had no packet for longest.
func (t *table) idlest(some func(*connection) bool) []*connection {
	var all []*connection
	for _, c := range t.connections {
		if some(c) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *connection) int { return cmp.Compare(a.lastPacket, b.lastPacket) })
	return all[:len(all)/8]
}

// finish delivers all that waits.
func (t *table) finish() {
	byStream := func(a, b *connection) int { return cmp.Compare(a.stream, b.stream) }
	for _, c := range slices.SortedFunc(maps.Values(t.connections), byStream) {
		c.flush()
	}
}

// notice describes the connections that were not followed.
func (t *table) notice(say func(string)) {
	if t.silent > 0 {
		say(fmt.Sprintf("connections that were not opened: %d%v", t.silent, &t.attempts))
	}
	if t.idle > 0 {
		say(fmt.Sprintf("connections let go before their end, as too many were open at the same time: %d", t.idle))
	}
	if t.cut > 0 {
		say(fmt.Sprintf("packets of which the capture has only the beginning (tcpdump -s 0 records them whole): %d", t.cut))
	}
	if t.stray.bytes > 0 {
		say(fmt.Sprintf("bytes passed over that came after the end of their connection or do not fit its sequence numbers: %d, the first in stream %d", t.stray.bytes, t.stray.stream))
	}
}
