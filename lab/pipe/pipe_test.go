package pipe

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

// connect returns both ends of a connection.
func connect(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l := Listen()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := l.Accept()
		accepted <- c
	}()
	client, err := l.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return client, <-accepted
}

// The connections keep the contract of net.Conn.
func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, c2 = connect(t)
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}

// What one end writes before it closes arrives, and neither end waits for the
// other to read.
func TestBytesBeforeTheClose(t *testing.T) {
	client, server := connect(t)
	if _, err := server.Write([]byte("alert")); err != nil {
		t.Fatal(err)
	}
	server.Close()
	if _, err := client.Write([]byte("a request that nobody reads")); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(client); err != nil || string(got) != "alert" {
		t.Errorf("%q, %v", got, err)
	}
}

// Memory is bounded: a write waits for its deadline if nobody reads.
func TestNobodyReads(t *testing.T) {
	client, server := connect(t)
	defer server.Close()
	_ = client.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	n, err := client.Write(make([]byte, 4*maxUnread))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n != maxUnread {
		t.Errorf("%d, %v", n, err)
	}
}

// A listener that is closed, and a client that gives up, wait no longer.
func TestDialEnds(t *testing.T) {
	l := Listen()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Dial(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	l.Close()
	if _, err := l.Dial(context.Background()); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}
