package tlswire

import "fmt"

const (
	// HandshakeHeaderLen is the length of msg_type and length before each body
	// (RFC 9846 section 4).
	HandshakeHeaderLen = 4
	// MaxHandshake bounds the messages HandshakeReader puts together. The
	// length field allows 16 MiB; certificates stay far below this.
	MaxHandshake = 1 << 20
)

// HandshakeReader puts handshake messages together from the records of one
// direction: one record may hold several, and one may span several records
// (RFC 9846 section 5.1). The zero value is ready.
type HandshakeReader struct {
	pending []byte
}

// piece is the least memory that a HandshakeReader allocates, in bytes: several
// messages are in one.
const piece = 1 << 10

// Write adds the fragment of one handshake record. It keeps no reference to it.
func (r *HandshakeReader) Write(fragment []byte) {
	if n := len(r.pending) + len(fragment); n > cap(r.pending) && n < piece {
		r.pending = append(make([]byte, 0, piece), r.pending...)
	}
	r.pending = append(r.pending, fragment...)
}

// Next returns the next whole message, header included, and nil when more
// records are needed. After an error the stream cannot be followed further.
func (r *HandshakeReader) Next() ([]byte, error) {
	if len(r.pending) < HandshakeHeaderLen {
		return nil, nil
	}
	n := int(bigEndian(r.pending[1:HandshakeHeaderLen]))
	if n > MaxHandshake {
		return nil, &Error{Field: "length", Offset: 1,
			Reason: fmt.Sprintf("a %v of %d bytes is above the limit of %d", HandshakeType(r.pending[0]), n, MaxHandshake)}
	}
	n += HandshakeHeaderLen
	if len(r.pending) < n {
		return nil, nil
	}
	raw := r.pending[:n:n]
	r.pending = r.pending[n:]
	return raw, nil
}

// Pending is the number of bytes of a message that is not complete.
func (r *HandshakeReader) Pending() int { return len(r.pending) }
