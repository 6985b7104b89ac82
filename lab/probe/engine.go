package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/starttls"
	"mtlslab.example/lab/lab/wiretap"
)

// Target is the server that is probed.
type Target struct {
	URL        *url.URL // https; of another protocol the host and port alone count
	Addr       string   // to connect to; empty: the URL's host and port
	ServerName string   // in place of the URL's host

	// Begin and Ask are those of lab.ClientOptions.
	Begin func(net.Conn) error
	Ask   func(*tls.Conn) (*lab.Response, error)

	protocol *starttls.Protocol // that StartTLS was told; nil: HTTP
}

// StartTLS has a protocol be spoken that begins in plain text.
func (t *Target) StartTLS(p *starttls.Protocol, s starttls.Session) {
	var o lab.ClientOptions
	o.StartTLS(p, s)
	t.Begin, t.Ask, t.protocol = o.Begin, o.Ask, p
}

// String returns the URL of the target.
func (t *Target) String() string {
	if t.protocol != nil {
		return t.protocol.Name + "://" + t.URL.Host
	}
	return t.URL.String()
}

// host returns the name that the server's certificate must be for.
func (t *Target) host() string { return cmp.Or(t.ServerName, t.URL.Hostname()) }

// attempt is one connection.
type attempt struct {
	note       string // a comment in the capture
	version    uint16 // 0: any
	show       *tls.Certificate
	serverName string            // in server_name; "": the target's
	header     map[string]string // "Host" for another host
	http2      bool
	alpn       []string // in place of HTTP's
	groups     []tls.CurveID
	wrap       fault.Fault
	client     *lab.Client // of a session to resume; nil: a new one
}

// outcome is what came of an attempt.
type outcome struct {
	*lab.Exchange // nil if there was no connection, or no report in time
	response      *lab.Response
	err           error // *lab.DialError, *lab.RejectedError, or of ctx
	client        *lab.Client
}

// engine makes the connections, some at a time.
type engine struct {
	target    Target
	serverCAs []*x509.Certificate
	timeout   time.Duration
	tap       *wiretap.Tap
	journal   *lab.Journal
	trust     *chain.Trust
	http2Only bool

	// All connections go to one address: others of the same name may be other
	// servers.
	pinning sync.Mutex
	pinned  string                               // HOST:PORT; "": none yet
	several func(pinned string, others []string) // is told if there are others; may be nil

	slots chan struct{}
	pace  *pace
	made  atomic.Int64

	mu      sync.Mutex
	waiting map[string]chan *lab.Exchange // by the client's address
}

// newEngine returns an engine. The caller closes the dissection after the last
// attempt.
func newEngine(o *ServerOptions) (*engine, *lab.Dissection) {
	e := &engine{target: o.Target, serverCAs: o.ServerCAs, timeout: o.Timeout,
		slots: make(chan struct{}, o.Concurrency), pace: newPace(o.Rate), waiting: map[string]chan *lab.Exchange{}}
	trust := &chain.Trust{ClientTrusts: o.ServerCAs}
	for _, ca := range o.ServerCAs {
		trust.CAs = append(trust.CAs, chain.NamedCA{Name: dn.Subject(ca), Certificate: ca, In: "--ca"})
	}
	if o.ClientCA != nil {
		trust.ServerTrusts = []*x509.Certificate{o.ClientCA.Leaf}
		trust.CAs = append(trust.CAs, chain.NamedCA{Name: dn.Subject(o.ClientCA.Leaf), Certificate: o.ClientCA.Leaf, In: "--client-ca"})
	}
	e.trust, e.journal = trust, &lab.Journal{Each: e.report, Trust: func() *chain.Trust { return trust }}
	d := e.journal.Dissect()
	sinks := []wiretap.Sink{d}
	if o.Capture != nil {
		sinks = append([]wiretap.Sink{o.Capture}, sinks...)
	}
	e.tap = wiretap.New(sinks...)
	return e, d
}

// report passes an exchange on to the attempt that it is of.
func (e *engine) report(x *lab.Exchange) {
	e.mu.Lock()
	c := e.waiting[x.ClientAddr]
	delete(e.waiting, x.ClientAddr)
	e.mu.Unlock()
	if c != nil {
		c <- x
	}
}

// newClient returns a client for an attempt, that resumes sessions if told to.
func (e *engine) newClient(a *attempt, resume bool) (*lab.Client, error) {
	loaded := &lab.Loaded{CAs: e.serverCAs}
	if a.show != nil {
		loaded.Certificates = []tls.Certificate{*a.show}
	}
	s := lab.Settings{Credentials: lab.Credentials{Loaded: loaded}, CRL: lab.CRLOff, Version: a.version, HTTP2: a.http2 || e.http2Only,
		ALPN: a.alpn, Groups: a.groups, Timeout: e.timeout, Wrap: a.wrap, Journal: e.journal, Tap: e.tap, Header: a.header}
	return lab.NewClient(lab.ClientOptions{URL: e.target.URL, Addr: e.target.Addr, ServerName: cmp.Or(a.serverName, e.target.ServerName),
		Resume: resume, Dial: e.dial, Begin: e.target.Begin, Ask: e.target.Ask, Timeout: 2 * e.timeout, HeadOnly: true, Note: a.note}, s)
}

// addressKey is of the client's address in a context.
type addressKey struct{}

// dial connects, and notes from where.
func (e *engine) dial(ctx context.Context) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	c, err := e.connect(limited)
	if err != nil {
		return nil, err
	}
	if note, ok := ctx.Value(addressKey{}).(func(string)); ok {
		note(c.LocalAddr().String())
	}
	return c, nil
}

// connect connects to the address that has answered first.
func (e *engine) connect(ctx context.Context) (net.Conn, error) {
	e.pinning.Lock()
	addr := e.pinned
	if addr != "" {
		e.pinning.Unlock()
		return lab.Connect(ctx, addr)
	}
	defer e.pinning.Unlock()
	addr = e.target.Addr
	if addr == "" {
		addr = net.JoinHostPort(e.target.URL.Hostname(), cmp.Or(e.target.URL.Port(), "443"))
	}
	c, err := lab.Connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	e.pinned = c.RemoteAddr().String()
	if others := othersOf(ctx, addr, e.pinned); len(others) > 0 && e.several != nil {
		e.several(e.pinned, others)
	}
	return c, nil
}

// othersOf returns the addresses that a host has besides one, none for a host
// that is an address itself or this machine.
func othersOf(ctx context.Context, addr, pinned string) (others []string) {
	host, _, err := net.SplitHostPort(addr)
	own, _, err2 := net.SplitHostPort(pinned)
	if ip := net.ParseIP(own); err != nil || err2 != nil || net.ParseIP(host) != nil || ip == nil || ip.IsLoopback() {
		return nil
	}
	all, _ := net.DefaultResolver.LookupHost(ctx, host) // which has just been found
	return slices.DeleteFunc(all, func(ip string) bool { return ip == own })
}

// settling is how long an attempt waits for the report of its connection.
const settling = 3 * time.Second

// try makes an attempt, when it is its turn.
func (e *engine) try(ctx context.Context, a attempt) *outcome {
	o := &outcome{client: a.client}
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		o.err = ctx.Err()
		return o
	}
	if o.err = e.pace.wait(ctx); o.err != nil {
		return o
	}
	if o.client == nil {
		if o.client, o.err = e.newClient(&a, false); o.err != nil {
			return o
		}
	}
	reported := make(chan *lab.Exchange, 1)
	calling := context.WithValue(ctx, addressKey{}, func(addr string) {
		e.made.Add(1)
		e.mu.Lock()
		e.waiting[addr] = reported
		e.mu.Unlock()
	})
	o.response, o.err = o.client.Call(calling)
	var dial *lab.DialError
	if errors.As(o.err, &dial) || ctx.Err() != nil {
		return o
	}
	select {
	case o.Exchange = <-reported:
	case <-time.After(settling):
	case <-ctx.Done():
	}
	return o
}

// pace spreads connections over time.
type pace struct {
	mu    sync.Mutex
	every time.Duration // 0: no pace
	next  time.Time
}

// MinRate is the lowest rate, in connections a second.
const MinRate = 0.001

// newPace returns a pace of so many a second; 0 is none.
func newPace(rate float64) *pace {
	if rate <= 0 {
		return &pace{}
	}
	return &pace{every: time.Duration(float64(time.Second) / max(rate, MinRate))}
}

func (p *pace) wait(ctx context.Context) error {
	if p.every == 0 {
		return nil
	}
	p.mu.Lock()
	now := time.Now()
	at := p.next
	if at.Before(now) {
		at = now
	}
	p.next = at.Add(p.every)
	p.mu.Unlock()
	select {
	case <-time.After(time.Until(at)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
