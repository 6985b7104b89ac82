package capture

import (
	"cmp"
	"encoding/binary"

	"mtlslab.example/lab/lab/tlswire"
)

// The fragments of TLS 1.3 records that are known by their length: message,
// inner type and AEAD tag, in bytes.
const (
	maxHiddenAlert     = 2 + 1 + 16
	maxHiddenKeyUpdate = tlswire.HandshakeHeaderLen + 1 + 1 + 16
)

// How much of a direction's encrypted records may be a TLS 1.3 handshake:
// crypto/tls takes a Certificate message of up to 256 KiB, and a flight has
// other messages around it. What comes after the other side has answered the
// flight is tickets.
const (
	handshakeBytes = 320 << 10
	ticketBytes    = 16 << 10
)

// maxClear bounds the handshake messages that are kept of a direction, in
// bytes.
const maxClear = 64 << 10

// tlsRecords follows the records of one direction through data that is cut
// anywhere.
type tlsRecords struct {
	header  [tlswire.RecordHeaderLen]byte
	have    int                 // bytes of header seen, of a record whose header is not whole
	left    int                 // bytes of the record to come
	kind    tlswire.ContentType // of the record
	short   bool                // the record may be shortened
	alert   bool                // the record may be an alert
	hidden  int                 // bytes of application data records seen
	limit   int                 // of hidden, up to which records may be of the handshake; 0: handshakeBytes
	foreign bool                // these are no TLS records

	clear   *note // handshake messages before encryption, until forget
	changed bool  // there was a ChangeCipherSpec, or an encrypted record without one
	blind   bool  // clear is not gathered
}

// forget frees the messages gathered and gathers no more.
func (r *tlsRecords) forget() {
	r.clear.free()
	r.clear, r.blind = nil, true
}

// answered is called when the other side has answered the encrypted records so
// far, if there are any.
func (r *tlsRecords) answered() {
	if r.limit == 0 && r.hidden > 0 {
		r.limit = min(r.hidden+ticketBytes, handshakeBytes)
	}
}

// run consumes the longest part of p, at least a byte, that is captured whole.
// If shorten is set and p begins with a part that may be shortened, run
// consumes that part up to the end of its record and returns true.
func (r *tlsRecords) run(p []byte, shorten bool) (n int, short bool) {
	for n < len(p) {
		ahead := *r
		more, short := ahead.step(p[n:])
		short = short && shorten
		if short && n > 0 {
			break
		}
		*r, n = ahead, n+more
		if short {
			return n, true
		}
	}
	return n, false
}

// step consumes a part of p: at least a byte, and at most up to the end of a
// record. It returns the part's length and whether it may be shortened.
func (r *tlsRecords) step(p []byte) (n int, short bool) {
	if r.foreign {
		return len(p), true
	}
	if r.left == 0 {
		n = copy(r.header[r.have:], p)
		if r.have += n; r.have < len(r.header) {
			return n, false
		}
		r.have = 0
		r.begin()
		if r.foreign {
			return len(p), true
		}
	}
	body := min(r.left, len(p)-n)
	r.left -= body
	if r.kind == tlswire.ContentTypeHandshake && !r.changed && !r.blind {
		r.gather(p[n : n+body])
	}
	return n + body, r.short
}

// begin reads the header of a record.
func (r *tlsRecords) begin() {
	kind, length := tlswire.ContentType(r.header[0]), int(binary.BigEndian.Uint16(r.header[3:]))
	if kind < tlswire.ContentTypeChangeCipherSpec || kind > tlswire.ContentTypeHeartbeat || r.header[1] != 3 || length > tlswire.MaxCiphertextTLS12 {
		r.foreign = true
		return
	}
	r.left, r.kind = length, kind
	r.changed = r.changed || kind == tlswire.ContentTypeChangeCipherSpec || kind == tlswire.ContentTypeApplicationData
	r.short, r.alert = false, kind == tlswire.ContentTypeAlert
	if kind == tlswire.ContentTypeApplicationData {
		r.hidden += len(r.header) + length
		r.short = r.hidden > cmp.Or(r.limit, handshakeBytes) && length > maxHiddenKeyUpdate
		r.alert = length <= maxHiddenAlert
	}
}

// gather appends a part of a handshake message to clear.
func (r *tlsRecords) gather(p []byte) {
	if r.clear = r.clear.add(p); len(r.clear.bytes()) > maxClear {
		r.forget()
	}
}

// endInAlert reports whether the last record is whole and may be an alert.
func (r *tlsRecords) endInAlert() bool {
	return r.alert && r.left == 0 && r.have == 0 && !r.foreign
}
