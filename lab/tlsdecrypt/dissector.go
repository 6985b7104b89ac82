package tlsdecrypt

import (
	"crypto/rsa"
	"sync"
	"sync/atomic"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/wiretap"
)

// The bounds on what is held of one connection.
const (
	maxMessages   = 2000      // in Connection.Messages
	maxUnopened   = 200       // of these, that no key has opened, application data apart
	maxTranscript = 100       // messages of one handshake
	maxPosts      = 16        // authentications after the handshake
	maxHandshakes = 16        // renegotiations that are checked
	maxBytes      = 4 << 20   // of handshake messages and headers of HTTP
	maxWaiting    = 128 << 10 // bytes of records that wait for their secret
	maxData       = 256       // in Message.Data
	maxSpans      = 64        // in Message.Records; the last one covers the rest
	maxSecrets    = 128       // that come with the events
	maxProblems   = 32        // in Connection.Problems
)

// usualMessages is how many messages a connection has that answers one request.
const usualMessages = 16

// Options configure a Dissector.
type Options struct {
	// Secrets is where secrets are looked up, besides those that come with the
	// events; may be nil. Its Forget is called for each connection that has ended.
	Secrets *keylog.Store
	// RSAKeys are private keys of servers: they open the connections of TLS 1.2
	// that used RSA as key exchange.
	RSAKeys []*rsa.PrivateKey
	// Keyless is what is said of a connection for which there are no secrets, in
	// place of how to name a key log; may be "".
	Keyless string
	// Memory bounds the memory of all open connections, in bytes; 0: no bound.
	// When they take more, those that take over 64 KiB are read no further, and
	// have a Problem that says so.
	Memory int64
	// Unordered says that the events of one connection may come before earlier
	// ones of another, as from a [wiretap.Parallel]. A connection that resumes a
	// session may then have to wait for the one that began it, for a second at
	// most after its end.
	Unordered bool
	// Keep is how many bytes of each side Connection.Kept has; 0: none.
	Keep int
	// Done is called once for each connection, when it has ended, mostly in the
	// goroutine of its last event. It owns the Connection.
	Done func(*Connection)
}

// Dissector follows connections. It is a [wiretap.Sink].
type Dissector struct {
	options  Options
	sessions keylog.Sessions
	taken    atomic.Int64 // by flows, in bytes

	mu    sync.Mutex
	flows map[*flow]struct{} // that are open, or unsettled

	unsettled []*unsettled // the oldest first
}

// New returns a Dissector. The caller closes it after the last event.
func New(o Options) *Dissector {
	return &Dissector{options: o, flows: make(map[*flow]struct{})}
}

// Open follows one more connection.
func (d *Dissector) Open(e wiretap.Event) wiretap.Handler {
	f := newFlow(d, e)
	d.mu.Lock()
	d.flows[f] = struct{}{}
	d.mu.Unlock()
	return f.handle
}

// Close ends the connections that are still open, as cut off.
func (d *Dissector) Close() {
	d.mu.Lock()
	open := make([]*flow, 0, len(d.flows))
	for f := range d.flows {
		open = append(open, f)
	}
	d.mu.Unlock()
	for _, f := range open {
		f.mu.Lock()
		f.cutOff()
		f.mu.Unlock()
	}
	d.settleAll()
}

// forget removes a connection that has ended.
func (d *Dissector) forget(f *flow) {
	d.mu.Lock()
	delete(d.flows, f)
	d.mu.Unlock()
}
