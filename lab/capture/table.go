package capture

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"

	"mtlslab.example/lab/lab/wiretap"
)

const (
	maxConnections = 1 << 16  // that are followed at the same time; past it the half that is idle longest is let go
	maxEnded       = 1 << 12  // that have ended and are remembered, for the packets that come late
	maxWaiting     = 64 << 20 // bytes of segments that wait for others, of all connections
	maxLingering   = 1 << 12  // packets of others after which a connection with one FIN is taken to have ended
)

// table has the connections of a file by their endpoints.
type table struct {
	sink        wiretap.Sink
	connections map[pair]*connection
	ended       []*connection // a ring
	oldest      int           // index in ended, once that is full
	lingering   []*connection // with one FIN, and perhaps ended since, in the order of that
	streams     int           // connections so far
	packets     int64         // so far
	waiting     int           // bytes of segments in connections
	silent      int           // connections that were begun but not opened
	idle        int           // connections that were let go
}

// pair is both ends of a connection, the lower one first.
type pair [2]endpoint

func newTable(sink wiretap.Sink) *table {
	return &table{sink: sink, connections: make(map[pair]*connection)}
}

// segment adds a segment to its connection.
func (t *table) segment(s *segment) {
	t.packets++
	key, from := pair{s.from, s.to}, 0
	if s.from.compare(&s.to) > 0 {
		key, from = pair{s.to, s.from}, 1
	}
	c := t.connections[key]
	if c == nil || s.syn && !s.acks && c.isReused(s, from) {
		if c != nil {
			c.flush()
		}
		c = t.begin(key, s)
	}
	c.lastPacket = t.packets
	if !c.ended {
		if c.segment(s, from); c.ended {
			t.remember(c)
		}
	}
	t.expire()
}

// expire ends the connection that has its one FIN for longest, if nothing came after that for long. Its other FIN is not in
// the file: a host that has closed its socket does not hear of it.
func (t *table) expire() {
	if len(t.lingering) == 0 {
		return
	}
	c := t.lingering[0]
	switch idle := t.packets - c.lastPacket; {
	case c.ended:
		t.lingering = t.lingering[1:]
	case idle >= maxLingering:
		t.lingering = t.lingering[1:]
		c.flush()
		t.remember(c)
	case idle == 0: // it goes on
		t.lingering = append(t.lingering[1:], c)
	}
}

func (e *endpoint) compare(other *endpoint) int {
	if order := bytes.Compare(e.addr[:], other.addr[:]); order != 0 {
		return order
	}
	return int(e.port) - int(other.port)
}

func (t *table) begin(key pair, s *segment) *connection {
	if len(t.connections) >= maxConnections {
		t.letGo()
	}
	c := &connection{table: t, key: key, number: t.streams, began: s.time}
	t.streams++
	t.connections[key] = c
	return c
}

// remember keeps a connection that has ended, in place of the one that has ended first.
func (t *table) remember(c *connection) {
	if len(t.ended) < maxEnded {
		t.ended = append(t.ended, c)
		return
	}
	t.forget(t.ended[t.oldest])
	t.ended[t.oldest] = c
	t.oldest = (t.oldest + 1) % maxEnded
}

// forget takes a connection out of the table, unless another one has its place.
func (t *table) forget(c *connection) {
	if t.connections[c.key] == c {
		delete(t.connections, c.key)
	}
}

// letGo forgets the half of the connections that had no packet for longest.
func (t *table) letGo() {
	byAge := t.sorted(func(a, b *connection) int { return cmp.Compare(a.lastPacket, b.lastPacket) })
	for _, c := range byAge[:len(byAge)/2] {
		if c.handle != nil && !c.ended {
			t.idle++
		}
		c.flush()
		t.forget(c)
	}
}

// finish hands on all that waits.
func (t *table) finish() {
	for _, c := range t.sorted(func(a, b *connection) int { return cmp.Compare(a.number, b.number) }) {
		c.flush()
	}
}

func (t *table) sorted(order func(a, b *connection) int) []*connection {
	return slices.SortedFunc(maps.Values(t.connections), order)
}

// notice says what was not followed.
func (t *table) notice(say func(string)) {
	if t.silent > 0 {
		say(fmt.Sprintf("connections passed over, refused or never answered: %d", t.silent))
	}
	if t.idle > 0 {
		say(fmt.Sprintf("connections let go before their end, as more than %d were open: %d", maxConnections, t.idle))
	}
}
