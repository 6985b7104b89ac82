package tlsdecrypt

import (
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlswire"
)

// conversation makes messages of the records' content of both sides, and keeps
// the state of the handshake: see state.go. It calls the decrypter when a side
// changes its keys.
type conversation struct {
	conn      *Connection
	decrypter *decrypter
	secrets   *secrets

	hs       *handshake // the latest
	sides    endpoint.Pair[speech]
	headless bool // the first bytes of a side are missing
	late     bool // as the capture began later
	broken   bool // bytes of a side are missing after others

	http *httpwire.Conn // nil before application data

	held     int // bytes of handshake messages and of headers of HTTP in conn
	unopened int // messages, in conn and not, that maxUnopened counts
	kept     int // bytes that all messages in conn take, where that is bounded
}

// speech is the state of one side's messages.
type speech struct {
	pending         tlswire.HandshakeReader // of messages that are not complete
	spans           []Span                  // the records of the message that pending begins with
	certificateType tlswire.CertificateType // of its Certificate
}

// forget drops a handshake message that is not complete.
func (s *speech) forget() {
	s.pending.Reset()
	s.spans = nil
}

// content takes what is in a record, which it does not keep.
func (c *conversation) content(content []byte, m *Message) {
	m.Length = int64(len(content))
	switch m.Type {
	case tlswire.ContentTypeHandshake:
		if m.Handshake == nil {
			c.handshakeData(content, m)
			return
		}
		m.Length = int64(len(m.Handshake.Raw)) // in the form of SSL 2.0
		c.parsed(m)
	case tlswire.ContentTypeAlert:
		alert, err := tlswire.ParseAlert(content)
		if err != nil {
			m.Err, m.Data = err, clip(content)
		} else {
			m.Alert = &alert
		}
		c.add(m)
	case tlswire.ContentTypeChangeCipherSpec:
		m.Err = tlswire.ParseChangeCipherSpec(content)
		c.add(m)
		c.changeCipherSpec(m.From)
	case tlswire.ContentTypeApplicationData:
		c.applicationData(content, m)
	default:
		m.Data = clip(content)
		c.add(m)
	}
}

// clip copies the first bytes of b.
func clip(b []byte) []byte { return slices.Clone(b[:min(len(b), maxData)]) }

// handshakeData takes the content of a handshake record.
func (c *conversation) handshakeData(content []byte, m *Message) {
	s := c.sides.Of(m.From)
	s.pending.Write(content)
	if s.spans == nil {
		s.spans = m.Records // which several messages may share
	} else {
		s.spans = extend(s.spans, m.Records[0])
	}
	for {
		raw, err := s.pending.Next()
		if err != nil {
			c.conn.problem(m.From, m.Records[0].Offset, fmt.Sprintf("the handshake messages of the %v cannot be separated: %v", m.From, err))
			s.pending.Reset()
			c.hs.miss(fmt.Sprintf("the handshake messages of the %v cannot be separated", m.From))
		}
		if raw == nil {
			break
		}
		if c.unopened > maxUnopened && m.Key == (Key{}) { // no handshake has that many
			c.conn.Omitted++
			c.hs.miss("there are more messages than are kept")
			continue
		}
		own := *m
		own.Records = s.spans
		own.Length = int64(len(raw))
		s.spans = m.Records
		c.handshakeMessage(c.conn.arena.bytes.keep(byteBlock, raw...), &own)
	}
	if s.pending.Pending() == 0 {
		s.spans = nil
	}
}

// handshakeMessage takes one whole handshake message.
func (c *conversation) handshakeMessage(raw []byte, m *Message) {
	h, err := c.conn.arena.extensions.ParseHandshake(raw, tlswire.Context{
		Version: c.hs.version, CipherSuite: c.hs.suite, CertificateType: c.sides.Of(m.From).certificateType, Sender: m.From,
	})
	m.Handshake, m.Err = c.conn.arena.handshakes.add(messageBlock, &h), err
	if packed, ok := h.Body.(*tlswire.CompressedCertificate); ok {
		m.Inner, m.Err = unpack(packed, h.Context)
	}
	c.parsed(m)
}

// parsed takes a handshake message that was parsed.
func (c *conversation) parsed(m *Message) {
	h := m.Handshake
	added := c.add(m)
	if body, ok := h.Body.(*tlswire.ClientHello); ok {
		c.clientHello(m.From, body)
	}
	if added != nil {
		c.hs.join(added)
	} else {
		c.hs.miss("the handshake has more messages before this one than are kept")
	}
	c.update(m.From, h.Body)
}

// encrypted takes a record that could not be opened; ofHandshake says that it
// may have been part of the handshake. Application data in a row is one
// message.
func (c *conversation) encrypted(m *Message, ofHandshake bool) {
	m.Encrypted, m.Began = true, m.Time
	if ofHandshake {
		c.hs.miss("a record before this could not be read, which may have been part of the handshake")
		c.sides.Of(m.From).forget()
	}
	if last := c.last(m); last != nil && last.Encrypted && m.Type == tlswire.ContentTypeApplicationData {
		last.Time = m.Time
		last.Records = extend(last.Records, m.Records[0])
		return
	}
	c.add(m)
}

// lose notes that bytes of a side are missing.
func (c *conversation) lose(side endpoint.Side, what loss) {
	switch what {
	case lostStart, lostFirst:
		c.headless = true
		c.late = c.late || what == lostStart
	case lostWithin, lostRecords:
		c.hs.miss(lost(side))
		c.broken, c.http = true, nil
		if what == lostRecords {
			c.sides.Of(side).forget()
		}
	}
}

// last returns the last message if it is of the same side, type and key as m,
// or nil.
func (c *conversation) last(m *Message) *Message {
	if len(c.conn.Messages) == 0 {
		return nil
	}
	last := c.conn.Messages[len(c.conn.Messages)-1]
	if last.From != m.From || last.Type != m.Type || last.Key != m.Key {
		return nil
	}
	return last
}

// extend adds a span, to the last one if there are many.
func extend(spans []Span, s Span) []Span {
	if last := len(spans) - 1; len(spans) >= maxSpans {
		spans[last].Length = int(s.Offset + int64(s.Length) - spans[last].Offset)
		return spans
	}
	return append(spans, s)
}

// add appends a message and returns it as it is kept, or nil if there are too
// many.
func (c *conversation) add(m *Message) *Message {
	if m.Handshake != nil {
		c.held += len(m.Handshake.Raw)
	}
	if m.HTTP != nil {
		for _, h := range m.HTTP.Headers {
			c.held += len(h.Name) + len(h.Value)
		}
	}
	unopened := m.Type != tlswire.ContentTypeApplicationData && (m.Encrypted || m.Key == Key{})
	if unopened {
		c.unopened++
	}
	conn := c.conn
	if len(conn.Messages) >= maxMessages || unopened && c.unopened > maxUnopened || c.held > maxBytes {
		conn.Omitted++
		return nil
	}
	if conn.Messages == nil {
		conn.Messages = conn.arena.lists.reserve(listBlock, usualMessages)
	}
	kept := conn.arena.messages.add(messageBlock, m)
	conn.Messages = append(conn.Messages, kept)
	if c.secrets.shared.options.Memory > 0 {
		c.kept += kept.size()
	}
	return kept
}
