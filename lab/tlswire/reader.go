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
	buf  []byte
	read int // bytes of buf that Next has returned
}

// Write adds the fragment of one handshake record. It keeps no reference to it.
func (r *HandshakeReader) Write(fragment []byte) {
	r.buf = append(r.buf[:copy(r.buf, r.buf[r.read:])], fragment...)
	r.read = 0
}

// Next returns the next whole message, header included, and nil when more
// records are needed. The message is valid until the next Write. After an error
// the stream cannot be followed further.
func (r *HandshakeReader) Next() ([]byte, error) {
	pending := r.buf[r.read:]
	if len(pending) < HandshakeHeaderLen {
		return nil, nil
	}
	n := int(bigEndian(pending[1:HandshakeHeaderLen]))
	if n > MaxHandshake {
		return nil, &Error{Field: "length", Offset: 1,
			Reason: fmt.Sprintf("a %v of %d bytes is above the limit of %d", HandshakeType(pending[0]), n, MaxHandshake)}
	}
	n += HandshakeHeaderLen
	if len(pending) < n {
		return nil, nil
	}
	r.read += n
	return pending[:n:n], nil
}

// Pending is the number of bytes of a message that is not complete.
func (r *HandshakeReader) Pending() int { return len(r.buf) - r.read }

// maxReused is the memory up to which a HandshakeReader uses it again, in
// bytes.
const maxReused = 32 << 10

// Reset drops what is pending.
func (r *HandshakeReader) Reset() {
	if r.buf, r.read = r.buf[:0], 0; cap(r.buf) > maxReused {
		r.buf = nil
	}
}
