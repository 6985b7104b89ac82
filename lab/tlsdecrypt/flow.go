package tlsdecrypt

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// flow follows one connection: events become records, records that wait for
// their secret are queued, and what is in the others becomes messages.
type flow struct {
	d *Dissector

	mu       sync.Mutex // against Dissector.Close
	c        *Connection
	sides    endpoint.Pair[direction]
	hs       *handshake // the latest
	held     int        // bytes of handshake messages in c
	unopened int        // messages, in c and not, that maxUnopened counts
	kept     int        // bytes that all messages in c take
	ended    bool

	counted int // bytes of d.taken

	own     []keylog.Entry // secrets that came with the events, at most maxSecrets
	patient bool           // records wait for their secret
	queue   []waiting
	queued  int // bytes in queue

	http      *httpwire.Conn // nil before application data
	plaintext []byte         // scratch
}

// waiting is a record that waits for its secret or for its turn.
type waiting struct {
	from *direction
	rec  tlswire.Record
	hole bool
	time time.Time
}

func newFlow(d *Dissector, e wiretap.Event) *flow {
	return &flow{
		d:       d,
		c:       &Connection{Number: e.Exchange, Client: e.Client, Server: e.Server, Opened: e.Time},
		sides:   endpoint.Pair[direction]{Client: direction{side: endpoint.Client}, Server: direction{side: endpoint.Server}},
		hs:      &handshake{},
		patient: true,
	}
}

// handle takes an event of the connection.
func (f *flow) handle(e wiretap.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended || e.From > endpoint.Server {
		return
	}
	defer f.account()
	from := f.sides.Of(e.From)
	if ends := e.Kind == wiretap.HalfClose || e.Kind == wiretap.Reset || e.Kind == wiretap.Close; ends && f.c.EndedBy == endpoint.Unknown {
		f.c.EndedBy = e.From
	}
	switch e.Kind {
	case wiretap.Data:
		f.retry()
		f.data(from, e.Data, e.Time)
	case wiretap.Gap:
		f.gap(from, e.Missing, e.Time)
	case wiretap.Secret:
		for line := range bytes.Lines(e.Data) {
			f.learnSecret(line)
		}
	case wiretap.Verdict:
		f.c.Comments = append(f.c.Comments, string(e.Data))
	case wiretap.HalfClose:
		from.closed = true
	case wiretap.Reset:
		f.c.End = [...]End{endpoint.Client: ClientReset, endpoint.Server: ServerReset}[e.From]
	case wiretap.Close:
		from.closed = true
		switch {
		case f.c.End != StillOpen:
		case f.sides.Of(e.From.Other()).closed:
			f.c.End = Closed
		default:
			f.c.End = [...]End{endpoint.Client: ClientClosed, endpoint.Server: ServerClosed}[e.From]
		}
		f.end(e.Time)
	case wiretap.CutOff:
		f.cutOff()
	}
}

// cutOff ends a connection whose end was not seen.
func (f *flow) cutOff() {
	if f.ended {
		return
	}
	switch {
	case f.c.End != StillOpen:
	case f.sides.Client.closed && f.sides.Server.closed:
		f.c.End = Closed
	default:
		f.c.End = CutOff
	}
	f.end(time.Time{})
}

func (f *flow) end(t time.Time) {
	f.ended = true
	f.c.Ended = t
	f.giveUp()
	for _, d := range f.sides.All() {
		f.finish(d)
	}
	f.c.RSAKey, _ = f.rsaKeyUse(f.hs)
	f.d.taken.Add(int64(-f.counted))
	if f.d.options.Secrets != nil && f.c.ClientRandom != nil {
		f.d.options.Secrets.Forget(f.c.ClientRandom)
	}
	if f.d.options.Done != nil {
		f.d.options.Done(f.c)
	}
	f.d.forget(f) // last, so that Close waits for Done
}

// finish says what is left over of a side's bytes at the end.
func (f *flow) finish(d *direction) {
	what, size := "", 0
	switch {
	case d.dead:
	case len(d.buf) > 0:
		what, size = "record", len(d.buf)
	case d.reader.Pending() > 0:
		what, size = "handshake message", d.reader.Pending()
	}
	if what != "" {
		switch f.c.End {
		case Closed, ClientReset, ServerReset: // there never was more
		default:
			f.c.lacking = true
		}
		f.problem(d.side, d.offset, fmt.Sprintf("ends within a %s: only %d bytes of that of the %v are there", what, size, d.side))
	}
}

// problem notes what cannot be seen, each once.
func (f *flow) problem(from endpoint.Side, offset int64, text string) {
	for _, p := range f.c.Problems {
		if p.From == from && p.Text == text {
			return
		}
	}
	if len(f.c.Problems) < maxProblems {
		f.c.Problems = append(f.c.Problems, Problem{From: from, Offset: offset, Text: text})
	}
}

// learnSecret takes a line of the key log.
func (f *flow) learnSecret(line []byte) {
	entry, err := keylog.ParseLine(bytes.TrimRight(line, "\r\n"))
	if err != nil {
		return // a comment, say: it opens nothing
	}
	if offersECH(f.hs.hello) {
		entry.ClientRandom = f.hs.clientRandom // it may go by the random of the ClientHello that is encrypted in this one
	}
	if f.own == nil {
		f.own = make([]keylog.Entry, 0, 5) // as TLS 1.3 has them
	}
	if len(f.own) < maxSecrets {
		f.own = append(f.own, entry)
	}
	f.retry()
}

// secret looks up a secret, and is nil when there is none.
func (f *flow) secret(label string, clientRandom []byte) []byte {
	if clientRandom == nil {
		return nil
	}
	for _, e := range f.own {
		if e.Label == label && bytes.Equal(e.ClientRandom, clientRandom) {
			return e.Secret
		}
	}
	if f.d.options.Secrets != nil {
		return f.d.options.Secrets.Secret(label, clientRandom)
	}
	return nil
}

// anySecret tells whether any secret of the connection is known.
func (f *flow) anySecret() bool {
	random := f.hs.clientRandom
	if random == nil {
		return false
	}
	for _, e := range f.own {
		if bytes.Equal(e.ClientRandom, random) {
			return true
		}
	}
	return f.d.options.Secrets != nil && f.d.options.Secrets.Has(random)
}

// take reads a record, or queues it when its secret, or that of one before it,
// is still to come.
func (f *flow) take(w waiting) {
	if len(f.queue) == 0 && !f.waits(w) {
		f.read(w)
		return
	}
	w.rec.Fragment = bytes.Clone(w.rec.Fragment)
	f.queue = append(f.queue, w)
	if f.queued += len(w.rec.Fragment); f.queued > maxWaiting {
		f.giveUp()
	}
}

func (f *flow) waits(w waiting) bool { return f.patient && f.lacksSecret(w.from, w.rec) }

// retry reads queued records as far as their secrets are known now.
func (f *flow) retry() {
	for len(f.queue) > 0 && !f.waits(f.queue[0]) {
		w := f.queue[0]
		f.queue = f.queue[1:]
		f.queued -= len(w.rec.Fragment)
		f.read(w)
	}
}

// giveUp reads all that is queued, and waits no more.
func (f *flow) giveUp() {
	f.patient = false
	f.retry()
	f.queue = nil
}

// add appends a message, and returns it where it is kept: nil when there are
// too many.
func (f *flow) add(m Message) *Message {
	if m.Handshake != nil {
		f.held += len(m.Handshake.Raw)
	}
	if m.HTTP != nil {
		for _, h := range m.HTTP.Headers {
			f.held += len(h.Name) + len(h.Value)
		}
	}
	unopened := m.Type != tlswire.ContentTypeApplicationData && (m.Encrypted || m.Key == Key{})
	if unopened {
		f.unopened++
	}
	if len(f.c.Messages) >= maxMessages || unopened && f.unopened > maxUnopened || f.held > maxBytes {
		f.c.Omitted++
		return nil
	}
	if f.c.Messages == nil {
		f.c.Messages = make([]*Message, 0, usualMessages)
	}
	kept := new(Message)
	*kept = m
	f.c.Messages = append(f.c.Messages, kept)
	f.kept += kept.size()
	return kept
}

// noSecret says why encrypted records stay closed.
func (f *flow) noSecret(d *direction, offset int64, what string) {
	switch {
	case f.hs.clientRandom == nil && f.hs.version == 0:
		f.problem(endpoint.Unknown, -1, "starts mid-connection: the handshake came before, and is needed to decrypt what follows; start the capture before the connection")
	case f.hs.clientRandom == nil:
		f.problem(endpoint.Unknown, -1, "a packet is missing here: it had ClientHello, without which nothing can be decrypted")
	case f.hs.version == 0 && f.cut():
		f.problem(endpoint.Unknown, -1, "a packet is missing here: it had ServerHello, without which what follows cannot be decrypted")
	case f.hs.version == 0 && d.phase == plain:
		f.problem(d.side, offset, "no ServerHello: without it what follows cannot be decrypted")
	case !f.anySecret():
		f.noKeys("")
	case d.phase == early:
		f.problem(d.side, offset, "early data stays closed: only the client logs CLIENT_EARLY_TRAFFIC_SECRET when the server does not accept it")
	default:
		f.problem(d.side, offset, fmt.Sprintf("keys are missing: the key log has secrets of this connection, but no %s; it was cut short, or is still being written", what))
	}
}

// noKeys says that there is no secret of the connection; why is "" for the
// common reasons.
func (f *flow) noKeys(why string) {
	if _, not := f.rsaKeyUse(f.hs); not != "" {
		f.problem(endpoint.Unknown, -1, fmt.Sprintf("the RSA key does not help: %s (client random %x…)", not, f.hs.clientRandom[:4]))
		return
	}
	store := f.d.options.Secrets
	text := "no keys: " + why
	switch {
	case why != "":
	case len(f.own) == 0 && (store == nil || store.Empty()):
		text += "name a key log with --keylog, or set SSLKEYLOGFILE for one of the two programs before it starts"
	case offersECH(f.hs.hello):
		text = "no keys of this connection: those that are there are of other connections, or go by a ClientHello that is hidden in this one (ECH)"
	default:
		text = "no keys of this connection: those that are there are of other connections; was SSLKEYLOGFILE set for one of the two programs before it started?"
	}
	f.problem(endpoint.Unknown, -1, fmt.Sprintf("%s (client random %x…)", text, f.hs.clientRandom[:4]))
}

// cut tells whether a side's first bytes are missing.
func (f *flow) cut() bool { return f.sides.Client.cut || f.sides.Server.cut }
