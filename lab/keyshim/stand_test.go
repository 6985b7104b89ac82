package keyshim

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// TestReachTwice: a connection that its client has not taken is closed when
// there is another for a client with the same address.
func TestReachTwice(t *testing.T) {
	relay, _, _ := newRelay(t)
	defer relay.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server := l.Addr().(*net.TCPAddr).AddrPort()
	client := netip.MustParseAddrPort("127.0.0.1:1")
	connect := func(netip.AddrPort) (netip.AddrPort, error) { return client, nil }
	reached := make(chan error, 2)
	go func() {
		for range 2 {
			_, err := relay.Reach(server, connect)
			reached <- err
		}
	}()
	for range 2 {
		select {
		case err := <-reached:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(peertest.Patience):
			t.Fatal("Reach does not return")
		}
	}
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_ = first.SetReadDeadline(time.Now().Add(peertest.Patience))
	if _, err := first.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("the first connection is still open: %v", err)
	}
}

func isTimeout(err error) bool { e, ok := err.(net.Error); return ok && e.Timeout() }
