package keyshim

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

const (
	dialTimeout = 10 * time.Second
	keysTimeout = time.Second // for the keys of a connection that has ended, while the program runs
	restTimeout = time.Second // for what is on its way when the program has ended
)

// Relay passes the connections of a program on and taps them. It accepts them
// as a proxy, or as a plain TCP forward. Its sink also gets the keys that the
// program writes to its key log meanwhile. The events have the addresses of the
// client and the server, not the relay's.
type Relay struct {
	tap  *wiretap.Tap
	keys *follower

	carrying sync.WaitGroup // the goroutines of listeners and connections
	mu       sync.Mutex
	open     map[io.Closer]struct{} // what makes them end
	stands   stands
	refused  *UnreachedError // the first server that Reach could not connect to
	recorded Recorded
	ended    chan struct{} // closed when the end of the connection that has ended last is recorded
	closed   bool
}

// Recorded sums up what a relay has passed on.
type Recorded struct {
	Connections int
	Keyless     int             // those with a ClientHello for which the program has logged no key
	Ports       map[uint16]bool // of the servers
	Unreached   *UnreachedError // the first server that could not be connected to; nil: none
}

// NewRelay returns a relay that reads keys from the key log at path, from its
// present end on. The caller closes it.
func NewRelay(keylog string, sink wiretap.Sink) (*Relay, error) {
	keys, err := follow(keylog)
	if err != nil {
		return nil, err
	}
	nothing := make(chan struct{})
	close(nothing)
	return &Relay{tap: wiretap.New(sink), keys: keys, ended: nothing, open: make(map[io.Closer]struct{}), stands: newStands(),
		recorded: Recorded{Ports: make(map[uint16]bool)}}, nil
}

// Forward passes what connects to l, a TCP listener, on to the address target.
// The relay closes l.
func (r *Relay) Forward(l net.Listener, target string) {
	r.serve(l, func(client *net.TCPConn) func() {
		return func() {
			server, err := r.dial(target)
			if err != nil {
				reset(client)
				return
			}
			r.carry(client, client, server, client.RemoteAddr(), "")
		}
	})
}

// serve hands every connection to one, after the other, and runs what that
// returns on its own. Neither need close it.
func (r *Relay) serve(l net.Listener, one func(*net.TCPConn) func()) {
	r.mu.Lock()
	r.stands.own[l.Addr().(*net.TCPAddr).AddrPort()] = true
	r.mu.Unlock()
	r.start(l, func() {
		for {
			client, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil { // out of descriptors, mostly
				time.Sleep(10 * time.Millisecond)
				continue
			}
			r.start(client, one(client.(*net.TCPConn)))
		}
	})
}

// start runs f until it is done, or Close closes c.
func (r *Relay) start(c io.Closer, f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		c.Close()
		return
	}
	r.open[c] = struct{}{}
	r.carrying.Go(func() {
		f()
		c.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.open, c)
	})
}

// endWith makes Close close c too, until the function that it returns is
// called. A server may keep open what the client has ended.
func (r *Relay) endWith(c io.Closer) (forget func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[c] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.open, c)
	}
}

// Close ends the listeners at once, and the connections after a second in which
// what is on its way can arrive. It is called when the program has ended, so
// that keys that are not there do not come any more. The sink has all events
// when it returns.
func (r *Relay) Close() (Recorded, error) {
	r.mu.Lock()
	r.closed = true
	for c := range r.open {
		if l, ok := c.(net.Listener); ok {
			l.Close()
		}
	}
	r.mu.Unlock()
	r.keys.expectNoMore()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.carrying.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(restTimeout):
		r.mu.Lock()
		for c := range r.open {
			c.Close()
		}
		r.mu.Unlock()
		<-ended
	}
	if r.recorded.Connections == 0 && r.recorded.Unreached == nil {
		r.recorded.Unreached = r.refused
	}
	return r.recorded, r.keys.close()
}

// Carries reports whether the relay passes on a connection whose ClientHello
// has that random, of 32 bytes.
func (r *Relay) Carries(random []byte) bool {
	return len(random) == len(clientRandom{}) && r.keys.expects(clientRandom(random))
}

// dial connects to a server, and records it if that fails.
func (r *Relay) dial(target string) (*net.TCPConn, error) {
	c, err := (&net.Dialer{Timeout: dialTimeout}).Dial("tcp", target)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.recorded.Unreached == nil {
			r.recorded.Unreached = &UnreachedError{Target: target, Err: err}
		}
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// carry passes data both ways until both sides have ended, and closes both
// connections. What the client sends is read from in. clientAddr is the
// client's address for the record, and host the server's that it has asked for;
// "": not known.
func (r *Relay) carry(client *net.TCPConn, in io.Reader, server *net.TCPConn, clientAddr net.Addr, host string) {
	tapped := r.tap.Proxied(&namedConn{server, clientAddr}, r.count(server), host)
	defer r.endWith(server)()
	keys := newConnKeys(tapped.Secrets())
	hello := &helloFinder{found: func(hello *tlswire.ClientHello) { r.keys.expect(hello.Random, offersECH(hello), keys) }}
	sealed := &sealedFinder{found: func(s sealedRecord) { r.keys.seal(keys, s) }}

	ways := make(chan error, 2)
	go func() { ways <- pass(tapped, io.TeeReader(in, hello)) }()
	go func() { ways <- pass(client, io.TeeReader(tapped, sealed)) }()
	for range 2 {
		if err := <-ways; err != nil { // one side has aborted: so does the other
			_ = tapped.SetLinger(0)
			_ = tapped.SetDeadline(time.Now())
			reset(client)
		}
	}
	client.Close()
	_ = tapped.Disconnect() // its keys may be late, its end is not
	before, after := r.ends()
	defer close(after)
	timeout := keysTimeout
	if !sealed.sealing { // none are needed
		timeout = 0
	}
	if !r.keys.await(keys, timeout) && sealed.sealing {
		r.mu.Lock()
		r.recorded.Keyless++
		r.mu.Unlock()
	}
	<-before
	tapped.Close()
}

// ends has the ends of connections recorded in their order, although the keys
// of some are later than those of others: a connection waits for before, and
// closes after in the end.
func (r *Relay) ends() (before <-chan struct{}, after chan<- struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := make(chan struct{})
	before, r.ended = r.ended, own
	return before, own
}

// count returns the number of the exchange with server that begins.
func (r *Relay) count(server *net.TCPConn) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recorded.Connections++
	r.recorded.Ports[server.RemoteAddr().(*net.TCPAddr).AddrPort().Port()] = true
	return r.recorded.Connections
}

// passOn passes data both ways, as carry does, without a record.
func passOn(client *net.TCPConn, in io.Reader, server *net.TCPConn) {
	defer server.Close()
	ways := make(chan error, 2)
	go func() { ways <- pass(server, in) }()
	go func() { ways <- pass(client, server) }()
	for range 2 {
		if err := <-ways; err != nil {
			reset(server)
			reset(client)
		}
	}
}

// pass copies what from sends, and its end.
func pass(to interface {
	io.Writer
	CloseWrite() error
}, from io.Reader) error {
	_, err := io.Copy(to, from)
	if err == nil {
		_ = to.CloseWrite() // fails if to was reset, which the other way sees
	}
	return err
}

// reset closes a connection with an RST.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	c.Close()
}

// namedConn is a connection with another local address.
type namedConn struct {
	*net.TCPConn
	local net.Addr
}

func (c *namedConn) LocalAddr() net.Addr { return c.local }
