package tlsdecrypt

import (
	"fmt"
	"time"

	"mtlslab.example/lab/lab/tlswire"
)

// direction is what one side sends.
type direction struct {
	side   tlswire.Side
	buf    []byte // the start of a record, the rest of which is still to come
	hole   bool   // zeros in buf stand for bytes that are missing
	offset int64  // of buf's first byte in the side's stream
	cut    bool   // its first bytes are missing
	blind  bool   // it encrypts, and the hellos were not seen
	dead   bool   // it cannot be followed any further
	closed bool   // FIN

	reader tlswire.HandshakeReader
	spans  []Span // the records of the message that is not complete in reader

	certificateType tlswire.CertificateType // of its Certificate

	// TLS 1.3
	phase phase
	keys  [phases]*protection // nil while the secret is not known

	// TLS 1.2
	encrypting *handshake  // since ChangeCipherSpec: whose keys are used
	current    *protection // made when it is first needed
	failed     error       // why it cannot be made
}

// phase is which of its keys a side uses in TLS 1.3.
type phase int

const (
	plain phase = iota
	early
	handshaking
	application
	phases
)

// data takes the next bytes of a side.
func (f *flow) data(d *direction, b []byte, t time.Time) {
	if d.dead {
		d.offset += int64(len(b))
		return
	}
	whole := b
	if len(d.buf) > 0 {
		d.buf = append(d.buf, b...)
		whole = d.buf
	}
	rest := f.records(d, whole, t)
	if d.dead {
		d.offset += int64(len(rest))
		d.buf = nil
		return
	}
	// rest may lie in buf, to the front of which it moves, or be the caller's.
	d.buf = append(d.buf[:0], rest...)
}

// records reads all whole records, and returns what is left.
func (f *flow) records(d *direction, b []byte, t time.Time) (rest []byte) {
	for len(b) > 0 {
		rec, after, err := tlswire.ReadRecord(b, d.offset)
		switch err := err.(type) {
		case tlswire.ShortError:
			return b
		case *tlswire.RecordError:
			f.notTLS(d, err)
			return b
		}
		d.offset += int64(len(b) - len(after))
		hole := d.hole
		d.hole = false
		b = after
		f.take(waiting{from: d, rec: rec, hole: hole, time: t})
	}
	return nil
}

// notTLS ends the following of a side.
func (f *flow) notTLS(d *direction, err *tlswire.RecordError) {
	d.dead = true
	switch {
	case d.cut:
		f.problem(d.side, err.Offset, fmt.Sprintf("bytes of the %v are missing before this point, and where the next record begins cannot be told", d.side))
	case err.Offset == 0:
		f.problem(d.side, 0, fmt.Sprintf("the %v does not speak TLS: %s", d.side, err.Reason))
	default:
		f.problem(d.side, err.Offset, fmt.Sprintf("what the %v sends from here on is not TLS: %s", d.side, err.Reason))
	}
}

// gap takes note of bytes that are missing. Within one record they cost that
// record; beyond it, where the next one begins and which number it has is not
// known, and the side cannot be followed any further.
func (f *flow) gap(d *direction, missing int64, t time.Time) {
	if d.dead {
		return
	}
	at := d.offset + int64(len(d.buf))
	if at == 0 && missing <= 0 {
		d.cut = true
		return
	}
	const headerLen = tlswire.RecordHeaderLen
	if missing > 0 && len(d.buf) >= headerLen {
		need := headerLen + int(d.buf[3])<<8 + int(d.buf[4]) - len(d.buf)
		if missing <= int64(need) {
			f.problem(d.side, d.offset, "bytes of a record are missing in the capture: it cannot be decrypted")
			d.hole = true
			f.data(d, make([]byte, missing), t)
			return
		}
	}
	size := "an unknown number of"
	if missing > 0 {
		size = fmt.Sprint(missing)
	}
	if f.hs.version == 0 && d.offset == 0 && len(d.buf) == 0 { // records may still be found, if closed ones
		d.cut = true
		d.offset = max(missing, 0)
		return
	}
	f.problem(d.side, at, fmt.Sprintf("%s bytes of the %v are missing in the capture: what it sent after them cannot be read", size, d.side))
	d.dead, d.buf = true, nil
	d.offset = at + max(missing, 0)
}
