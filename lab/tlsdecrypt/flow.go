package tlsdecrypt

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/wiretap"
)

// flow follows one connection.
type flow struct {
	d *Dissector

	mu   sync.Mutex // against Dissector.Close and Peek
	conn *Connection
	*stages

	closed  endpoint.Pair[bool] // FIN
	gapped  endpoint.Pair[bool] // bytes of it are missing: see keep
	ended   bool                // and stages may be another connection's
	counted int                 // bytes of d.taken

	handedOn bool // to Done
}

// stages are the chain that a connection's bytes go through: a reader for each
// side makes records of them, the decrypter opens these, and the conversation
// makes messages of what is in them.
type stages struct {
	readers      endpoint.Pair[reader]
	decrypter    decrypter
	conversation conversation
	secrets      secrets
}

func newFlow(d *Dissector, e wiretap.Event) *flow {
	a := arenas.Get().(*arena)
	f := &flow{
		d:      d,
		stages: &a.stages,
		conn:   &Connection{Number: e.Exchange, Client: e.Client, Server: e.Server, Host: e.Host, Opened: e.Time, NoSYN: e.Missing < 0, LastSeen: e.Time, arena: a},
	}
	f.readers.Client = reader{side: endpoint.Client, conn: f.conn, next: &f.decrypter, buf: a.records.Client[:0]}
	f.readers.Server = reader{side: endpoint.Server, conn: f.conn, next: &f.decrypter, buf: a.records.Server[:0]}
	f.secrets = secrets{shared: d}
	f.decrypter = decrypter{conn: f.conn, next: &f.conversation, secrets: &f.secrets, scratch: a.plaintext[:0]}
	f.conversation = conversation{conn: f.conn, decrypter: &f.decrypter, secrets: &f.secrets, hs: a.states.add(stateBlock, &handshake{})}
	f.conversation.sides.Client.pending, f.conversation.sides.Server.pending = a.pending.Client, a.pending.Server
	return f
}

// handle takes an event of the connection.
func (f *flow) handle(e wiretap.Event) {
	f.mu.Lock()
	if !f.ended && e.From <= endpoint.Server {
		f.follow(&e)
		f.account()
	}
	f.mu.Unlock()
}

// follow takes an event, with f.mu held.
func (f *flow) follow(e *wiretap.Event) {
	f.conn.LastSeen = e.Time
	switch e.Kind {
	case wiretap.HalfClose, wiretap.Reset, wiretap.Close:
		f.ends(e)
	}
	switch e.Kind {
	case wiretap.Data:
		f.goesOn(e)
		f.keep(e)
		f.readers.Of(e.From).data(e.Data, e.Time)
	case wiretap.Gap:
		*f.gapped.Of(e.From) = true
		f.readers.Of(e.From).gap(e.Missing, e.Time)
	case wiretap.Altered:
		f.conn.problem(e.From, max(f.readers.Of(e.From).position()-e.Back, 0), text.Counted(int(e.Missing), "byte")+" of the "+e.From.String()+"'s came again with other contents: the first are read; something on the way changes or forges packets, or has damaged one")
	case wiretap.Secret:
		for line := range bytes.Lines(e.Data) {
			f.decrypter.addSecret(line)
		}
	case wiretap.Verdict:
		f.conn.Comments = append(f.conn.Comments, string(e.Data))
	case wiretap.HalfClose:
		*f.closed.Of(e.From) = true
	case wiretap.Reset:
		f.conn.End = [...]End{endpoint.Client: ClientReset, endpoint.Server: ServerReset}[e.From]
	case wiretap.Close:
		*f.closed.Of(e.From) = true
		switch {
		case f.conn.End != StillOpen:
		case *f.closed.Of(e.From.Other()):
			f.conn.End = Closed
		default:
			f.conn.End = [...]End{endpoint.Client: ClientClosed, endpoint.Server: ServerClosed}[e.From]
		}
		f.end(e.Time)
	case wiretap.CutOff:
		f.cutOff()
	}
}

// keep stores the first bytes of a side.
func (f *flow) keep(e *wiretap.Event) {
	kept := f.conn.Kept.Of(e.From)
	if room := f.d.options.Keep - len(*kept); room > 0 && !*f.gapped.Of(e.From) {
		*kept = append(*kept, e.Data[:min(room, len(e.Data))]...)
	}
}

// cutOff ends a connection whose end was not seen.
func (f *flow) cutOff() {
	if f.ended {
		return
	}
	switch {
	case f.conn.End != StillOpen:
	case f.closed.Client && f.closed.Server:
		f.conn.End = Closed
	default:
		f.conn.End = CutOff
	}
	f.end(time.Time{})
}

func (f *flow) end(t time.Time) {
	f.ended = true
	f.conn.Ended = t
	f.readers.Client.last()
	f.readers.Server.last()
	if !f.d.postpone(f) {
		f.finish()
	}
}

// finish hands the connection to Done when nothing is to come any more.
func (f *flow) finish() {
	f.decrypter.giveUp()
	if f.conn.talk != nil {
		f.conn.endPrologue()
	}
	for side, r := range f.readers.All() {
		f.noteRest(side, r)
	}
	f.giveBack(f.conn.arena)
	f.conn.RSAKey, _ = f.secrets.rsaKeyUse(f.conversation.hs, f.conn)
	if f.d.options.Keep > 0 {
		f.conn.KeyLog = f.secrets.keyLog(f.conn.handshakes)
	}
	*f.stages = stages{}
	f.d.taken.Add(int64(-f.counted))
	if f.d.options.Secrets != nil && f.conn.ClientRandom != nil {
		f.d.options.Secrets.Forget(f.conn.ClientRandom)
	}
	f.handedOn = true
	if f.d.options.Done != nil {
		f.d.options.Done(f.conn)
	}
	f.d.forget(f) // last, so that Close waits for Done
}

// giveBack returns the buffers to the arena.
func (f *flow) giveBack(a *arena) {
	for side, r := range f.readers.All() {
		*a.records.Of(side), r.buf = r.buf, nil
		speech := f.conversation.sides.Of(side)
		speech.forget()
		*a.pending.Of(side) = speech.pending
	}
	a.plaintext, f.decrypter.scratch = f.decrypter.scratch, nil
	a.keys.reset() // which nothing in the Connection refers to
}

// noteRest adds a Problem if bytes of a side are left over at the end.
func (f *flow) noteRest(side endpoint.Side, r *reader) {
	what, size := "record", len(r.buf)
	if size == 0 {
		what, size = "handshake message", f.conversation.sides.Of(side).pending.Pending()
	}
	if r.stopped || size == 0 {
		return
	}
	switch f.conn.End {
	case Closed, ClientReset, ServerReset: // there never was more
	default:
		f.conn.lacking, f.conn.torn = true, true
	}
	f.conn.problem(side, r.offset, fmt.Sprintf("ends within a %s: only %d bytes of that of the %v are there", what, size, side))
}
