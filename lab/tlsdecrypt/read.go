package tlsdecrypt

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// trafficSecrets are the RFC's names of the secrets of TLS 1.3 and their
// labels in the key log, by phase and side (RFC 8446 7.1, RFC 9850 2).
var trafficSecrets = [phases]map[tlswire.Side]struct{ name, label string }{
	early: {
		tlswire.SideClient: {"client_early_traffic_secret", keylog.LabelClientEarlyTraffic},
	},
	handshaking: {
		tlswire.SideClient: {"client_handshake_traffic_secret", keylog.LabelClientHandshakeTraffic},
		tlswire.SideServer: {"server_handshake_traffic_secret", keylog.LabelServerHandshakeTraffic},
	},
	application: {
		tlswire.SideClient: {"client_application_traffic_secret", keylog.LabelClientTraffic0},
		tlswire.SideServer: {"server_application_traffic_secret", keylog.LabelServerTraffic0},
	},
}

// trafficSecret is the first one of a side in a phase, or nil.
func (f *flow) trafficSecret(d *direction, p phase) []byte {
	return f.secret(trafficSecrets[p][d.side].label, f.hs.clientRandom)
}

// lacksSecret tells whether a record cannot be read for want of a secret.
func (f *flow) lacksSecret(d *direction, rec tlswire.Record) bool {
	if d.encrypting != nil {
		return d.current == nil && d.failed == nil && !plainAlert(rec) && !f.findMaster(d.encrypting)
	}
	if rec.Type != tlswire.ContentTypeApplicationData || d.keys[d.phase] != nil {
		return false
	}
	switch d.phase {
	case early:
		return !f.anySecret()
	case handshaking:
		return f.trafficSecret(d, handshaking) == nil && f.trafficSecret(d, application) == nil
	case application:
		return f.trafficSecret(d, application) == nil
	}
	return false
}

// plainAlert tells whether an alert is in the clear: encrypted ones are longer.
func plainAlert(rec tlswire.Record) bool {
	return rec.Type == tlswire.ContentTypeAlert && len(rec.Fragment) == 2
}

// read reads one record.
func (f *flow) read(w waiting) {
	d, rec := w.from, w.rec
	m := Message{
		From: d.side, Time: w.time, Type: rec.Type,
		Records: []Span{{Offset: rec.Offset, Length: tlswire.RecordHeaderLen + len(rec.Fragment)}},
	}
	switch {
	case d.blind && !plainAlert(rec):
		f.noSecret(d, rec.Offset, "")
		f.closed(m)
	case d.encrypting != nil && !plainAlert(rec):
		f.readTLS12(d, w, m)
	case rec.Type == tlswire.ContentTypeApplicationData:
		f.readTLS13(d, w, m)
	case w.hole:
		f.closed(m)
	default:
		f.content(d, rec.Fragment, m)
	}
}

// readTLS13 opens a record of TLS 1.3 (RFC 8446 5.2).
func (f *flow) readTLS13(d *direction, w waiting, m Message) {
	inner, p := f.open(d, w)
	if p == nil {
		m.Key = Key{Secret: trafficSecrets[d.phase][d.side].name}
		if now := d.keys[d.phase]; now != nil {
			m.Key = now.key
		}
		f.closed(m)
		return
	}
	m.Key = p.key
	content, t, _, err := tlswire.InnerPlaintext(inner)
	m.Type = t
	if err != nil {
		m.Err = err
		f.closed(m)
		return
	}
	f.content(d, content, m)
}

// open opens a record with the key of its phase, or with one of a later phase:
// a side leaves the early phase without a word when the server rejects early
// data, and the message that ends the handshake may be missing or closed. It
// returns what opened it, or nil.
func (f *flow) open(d *direction, w waiting) ([]byte, *protection) {
	if d.phase == plain {
		f.noSecret(d, w.rec.Offset, "")
		return nil, nil
	}
	for p := d.phase; p < phases && !w.hole; p++ {
		key, err := f.protection(d, p, w.rec)
		if err != nil {
			f.problem(d.side, w.rec.Offset, err.Error())
			return nil, nil
		}
		if key == nil {
			continue
		}
		if inner, ok := key.tries(f.plaintext[:0], w.rec); ok {
			f.plaintext = inner[:0]
			d.phase = p
			return inner, key
		}
	}
	now, _ := f.protection(d, d.phase, w.rec)
	switch {
	case now != nil && d.phase != early:
		now.seq++
		if !w.hole {
			f.problem(d.side, w.rec.Offset, fmt.Sprintf("a record does not open with %s: it was changed on the way, or the key log is of another connection", now.key.Secret))
		}
	case now == nil && !w.hole:
		f.noSecret(d, w.rec.Offset, trafficSecrets[d.phase][d.side].label)
	}
	return nil, nil
}

// protection returns the key of a phase, nil when its secret is not known. The
// suite of early data is that of an earlier connection, which the server has
// not named yet: it is the one that opens the first record.
func (f *flow) protection(d *direction, p phase, rec tlswire.Record) (*protection, error) {
	if d.keys[p] != nil {
		return d.keys[p], nil
	}
	secret := f.trafficSecret(d, p)
	if secret == nil {
		return nil, nil
	}
	key := Key{Secret: trafficSecrets[p][d.side].name}
	if p != early {
		if f.hs.version == 0 {
			return nil, nil
		}
		made, err := newTLS13(f.hs.suite, secret, key)
		if err == nil {
			d.keys[p] = made
			if p == handshaking {
				f.hs.secrets[d.side] = secret
			}
		}
		return made, err
	}
	if f.hs.hello == nil {
		return nil, nil
	}
	for _, suite := range f.hs.hello.CipherSuites {
		h := hashOf(suite.Info())
		if !suite.Info().TLS13 || h == nil || h().Size() != len(secret) {
			continue
		}
		made, err := newTLS13(suite, secret, key)
		if err != nil {
			continue
		}
		if _, err := made.cipher.open(nil, 0, rec); err == nil {
			d.keys[p] = made
			return made, nil
		}
	}
	return nil, nil
}

// updateKey takes a side to its next generation of keys (RFC 8446 7.2).
func (f *flow) updateKey(d *direction) {
	now := d.keys[application]
	h := hashOf(f.hs.suite.Info())
	if d.phase != application || now == nil || h == nil {
		return
	}
	key := Key{Secret: now.key.Secret, Generation: now.key.Generation + 1}
	if next, err := newTLS13(f.hs.suite, nextTrafficSecret(h, now.secret), key); err == nil {
		d.keys[application] = next
	}
}

// readTLS12 opens a record that follows a ChangeCipherSpec of TLS 1.2 or before.
func (f *flow) readTLS12(d *direction, w waiting, m Message) {
	hs := d.encrypting
	m.Key = Key{Secret: "master_secret", Generation: hs.generation}
	if d.current == nil && d.failed == nil {
		if f.findMaster(hs) {
			d.current, d.failed = hs.keys(d.side)
		} else {
			d.failed = errors.New("")
			f.noSecretTLS12(d, w.rec.Offset)
		}
	}
	if d.failed != nil {
		if text := d.failed.Error(); text != "" {
			f.problem(tlswire.SideUnknown, -1, text)
		}
		f.closed(m)
		return
	}
	content, err := d.current.open(f.plaintext[:0], w.rec)
	if err != nil {
		if !w.hole {
			f.problem(d.side, w.rec.Offset, "a record does not open with the keys of master_secret: it was changed on the way, or the key log is of another connection")
		}
		f.closed(m)
		return
	}
	f.plaintext = content[:0]
	f.content(d, content, m)
}

func (f *flow) noSecretTLS12(d *direction, offset int64) {
	if d.encrypting.resumed && f.hs.clientRandom != nil && !f.anySecret() {
		f.problem(tlswire.SideUnknown, -1, "no secret for this client random in the key log: the session was resumed, and its secret is that of an earlier connection, which has to be in the capture too")
		return
	}
	f.noSecret(d, offset, keylog.LabelClientRandom)
}

// closed adds a record that could not be opened. Application data in a row is
// one message.
func (f *flow) closed(m Message) {
	m.Encrypted = true
	if d := f.sides[m.From-tlswire.SideClient]; d.phase == handshaking || d.encrypting == f.hs && !f.hs.finished[d.side] {
		f.hs.miss() // it may have been a handshake message
	}
	if last := f.last(m); last != nil && last.Encrypted && m.Type == tlswire.ContentTypeApplicationData {
		last.Time = m.Time
		last.Records = extend(last.Records, m.Records[0])
		return
	}
	f.add(&m)
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
		f.add(&m)
	case tlswire.ContentTypeChangeCipherSpec:
		m.Err = tlswire.ParseChangeCipherSpec(content)
		f.add(&m)
		f.changeCipherSpec(d)
	case tlswire.ContentTypeApplicationData:
		f.applicationData(content, m)
	default:
		m.Data = clip(content)
		f.add(&m)
	}
}

// clip copies the first bytes of b.
func clip(b []byte) []byte { return slices.Clone(b[:min(len(b), maxData)]) }

// changeCipherSpec begins encryption in TLS 1.2 (RFC 5246 7.1); in TLS 1.3 it
// means nothing (RFC 8446 D.4).
func (f *flow) changeCipherSpec(d *direction) {
	hs := f.hs
	if hs.version == 0 {
		d.blind = hs.hello == nil || f.cut()
		return
	}
	if hs.tls13() {
		return
	}
	if !hs.done && d.side == tlswire.SideServer {
		f.resumedTLS12(hs)
	}
	if hs.resumed || hs.done {
		d.encrypting, d.current, d.failed = hs, nil, nil
	}
}

// handshakeData takes the content of a handshake record.
func (f *flow) handshakeData(d *direction, content []byte, m Message) {
	d.reader.Write(content)
	d.spans = extend(d.spans, m.Records[0])
	for {
		raw, err := d.reader.Next()
		if err != nil {
			f.problem(d.side, m.Records[0].Offset, fmt.Sprintf("the handshake messages of the %v cannot be told apart: %v", d.side, err))
			d.reader = tlswire.HandshakeReader{}
			raw = nil
		}
		if raw == nil {
			break
		}
		own := m
		own.Records = d.spans
		own.Length = int64(len(raw))
		d.spans = []Span{m.Records[0]}
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
		own.HTTP, own.Records = head, slices.Clone(m.Records)
		if i > 0 {
			own.Length = 0 // the record's bytes are counted with the first
		}
		f.add(&own)
	}
	switch {
	case len(heads) > 0:
	case last != nil:
		f.prolong(last, content, m)
		last.Err = errors.Join(last.Err, err)
	case len(content) > 0:
		m.Data, m.Err = clip(content), err
		f.add(&m)
	}
}

// prolong adds a record to a message of application data.
func (f *flow) prolong(last *Message, content []byte, m Message) {
	last.Time = m.Time
	last.Length += m.Length
	last.Records = extend(last.Records, m.Records[0])
	if last.HTTP == nil && len(last.Data) < maxData {
		last.Data = append(last.Data, content[:min(len(content), maxData-len(last.Data))]...)
	}
}

var http2Preface = []byte("PRI * HTTP/2.0\r\n")

// guessed tells whether bytes are HTTP by their looks.
func guessed(b []byte) bool { return isHTTP(b) || bytes.HasPrefix(b, http2Preface) }
