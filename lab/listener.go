package lab

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

const (
	// handshakeTimeout bounds a handshake, so that a silent peer ends.
	handshakeTimeout = 10 * time.Second
	// drainTimeout bounds how long a rejected connection waits for its peer.
	drainTimeout = 500 * time.Millisecond
	// drainLimit bounds what it reads of it meanwhile, in bytes: whatever is read
	// is recorded and dissected, and the peer may be anybody.
	drainLimit = 64 << 10
)

// listener makes TLS of the connections that it accepts. net/http does the
// handshake of each in a goroutine of its own: a slow one holds nobody else up.
type listener struct {
	net.Listener
	config  func() (*tls.Config, *identity, error)
	journal *Journal
	tap     *wiretap.Tap
	wrap    func(net.Conn, *tls.Config) net.Conn // see Settings.Wrap
	crowd   crowd
	ends    atomic.Pointer[time.Time] // of the server, which closes what is open; nil: it goes on
}

// Accept returns the next connection, a *tls.Conn above a *serverConn: see
// serverConnOf.
func (l *listener) Accept() (net.Conn, error) {
	raw, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	config, own, err := l.config()
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	c := l.open(raw)
	c.own = own
	config = withSecrets(config, c.Conn)
	below := net.Conn(c)
	if l.wrap != nil {
		below = l.wrap(c, config)
	}
	c.member.watch(config)
	if c.keys.To = config.KeyLogWriter; c.keys.To != nil {
		config.KeyLogWriter = &c.keys
	}
	c.tls = tls.Server(below, config)
	return c.tls, nil
}

// open begins the exchange of a connection that was accepted.
func (l *listener) open(raw net.Conn) *serverConn {
	c := &serverConn{Conn: raw, listener: l, client: raw.RemoteAddr().String(), server: raw.LocalAddr().String()}
	c.member.crowd = &l.crowd
	if number := l.journal.begin(endpoint.Server, c.client, c.server); l.tap != nil {
		tapped := l.tap.Server(raw, number)
		l.journal.tapped(c.client, c.server, tapped)
		c.Conn = tapped
	}
	return c
}

// drain closes c in a way that lets what was written arrive. A close with
// unread data makes the kernel answer RST, on which the peer's kernel throws
// away what it has received, alert included: so it says that nothing more will
// be sent, reads from r until the peer closes too or the time is up, and closes
// then. Beyond drainLimit, or an error of r's own, it waits without reading: a
// peer that sends as much hears the alert if it listens.
func drain(c net.Conn, r io.Reader, until time.Time) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // fails where the peer has gone: how it went is there to be read
		_ = c.SetReadDeadline(until)
		n, err := io.CopyN(io.Discard, r, drainLimit)
		if err == nil || errors.Is(err, errCrowded) {
			noteUnread(c, n)
			time.Sleep(time.Until(until))
		}
	}
	return c.Close()
}

// serverConn is the server's end of a connection, below TLS.
type serverConn struct {
	net.Conn
	listener       *listener
	tls            *tls.Conn // above it
	client, server string    // addresses
	own            *identity // what the server can show
	keys           keylog.Batch
	alerts         alertWatch
	told           atomic.Bool
	refusal        atomic.Pointer[error] // with which HTTP refuses the client's certificate
	member         member                // until the client is authenticated
}

// serverConnOf returns the serverConn below a connection that Accept returned.
func serverConnOf(c net.Conn) *serverConn {
	for {
		if below, ok := c.(*serverConn); ok {
			return below
		}
		c = c.(interface{ NetConn() net.Conn }).NetConn()
	}
}

func (c *serverConn) Read(b []byte) (int, error) {
	_ = c.keys.Flush()
	n, err := c.Conn.Read(b)
	c.alerts.receiving(b[:n])
	if !c.member.admit(n) {
		return 0, errCrowded
	}
	return n, err
}

func (c *serverConn) Write(b []byte) (int, error) {
	_ = c.keys.Flush()
	c.alerts.sending(b)
	return c.Conn.Write(b)
}

// Close ends an exchange, one in which no request was answered with its
// verdict. net/http calls it when the handshake has failed, and when all is
// said; only a server that stops does so while the handshake goes on.
func (c *serverConn) Close() error {
	defer c.member.leave()
	if c.told.Load() {
		return c.hangUp()
	}
	if c.listener.ends.Load() != nil {
		c.listener.journal.forget(c.client, c.server)
		return c.Conn.Close()
	}
	err := c.tls.Handshake() // is over: this is how it ended
	c.finish(err, c.tls.ConnectionState(), nil)
	if err != nil {
		c.member.rejoin()
		return c.drain()
	}
	return c.hangUp()
}

// drain drains the connection. Once the server stops, all connections share one
// deadline, since net/http closes them one by one.
func (c *serverConn) drain() error {
	until := time.Now().Add(drainTimeout)
	if ends := c.listener.ends.Load(); ends != nil && ends.Before(until) {
		until = *ends
	}
	return drain(c.Conn, c, until)
}

// hangUp closes the connection after a handshake that succeeded. One that is
// recorded hears the peer's last words out, its close_notify and FIN, as they
// would be seen on the wire.
func (c *serverConn) hangUp() error {
	if c.listener.tap != nil {
		return c.drain()
	}
	return c.Conn.Close()
}

// finish tells the journal, once, how it went.
func (c *serverConn) finish(err error, state tls.ConnectionState, http *HTTP) {
	if c.told.Swap(true) {
		return
	}
	if !c.alerts.spoke.Load() { // crypto/tls had chosen parameters, but not sent them
		state = tls.ConnectionState{ServerName: state.ServerName}
	}
	view := verdict.NewView(endpoint.Server, err, c.alerts.seen())
	view.State = verdict.StateOf(state, http != nil)
	if refusal := c.refusal.Load(); refusal != nil && http != nil {
		view.InHTTP = verdict.RefuseInHTTP(http.Status, verdict.Explain(*refusal, endpoint.Server))
	}
	annotate(c.Conn, func() verdict.Verdict {
		return c.listener.journal.judge(endpoint.Server, c.client, c.server, view, http.status())
	})
	c.listener.journal.end(endpoint.Server, c.client, c.server, view, func(x *Exchange) {
		x.TLS = describeTLS(state)
		x.Client.Certificate = cmp.Or(presented(err, state), x.Client.Certificate)
		if state.CipherSuite != 0 { // it got as far as ServerHello, and so to Certificate
			x.Server.Certificate = c.own.subject(state.ServerName)
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
