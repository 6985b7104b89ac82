package wiretap

import (
	"context"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// Tap wraps connections, numbers them from 1 in the order they open, and hands their events to its sink. It is safe
// for use by several goroutines.
type Tap struct {
	sink      Sink
	exchanges atomic.Int64
}

// New returns a tap that hands its events to sinks, to each of them in their order.
func New(sinks ...Sink) *Tap {
	return &Tap{sink: Fan(sinks...)}
}

// Listener returns l with each connection it accepts wrapped by Server. Closing it closes l.
func (t *Tap) Listener(l net.Listener) net.Listener {
	return listener{l, t}
}

type listener struct {
	net.Listener
	tap *Tap
}

// Accept returns a *Conn.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.tap.Server(c, l.tap.next()), nil
}

// DialFunc is the type of net.Dialer.DialContext and of http.Transport's field of that name.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns dial with each connection it makes wrapped by Client. A dial that fails leaves no events.
func (t *Tap) Dialer(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return t.Client(c, t.next()), nil
	}
}

// next numbers a connection of Listener or Dialer, from 1 in the order they open.
func (t *Tap) next() int { return int(t.exchanges.Add(1)) }

// Server wraps c, whose local end is the server, as the exchange of that number. The caller closes the returned
// connection in place of c.
func (t *Tap) Server(c net.Conn, exchange int) *Conn {
	return t.open(c, endpoint.Server, exchange, c.RemoteAddr(), c.LocalAddr())
}

// Client wraps c, whose local end is the client, as the exchange of that number. The caller closes the returned
// connection in place of c.
func (t *Tap) Client(c net.Conn, exchange int) *Conn {
	return t.open(c, endpoint.Client, exchange, c.LocalAddr(), c.RemoteAddr())
}

func (t *Tap) open(c net.Conn, local endpoint.Side, exchange int, client, server net.Addr) *Conn {
	opened := Event{
		Kind:     Open,
		Exchange: exchange,
		Time:     time.Now(),
		From:     endpoint.Client,
		Client:   addrPort(client),
		Server:   addrPort(server),
	}
	return &Conn{
		Conn:     c,
		local:    local,
		exchange: opened.Exchange,
		last:     opened.Time,
		handle:   t.sink.Open(opened),
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// Of finds the tapped connection under c, which may be the *Conn itself or wrap it, as *tls.Conn does, at any depth
// of NetConn methods. It reports false if there is none.
func Of(c net.Conn) (*Conn, bool) {
	for c != nil {
		if tapped, ok := c.(*Conn); ok {
			return tapped, true
		}
		wrapper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = wrapper.NetConn()
	}
	return nil, false
}
