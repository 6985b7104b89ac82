package capture

import (
	"sync"
	"time"
)

// What is held back of a connection at most; see the package's comment.
const (
	maxHeldBytes = 1 << 20
	maxHeldTime  = 5 * time.Second
)

// What is held back of all connections, in bytes: beyond maxHeldByAll, a
// connection with more than its share is not held back any longer.
const (
	maxHeldByAll = 32 << 20
	fairShare    = 64 << 10
)

// hold is a queue of packets with copies of their payloads.
type hold struct {
	packets  []packet
	payloads []byte // the copies
	size     int    // of the packets' blocks, in bytes
	since    time.Time
}

// holds is a pool of empty holds: nearly every connection needs one, for its
// handshake.
var holds = sync.Pool{New: func() any {
	return &hold{packets: make([]packet, 0, 16), payloads: make([]byte, 0, maxPooled)}
}}

// maxPooled is the size up to which memory goes back to a pool, in bytes.
const maxPooled = 16 << 10

// add appends p with a copy of its payload.
func (h *hold) add(p *packet) {
	if len(h.packets) == 0 {
		h.since = time.Now()
	}
	kept := *p
	start := len(h.payloads)
	h.payloads = append(h.payloads, p.payload...)
	kept.payload = h.payloads[start:]
	h.packets = append(h.packets, kept)
	h.size += packetBlockLength(p)
}

// full reports whether the hold has reached its limit.
func (h *hold) full() bool { return h.size > maxHeldBytes }

// free returns h to the pool. The caller must not use it after that.
func (h *hold) free() {
	if cap(h.payloads) > maxPooled {
		return
	}
	clear(h.packets)
	*h = hold{packets: h.packets[:0], payloads: h.payloads[:0]}
	holds.Put(h)
}

// note is a buffer for what is kept of a handshake. A nil note is empty.
type note struct{ b []byte }

// notes is a pool of empty notes: most are freed in a moment.
var notes = sync.Pool{New: func() any { return &note{make([]byte, 0, 2<<10)} }}

// add returns n with p appended.
func (n *note) add(p []byte) *note {
	if n == nil {
		n = notes.Get().(*note)
	}
	n.b = append(n.b, p...)
	return n
}

func (n *note) bytes() []byte {
	if n == nil {
		return nil
	}
	return n.b
}

// free returns n to the pool. The caller must not use it after that.
func (n *note) free() {
	if n != nil && cap(n.b) <= maxPooled {
		n.b = n.b[:0]
		notes.Put(n)
	}
}
