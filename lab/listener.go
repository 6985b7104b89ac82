package lab

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mtlslab.example/lab/lab/wiretap"
)

const (
	// handshakeTimeout bounds a handshake, so that a silent peer ends.
	handshakeTimeout = 10 * time.Second
	// drainTimeout bounds how long a rejected connection waits for its peer.
	drainTimeout = 500 * time.Millisecond
)

// handshaker is a net.Listener whose connections have finished their handshake.
// Each handshake runs by itself: a slow one holds nobody else up.
type handshaker struct {
	net.Listener
	config  func() (config *tls.Config, own string, err error)
	journal *Journal
	tap     *wiretap.Tap

	ready  chan net.Conn
	failed chan error
	closed chan struct{}
	close  sync.Once
	live   sync.Map       // *serverConn in their handshake
	work   sync.WaitGroup // accepting, handshakes, and the draining of those that failed
}

func newHandshaker(l net.Listener, config func() (*tls.Config, string, error), s Settings) *handshaker {
	h := &handshaker{Listener: l, config: config, journal: s.Journal, tap: s.Tap,
		ready: make(chan net.Conn), failed: make(chan error), closed: make(chan struct{})}
	h.work.Go(h.accept)
	return h
}

func (h *handshaker) accept() {
	for {
		raw, err := h.Listener.Accept()
		if err != nil {
			select {
			case h.failed <- err: // net/http waits a little before it asks again
				continue
			case <-h.closed:
				return
			}
		}
		c := &serverConn{Conn: raw, journal: h.journal, client: raw.RemoteAddr().String(), server: raw.LocalAddr().String()}
		if number := h.journal.begin(ServerSide, c.client, c.server); h.tap != nil {
			c.Conn = h.tap.Server(raw, number)
		}
		h.work.Go(func() { h.handshake(c) })
	}
}

// handshake authenticates one client, and sends it away if that fails.
func (h *handshaker) handshake(c *serverConn) {
	config, own, err := h.config()
	if err != nil {
		c.finish(err, tls.ConnectionState{}, nil)
		c.Conn.Close()
		return
	}
	c.own = own
	h.live.Store(c, nil)
	if h.isClosed() { // too late to be ended by Close
		c.Conn.Close()
	}
	conn := tls.Server(c, withSecrets(config, c.Conn))
	_ = c.SetDeadline(time.Now().Add(handshakeTimeout))
	err = conn.HandshakeContext(context.Background())
	_ = c.SetDeadline(time.Time{})
	h.live.Delete(c)
	if err != nil {
		if h.isClosed() { // the lab broke it off itself
			h.journal.forget(c.client, c.server)
			c.Conn.Close()
			return
		}
		answerPlainHTTP(err)
		c.finish(err, conn.ConnectionState(), nil)
		drain(c.Conn)
		return
	}
	c.state = conn.ConnectionState()
	c.tls = describeTLS(c.state)
	select {
	case h.ready <- conn:
	case <-h.closed:
		conn.Close()
	}
}

// Accept returns the next connection, a *tls.Conn.
func (h *handshaker) Accept() (net.Conn, error) {
	select {
	case c := <-h.ready:
		return c, nil
	case err := <-h.failed:
		return nil, err
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close stops accepting and ends the handshakes that go on.
func (h *handshaker) Close() error {
	err := net.ErrClosed
	h.close.Do(func() {
		close(h.closed)
		err = h.Listener.Close()
		h.live.Range(func(c, _ any) bool { c.(*serverConn).Conn.Close(); return true })
	})
	return err
}

func (h *handshaker) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// answerPlainHTTP tells a client that speaks HTTP without TLS what to do.
func answerPlainHTTP(err error) {
	var notTLS tls.RecordHeaderError
	if !errors.As(err, &notTLS) || notTLS.Conn == nil {
		return
	}
	switch start := string(notTLS.RecordHeader[:]); {
	case strings.HasPrefix(start, "GET "), strings.HasPrefix(start, "HEAD "), strings.HasPrefix(start, "POST "), strings.HasPrefix(start, "PUT "):
		_, _ = io.WriteString(notTLS.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nThis port speaks TLS: write https:// instead of http://\n")
	}
}

// drain closes c in a way that lets what was written arrive. A close with
// unread data makes the kernel answer RST, on which the peer's kernel throws
// away what it has received, alert included: so it says that nothing more will
// be sent, reads until the peer closes too, and closes then.
func drain(c net.Conn) {
	defer c.Close()
	if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = c.SetReadDeadline(time.Now().Add(drainTimeout))
		_, _ = io.Copy(io.Discard, c)
	}
}

// serverConn is the server's end of a connection, below TLS.
type serverConn struct {
	net.Conn
	journal        *Journal
	client, server string              // addresses
	own            string              // subject of the server's certificate
	state          tls.ConnectionState // once the handshake is done
	tls            TLS                 // likewise
	alerts         alertWatch
	told           atomic.Bool
}

func (c *serverConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.alerts.receiving(b[:n])
	return n, err
}

func (c *serverConn) Write(b []byte) (int, error) {
	c.alerts.sending(b)
	return c.Conn.Write(b)
}

// Close ends an exchange in which no request was answered.
func (c *serverConn) Close() error {
	c.finish(nil, c.state, nil)
	return c.Conn.Close()
}

// finish tells the journal, once, how it went.
func (c *serverConn) finish(err error, state tls.ConnectionState, http *HTTP) {
	if c.told.Swap(true) {
		return
	}
	view := newHalf(ServerSide, err, state.Version, &c.alerts)
	annotate(c.Conn, judge(&view, nil))
	c.journal.end(ServerSide, c.client, c.server, view, func(x *Exchange) {
		if x.TLS = c.tls; c.tls.CipherSuite == "" {
			x.TLS = describeTLS(state)
		}
		x.Client.Certificate = cmp.Or(presented(err, state), x.Client.Certificate)
		if state.CipherSuite != 0 { // it got as far as ServerHello, and so to Certificate
			x.Server.Certificate = c.own
		}
		if err != nil {
			x.Server.Error = err.Error()
		}
		x.HTTP = cmp.Or(http, x.HTTP)
	})
}

// presented names the certificate that the peer showed, accepted or not.
func presented(err error, state tls.ConnectionState) string {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return subject(verification.UnverifiedCertificates)
	}
	return subject(state.PeerCertificates)
}
