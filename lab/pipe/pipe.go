// Package pipe connects a client and a server in this process, without the
// operating system's network: no port is opened.
package pipe

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Listener accepts the connections that Dial makes. Close ends both.
type Listener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
	mu       sync.Mutex
	port     int // of the client of the last connection
}

// Listen returns a listener that nobody but its own Dial can reach.
func Listen() *Listener {
	return &Listener{accepted: make(chan net.Conn), closed: make(chan struct{}), port: firstPort}
}

// The addresses are those of loopback connections, so that what tells
// connections apart by them does so here. firstPort is the first of the range
// for clients (RFC 6335 section 6).
const (
	firstPort  = 49152
	serverPort = 8443
)

func address(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port} }

// Addr returns the address that connections seem to go to.
func (l *Listener) Addr() net.Addr { return address(serverPort) }

// Accept waits for the next connection.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close makes Accept and Dial fail. Connections stay as they are.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Dial connects, and returns when Accept has taken the other end.
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	l.mu.Lock()
	l.port++
	from := address(l.port)
	l.mu.Unlock()
	there, back := newStream(), newStream()
	client := &conn{local: from, remote: address(serverPort), in: back, out: there}
	server := &conn{local: client.remote, remote: from, in: there, out: back}
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// conn is one end of a connection. As in TCP, what one end writes before it
// closes arrives, and what it writes after the other has closed is lost.
type conn struct {
	local, remote *net.TCPAddr
	in, out       *stream
}

func (c *conn) LocalAddr() net.Addr         { return c.local }
func (c *conn) RemoteAddr() net.Addr        { return c.remote }
func (c *conn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *conn) Write(p []byte) (int, error) { return c.out.write(p) }

// CloseWrite ends what the other end reads.
func (c *conn) CloseWrite() error {
	c.out.change(func() { c.out.ended = true })
	return nil
}

// Close ends both directions.
func (c *conn) Close() error {
	c.in.change(func() { c.in.unread, c.in.data = true, nil })
	return c.CloseWrite()
}

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readUntil, t)
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeUntil, t)
	return nil
}

// maxUnread is how many bytes a direction holds before a write waits, about as
// many as the kernel's buffers of a TCP connection.
const maxUnread = 1 << 18

// stream is one direction of a connection.
type stream struct {
	mu                    sync.Mutex
	changed               *sync.Cond
	data                  []byte
	ended                 bool // the writer has closed
	unread                bool // the reader has closed: what comes is lost
	readUntil, writeUntil time.Time
}

func newStream() *stream {
	s := new(stream)
	s.changed = sync.NewCond(&s.mu)
	return s
}

// change does something to the stream and wakes who waits for it.
func (s *stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.changed.Broadcast()
}

func (s *stream) setDeadline(deadline *time.Time, t time.Time) {
	s.change(func() { *deadline = t })
	if !t.IsZero() {
		time.AfterFunc(time.Until(t), func() { s.change(func() {}) })
	}
}

func isOver(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.unread:
			return 0, net.ErrClosed
		case isOver(s.readUntil):
			return 0, os.ErrDeadlineExceeded
		case len(s.data) > 0:
			n := copy(p, s.data)
			s.data = s.data[n:]
			s.changed.Broadcast()
			return n, nil
		case s.ended:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.ended:
			return n, net.ErrClosed
		case isOver(s.writeUntil):
			return n, os.ErrDeadlineExceeded
		case s.unread:
			return n + len(p), nil
		}
		room := min(maxUnread-len(s.data), len(p))
		s.data, p, n = append(s.data, p[:room]...), p[room:], n+room
		s.changed.Broadcast()
		if len(p) == 0 {
			return n, nil
		}
		s.changed.Wait()
	}
}
