package wiretap

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// recorder is a sink that keeps the events of one connection.
type recorder struct {
	mu     sync.Mutex
	events []Event
}

func (r *recorder) Open(e Event) Handler {
	r.add(e)
	return r.add
}

func (r *recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Data = bytes.Clone(e.Data)
	r.events = append(r.events, e)
}

// story lists the events, one word or two each, and joins successive data of
// one side.
func (r *recorder) story() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var story []string
	for i, e := range r.events {
		if i > 0 && e.Time.Before(r.events[i-1].Time) {
			story = append(story, "TIME RUNS BACKWARDS")
		}
		if i > 0 && e.Kind == Data && r.events[i-1].Kind == Data && r.events[i-1].From == e.From {
			story[len(story)-1] += string(e.Data)
			continue
		}
		line := fmt.Sprintf("%v %v", e.From, e.Kind)
		if len(e.Data) > 0 {
			line += " " + string(e.Data)
		}
		story = append(story, line)
	}
	return story
}

func (r *recorder) check(t *testing.T, want ...string) {
	t.Helper()
	if got := r.story(); !reflect.DeepEqual(got, want) {
		t.Errorf("events are\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// connect returns both ends of a TCP connection whose server side is tapped.
func connect(t *testing.T, r *recorder) (client *net.TCPConn, server *Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s := New(r).Server(accepted, 1)
	t.Cleanup(func() { c.Close(); s.Close() })
	s.SetDeadline(time.Now().Add(10 * time.Second))
	return c.(*net.TCPConn), s
}

func read(t *testing.T, c net.Conn, want string) {
	t.Helper()
	p := make([]byte, len(want))
	if _, err := io.ReadFull(c, p); err != nil || string(p) != want {
		t.Fatalf("read %q, %v; want %q", p, err, want)
	}
}

func TestExchangeInOrder(t *testing.T) {
	r := &recorder{}
	client, server := connect(t, r)
	io.WriteString(client, "request")
	read(t, server, "request")
	io.WriteString(server.Secrets(), "CLIENT_RANDOM 00 11\n")
	io.WriteString(server, "response")
	client.CloseWrite()
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("read %v, want EOF", err)
	}
	server.Read(make([]byte, 1))
	server.Annotate("all is well")
	server.CloseWrite()
	server.Close()
	server.Close()
	server.Annotate("too late")
	r.check(t, "client open", "client data request", "server secret CLIENT_RANDOM 00 11\n", "server data response",
		"client half-close", "server verdict all is well", "server half-close", "server close")
	if e := r.events[0]; e.Exchange != 1 || e.Client.String() != client.LocalAddr().String() ||
		e.Server.String() != client.RemoteAddr().String() {
		t.Errorf("opened with %+v", e)
	}
}

func TestPeerResets(t *testing.T) {
	r := &recorder{}
	client, server := connect(t, r)
	client.SetLinger(0)
	client.Close()
	if _, err := server.Read(make([]byte, 1)); err == nil {
		t.Fatal("read from a connection that was reset")
	}
	server.Close()
	r.check(t, "client open", "client reset", "server close")
}

func TestBytesBeforeAnRSTThatAWriteMet(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux hands out what came before an RST")
	}
	r := &recorder{}
	client, server := connect(t, r)
	io.WriteString(client, "alert")
	client.SetLinger(0)
	client.Close()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		if _, err := io.WriteString(server, ""); err != nil {
			break
		}
		if n, err := io.WriteString(server, "x"); err != nil && n == 0 {
			break
		}
	}
	data, _ := io.ReadAll(server)
	server.Close()
	story := r.story()
	if last := story[len(story)-2:]; !reflect.DeepEqual(last, []string{"client reset", "server close"}) {
		t.Errorf("ends in %q", last)
	}
	if got := strings.Join(story, "\n"); string(data) == "alert" != strings.Contains(got, "client data alert") {
		t.Errorf("read %q, but the events are\n%s", data, got)
	}
}

func TestCloseWithUnreadBytesResets(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only on Linux it is known")
	}
	r := &recorder{}
	client, server := connect(t, r)
	io.WriteString(client, "two")
	read(t, server, "t")
	server.Close()
	if _, err := client.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("the peer got %v", err)
	}
	r.check(t, "client open", "client data t", "server reset", "server close")
}

func TestAbortiveClose(t *testing.T) {
	r := &recorder{}
	_, server := connect(t, r)
	if err := server.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	server.Close()
	r.check(t, "client open", "server reset", "server close")
}

// TestDisconnect: keys that come after the end are recorded before it, and it
// keeps its time.
func TestDisconnect(t *testing.T) {
	r := &recorder{}
	client, server := connect(t, r)
	defer client.Close()
	if err := server.Disconnect(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the peer sees %v", err)
	}
	seen := time.Now()
	fmt.Fprint(server.Secrets(), "KEY")
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	r.check(t, "client open", "server secret KEY", "server close")
	if last := r.events[len(r.events)-1]; last.Time.After(seen) {
		t.Errorf("the end is recorded %v after the peer has seen it", last.Time.Sub(seen))
	}
}

func TestDeadlineIsNoEnd(t *testing.T) {
	r := &recorder{}
	client, server := connect(t, r)
	server.SetReadDeadline(time.Now().Add(-time.Second))
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %v", err)
	}
	server.SetReadDeadline(time.Time{})
	io.WriteString(client, "late")
	read(t, server, "late")
	r.check(t, "client open", "client data late")
}

// scripted is a connection whose reads and writes are functions.
type scripted struct {
	net.Conn
	read, write func([]byte) (int, error)
}

func (s scripted) Read(p []byte) (int, error)  { return s.read(p) }
func (s scripted) Write(p []byte) (int, error) { return s.write(p) }
func (s scripted) LocalAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 1}
}
func (s scripted) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 2} }
func (s scripted) Close() error         { return nil }

func TestPartialWrite(t *testing.T) {
	r := &recorder{}
	c := New(r).Client(scripted{write: func(p []byte) (int, error) { return 3, os.ErrDeadlineExceeded }}, 1)
	if n, err := io.WriteString(c, "request"); n != 3 || err == nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	r.check(t, "client open", "client data req")
	if e := r.events[0]; e.Client.String() != "192.0.2.1:1" || e.Server.String() != "192.0.2.2:2" {
		t.Errorf("opened from %v to %v", e.Client, e.Server)
	}
}

// TestResponseOvertakesWrite: the response is read before the write of the
// request has returned.
func TestResponseOvertakesWrite(t *testing.T) {
	r := &recorder{}
	sent, answered := make(chan bool), make(chan bool)
	c := New(r).Client(scripted{
		write: func(p []byte) (int, error) { close(sent); <-answered; return len(p), nil },
		read:  func(p []byte) (int, error) { <-sent; return copy(p, "response"), nil },
	}, 1)
	go func() {
		p := make([]byte, 8)
		c.Read(p)
		clear(p) // the events keep no reference
		close(answered)
	}()
	io.WriteString(c, "request")
	c.Close()
	r.check(t, "client open", "client data request", "server data response", "client close")
}

// TestBlockedWriteDoesNotHoldReads: a peer may send without end while it does
// not read.
func TestBlockedWriteDoesNotHoldReads(t *testing.T) {
	r := &recorder{}
	blocked := make(chan bool)
	c := New(r).Client(scripted{
		write: func(p []byte) (int, error) { <-blocked; return len(p), nil },
		read:  func(p []byte) (int, error) { return len(p), nil },
	}, 1)
	done := make(chan bool)
	go func() { io.WriteString(c, "request"); close(done) }()
	got := 0
	for p := make([]byte, maxLate/8); got < 4*maxLate; {
		n, err := c.Read(p)
		if got += n; err != nil {
			t.Fatal(err)
		}
	}
	c.order.Lock()
	if c.lateBytes > maxLate {
		t.Errorf("%d bytes are kept", c.lateBytes)
	}
	c.order.Unlock()
	close(blocked)
	<-done
	c.Close()
	recorded := 0
	for _, e := range r.events {
		if e.From == endpoint.Server {
			recorded += len(e.Data)
		}
	}
	if recorded != got {
		t.Errorf("recorded %d bytes of %d", recorded, got)
	}
}

func TestOf(t *testing.T) {
	c := New(&recorder{}).Client(scripted{}, 1)
	if got, ok := Of(tls.Client(c, &tls.Config{})); !ok || got != c {
		t.Errorf("got %v, %v", got, ok)
	}
	if _, ok := Of(scripted{}); ok {
		t.Error("found a tap where there is none")
	}
	if c.NetConn().(scripted).read != nil || c.CloseWrite() != errors.ErrUnsupported || c.SetLinger(0) != errors.ErrUnsupported {
		t.Error("the wrapped connection has no such methods")
	}
}

func TestFan(t *testing.T) {
	a, b := &recorder{}, &recorder{}
	c := New(a, b).Client(scripted{}, 1)
	c.Annotate("heard")
	a.check(t, "client open", "client verdict heard")
	b.check(t, "client open", "client verdict heard")
}

func TestNumbers(t *testing.T) {
	tap := New()
	for want := 1; want < 4; want++ {
		if got := tap.Server(scripted{}, want).Exchange(); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

// TestBothWaysAtOnce: every byte, in the order of its direction, while both
// directions are busy.
func TestBothWaysAtOnce(t *testing.T) {
	r := &recorder{}
	client, server := connect(t, r)
	const size = 1 << 20
	up, down := bytes.Repeat([]byte("abcdefg"), size/7), bytes.Repeat([]byte("1234567890"), size/10)
	var wg sync.WaitGroup
	wg.Go(func() { client.Write(up); client.CloseWrite() })
	wg.Go(func() { io.Copy(io.Discard, client) })
	wg.Go(func() { io.Copy(io.Discard, struct{ io.Reader }{server}) })
	for p := down; len(p) > 0; p = p[min(len(p), 1000):] {
		server.Write(p[:min(len(p), 1000)])
	}
	server.CloseWrite()
	wg.Wait()
	server.Close()
	got := map[endpoint.Side][]byte{}
	for _, e := range r.events {
		if e.Kind == Data {
			got[e.From] = append(got[e.From], e.Data...)
		}
	}
	if !bytes.Equal(got[endpoint.Client], up) || !bytes.Equal(got[endpoint.Server], down) {
		t.Errorf("recorded %d and %d bytes of %d and %d, or in another order", len(got[endpoint.Client]), len(got[endpoint.Server]), len(up), len(down))
	}
}

func TestWordsForNumbers(t *testing.T) {
	if got := fmt.Sprint(Reset, Kind(99)); got != "reset kind(99)" {
		t.Error(got)
	}
}
