package peertest

import (
	"net"
	"testing"
)

// Serve calls serve with each connection to a listener, in a goroutine of its
// own, and closes the listener at the end of the test. serve closes the
// connection.
func Serve(t testing.TB, l net.Listener, serve func(net.Conn)) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
}
