package tlsdecrypt

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// Where bytes are missing, or a capture begins in the middle of a connection,
// the next record may begin anywhere. It is found by what its header must look
// like, and by what has to follow it.

// maxSearch is how many bytes without the beginning of a record are proof that
// they are not TLS. A record has less than a third of them.
const maxSearch = 64 << 10

// search is the search for the next record of a side.
type search struct {
	active  bool
	from    int64 // offset of the first byte that is searched
	missing int64 // bytes that are missing before it; 0 or less: that is not known
	before  int   // bytes before those, of a record that cannot be read
}

// mayBeWithin reports whether bytes with which no record begins may be the
// middle of one.
func (r *reader) mayBeWithin(b []byte) bool {
	return r.headless && !r.begun && r.conn.NotTLSFrom == endpoint.Unknown && (r.conn.ClientRandom != nil || !isText(b))
}

// seek begins to search for the next record, which may begin at any byte from
// now on. missing and before are as in search.
func (r *reader) seek(missing int64, before int) {
	r.search = search{active: true, from: r.offset, missing: missing, before: before}
}

// find drops what comes before the next record, and reports whether that was
// found in b, which is all that there is if ended is set.
func (r *reader) find(b []byte, ended bool) (rest []byte, found bool) {
	at, found := nextRecord(b, ended)
	r.offset += int64(at)
	if found {
		r.endSearch(r.offset-r.search.from, restOfRecord)
	}
	return b[at:], found
}

// searched ends a search that has no end. held bytes are searched, and may
// begin with a record.
func (r *reader) searched(held int) {
	seen := r.offset + int64(held) - r.search.from
	if seen <= maxSearch {
		return
	}
	if c := r.conn; !r.begun && c.ClientRandom == nil {
		c.problem(r.side, r.search.from, fmt.Sprintf("the %v does not speak TLS: no record begins in the first %d bytes of it that are in the capture", r.side, seen))
		if c.NotTLSFrom == endpoint.Unknown {
			c.NotTLSFrom = r.side
		}
		r.search = search{}
	} else {
		r.endSearch(seen, tooLong)
	}
	r.stop(notRead)
}

// giveUp ends a search without a result.
func (r *reader) giveUp() {
	r.endSearch(r.offset+int64(len(r.buf))-r.search.from, unreadable)
}

// searchEnd is what the bytes are that were searched.
type searchEnd uint8

const (
	restOfRecord searchEnd = iota // the next one begins behind them
	unreadable                    // no record begins in all that there is
	tooLong                       // nor in so much that the search has ended
)

func (s searchEnd) String() string {
	return [...]string{"is the rest of a record", "cannot be read", "and all that follows cannot be read"}[s]
}

// endSearch ends the search, and says what was missing, and what the n bytes
// are that were searched.
func (r *reader) endSearch(n int64, are searchEnd) {
	s := r.search
	r.search = search{}
	at := s.from - max(s.missing, 0) - int64(s.before)
	switch {
	case s.missing == 0 && n == 0:
	case s.missing == 0 && r.headless && !r.begun && are == unreadable:
		r.conn.problem(r.side, at, fmt.Sprintf("no record begins in what was seen of the %v: its %s are the middle of one, or not TLS; the connection was open when the capture began", r.side, text.Counted(int(n), "byte")))
	case s.missing == 0:
		r.conn.problem(r.side, at, fmt.Sprintf("begins within a record: what was seen first of the %v, %s, %v", r.side, text.Counted(int(n), "byte"), are))
	default:
		what := "some"
		if s.missing > 0 {
			what = fmt.Sprint(s.missing)
		}
		what += fmt.Sprintf(" of the %v's", r.side)
		if s.before > 0 {
			what += fmt.Sprintf(", which begin in a record after %s of it", text.Counted(s.before, "byte"))
		}
		if n > 0 {
			what += fmt.Sprintf("; what it sent after them, %s, %v", text.Counted(int(n), "byte"), are)
		}
		r.conn.problem(r.side, at, "bytes are missing here: "+what)
	}
}

// last passes on what is left at the end of a side's bytes, if its end shows
// that it is a record.
func (r *reader) last() {
	if !r.seen && r.skipped > 0 {
		r.conn.problem(r.side, 0, fmt.Sprintf("one direction alone is in the capture: it has none of the %s bytes of the %v, which the %v has acknowledged", text.Grouped(r.skipped), r.side, r.side.Other()))
	}
	if !r.search.active || r.stopped {
		return
	}
	rest, found := r.find(r.buf, true)
	if !found {
		r.buf = nil
		r.giveUp()
		return
	}
	r.buf = nil
	r.data(rest, r.at)
}

// nextRecord returns where in b the next record begins: one that ends where b
// does, or is followed by another. If there is none so far, it is the first
// place where one may begin. b is all that there is if ended is set.
func nextRecord(b []byte, ended bool) (at int, found bool) {
	first := len(b)
	for i := range b {
		n, ok := maybeRecord(b[i:])
		if !ok {
			continue
		}
		first = min(first, i)
		switch end := i + n; {
		case n == 0 || end > len(b): // more is needed to know
		case end == len(b):
			return i, true
		case len(b)-end < tlswire.RecordHeaderLen:
			if _, ok := maybeRecord(b[end:]); !ok && first == i {
				first = len(b)
			}
		default:
			if _, ok := maybeRecord(b[end:]); ok && b[end+2] == b[i+2] {
				return i, true
			} else if first == i {
				first = len(b)
			}
		}
	}
	if ended {
		return len(b), false
	}
	return first, false
}

// maybeRecord reports whether b may begin with a record, and returns its
// length; 0 if too little of it is there.
func maybeRecord(b []byte) (length int, ok bool) {
	t := tlswire.ContentType(b[0])
	if t < tlswire.ContentTypeChangeCipherSpec || t > tlswire.ContentTypeApplicationData || len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 3 {
		return 0, false
	}
	if len(b) < tlswire.RecordHeaderLen {
		return 0, true
	}
	n := int(b[3])<<8 + int(b[4])
	switch t {
	case tlswire.ContentTypeChangeCipherSpec:
		ok = n == 1
	case tlswire.ContentTypeAlert: // encrypted, it has a MAC or a tag, and padding
		ok = n == 2 || n >= 2+8 && n <= 2+256+64
	default:
		ok = n > 0 && n <= tlswire.MaxCiphertextTLS12
	}
	return tlswire.RecordHeaderLen + n, ok
}

// looksEncrypted reports whether a record of a side whose ChangeCipherSpec may
// not have been seen is encrypted: an alert that is no alert, or a handshake
// message that is none.
func looksEncrypted(rec *tlsRecord) bool {
	switch b := rec.Fragment; rec.Type {
	case tlswire.ContentTypeAlert:
		return len(b) != 2
	case tlswire.ContentTypeHandshake:
		if rec.hello != nil {
			return false
		}
		if len(b) < tlswire.HandshakeHeaderLen {
			return true
		}
		t, n := tlswire.HandshakeType(b[0]), int(b[1])<<16+int(b[2])<<8+int(b[3])
		switch t {
		case tlswire.TypeHelloRequest, tlswire.TypeServerHelloDone: // a nonce of zeros is no HelloRequest
			return n != 0 || len(b) != tlswire.HandshakeHeaderLen
		}
		return !t.Known() || n > tlswire.MaxHandshake>>2 || n < len(b)-tlswire.HandshakeHeaderLen && !tlswire.HandshakeType(b[tlswire.HandshakeHeaderLen+n]).Known()
	}
	return false
}

// beginsHello reports whether a record begins with a ClientHello or ServerHello
// that is not encrypted: its type, a length and a version that fit (RFC 9846
// section 4.2).
func beginsHello(rec *tlsRecord) bool {
	const shortest = 2 + 32 + 1 // of a version, a random and an empty session ID
	b := rec.Fragment
	if rec.Type != tlswire.ContentTypeHandshake || rec.hole || len(b) < tlswire.HandshakeHeaderLen+2 {
		return false
	}
	t, n := tlswire.HandshakeType(b[0]), int(b[1])<<16+int(b[2])<<8+int(b[3])
	return (t == tlswire.TypeClientHello && rec.from == endpoint.Client || t == tlswire.TypeServerHello && rec.from == endpoint.Server) &&
		n >= shortest && n <= tlswire.MaxHandshake && b[4] == 3 && b[5] <= 4
}

// maxRecount is how many bytes are decrypted in vain to find out how many
// records are missing.
const maxRecount = 32 << 20

// recount opens a record that comes after others that are missing, if its
// number can be found: the protection of a record depends on that.
func (w *writeState) recount(dst []byte, p *protection, rec tlswire.Record) ([]byte, error) {
	if c, ok := p.cipher.(*macThenCipher); ok && (c.stream != nil || c.chained != nil) {
		return nil, errOpen // it depends on the record before it
	}
	for seq := p.seq; w.uncounted > 0; seq++ {
		if plain, err := p.cipher.open(dst, seq, rec); err == nil {
			p.seq, w.uncounted = seq+1, 0
			return plain, nil
		}
		w.uncounted -= max(len(rec.Fragment), 64)
		if seq-p.seq > maxSkipped {
			break
		}
	}
	return nil, errOpen
}

// maxSkipped is how many records may be missing in a row.
const maxSkipped = 4096
