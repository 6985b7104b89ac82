package tlsdecrypt

import (
	"fmt"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// reader puts the records of one side together from its bytes, and knows which
// of them are missing. It is the first of the three that a byte passes: reader,
// decrypter, conversation.
type reader struct {
	side endpoint.Side
	conn *Connection
	next *decrypter

	buf      []byte    // the start of a record, the rest of which is still to come
	offset   int64     // of buf's first byte in the side's stream
	hole     bool      // zeros in buf stand for bytes that are missing
	begun    bool      // a record was read
	plain    bool      // it has not come to TLS: see prologue.go
	headless bool      // the side's first bytes are missing
	skipped  int64     // how many of these, if that is known
	seen     bool      // there were bytes
	stopped  bool      // the side cannot be followed any further
	search   search    // for the next record, where that may begin anywhere
	at       time.Time // of the last bytes
}

// tlsRecord is one record of a side.
type tlsRecord struct {
	tlswire.Record
	from  endpoint.Side
	time  time.Time
	span  Span
	hole  bool               // zeros in the fragment stand for bytes that are missing
	hello *tlswire.Handshake // in place of a fragment: a ClientHello in the form of SSL 2.0
}

// loss is how much of a side's bytes is missing, or cannot be read.
type loss int

const (
	lostStart   loss = iota // its first bytes: the capture began later
	lostFirst               // its first bytes, although the capture had begun
	lostWithin              // bytes of one record
	lostRecords             // bytes, and a number of records that is not known
	notRead                 // all from here on, although it may be there
)

// data takes the next bytes of the side, which it does not keep.
func (r *reader) data(b []byte, t time.Time) {
	if r.stopped {
		return
	}
	if !r.seen && r.skipped > 0 {
		r.conn.problem(r.side, 0, fmt.Sprintf("bytes are missing here: the first %d of the %v's", r.skipped, r.side))
	}
	r.at, r.seen = t, true
	if r.plain {
		if b = r.prologue(b, t); r.plain {
			return
		}
	}
	whole := b
	if len(r.buf) > 0 {
		r.buf = append(r.buf, b...)
		whole = r.buf
	}
	rest := r.records(whole, t)
	if r.stopped {
		return
	}
	// rest is part of buf, to the front of which it moves, or of the caller's
	// bytes.
	r.buf = append(r.buf[:0], rest...)
}

// records passes on all whole records, and returns what is left.
func (r *reader) records(b []byte, t time.Time) (rest []byte) {
	if r.search.active {
		rest, found := r.find(b, false)
		if !found {
			r.searched(len(rest))
			return rest
		}
		b = rest
	}
	if r.side == endpoint.Client && !r.begun && len(b) > 0 {
		after, err := r.helloV2(b, t)
		if err != nil {
			return b
		}
		b = after
	}
	for len(b) > 0 {
		rec, after, err := tlswire.ReadRecord(b, r.offset)
		switch err := err.(type) {
		case tlswire.ShortError:
			return b
		case *tlswire.RecordError:
			if is, more := r.isSSL20(b); more {
				return b
			} else if is {
				r.stop(notRead)
				return b
			}
			if r.mayBeWithin(b) && !r.isPrologue(b) {
				r.seek(r.skipped, 0)
				return r.records(b, t)
			}
			r.notTLS(err, b)
			if !r.begun {
				if b = r.prologue(b, t); r.plain {
					return nil
				}
				continue
			}
			r.stop(notRead)
			return b
		}
		n := len(b) - len(after)
		span := Span{Offset: r.offset, Length: n}
		hole := r.hole
		r.offset, r.begun, r.hole, b = r.offset+int64(n), true, false, after
		r.next.take(&tlsRecord{Record: rec, from: r.side, time: t, span: span, hole: hole})
	}
	return nil
}

// helloV2 passes on a ClientHello in the form of SSL 2.0, if b starts with one,
// and returns what follows it. The error is a [tlswire.ShortError] if more
// bytes are needed to know.
func (r *reader) helloV2(b []byte, t time.Time) (rest []byte, err error) {
	h, rest, ok, err := tlswire.ReadClientHelloV2(b)
	if err != nil || !ok {
		return b, err
	}
	n, hello := len(b)-len(rest), h // which most connections need no memory for
	r.next.take(&tlsRecord{
		Record: tlswire.Record{Type: tlswire.ContentTypeHandshake},
		from:   r.side, time: t, span: Span{Offset: r.offset, Length: n}, hello: &hello,
	})
	r.offset, r.begun = r.offset+int64(n), true
	return rest, nil
}

// gap notes that bytes are missing. If they are part of one record,
// only that record is lost. Else it is not known where the next record begins
// and which number it has. missing is how many bytes there are, and 0 or less
// if that is not known.
func (r *reader) gap(missing int64, t time.Time) {
	if r.stopped {
		return
	}
	r.conn.lacking = true
	*r.conn.Gaps.Of(r.side) = true
	r.conn.torn = r.conn.torn || r.plain || r.position() > 0 || missing > 0
	if r.plain {
		r.gapBeforeTLS(missing)
		return
	}
	at := r.position()
	switch {
	case at == 0 && missing <= 0:
		r.headless, r.conn.Late = true, true
		r.next.lose(r.side, lostStart)
	case missing > 0 && missing <= int64(r.needed()) && !r.search.active:
		r.conn.problem(r.side, r.offset, "bytes are missing here: the record that they are part of cannot be read")
		r.hole = true
		r.next.lose(r.side, lostWithin)
		r.data(make([]byte, missing), t)
	case !r.seen: // the first records after it may be of the handshake
		r.headless = true
		r.skipped += max(missing, 0)
		r.offset = r.skipped
		r.next.lose(r.side, lostFirst)
	default:
		r.next.lose(r.side, lostRecords)
		before := len(r.buf)
		if r.search.active && r.offset == r.search.from && before == 0 {
			r.offset += max(missing, 0)
			r.search.from, r.search.missing = r.offset, r.search.missing+missing
			return
		}
		if r.search.active {
			r.giveUp()
			before = 0
		}
		r.buf, r.hole = nil, false
		r.offset = at + max(missing, 0)
		r.seek(missing, before)
	}
}

// position is the offset of the next byte.
func (r *reader) position() int64 { return r.offset + int64(len(r.buf)) }

// needed is how many bytes of the record in buf are still to come, and 0 if
// that is not known.
func (r *reader) needed() int {
	if len(r.buf) < tlswire.RecordHeaderLen {
		return 0
	}
	return tlswire.RecordHeaderLen + int(r.buf[3])<<8 + int(r.buf[4]) - len(r.buf)
}

// stop ends the reading of the side.
func (r *reader) stop(why loss) {
	r.stopped, r.buf = true, nil
	r.next.lose(r.side, why)
}
