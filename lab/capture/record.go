package capture

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// The record layer (RFC 8446, section 5.1).
const (
	recordHeader        = 5
	typeChangeCipher    = 20
	typeAlert           = 21
	typeHandshake       = 22
	typeApplicationData = 23
	typeHeartbeat       = 24
	maxRecord           = 1<<14 + 2048 // bytes of TLSCiphertext.fragment that TLS 1.2 allows; TLS 1.3 allows fewer
	maxHiddenAlert      = 2 + 1 + 16   // bytes of a TLS 1.3 alert, its inner type and an AEAD tag
	maxHiddenKeyUpdate  = 4 + 1 + 1 + 16
)

// How much of a direction's encrypted records may be a TLS 1.3 handshake: crypto/tls takes a Certificate message of up to
// 256 KiB, and a flight has other messages around it. What comes after the other side has answered the flight is tickets.
const (
	handshakeBytes = 320 << 10
	ticketBytes    = 16 << 10
)

// maxClear bounds the handshake messages that are kept of a direction, in bytes.
const maxClear = 64 << 10

// records follows the records of one direction through data that is cut anywhere.
type records struct {
	header  [recordHeader]byte
	have    int  // bytes of header seen, of a record whose header is not whole
	left    int  // bytes of the record to come
	kind    byte // of the record
	short   bool // the record may be shortened
	alert   bool // the record may be an alert
	hidden  int  // bytes of application data records seen
	limit   int  // of hidden, up to which records may be of the handshake; 0: handshakeBytes
	foreign bool // these are no TLS records

	clear   []byte // handshake messages before encryption, until forget
	changed bool   // there was a ChangeCipherSpec, or an encrypted record without one
	blind   bool   // clear is not gathered
}

// forget ends the gathering of messages.
func (r *records) forget() { r.clear, r.blind = nil, true }

// answered says that the other side has answered what came so far in encrypted records, if anything did.
func (r *records) answered() {
	if r.limit == 0 && r.hidden > 0 {
		r.limit = min(r.hidden+ticketBytes, handshakeBytes)
	}
}

// run takes the longest part of p, at least a byte, that is captured whole. If p begins with what may be shortened, and
// shorten says to, it takes that up to the end of a record and reports true.
func (r *records) run(p []byte, shorten bool) (n int, short bool) {
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

// step takes a part of p: up to the end of a record at most, and at least a byte. It returns the part's length and
// whether it may be shortened.
func (r *records) step(p []byte) (n int, short bool) {
	if r.foreign {
		return len(p), true
	}
	if r.left == 0 {
		n = copy(r.header[r.have:], p)
		if r.have += n; r.have < recordHeader {
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
	if r.kind == typeHandshake && !r.changed && !r.blind {
		r.gather(p[n : n+body])
	}
	return n + body, r.short
}

// begin looks at the header of a record.
func (r *records) begin() {
	kind, length := r.header[0], int(binary.BigEndian.Uint16(r.header[3:]))
	if kind < typeChangeCipher || kind > typeHeartbeat || r.header[1] != 3 || length > maxRecord {
		r.foreign = true
		return
	}
	r.left, r.kind = length, kind
	r.changed = r.changed || kind == typeChangeCipher || kind == typeApplicationData
	r.short, r.alert = false, kind == typeAlert
	if kind == typeApplicationData {
		r.hidden += recordHeader + length
		r.short = r.hidden > cmp.Or(r.limit, handshakeBytes) && length > maxHiddenKeyUpdate
		r.alert = length <= maxHiddenAlert
	}
}

// gather keeps a part of a handshake message.
func (r *records) gather(p []byte) {
	if r.clear = append(slices.Grow(r.clear, len(p)+r.left), p...); len(r.clear) > maxClear {
		r.forget()
	}
}

// endInAlert reports whether the last record is whole and may be an alert.
func (r *records) endInAlert() bool {
	return r.alert && r.left == 0 && r.have == 0 && !r.foreign
}
