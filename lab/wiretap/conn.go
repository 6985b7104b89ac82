package wiretap

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// maxLate bounds, in bytes, the copies of what was read while a write was under
// way.
const maxLate = 256 << 10

// Conn is a tapped connection. It does what the connection that it wraps does,
// and sends its events to a Sink. It copies only what is read while a write is
// under way. A Conn must be closed, and its Close event is its last.
type Conn struct {
	net.Conn
	local    endpoint.Side
	exchange int

	reading sync.Mutex // held from a read to its event, so that the events of two reads keep the reads' order
	writing sync.Mutex // likewise for writes; taken before order

	order     sync.Mutex // guards all below, and is held while the handler runs
	handle    Handler
	last      time.Time
	sending   bool    // a write is between its start and its event
	late      []Event // what happened meanwhile
	lateBytes int
	finished  endpoint.Pair[bool] // its FIN is recorded
	aborted   bool                // a write met the peer's RST; what came before it may still be unread
	reset     bool                // an RST is recorded
	abortive  bool                // after SetLinger(0): Close sends an RST
	ended     time.Time           // of Disconnect
	closed    bool
}

// Exchange returns the connection's number, from 1, as its events carry it.
func (c *Conn) Exchange() int { return c.exchange }

// NetConn returns the connection that is wrapped. What is done to it directly
// is not recorded.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Read reads from the connection. The end of the peer's stream is recorded as
// its HalfClose, a connection that it reset as its Reset; other errors,
// deadlines among them, do not end a connection and are not recorded.
func (c *Conn) Read(p []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	n, err := c.Conn.Read(p)
	if n > 0 || err != nil && !isTimeout(err) {
		c.received(p[:n], err)
	}
	return n, err
}

func (c *Conn) received(p []byte, err error) {
	now := time.Now()
	c.order.Lock()
	defer c.order.Unlock()
	if len(p) > 0 {
		c.record(Event{Kind: Data, Time: now, From: c.local.Other(), Data: p})
	}
	switch {
	case isReset(err), errors.Is(err, io.EOF) && c.aborted:
		c.record(Event{Kind: Reset, Time: now, From: c.local.Other()})
	case errors.Is(err, io.EOF):
		c.record(Event{Kind: HalfClose, Time: now, From: c.local.Other()})
	}
}

// Write writes to the connection and records what was sent of p, which is all
// of it unless Write returns an error.
func (c *Conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()

	c.hold()
	start := time.Now()
	n, err := c.Conn.Write(p)

	c.order.Lock()
	defer c.order.Unlock()
	c.sending = false
	if n > 0 {
		c.emit(Event{Kind: Data, Time: start, From: c.local, Data: p[:n]})
	}
	// Linux hands out what it received before the RST even after a write has
	// failed: Read or Close records it.
	if !*c.finished.Of(c.local) && (isReset(err) || isBrokenPipe(err)) {
		c.aborted = true
	}
	c.emitLate()
	return n, err
}

// CloseWrite sends FIN and leaves the connection open for reading. It fails
// with errors.ErrUnsupported if the wrapped connection has no CloseWrite.
func (c *Conn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	c.writing.Lock()
	defer c.writing.Unlock()

	c.hold()
	start := time.Now()
	err := half.CloseWrite()

	c.order.Lock()
	defer c.order.Unlock()
	c.sending = false
	if err == nil {
		c.emit(Event{Kind: HalfClose, Time: start, From: c.local})
	}
	c.emitLate()
	return err
}

// hold delays the events of reads until the event of a write that begins: the
// peer may answer it at once.
func (c *Conn) hold() {
	c.order.Lock()
	defer c.order.Unlock()
	c.sending = true
}

// SetLinger sets what Close does with data not yet sent, see
// net.TCPConn.SetLinger: with 0 seconds it resets the connection. It fails with
// errors.ErrUnsupported if the wrapped connection has no SetLinger.
func (c *Conn) SetLinger(seconds int) error {
	tcp, ok := c.Conn.(interface{ SetLinger(int) error })
	if !ok {
		return errors.ErrUnsupported
	}
	if err := tcp.SetLinger(seconds); err != nil {
		return err
	}
	c.order.Lock()
	defer c.order.Unlock()
	c.abortive = seconds == 0
	return nil
}

// Close closes the connection and records how: with FIN, or with RST if
// SetLinger(0) asked for it or, on Linux, if something the peer sent was not
// read (RFC 2525 section 2.17). Reads and writes under way end first. Only the
// first call records anything.
func (c *Conn) Close() error {
	err := c.Disconnect()
	c.order.Lock()
	defer c.order.Unlock()
	c.emit(Event{Kind: Close, Time: c.ended, From: c.local})
	c.closed = true
	return err
}

// Disconnect closes the connection as Close does, but what Secrets and Annotate
// get until Close is recorded before its end, whose time is that of Disconnect.
// Close then returns nil.
func (c *Conn) Disconnect() error {
	c.order.Lock()
	before := !c.ended.IsZero() && !c.closed
	c.order.Unlock()
	if before {
		return nil
	}
	unread := hasUnread(c.Conn)
	now := time.Now()
	err := c.Conn.Close()

	c.writing.Lock()
	defer c.writing.Unlock()
	c.reading.Lock()
	defer c.reading.Unlock()
	c.order.Lock()
	defer c.order.Unlock()
	if !c.ended.IsZero() {
		return err
	}
	switch {
	case c.aborted:
		c.emit(Event{Kind: Reset, Time: now, From: c.local.Other()})
	case unread, c.abortive:
		c.emit(Event{Kind: Reset, Time: now, From: c.local})
	}
	c.ended = now
	return err
}

// Secrets returns a writer for the lines of the connection's key log, whole
// lines to a Write, as tls.Config.KeyLogWriter gets them. It never fails. Give
// it to a tls.Config of this connection alone.
func (c *Conn) Secrets() io.Writer { return secrets{c} }

type secrets struct{ c *Conn }

func (s secrets) Write(lines []byte) (int, error) {
	s.c.note(Secret, lines)
	return len(lines), nil
}

// Annotate records the outcome of the exchange, as text for readers of the
// recording. Call it as soon as the handshake has failed and before Close:
// after Close it does nothing.
func (c *Conn) Annotate(verdict string) { c.note(Verdict, []byte(verdict)) }

func (c *Conn) note(k Kind, data []byte) {
	c.order.Lock()
	defer c.order.Unlock()
	now := c.ended
	if now.IsZero() {
		now = time.Now()
	}
	c.record(Event{Kind: k, Time: now, From: c.local, Data: data})
}

// record emits e, but after the write under way: the peer may have answered a
// write that has not returned yet. A peer that sends much while a write blocks
// is not answering it, so beyond maxLate its bytes need not wait.
func (c *Conn) record(e Event) {
	if !c.sending {
		c.emit(e)
		return
	}
	e.Data = slices.Clone(e.Data)
	c.late = append(c.late, e)
	if c.lateBytes += len(e.Data); c.lateBytes > maxLate {
		c.emitLate()
	}
}

func (c *Conn) emitLate() {
	for _, e := range c.late {
		c.emit(e)
	}
	c.late, c.lateBytes = nil, 0
}

// emit passes e to the handler unless the state forbids it: nothing follows a
// Close, no FIN follows an RST, and FIN and RST are sent once.
func (c *Conn) emit(e Event) {
	switch {
	case c.closed:
		return
	case e.Kind == HalfClose:
		if c.reset || *c.finished.Of(e.From) {
			return
		}
		*c.finished.Of(e.From) = true
	case e.Kind == Reset:
		if c.reset {
			return
		}
		c.reset = true
	}
	if e.Time.Before(c.last) {
		e.Time = c.last
	}
	c.last = e.Time
	e.Exchange = c.exchange
	c.handle(e)
}

// isTimeout reports whether err is a deadline's. It saves the search for other
// errors in it: net/http ends the read that watches for a client's departure
// with a deadline, for every request.
func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
