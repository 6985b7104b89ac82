package wiretap

import (
	"net"
	"net/netip"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// Tap wraps connections and hands their events to its sink. It is safe for use
// by several goroutines.
type Tap struct{ sink Sink }

// New returns a tap that hands its events to sinks, to each of them in their
// order.
func New(sinks ...Sink) *Tap {
	return &Tap{sink: Fan(sinks...)}
}

// Server wraps c, whose local end is the server, as the exchange of that
// number. The caller closes the returned connection in place of c.
func (t *Tap) Server(c net.Conn, exchange int) *Conn {
	return t.open(c, endpoint.Server, exchange, c.RemoteAddr(), c.LocalAddr(), "")
}

// Client wraps c, whose local end is the client, as the exchange of that
// number. The caller closes the returned connection in place of c.
func (t *Tap) Client(c net.Conn, exchange int) *Conn {
	return t.Proxied(c, exchange, "")
}

// Proxied is Client for a client that has asked a proxy for host; "": for an
// address that its user may not have called.
func (t *Tap) Proxied(c net.Conn, exchange int, host string) *Conn {
	return t.open(c, endpoint.Client, exchange, c.LocalAddr(), c.RemoteAddr(), host)
}

func (t *Tap) open(c net.Conn, local endpoint.Side, exchange int, client, server net.Addr, host string) *Conn {
	opened := Event{
		Kind:     Open,
		Exchange: exchange,
		Time:     time.Now(),
		From:     endpoint.Client,
		Client:   addrPort(client),
		Server:   addrPort(server),
		Host:     host,
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

// Of finds the tapped connection under c, which may be the *Conn itself or wrap
// it, as *tls.Conn does, at any depth of NetConn methods. It reports false if
// there is none.
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
