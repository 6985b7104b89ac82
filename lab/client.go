package lab

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

const (
	callTimeout = 30 * time.Second
	// alertTimeout is how long a client waits for the alert of a server that
	// closed the connection.
	alertTimeout = 300 * time.Millisecond
	maxBody      = 1 << 20 // bytes of a response that are kept
)

// Client calls an HTTPS server and shows a certificate, whichever CAs the
// server asks for. Every call is a connection of its own.
type Client struct {
	url        *url.URL
	addr       string // to connect to
	serverName string
	settings   Settings
	options    ClientOptions
	dial       func(context.Context) (net.Conn, error)
	wallet     *wallet
}

// ClientOptions are what only a client has.
type ClientOptions struct {
	URL        *url.URL // https
	Addr       string   // to connect to; empty: the URL's host and port
	ServerName string   // that the server's certificate must have; empty: the URL's host
	Resume     bool     // resume sessions instead of full handshakes
	Mutual     bool     // a server that asks for no certificate is a fault (verdict.NotAsked)

	// Dial connects to the server; nil: over TCP to Addr.
	Dial func(context.Context) (net.Conn, error)
	// Begin is what is said on a connection before TLS; nil: nothing. Within the
	// timeout of the handshake it must come to an end.
	Begin func(net.Conn) error
	// Ask is what is said in TLS in place of HTTP, and returns the answer; nil:
	// GET.
	Ask func(*tls.Conn) (*Response, error)

	Timeout  time.Duration // of a call; 0: 30 s
	HeadOnly bool          // the head of a response will do: its body may be cut short
	Note     string        // a comment of the exchanges in a recording; "": none
}

// Port returns the port that the client connects to.
func (o ClientOptions) Port() string {
	_, port, _ := net.SplitHostPort(o.addr())
	return port
}

// addr returns the address that the client connects to.
func (o ClientOptions) addr() string {
	switch {
	case o.Addr != "":
		return o.Addr
	case o.URL.Port() == "":
		return net.JoinHostPort(o.URL.Hostname(), "443")
	}
	return o.URL.Host
}

// DialError is a server that cannot be reached.
type DialError struct {
	Addr string
	Err  error
}

func (e *DialError) Error() string { return fmt.Sprintf("no connection to %s: %v", e.Addr, e.Err) }

// Unwrap returns the error of the operating system.
func (e *DialError) Unwrap() error { return e.Err }

// RejectedError is an exchange in which one side rejected the other, or in which
// the client was accepted and has no whole answer. The journal has the verdict.
type RejectedError struct{ Err error }

func (e *RejectedError) Error() string { return "no whole answer: " + e.Err.Error() }

// Unwrap returns the client's view.
func (e *RejectedError) Unwrap() error { return e.Err }

// NewClient loads the credentials and makes a client.
func NewClient(o ClientOptions, s Settings) (*Client, error) {
	c := &Client{url: o.URL, addr: o.addr(), serverName: o.ServerName, settings: s, options: o, dial: o.Dial}
	if c.dial == nil {
		c.dial = func(ctx context.Context) (net.Conn, error) { return Connect(ctx, c.addr) }
	}
	if c.serverName == "" {
		c.serverName = o.URL.Hostname()
	}
	var sessions tls.ClientSessionCache
	if o.Resume {
		sessions = tls.NewLRUClientSessionCache(0)
	}
	c.wallet = &wallet{Credentials: s.Credentials, crl: s.CRL, configure: func(own *identity) *tls.Config {
		config := s.config()
		config.RootCAs, config.ServerName = own.trust, c.serverName
		config.Certificates, config.ClientSessionCache = own.certificates, sessions
		config.VerifyConnection = s.verifier(own.revoked)
		return config
	}}
	_, _, err := c.wallet.current()
	return c, err
}

// Response is what a server answered.
type Response struct {
	Status int
	Proto  string // "HTTP/1.1"
	Body   []byte // at most 1 MiB

	Authenticate string // the field WWW-Authenticate
	Location     string // the field of that name

	// Ahead is how far the server's clock is ahead of this machine's, by the field
	// Date, to the second; negative: behind. Without that field it is 0.
	Ahead time.Duration

	// Refusal is what a protocol other than HTTP refused the client with, in a
	// line; "": it did not.
	Refusal string
}

// status is 0 for no response.
func (r *Response) status() int {
	if r == nil {
		return 0
	}
	return r.Status
}

// Call makes one exchange: it connects, authenticates, sends GET for the URL
// and reads the response. Errors are *DialError, *RejectedError, or those of
// the credentials, in which case there was no exchange.
func (c *Client) Call(ctx context.Context) (*Response, error) {
	call, cancel := context.WithTimeout(ctx, cmp.Or(c.options.Timeout, callTimeout))
	defer cancel()
	config, own, err := c.wallet.current()
	if err != nil {
		return nil, err
	}
	raw, err := c.dial(call)
	if err != nil {
		return nil, &DialError{Addr: c.addr, Err: err}
	}
	x := &clientExchange{Conn: raw, settings: &c.settings, client: raw.LocalAddr().String(), server: raw.RemoteAddr().String(), own: own.subject(""), identity: own, options: c.options}
	if number := x.settings.Journal.begin(endpoint.Client, x.client, x.server); c.settings.Tap != nil {
		tapped := c.settings.Tap.Client(raw, number)
		if x.Conn = tapped; c.options.Note != "" {
			tapped.Annotate(c.options.Note)
		}
	}
	response, err := x.run(call, config, c.url)
	if ctx.Err() != nil { // the caller broke it off: no side's verdict
		x.settings.Journal.forget(x.client, x.server)
		return nil, errors.Join(ctx.Err(), x.Conn.Close())
	}
	if err != nil {
		_ = drain(x.Conn, x.Conn, time.Now().Add(drainTimeout))
		return nil, &RejectedError{Err: err}
	}
	return response, drain(x.Conn, x.Conn, time.Now().Add(drainTimeout)) // the server's close_notify would else be answered with RST
}

// clientExchange is the client's end of a connection, below TLS. The HTTP
// transport closes it as soon as something is wrong; it stays open, with a
// deadline, so that an alert on its way can still be read.
type clientExchange struct {
	net.Conn
	settings       *Settings
	client, server string // addresses
	alerts         plainAlerts
	sent           atomic.Bool // the request
	own            string      // subject of the client's certificate
	identity       *identity
	options        ClientOptions
	asked          bool   // the server asked for a certificate
	sentOwn        bool   // and the client sent one
	shown          string // own, if it was sent
	unnamed        bool   // the server does not name its CA
}

func (x *clientExchange) Read(b []byte) (int, error) {
	n, err := x.Conn.Read(b)
	x.alerts.receiving(b[:n])
	return n, err
}

func (x *clientExchange) Write(b []byte) (int, error) {
	x.alerts.sending(b)
	return x.Conn.Write(b)
}

func (x *clientExchange) Close() error { return x.SetDeadline(time.Now().Add(alertTimeout)) }

// run does the handshake and the HTTP, and reports to the journal.
func (x *clientExchange) run(ctx context.Context, config *tls.Config, url *url.URL) (*Response, error) {
	config = config.Clone()
	withSecrets(config, x.Conn)
	below := net.Conn(x)
	if x.settings.Wrap != nil {
		below = x.settings.Wrap(x, config)
	}
	x.watchCertificate(config)
	if x.settings.Journal.Paired {
		config.KeyLogWriter = both(config.KeyLogWriter, masterSecrets{x.settings.Journal, x.client, x.server})
	}
	conn := tls.Client(below, config)
	err := x.shakeHands(ctx, conn)
	state := conn.ConnectionState()
	if !x.alerts.spoke.Load() { // no ClientHello was sent
		state = tls.ConnectionState{}
	}
	got := verdict.StateOf(state, false)
	var response *Response
	if err == nil {
		response, err = x.ask(ctx, conn, url)
		switch {
		case err == nil:
			got = verdict.StateAnswered
		case x.sent.Load():
			got = verdict.StateRequestSent
		}
		if err != nil && ctx.Err() == nil {
			err = lastError(conn, err)
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	view := verdict.NewView(endpoint.Client, x.identity.explain(err), x.alerts.seen())
	view.Showing = x.showing(state.DidResume)
	if view.State = got; got.IsPastHandshake() {
		view.TakeUnanswered()
	}
	view.Unasked, view.WantsMutual = view.Err == nil && !x.asked && !state.DidResume, x.options.Mutual
	if reset, ok := httpwire.ResetOf(view.Unanswered); ok {
		view.InHTTP = verdict.RefuseByReset(reset, x.asked || state.DidResume, tlswire.Version(state.Version))
	} else if response != nil {
		view.InHTTP = x.refusedInHTTP(response, state.DidResume)
	}
	x.finish(view, state, response)
	return response, err
}

// shakeHands does what comes before TLS, and the handshake.
func (x *clientExchange) shakeHands(ctx context.Context, conn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, x.settings.timeout())
	defer cancel()
	if x.options.Begin != nil {
		stop := expireWith(ctx, x)
		err := x.options.Begin(x)
		stop()
		if err != nil {
			return err
		}
	}
	err := conn.HandshakeContext(ctx)
	var own verdict.Misbehaviour
	if errors.As(conn.Handshake(), &own) { // even if the time was up meanwhile
		return own
	}
	return err
}

// showing returns what the client has shown of itself.
func (x *clientExchange) showing(resumed bool) verdict.Showing {
	switch {
	case resumed: // that is in the earlier session
		return verdict.MayHaveSent
	case x.sentOwn:
		return verdict.SentCertificate
	case x.asked:
		return verdict.SentEmpty
	}
	return verdict.SentNothing
}

// finish reports to the journal how the exchange ended.
func (x *clientExchange) finish(view verdict.View, state tls.ConnectionState, response *Response) {
	err := cmp.Or(view.Err, view.Unanswered)
	if view.IsCertain(tlswire.Version(state.Version)) {
		status := 0
		if response != nil {
			status = http.StatusOK // what another one means the messages say better
		}
		annotate(x.Conn, func() verdict.Verdict { return verdict.Judge(nil, &view, status, nil) })
	}
	x.settings.Journal.end(endpoint.Client, x.client, x.server, view, func(e *Exchange) {
		if e.TLS.CipherSuite == "" {
			e.TLS = describeTLS(state)
		}
		e.Server.Certificate = cmp.Or(presented(err, state), e.Server.Certificate)
		e.Client.Certificate = cmp.Or(x.shown, e.Client.Certificate)
		if err != nil {
			e.Client.Error = err.Error()
		}
		if response.status() != 0 {
			e.HTTP = &HTTP{Status: response.Status}
		}
	})
}

// watchCertificate makes config, which is for this connection alone, always
// show the certificate, unless Settings.Wrap has made it choose. Otherwise
// crypto/tls would send none if the server does not name its issuer, and nobody
// would see the server refuse it.
func (x *clientExchange) watchCertificate(config *tls.Config) {
	choose := config.GetClientCertificate
	config.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		x.asked = true
		if len(config.Certificates) == 0 {
			return &tls.Certificate{}, nil
		}
		certificate := &config.Certificates[0]
		x.unnamed = asked.SupportsCertificate(certificate) != nil
		if choose != nil {
			var err error
			if certificate, err = choose(asked); err != nil {
				return nil, err
			}
		}
		if len(certificate.Certificate) > 0 {
			x.shown, x.sentOwn = x.own, true
		}
		return certificate, nil
	}
}

// ask says what is to be said in TLS, and returns the answer.
func (x *clientExchange) ask(ctx context.Context, conn *tls.Conn, url *url.URL) (*Response, error) {
	if x.options.Ask == nil {
		return x.get(ctx, conn, url)
	}
	defer expireWith(ctx, conn)()
	return x.options.Ask(conn)
}

// expireWith has reads and writes of c fail once ctx has ended, until stop is
// called.
func expireWith(ctx context.Context, c net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) })
}

// get sends one request over conn, by the HTTP version that ALPN chose.
func (x *clientExchange) get(ctx context.Context, conn *tls.Conn, url *url.URL) (*Response, error) {
	over, trace := net.Conn(sending{conn, &x.sent}), &httptrace.ClientTrace{}
	if conn.ConnectionState().NegotiatedProtocol == "h2" {
		over, trace = conn, &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				x.sent.Store(true)
			}
		}}
	}
	transport := &http.Transport{
		DialTLSContext:         func(context.Context, string, string) (net.Conn, error) { return over, nil },
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodGet, url.String(), nil)
	if err != nil {
		return nil, err
	}
	for name, value := range x.settings.Header {
		if strings.EqualFold(name, "Host") {
			request.Host = value
		}
		request.Header.Set(name, value)
	}
	r, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil && !x.options.HeadOnly {
		return nil, &verdict.CutShort{Err: err}
	}
	ahead := time.Duration(0)
	if date, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		ahead = time.Until(date).Round(time.Second)
	}
	return &Response{Ahead: ahead, Status: r.StatusCode, Proto: r.Proto, Body: body, Authenticate: r.Header.Get("WWW-Authenticate"), Location: r.Header.Get("Location")}, nil
}

// sending is a connection for HTTP/1.1 that notes that a request is sent:
// net/http says so of one that is still in its buffer.
type sending struct {
	net.Conn
	sent *atomic.Bool
}

func (c sending) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if n > 0 {
		c.sent.Store(true)
	}
	return n, err
}

// lastError returns the alert with which the server refused, if one arrived, or
// else how it closed. In TLS 1.3 the server judges the client when the client
// has long finished and sent its request, so that writing may have failed
// first.
func lastError(conn *tls.Conn, err error) error {
	_ = conn.SetReadDeadline(time.Now().Add(alertTimeout))
	_, last := conn.Read(make([]byte, 1))
	if _, ok := verdict.ReceivedAlert(last); ok {
		return last
	}
	// net/http takes a connection that the server closes before the request is
	// on its way for an idle one, and its error has no type.
	if strings.Contains(err.Error(), "server closed idle connection") && !errors.Is(last, os.ErrDeadlineExceeded) {
		return last
	}
	return err
}
