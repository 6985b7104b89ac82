// Package wiretaptest taps all connections of a listener or a dialer, for
// tests.
package wiretaptest

import (
	"context"
	"net"
	"sync/atomic"

	"mtlslab.example/lab/lab/wiretap"
)

// Listener returns l with each connection that it accepts tapped, as the
// exchanges 1, 2 and so on.
func Listener(tap *wiretap.Tap, l net.Listener) net.Listener { return &listener{Listener: l, tap: tap} }

type listener struct {
	net.Listener
	tap      *wiretap.Tap
	accepted atomic.Int64
}

// Accept returns a *wiretap.Conn.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.tap.Server(c, int(l.accepted.Add(1))), nil
}

// DialFunc is the type of net.Dialer.DialContext and of http.Transport's field
// of that name.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns dial with each connection that it makes tapped, as the
// exchanges 1, 2 and so on.
func Dialer(tap *wiretap.Tap, dial DialFunc) DialFunc {
	var dialled atomic.Int64
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return tap.Client(c, int(dialled.Add(1))), nil
	}
}
