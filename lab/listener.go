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
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

const (
	// handshakeTimeout bounds a handshake, so that a silent peer ends.
	handshakeTimeout = 10 * time.Second
	// drainTimeout is how long a rejected connection waits for its peer to close.
	drainTimeout = 500 * time.Millisecond
	// drainLimit is how many bytes it reads meanwhile: they are recorded and
	// dissected, and the peer may be anybody.
	drainLimit = 64 << 10
)

// listener returns TLS connections. net/http does the handshake of each in a
// goroutine of its own, so that a slow peer holds up no other.
type listener struct {
	net.Listener
	config          func() (*tls.Config, *identity, error)
	journal         *Journal
	tap             *wiretap.Tap
	wrap            func(net.Conn, *tls.Config) net.Conn // see Settings.Wrap
	unauthenticated quotas
	ends            atomic.Pointer[time.Time] // of the server, which closes what is open; nil: it goes on
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
	config = config.Clone()
	if c.keys.To = config.KeyLogWriter; c.keys.To != nil {
		config.KeyLogWriter = &c.keys
	}
	withSecrets(config, c.Conn)
	below := net.Conn(c)
	if l.wrap != nil {
		below = l.wrap(c, config)
	}
	c.quota.endWhenVerified(config)
	c.config = config
	c.tls = tls.Server(below, config)
	return c.tls, nil
}

// open begins the exchange of a connection that was accepted.
func (l *listener) open(raw net.Conn) *serverConn {
	c := &serverConn{Conn: raw, listener: l, client: raw.RemoteAddr().String(), server: raw.LocalAddr().String()}
	c.quota.all = &l.unauthenticated
	if number := l.journal.begin(endpoint.Server, c.client, c.server); l.tap != nil {
		tapped := l.tap.Server(raw, number)
		l.journal.tapped(c.client, c.server, tapped)
		c.Conn = tapped
	}
	return c
}

// drain closes c so that what was written arrives. If data is unread at the
// close, the kernel sends RST, and the peer's kernel then drops what it has
// received, the alert included. So drain closes the sending half, reads from r
// until the peer closes too or the time is up, and then closes c. After
// drainLimit or errQuota it waits without reading, so that the peer can still
// receive the alert.
func drain(c net.Conn, r io.Reader, until time.Time) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // fails if the peer has gone; what it sent can still be read
		_ = c.SetReadDeadline(until)
		n, err := io.CopyN(io.Discard, r, drainLimit)
		if err == nil || errors.Is(err, errQuota) {
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
	config         *tls.Config
	client, server string    // addresses
	own            *identity // what the server can show
	keys           keylog.Buffer
	alerts         plainAlerts
	answered       atomic.Pointer[HTTP] // the first response; nil: there is none yet
	reported       atomic.Bool
	refusal        atomic.Pointer[error] // with which HTTP refuses the client's certificate
	quota          quota                 // until the client is authenticated
}

// NetConn returns the connection below, which may have a tap.
func (c *serverConn) NetConn() net.Conn { return c.Conn }

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
	if !c.quota.take(n) {
		return 0, errQuota
	}
	return n, err
}

func (c *serverConn) Write(b []byte) (int, error) {
	c.alerts.sending(b)
	n, err := c.Conn.Write(b)
	_ = c.keys.Flush() // only now: the client need not wait for a file
	return n, err
}

// Close ends an exchange, and reports it if no request was answered. net/http
// calls it when the handshake has failed and when the connection is done. A
// server that stops calls it during handshakes too.
func (c *serverConn) Close() error {
	defer c.quota.end()
	if c.answer(); c.reported.Load() {
		return c.hangUp()
	}
	if c.listener.ends.Load() != nil {
		c.listener.journal.forget(c.client, c.server)
		return c.Conn.Close()
	}
	err := c.tls.Handshake() // returns the result: the handshake is over
	c.finish(err, c.tls.ConnectionState(), nil)
	if err != nil {
		c.quota.resume()
		return c.drain()
	}
	return c.hangUp()
}

// answer reports an exchange whose first request has had its response.
func (c *serverConn) answer() {
	if first := c.answered.Load(); first != nil && !c.reported.Load() {
		c.finish(nil, c.tls.ConnectionState(), first)
	}
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

// hangUp closes the connection after a handshake that succeeded. If it is
// recorded, hangUp waits for the peer's close_notify and FIN, so that the
// recording has them as the wire would.
func (c *serverConn) hangUp() error {
	if c.listener.tap != nil {
		return c.drain()
	}
	return c.Conn.Close()
}

// finish reports to the journal, once, how the exchange ended.
func (c *serverConn) finish(err error, state tls.ConnectionState, http *HTTP) {
	if c.reported.Swap(true) {
		return
	}
	if !c.alerts.spoke.Load() { // crypto/tls had chosen parameters, but not sent them
		state = tls.ConnectionState{ServerName: state.ServerName}
	}
	view := verdict.NewView(endpoint.Server, c.own.explain(err), c.alerts.seen())
	view.State, view.Showing = verdict.StateOf(state, http != nil), verdict.SentNothing
	if view.State == verdict.StateConnected {
		view.NoHello = !c.alerts.spoke.Load() // crypto/tls answers each, or has an error of its own
		view.Silent = c.quota.read.Load() == 0
	}
	if err != nil && state.Version == 0 {
		view.Takes = offerOf(c.config)
	}
	switch {
	case state.DidResume: // it has in the earlier session
		view.Showing = verdict.MayHaveSent
	case state.CipherSuite != 0:
		view.Showing = verdict.SentCertificate
	}
	switch refusal := c.refusal.Load(); {
	case http == nil:
	case refusal != nil:
		view.InHTTP = verdict.RefuseInHTTP(http.Status, verdict.Explain(*refusal, endpoint.Server))
	case c.config.ClientAuth == tls.NoClientCert && !state.DidResume:
		view.InHTTP = verdict.RefuseUnasked(http.Status, "")
	}
	annotate(c.Conn, func() verdict.Verdict {
		return c.listener.journal.judge(endpoint.Server, c.client, c.server, view, http.status())
	})
	c.listener.journal.end(endpoint.Server, c.client, c.server, view, func(x *Exchange) {
		x.TLS = describeTLS(state)
		x.Client.Certificate = cmp.Or(presented(err, state), x.Client.Certificate)
		x.Client.Identity = IdentityOf(&state)
		if state.CipherSuite != 0 { // it got as far as ServerHello, and so to Certificate
			x.Server.Certificate = c.own.subject(state.ServerName)
		}
		if err != nil {
			x.Server.Error = err.Error()
		}
		x.HTTP = cmp.Or(http, x.HTTP)
	})
}

// presented returns the subject of the peer's certificate, accepted or not.
func presented(err error, state tls.ConnectionState) string {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return subject(verification.UnverifiedCertificates)
	}
	return subject(state.PeerCertificates)
}

// offerOf returns what a server agrees to, as far as its settings say: what
// they leave to crypto/tls is left out, but for the versions.
func offerOf(config *tls.Config) *tlswire.Offer {
	o := &tlswire.Offer{ALPN: config.NextProtos}
	for v := cmp.Or(config.MaxVersion, tls.VersionTLS13); v >= cmp.Or(config.MinVersion, tls.VersionTLS12); v-- {
		o.Versions = append(o.Versions, tlswire.Version(v))
	}
	for _, suite := range config.CipherSuites {
		o.CipherSuites = append(o.CipherSuites, tlswire.CipherSuite(suite))
	}
	for _, group := range config.CurvePreferences {
		o.Groups = append(o.Groups, tlswire.NamedGroup(group))
	}
	return o
}
