package keyshim

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	// reachTimeout is how long a program may wait for Reach. It is less than
	// what clients take until they try another address of a server (RFC 8305
	// section 5, and Go).
	reachTimeout = 250 * time.Millisecond
	// admitTimeout is how long a client may wait to be known.
	admitTimeout = time.Second
)

// stands are the listeners that stand for servers.
type stands struct {
	own     map[netip.AddrPort]bool              // all addresses that the relay listens on
	at      map[netip.AddrPort]netip.AddrPort    // listeners by their servers
	servers map[netip.AddrPort]netip.AddrPort    // the other way round
	reached map[netip.AddrPort]chan *net.TCPConn // connections to servers, by their clients' addresses
}

func newStands() stands {
	return stands{make(map[netip.AddrPort]bool), make(map[netip.AddrPort]netip.AddrPort),
		make(map[netip.AddrPort]netip.AddrPort), make(map[netip.AddrPort]chan *net.TCPConn)}
}

// isOwn reports whether a connection was made to a listener of the relay's.
func (r *Relay) isOwn(server *net.TCPConn) bool {
	to, from := server.RemoteAddr().(*net.TCPAddr).AddrPort(), server.LocalAddr().(*net.TCPAddr).AddrPort()
	here := to.Addr().IsLoopback() || to.Addr() == from.Addr()
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.stands.own
	return own[to] || here && (own[netip.AddrPortFrom(netip.IPv4Unspecified(), to.Port())] || own[netip.AddrPortFrom(netip.IPv6Unspecified(), to.Port())])
}

// Reach connects to a server, and has connect connect a client to a listener
// that passes the connection on. connect returns the client's address: no other
// client is served. The error says why this cannot be. Reach reports whether it
// is done: it is not, without an error, if the server cannot be reached, or is
// the relay itself. The client had better connect there by itself.
func (r *Relay) Reach(server netip.AddrPort, connect func(listener netip.AddrPort) (client netip.AddrPort, err error)) (done bool, err error) {
	r.mu.Lock()
	own, closed := r.stands.own[server], r.closed
	r.mu.Unlock()
	if own || closed {
		return false, nil
	}
	c, err := (&net.Dialer{Timeout: reachTimeout}).Dial("tcp", server.String())
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return false, fmt.Errorf("the server has not answered within %v", reachTimeout)
	case err != nil:
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.refused == nil { // the client may have another address of the server's
			r.refused = &UnreachedError{Target: server.String(), Err: err}
		}
		return false, nil
	}
	listener, err := r.standFor(server)
	if err != nil {
		c.Close()
		return false, err
	}
	client, err := connect(listener)
	if err != nil {
		c.Close()
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.reached(client)
	closeLeft(to)
	to <- c.(*net.TCPConn) // never waits: others send under the same lock
	return true, nil
}

// Server returns the server that a listener of Reach stands for.
func (r *Relay) Server(listener netip.AddrPort) (server netip.AddrPort, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	server, ok = r.stands.servers[listener]
	return server, ok
}

// standFor returns the address of the listener for a server.
func (r *Relay) standFor(server netip.AddrPort) (netip.AddrPort, error) {
	r.mu.Lock()
	at, ok := r.stands.at[server]
	r.mu.Unlock()
	if ok {
		return at, nil
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return netip.AddrPort{}, err
	}
	at = l.Addr().(*net.TCPAddr).AddrPort()
	r.mu.Lock()
	if other, ok := r.stands.at[server]; ok { // made meanwhile
		r.mu.Unlock()
		l.Close()
		return other, nil
	}
	r.stands.at[server], r.stands.servers[at] = at, server
	r.mu.Unlock()
	r.serve(l, func(client *net.TCPConn) func() { return func() { r.standIn(client) } })
	return at, nil
}

// standIn passes a connection on to the server that was reached for it.
func (r *Relay) standIn(client *net.TCPConn) {
	address := client.RemoteAddr().(*net.TCPAddr).AddrPort()
	r.mu.Lock()
	from := r.reached(address)
	r.mu.Unlock()
	var server *net.TCPConn
	select {
	case server = <-from:
	case <-time.After(admitTimeout):
	}
	r.mu.Lock()
	delete(r.stands.reached, address)
	closeLeft(from)
	r.mu.Unlock()
	if server == nil { // another program
		reset(client)
		return
	}
	r.carry(client, client, server, server.LocalAddr(), "")
}

// closeLeft closes the connection for a client that did not take it.
func closeLeft(from chan *net.TCPConn) {
	select {
	case left := <-from:
		left.Close()
	default:
	}
}

// reached returns where the connection for a client passes. The caller holds
// the lock.
func (r *Relay) reached(client netip.AddrPort) chan *net.TCPConn {
	c := r.stands.reached[client]
	if c == nil {
		c = make(chan *net.TCPConn, 1)
		r.stands.reached[client] = c
	}
	return c
}
