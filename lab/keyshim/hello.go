package keyshim

import (
	"encoding/binary"
	"errors"

	"mtlslab.example/lab/lab/tlswire"
)

// helloFinder finds the ClientHello in what a client writes. A program may
// speak in plain text before it starts TLS, in which case the ClientHello
// begins with a Write.
type helloFinder struct {
	found   func(*tlswire.ClientHello) // is called once
	records []byte                     // not whole yet
	message []byte                     // of the handshake, so far
	done    bool
}

// Write takes the next bytes of the stream. It never fails.
func (h *helloFinder) Write(p []byte) (int, error) {
	if h.done {
		return len(p), nil
	}
	h.records = append(h.records, p...)
	for {
		record, rest, err := tlswire.ReadRecord(h.records, 0)
		if short := (tlswire.ShortError{}); errors.As(err, &short) {
			return len(p), nil
		}
		if err != nil || record.Type != tlswire.ContentTypeHandshake {
			h.records, h.message = nil, nil
			return len(p), nil
		}
		h.records, h.message = rest, append(h.message, record.Fragment...)
		if h.look() {
			return len(p), nil
		}
	}
}

// look reports whether nothing more is to be looked for.
func (h *helloFinder) look() bool {
	if len(h.message) < tlswire.HandshakeHeaderLen {
		return false
	}
	const longest = 1 << 16
	length := tlswire.HandshakeHeaderLen + int(binary.BigEndian.Uint32(h.message)&0xffffff)
	if len(h.message) < length && length <= longest {
		return false
	}
	h.done = true
	message, err := tlswire.ParseHandshake(h.message[:min(length, len(h.message))], tlswire.Context{})
	h.records, h.message = nil, nil
	if hello, ok := message.Body.(*tlswire.ClientHello); ok && err == nil {
		h.found(hello)
	}
	return true
}
