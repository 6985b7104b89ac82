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

// What is held back of all connections, in bytes: when it is more, a connection
// with more than its share is not held back any longer.
const (
	maxHeldByAll = 32 << 20
	fairShare    = 64 << 10
)

// hold keeps packets, with copies of their payloads, in the order they came.
type hold struct {
	packets  []packet
	payloads []byte // their memory
	size     int    // of the packets' blocks, in bytes
	since    time.Time
}

// holds are empty ones whose memory can be used again: nearly every connection needs one, for its handshake.
var holds = sync.Pool{New: func() any {
	return &hold{packets: make([]packet, 0, 16), payloads: make([]byte, 0, maxPooled)}
}}

// maxPooled is the memory of payloads up to which a hold is used again, in bytes.
const maxPooled = 16 << 10

// add keeps p and a copy of its payload.
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

// full reports whether no more should be kept.
func (h *hold) full() bool { return h.size > maxHeldBytes }

// free empties h, whose memory another connection may use from now on.
func (h *hold) free() {
	if cap(h.payloads) > maxPooled {
		return
	}
	clear(h.packets)
	*h = hold{packets: h.packets[:0], payloads: h.payloads[:0]}
	holds.Put(h)
}
