package tlsdecrypt

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// direction is what one side sends.
type direction struct {
	side       endpoint.Side
	buf        []byte // the start of a record, the rest of which is still to come
	hole       bool   // zeros in buf stand for bytes that are missing
	incomplete bool   // there was such a record
	offset     int64  // of buf's first byte in the side's stream
	begun      bool   // a record was read
	cut        bool   // its first bytes are missing
	blind      bool   // it encrypts, and the hellos were not seen
	dead       bool   // it cannot be followed any further
	closed     bool   // FIN

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
	inflater   inflater    // of compressed records
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
	if d.side == endpoint.Client && d.offset == 0 && !d.cut && len(b) > 0 {
		h, after, ok, err := tlswire.ReadClientHelloV2(b)
		if err != nil {
			return b
		}
		if ok {
			n := len(b) - len(after)
			m := Message{From: d.side, Time: t, Type: tlswire.ContentTypeHandshake, Records: []Span{{Length: n}}, Length: int64(len(h.Raw)), Handshake: &h}
			d.offset, d.begun, b = int64(n), true, after
			f.parsed(d, m)
		}
	}
	for len(b) > 0 {
		rec, after, err := tlswire.ReadRecord(b, d.offset)
		switch err := err.(type) {
		case tlswire.ShortError:
			return b
		case *tlswire.RecordError:
			f.notTLS(d, err, b)
			return b
		}
		d.offset += int64(len(b) - len(after))
		d.begun = true
		hole := d.hole
		d.hole = false
		b = after
		f.take(waiting{from: d, rec: rec, hole: hole, time: t})
	}
	return nil
}

// notTLS ends the following of a side, whose bytes go on with b.
func (f *flow) notTLS(d *direction, err *tlswire.RecordError, b []byte) {
	d.dead = true
	first := err.Offset == 0 && !d.cut || d.cut && !d.begun && f.hs.hello == nil && isText(b)
	switch {
	case d.cut && !d.begun && f.c.NotTLSFrom != endpoint.Unknown:
		return // the other side does not speak TLS either
	case d.cut && !first:
		f.problem(d.side, err.Offset, fmt.Sprintf("bytes of the %v are missing: where the next record begins cannot be told", d.side))
		return
	case !first:
		f.problem(d.side, err.Offset, fmt.Sprintf("no TLS from here on: %s", other(b, err)))
		return
	case f.c.NotTLSFrom != endpoint.Unknown:
		*f.c.Plain.Of(d.side) = plainOf(b)
		f.problem(d.side, err.Offset, fmt.Sprintf("the %v answered without TLS, too: %s", d.side, other(b, err)))
		return
	}
	f.c.NotTLSFrom = d.side
	*f.c.Plain.Of(d.side) = plainOf(b)
	f.problem(d.side, err.Offset, fmt.Sprintf("the %v does not speak TLS: %s", d.side, other(b, err)))
}

// isText reports whether the first bytes that were seen of a side are HTTP or text, and not the middle of a record.
// Certificates have text in them, but not this much in a row.
func isText(b []byte) bool {
	const least, most = 12, 200
	if len(b) >= 4 && guessed(b) {
		return true
	}
	return len(b) >= least && !bytes.ContainsFunc(b[:min(len(b), most)], func(r rune) bool {
		return r > '~' || r < ' ' && r != '\t' && r != '\r' && r != '\n'
	})
}

// plainOf returns how bytes begin that are no TLS.
func plainOf(b []byte) Plain {
	line := b[:min(len(b), 60)]
	if end := bytes.IndexAny(line, "\r\n"); end >= 0 {
		line = line[:end]
	}
	if len(line) < 4 || bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
		return Plain{}
	}
	return Plain{HTTP: guessed(b), Line: string(line)}
}

// other says what bytes are that are no TLS: their first line, if it is text.
func other(b []byte, err *tlswire.RecordError) string {
	p := plainOf(b)
	line := p.Line
	switch {
	case line == "":
		return err.Reason
	case p.HTTP:
		return fmt.Sprintf("it sent HTTP that is not encrypted: %s", line)
	}
	if start := strings.ToLower(line); strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html") {
		return fmt.Sprintf("it sent a web page that is not encrypted: %s", line)
	}
	return fmt.Sprintf("it sent text: %s", line)
}

// gap takes note of bytes that are missing. Within one record they cost that
// record; beyond it, where the next one begins and which number it has is not
// known, and the side cannot be followed any further.
func (f *flow) gap(d *direction, missing int64, t time.Time) {
	if d.dead {
		return
	}
	f.c.lacking = true
	at := d.offset + int64(len(d.buf))
	if at == 0 && missing <= 0 {
		d.cut = true
		return
	}
	const headerLen = tlswire.RecordHeaderLen
	if missing > 0 && len(d.buf) >= headerLen {
		need := headerLen + int(d.buf[3])<<8 + int(d.buf[4]) - len(d.buf)
		if missing <= int64(need) {
			f.problem(d.side, d.offset, "bytes are missing here: the record that they are part of cannot be read")
			d.hole, d.incomplete = true, true
			f.hs.miss(lost(d.side))
			f.data(d, make([]byte, missing), t)
			return
		}
	}
	if f.hs.version == 0 && d.offset == 0 && len(d.buf) == 0 { // records may still be found, if closed ones
		d.cut = true
		d.offset = max(missing, 0)
		return
	}
	f.hs.miss(lost(d.side))
	size := ""
	if missing > 0 {
		size = fmt.Sprintf("%d ", missing)
	}
	f.problem(d.side, at, fmt.Sprintf("bytes are missing here: %sof the %v's, and what it sent after them cannot be read", size, d.side))
	d.dead, d.buf = true, nil
	d.offset = at + max(missing, 0)
}
