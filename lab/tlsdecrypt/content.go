package tlsdecrypt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlswire"
)

// closed adds a record that could not be opened. Application data in a row is
// one message.
func (f *flow) closed(m Message) {
	m.Encrypted = true
	if d := f.sides.Of(m.From); m.Type == tlswire.ContentTypeHandshake || d.phase == handshaking || d.encrypting == f.hs && !*f.hs.finished.Of(d.side) {
		f.hs.miss("a record before this could not be read, which may have been part of the handshake")
		d.reader, d.spans = tlswire.HandshakeReader{}, nil
	}
	if last := f.last(m); last != nil && last.Encrypted && m.Type == tlswire.ContentTypeApplicationData {
		last.Time = m.Time
		last.Records = extend(last.Records, m.Records[0])
		return
	}
	f.add(m)
}

// last returns the last message if it is of the same side, type and key as m, or nil.
func (f *flow) last(m Message) *Message {
	if len(f.c.Messages) == 0 {
		return nil
	}
	last := f.c.Messages[len(f.c.Messages)-1]
	if last.From != m.From || last.Type != m.Type || last.Key != m.Key {
		return nil
	}
	return last
}

// extend adds a span, to the last one when there are many.
func extend(spans []Span, s Span) []Span {
	if last := len(spans) - 1; len(spans) >= maxSpans {
		spans[last].Length = int(s.Offset + int64(s.Length) - spans[last].Offset)
		return spans
	}
	return append(spans, s)
}

// content takes what a record carries; content is borrowed.
func (f *flow) content(d *direction, content []byte, m Message) {
	m.Length = int64(len(content))
	switch m.Type {
	case tlswire.ContentTypeHandshake:
		f.handshakeData(d, content, m)
	case tlswire.ContentTypeAlert:
		alert, err := tlswire.ParseAlert(content)
		if err != nil {
			m.Err, m.Data = err, clip(content)
		} else {
			m.Alert = &alert
		}
		f.add(m)
	case tlswire.ContentTypeChangeCipherSpec:
		m.Err = tlswire.ParseChangeCipherSpec(content)
		f.add(m)
		f.changeCipherSpec(d)
	case tlswire.ContentTypeApplicationData:
		f.applicationData(content, m)
	default:
		m.Data = clip(content)
		f.add(m)
	}
}

// clip copies the first bytes of b.
func clip(b []byte) []byte { return slices.Clone(b[:min(len(b), maxData)]) }

// changeCipherSpec begins encryption in TLS 1.2 (RFC 5246 7.1); in TLS 1.3 it
// means nothing (RFC 8446 D.4).
func (f *flow) changeCipherSpec(d *direction) {
	hs := f.hs
	if hs.version == 0 {
		answered := f.c.Retried || d.phase == early // it comes before ServerHello then
		d.blind = hs.hello == nil || (f.cut() || f.sides.Server.dead) && !answered
		return
	}
	if hs.tls13() {
		return
	}
	if d.side == endpoint.Server && !hs.done && hs.missed == "" {
		f.resumedTLS12(hs)
	}
	d.encrypting, d.current, d.failed, d.inflater = hs, nil, nil, inflater{}
}

// handshakeData takes the content of a handshake record.
func (f *flow) handshakeData(d *direction, content []byte, m Message) {
	d.reader.Write(content)
	if d.spans == nil {
		d.spans = m.Records // which several messages may share
	} else {
		d.spans = extend(d.spans, m.Records[0])
	}
	for {
		raw, err := d.reader.Next()
		if err != nil {
			f.problem(d.side, m.Records[0].Offset, fmt.Sprintf("the handshake messages of the %v cannot be told apart: %v", d.side, err))
			d.reader = tlswire.HandshakeReader{}
			f.hs.miss(fmt.Sprintf("the handshake messages of the %v cannot be told apart", d.side))
		}
		if raw == nil {
			break
		}
		if f.unopened > maxUnopened && m.Key == (Key{}) { // no handshake has that many
			f.c.Omitted++
			f.hs.miss("there are more messages than are kept")
			continue
		}
		own := m
		own.Records = d.spans
		own.Length = int64(len(raw))
		d.spans = m.Records
		f.handshakeMessage(d, raw, own)
	}
	if d.reader.Pending() == 0 {
		d.spans = nil
	}
}

// applicationData takes the content of a record, of which HTTP is read.
// Without the head of an HTTP message in it, it goes on with the last message.
func (f *flow) applicationData(content []byte, m Message) {
	heads, err := f.httpHeads(content, m.From)
	if f.http != nil {
		m.Frames = f.http.Frames()
	}
	last := f.last(m)
	if last != nil && last.Encrypted {
		last = nil
	}
	for i, head := range heads {
		if i == 0 && last != nil && last.HTTP == nil && isHTTP(last.Data) {
			last.HTTP, last.Data = head, nil // its beginning came in a record of its own
			f.prolong(last, content, m)
			continue
		}
		own := m
		own.HTTP, own.Records, own.Frames = head, slices.Clone(m.Records), nil
		if i > 0 {
			own.Length = 0 // the record's bytes are counted with the first
		}
		f.add(own)
	}
	switch {
	case len(heads) > 0:
	case last != nil:
		f.prolong(last, content, m)
		last.Err = errors.Join(last.Err, err)
	case len(content) > 0:
		m.Data, m.Err = clip(content), err
		f.add(m)
	}
}

// prolong adds a record to a message of application data.
func (f *flow) prolong(last *Message, content []byte, m Message) {
	last.Time = m.Time
	last.Length += m.Length
	last.Records = extend(last.Records, m.Records[0])
	if last.HTTP != nil {
		return
	}
	for _, frame := range m.Frames {
		if !slices.Contains(last.Frames, frame) {
			last.Frames = append(last.Frames, frame)
		}
	}
	if len(last.Data) < maxData {
		last.Data = append(last.Data, content[:min(len(content), maxData-len(last.Data))]...)
	}
}

var http2Preface = []byte("PRI * HTTP/2.0\r\n")

// guessed tells whether bytes are HTTP by their looks.
func guessed(b []byte) bool { return isHTTP(b) || bytes.HasPrefix(b, http2Preface) }

// httpHeads reads application data as HTTP when that was agreed on, or the
// first bytes look like it.
func (f *flow) httpHeads(content []byte, from endpoint.Side) ([]*httpwire.Message, error) {
	if f.http == nil {
		switch f.c.ALPN {
		case "h2", "http/1.1", "http/1.0":
			f.http = httpwire.New(f.c.ALPN)
		default:
			if !guessed(content) {
				return nil, nil
			}
			f.http = httpwire.New("")
		}
	}
	heads, err := f.http.Write(from == endpoint.Server, content)
	if f.c.ALPN == "" {
		err = nil // nobody said it was HTTP
	}
	return heads, err
}

// isHTTP tells whether bytes begin like a message of HTTP/1.
func isHTTP(b []byte) bool {
	for _, start := range []string{"GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ", "HTTP/1."} {
		if n := min(len(start), len(b)); n > 0 && strings.HasPrefix(start, string(b[:n])) {
			return true
		}
	}
	return false
}
