package capture

import (
	"hash/crc32"

	"mtlslab.example/lab/lab/wiretap"
)

// mostSent is how many of the last segments of a direction are remembered, to
// be compared with what is sent again.
const mostSent = 8

// delivered are the last segments that were delivered of a direction.
type delivered struct {
	segments [mostSent]struct{ seq, length, sum uint32 }
	next     int
}

// remember keeps what a segment was that is delivered.
func (t *table) remember(s *segment, d *direction) {
	if len(s.payload) != s.length || s.length < 2 { // it was cut, or may be a probe (RFC 9293 section 3.8.4)
		return
	}
	if d.sent == nil {
		d.sent = t.newDelivered()
	}
	kept := &d.sent.segments[d.sent.next]
	kept.seq, kept.length, kept.sum = s.seq, uint32(s.length), crc32.ChecksumIEEE(s.payload)
	d.sent.next = (d.sent.next + 1) % mostSent
}

// newDelivered returns an empty one, in the memory of a connection that has
// ended if there is any.
func (t *table) newDelivered() *delivered {
	last := len(t.spare) - 1
	if last < 0 {
		return &delivered{}
	}
	sent := t.spare[last]
	t.spare = t.spare[:last]
	*sent = delivered{}
	return sent
}

// spareDelivered keeps the memory of what a direction has sent for another.
func (t *table) spareDelivered(d *direction) {
	if d.sent != nil {
		t.spare = append(t.spare, d.sent)
		d.sent = nil
	}
}

// compare says so if a segment that was sent before, all of it, had other
// contents then. The first counts, as it does for who receives it.
func (c *connection) compare(s *segment, d *direction) {
	if d.sent == nil || c.handle == nil || len(s.payload) != s.length {
		return
	}
	for _, kept := range d.sent.segments {
		if kept.length == uint32(s.length) && kept.seq == s.seq && kept.length > 0 && kept.sum != crc32.ChecksumIEEE(s.payload) {
			from := 0
			if d == &c.directions[1] {
				from = 1
			}
			c.emit(wiretap.Event{Kind: wiretap.Altered, From: c.side(from), Time: s.time, Missing: int64(s.length), Back: int64(d.next - s.seq)})
			return
		}
	}
}
