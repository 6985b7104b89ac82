package lab

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	callTimeout = 30 * time.Second
	// lastWords is how long a client waits for the alert of a server that hung up.
	lastWords = 300 * time.Millisecond
	maxBody   = 1 << 20 // bytes of a response that are kept
)

// Client calls an HTTPS server and shows a certificate, whichever CAs the
// server asks for. Every call is a connection of its own.
type Client struct {
	url        *url.URL
	addr       string // to connect to
	serverName string
	settings   Settings
	wallet     *wallet
}

// ClientOptions are what only a client has.
type ClientOptions struct {
	URL        *url.URL // https
	Addr       string   // to connect to; empty: the URL's host and port
	ServerName string   // that the server's certificate must have; empty: the URL's host
	Resume     bool     // resume sessions instead of full handshakes
}

// Port is the port that is connected to.
func (o ClientOptions) Port() string {
	_, port, _ := net.SplitHostPort(o.addr())
	return port
}

// addr is what is connected to.
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

// RejectedError is an exchange in which one side rejected the other. The
// journal has the verdict.
type RejectedError struct{ Err error }

func (e *RejectedError) Error() string { return "rejected: " + e.Err.Error() }

// Unwrap returns the client's view.
func (e *RejectedError) Unwrap() error { return e.Err }

// NewClient loads the credentials and makes a client.
func NewClient(o ClientOptions, s Settings) (*Client, error) {
	c := &Client{url: o.URL, addr: o.addr(), serverName: o.ServerName, settings: s}
	if c.serverName == "" {
		c.serverName = o.URL.Hostname()
	}
	c.wallet = &wallet{Credentials: s.Credentials, configure: func(own *tls.Certificate, trust *x509.CertPool) *tls.Config {
		config := s.config()
		config.RootCAs, config.ServerName = trust, c.serverName
		if own != nil {
			config.Certificates = []tls.Certificate{*own}
		}
		if o.Resume {
			config.ClientSessionCache = tls.NewLRUClientSessionCache(0)
		}
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
}

// Call makes one exchange: it connects, authenticates, sends GET for the URL
// and reads the response. Errors are *DialError, *RejectedError, or those of
// the credentials, in which case there was no exchange.
func (c *Client) Call(ctx context.Context) (*Response, error) {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	config, own, err := c.wallet.current()
	if err != nil {
		return nil, err
	}
	raw, err := (&net.Dialer{Timeout: handshakeTimeout}).DialContext(call, "tcp", c.addr)
	if err != nil {
		return nil, &DialError{Addr: c.addr, Err: err}
	}
	x := &clientExchange{Conn: raw, journal: c.settings.Journal, client: raw.LocalAddr().String(), server: raw.RemoteAddr().String(), own: own}
	if number := x.journal.begin(ClientSide, x.client, x.server); c.settings.Tap != nil {
		x.Conn = c.settings.Tap.Client(raw, number)
	}
	response, err := x.run(call, config, c.url)
	if ctx.Err() != nil { // broken off by the caller, and nobody's verdict
		x.journal.forget(x.client, x.server)
		return nil, errors.Join(ctx.Err(), x.Conn.Close())
	}
	if err != nil {
		_ = drain(x.Conn)
		return nil, &RejectedError{Err: err}
	}
	return response, x.Conn.Close()
}

// clientExchange is the client's end of a connection, below TLS. The HTTP
// transport closes it as soon as something is wrong; it stays open, with a
// deadline, so that an alert on its way can still be read.
type clientExchange struct {
	net.Conn
	journal        *Journal
	client, server string // addresses
	alerts         alertWatch
	own            string // subject of the certificate
	shown          string // own, once the server has asked for it
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

func (x *clientExchange) Close() error { return x.SetDeadline(time.Now().Add(lastWords)) }

// CloseWrite lets crypto/tls end its own direction.
func (x *clientExchange) CloseWrite() error {
	return x.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// run does the handshake and the HTTP, and tells the journal.
func (x *clientExchange) run(ctx context.Context, config *tls.Config, url *url.URL) (*Response, error) {
	conn := tls.Client(x, withSecrets(x.watchCertificate(config), config.KeyLogWriter, x.Conn))
	handshake, cancel := context.WithTimeout(ctx, handshakeTimeout)
	err := conn.HandshakeContext(handshake)
	cancel()
	state := conn.ConnectionState()
	var response *Response
	if err == nil {
		if response, err = get(ctx, conn, url); err != nil && ctx.Err() == nil {
			err = lastError(conn, err)
		}
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	view := newHalf(ClientSide, err, state.Version, &x.alerts)
	annotate(x.Conn, judge(nil, &view))
	x.journal.end(ClientSide, x.client, x.server, view, func(e *Exchange) {
		if e.TLS.CipherSuite == "" {
			e.TLS = describeTLS(state)
		}
		e.Server.Certificate = cmp.Or(presented(err, state), e.Server.Certificate)
		e.Client.Certificate = cmp.Or(x.shown, e.Client.Certificate)
		if err != nil {
			e.Client.Error = err.Error()
		}
		if response != nil {
			e.HTTP = &HTTP{Status: response.Status}
		}
	})
	return response, err
}

// watchCertificate returns a configuration that always shows the certificate.
// By itself crypto/tls would show none when the server does not name its
// issuer, and the lesson of the server's refusal would be lost.
func (x *clientExchange) watchCertificate(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(config.Certificates) == 0 {
			return &tls.Certificate{}, nil
		}
		x.shown = x.own
		return &config.Certificates[0], nil
	}
	return config
}

// get sends one request over conn, by the HTTP version that ALPN chose.
func get(ctx context.Context, conn *tls.Conn, url *url.URL) (*Response, error) {
	transport := &http.Transport{
		DialTLSContext:         func(context.Context, string, string) (net.Conn, error) { return conn, nil },
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url.String(), nil)
	if err != nil {
		return nil, err
	}
	r, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	return &Response{Status: r.StatusCode, Proto: r.Proto, Body: body}, nil
}

// lastError returns the alert with which the server refused, if one arrived.
// In TLS 1.3 the server judges the client when the client has long finished
// and sent its request, so that writing may have failed first.
func lastError(conn *tls.Conn, err error) error {
	_ = conn.SetReadDeadline(time.Now().Add(lastWords))
	_, last := conn.Read(make([]byte, 1))
	if _, ok := receivedAlert(last); ok {
		return last
	}
	return err
}
