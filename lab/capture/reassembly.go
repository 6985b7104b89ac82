package capture

import (
	"bytes"
	"slices"
	"sort"
	"time"

	"mtlslab.example/lab/lab/wiretap"
)

const (
	maxConnectionWaiting = 8 << 20  // bytes of a connection's segments that wait for one that is missing
	maxWaitingSegments   = 64       // that wait for bytes which their receiver has acknowledged, or for the first ones
	maxMissing           = 64 << 20 // bytes that an acknowledgement may be ahead, so that no wrong number makes a gap
)

// direction is what one side sends.
type direction struct {
	begun    bool       // next is known
	next     uint32     // sequence number of the byte that is passed on next
	first    uint32     // sequence number of its SYN
	syn      bool       // first is known
	others   []uint32   // sequence numbers of further SYNs
	base     uint32     // what Wireshark takes first to be, which may be a guess
	based    bool       // base is known
	acked    uint32     // the last acknowledgement number it sent
	acks     bool       // it has sent one
	finished bool       // FIN was passed on
	queue    []*waiting // by sequence number
	sent     *delivered // nil: nothing yet
}

// waiting is a segment that waits, with memory of its own.
type waiting struct {
	segment
	arrival int
}

// before compares sequence numbers modulo 2^32 (RFC 9293 section 3.4).
func before(a, b uint32) bool { return int32(a-b) < 0 }

// isNext reports whether s has nothing to wait for.
func (c *connection) isNext(s *segment, d, peer *direction) bool {
	if !d.begun || before(d.next, s.seq) {
		return false
	}
	switch {
	case !s.acks:
		return true
	case peer.begun:
		return !before(peer.next, s.ack)
	case len(peer.queue) > 0:
		return !before(peer.queue[0].seq, s.ack)
	}
	return !d.syn // or else the peer's SYN is still to come
}

// wait queues a copy of s, in the order of sequence numbers.
func (c *connection) wait(s *segment, d *direction) {
	if d.begun && before(s.seq+uint32(s.length), d.next) {
		c.compare(s, d) // sent again, all of it
		return
	}
	w := &waiting{*s, c.arrivals}
	w.payload, w.comments = bytes.Clone(s.payload), slices.Clone(s.comments)
	c.arrivals++
	i := sort.Search(len(d.queue), func(i int) bool { return before(s.seq, d.queue[i].seq) })
	d.queue = slices.Insert(d.queue, i, w)
	c.addWaiting(w.size())
}

// size is about the memory of a waiting segment, in bytes.
func (w *waiting) size() int { return 200 + len(w.payload) }

func (c *connection) addWaiting(bytes int) {
	c.waiting += bytes
	c.table.waiting += bytes
}

// advance passes on every waiting segment that is next.
func (c *connection) advance() {
	for !c.ended {
		switch from := c.ready(); {
		case from >= 0:
			c.shift(from)
		case c.waiting > 0 && c.waitedEnough():
			c.force()
		default:
			return
		}
	}
}

// ready returns the direction whose first segment has nothing to wait for, or
// -1.
func (c *connection) ready() int {
	for from := range c.directions {
		d := &c.directions[from]
		if len(d.queue) > 0 && c.isNext(&d.queue[0].segment, d, &c.directions[1-from]) {
			return from
		}
	}
	return -1
}

// shift passes on the first waiting segment of a direction.
func (c *connection) shift(from int) {
	d := &c.directions[from]
	w := d.queue[0]
	d.queue[0] = nil
	d.queue = d.queue[1:]
	c.addWaiting(-w.size())
	c.deliver(&w.segment, from)
}

// waitedEnough reports whether the segments that are missing will not come any
// more. A sender repeats a segment that was lost, perhaps after a whole window
// of others. A missing segment that was acknowledged can only be out of place
// in the file, or not in it.
func (c *connection) waitedEnough() bool {
	if c.waiting > maxConnectionWaiting || c.table.waiting > maxWaiting {
		return true
	}
	if len(c.directions[0].queue)+len(c.directions[1].queue) <= maxWaitingSegments {
		return false
	}
	for from := range c.directions {
		d, peer := &c.directions[from], &c.directions[1-from]
		if len(d.queue) > 0 && (!d.begun || peer.acks && before(d.next, peer.acked)) {
			return true
		}
	}
	return c.isStuck(0) || c.isStuck(1)
}

// isStuck reports whether a direction's first segment waits only for the other
// side's.
func (c *connection) isStuck(from int) bool {
	d := &c.directions[from]
	return len(d.queue) > 0 && d.begun && !before(d.next, d.queue[0].seq)
}

// force gives up waiting for what the first segment needs.
func (c *connection) force() {
	from := c.earliest()
	switch {
	case c.isStuck(0) && c.isStuck(1):
		c.shift(from) // one of them was sent again, with a later acknowledgement
	case c.isStuck(0):
		c.missAcknowledged(0)
	case c.isStuck(1):
		c.missAcknowledged(1)
	default:
		c.miss(from, c.directions[from].queue[0].seq, c.directions[from].queue[0].time)
	}
}

// earliest returns the direction whose first waiting segment came first.
func (c *connection) earliest() int {
	a, b := c.directions[0].queue, c.directions[1].queue
	if len(a) == 0 || len(b) > 0 && b[0].arrival < a[0].arrival {
		return 1
	}
	return 0
}

// missAcknowledged gives up the bytes that the first waiting segment of from
// acknowledges, as far as none of them is there.
func (c *connection) missAcknowledged(from int) {
	s, peer := c.directions[from].queue[0], &c.directions[1-from]
	until, at := s.ack, s.time
	if len(peer.queue) > 0 {
		if first := peer.queue[0]; before(first.seq, until) {
			until = first.seq
			if first.time.Before(at) { // it comes after the gap, and has its own time
				at = first.time
			}
		}
	}
	if peer.begun && until-peer.next > maxMissing {
		c.shift(from) // the number is wrong
		return
	}
	c.miss(1-from, until, at)
}

// miss skips the bytes of a direction that come before until, with a Gap.
func (c *connection) miss(from int, until uint32, at time.Time) {
	d := &c.directions[from]
	missing := int64(-1)
	if d.begun {
		missing = int64(until - d.next)
	}
	d.begun, d.next = true, until
	c.open()
	c.emit(wiretap.Event{Kind: wiretap.Gap, From: c.side(from), Time: at, Missing: missing})
}
