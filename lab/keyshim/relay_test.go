package keyshim

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/fault"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// events keeps the events of a tap.
type events struct {
	mu  sync.Mutex
	all []wiretap.Event
}

func (s *events) Open(e wiretap.Event) wiretap.Handler {
	s.add(e)
	return s.add
}

func (s *events) add(e wiretap.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Data = bytes.Clone(e.Data)
	s.all = append(s.all, e)
}

// of returns the events of that kind.
func (s *events) of(kind wiretap.Kind) (found []wiretap.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// newRelay returns a relay with the key log that it follows.
func newRelay(t *testing.T) (*Relay, *os.File, *events) {
	t.Helper()
	path, err := PrepareLog(filepath.Join(t.TempDir(), "keys.log"))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	sink := &events{}
	relay, err := NewRelay(path, sink)
	if err != nil {
		t.Fatal(err)
	}
	return relay, log, sink
}

// forward makes the relay pass connections to the address that it returns on to
// target.
func forward(r *Relay, target string) (net.Addr, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r.Forward(l, target)
	return l.Addr(), nil
}

func TestRelayRecords(t *testing.T) {
	seen := make(chan string, 1) // the client's address, as the server sees it
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen <- r.RemoteAddr }))
	defer server.Close()
	var dialed string // the client's address on a forward, which the server does not see
	serverAddr := server.Listener.Addr().String()
	for name, test := range map[string]struct {
		version uint16
		start   func(*Relay, *http.Transport) error
	}{
		"HTTP":            {tls.VersionTLS13, throughProxy("http")},
		"SOCKS5":          {tls.VersionTLS13, throughProxy("socks5")},
		"SOCKS5, TLS 1.2": {tls.VersionTLS12, throughProxy("socks5")},
		"forward": {tls.VersionTLS13, func(r *Relay, transport *http.Transport) error {
			addr, err := forward(r, serverAddr)
			transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, addr.String())
				if err == nil {
					dialed = c.LocalAddr().String()
				}
				return c, err
			}
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			relay, log, sink := newRelay(t)
			transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, KeyLogWriter: log, MaxVersion: test.version}}
			if err := test.start(relay, transport); err != nil {
				t.Fatal(err)
			}
			dialed = ""
			response, err := (&http.Client{Transport: transport}).Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			client := cmp.Or(dialed, <-seen)
			response.Body.Close()
			transport.CloseIdleConnections()
			recorded, err := relay.Close()
			if err != nil || recorded.Connections != 1 || recorded.Keyless != 0 {
				t.Errorf("%+v, %v", recorded, err)
			}
			opened := sink.of(wiretap.Open)
			if len(opened) != 1 || opened[0].Client != netip.MustParseAddrPort(client) || opened[0].Server.String() != serverAddr {
				t.Errorf("opened %v, want %s to %s", opened, client, serverAddr)
			}
			host := ""
			if name == "HTTP" { // what clients of SOCKS name they may have looked up
				host = "127.0.0.1"
			}
			if len(opened) == 1 && opened[0].Host != host {
				t.Errorf("the client called %q, not %q", opened[0].Host, host)
			}
			want := 4
			if test.version == tls.VersionTLS12 {
				want = 1
			}
			if got := len(sink.of(wiretap.Secret)); got != want {
				t.Errorf("%d secrets, not %d", got, want)
			}
			if last := sink.all[len(sink.all)-1]; last.Kind != wiretap.Close {
				t.Errorf("the last event is %v", last.Kind)
			}
		})
	}
}

func throughProxy(scheme string) func(*Relay, *http.Transport) error {
	return func(r *Relay, transport *http.Transport) error {
		proxy, err := r.Proxy()
		if err == nil {
			proxy.Scheme = scheme
			transport.Proxy = http.ProxyURL(proxy)
		}
		return err
	}
}

func TestProxyTellsThatNobodyIsThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	for _, scheme := range []string{"http", "socks5"} {
		relay, _, sink := newRelay(t)
		transport := &http.Transport{}
		if err := throughProxy(scheme)(relay, transport); err != nil {
			t.Fatal(err)
		}
		_, err := (&http.Client{Transport: transport}).Get("https://" + nobody)
		t.Log(err)
		recorded, closing := relay.Close()
		if recorded.Unreached == nil || recorded.Unreached.Error() != nobody+" could not be reached: connection refused" && runtime.GOOS != "windows" {
			t.Errorf("unreached: %v", recorded.Unreached)
		}
		if err == nil || closing != nil || recorded.Connections != 0 || len(sink.all) != 0 {
			t.Errorf("%s: %v, %+v, %v", scheme, err, recorded, closing)
		}
	}
}

// TestRelayPassesEndsOn has one side end in a way that the other must see.
func TestRelayPassesEndsOn(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(*net.TCPConn)
		kind wiretap.Kind
	}{
		"FIN": {func(c *net.TCPConn) { _ = c.CloseWrite() }, wiretap.HalfClose},
		"RST": {func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() }, wiretap.Reset},
	} {
		for _, ending := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			t.Run(name+" of the "+ending.String(), func(t *testing.T) {
				relay, _, sink := newRelay(t)
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				addr, err := forward(relay, l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				client, err := net.Dial("tcp", addr.String())
				if err != nil {
					t.Fatal(err)
				}
				server, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := client.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				if _, err := server.Read(make([]byte, 1)); err != nil { // now the relay has both
					t.Fatal(err)
				}
				ends := map[endpoint.Side]net.Conn{endpoint.Client: client, endpoint.Server: server}
				test.end(ends[ending].(*net.TCPConn))
				other := ends[ending.Other()]
				_ = other.SetReadDeadline(time.Now().Add(20 * time.Second))
				_, err = io.ReadAll(other)
				if timeout := (net.Error)(nil); errors.As(err, &timeout) && timeout.Timeout() || (err == nil) != (test.kind == wiretap.HalfClose) {
					t.Errorf("the other side sees %v", err)
				}
				client.Close()
				server.Close()
				if _, err := relay.Close(); err != nil {
					t.Error(err)
				}
				if ended := sink.of(test.kind); len(ended) == 0 || ended[0].From != ending {
					t.Errorf("events %v", sink.all)
				}
			})
		}
	}
}

// TestRelayDoesNotHoldEnds: a connection whose keys do not come, as of one that
// the client has refused, ends when the client ends it, and is recorded so.
func TestRelayDoesNotHoldEnds(t *testing.T) {
	relay, _, sink := newRelay(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr, err := forward(relay, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	hello, _ := recordedHello()
	if _, err := client.Write(hello); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(server, make([]byte, len(hello))); err != nil {
		t.Fatal(err)
	}
	changeCipherSpec := []byte{20, 3, 3, 0, 1, 1}
	if _, err := server.Write(changeCipherSpec); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, make([]byte, len(changeCipherSpec))); err != nil {
		t.Fatal(err)
	}
	reset(client.(*net.TCPConn))
	if _, err := server.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the server sees %v", err)
	}
	seen := time.Now()
	if recorded, err := relay.Close(); err != nil || recorded.Keyless != 1 {
		t.Errorf("%+v, %v", recorded, err)
	}
	for _, kind := range []wiretap.Kind{wiretap.Reset, wiretap.Close} {
		if ended := sink.of(kind); len(ended) != 1 || ended[0].From != endpoint.Client || ended[0].Time.After(seen) {
			t.Errorf("%v: %v, and the server has seen the end at %v", kind, ended, seen)
		}
	}
}

// TestRelayClosesWhatStaysOpen: neither end holds the relay up, nor a server
// that does not answer the end of its client.
func TestRelayClosesWhatStaysOpen(t *testing.T) {
	for name, end := range map[string]func(*net.TCPConn){
		"both":             func(*net.TCPConn) {},
		"the server alone": func(client *net.TCPConn) { client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			relay, _, sink := newRelay(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			addr, err := forward(relay, l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			client, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			end(client.(*net.TCPConn))
			closed := make(chan error, 1)
			go func() {
				_, err := relay.Close()
				closed <- err
			}()
			select {
			case err := <-closed:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(peertest.Patience):
				t.Fatal("the relay does not end")
			}
			if len(sink.of(wiretap.Close)) != 1 {
				t.Errorf("events %v", sink.all)
			}
		})
	}
}

// TestRelayFindsHiddenKeys: where the server takes Encrypted ClientHello, keys
// are logged under a random that cannot be seen. Each of several connections at
// a time gets its own.
func TestRelayFindsHiddenKeys(t *testing.T) {
	ech, err := fault.LoadECH(filepath.Join(t.TempDir(), "ech.pem"), "public.example")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{}
	ech.Server(nil, server.TLS)
	server.StartTLS()
	defer server.Close()
	relay, log, sink := newRelay(t)
	proxy, err := relay.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	const connections = 5
	var calls sync.WaitGroup
	for range connections {
		calls.Go(func() {
			config := &tls.Config{RootCAs: roots, ServerName: "example.com", KeyLogWriter: log}
			ech.Client(nil, config)
			transport := &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: config}
			response, err := (&http.Client{Transport: transport}).Get(server.URL)
			if err != nil {
				t.Error(err)
				return
			}
			if !response.TLS.ECHAccepted {
				t.Error("the server did not take the encrypted ClientHello")
			}
			response.Body.Close()
			transport.CloseIdleConnections()
		})
	}
	calls.Wait()
	recorded, err := relay.Close()
	if err != nil || recorded.Connections != connections || recorded.Keyless != 0 {
		t.Errorf("%+v, %v", recorded, err)
	}
	lines := make(map[string]int)
	for _, e := range sink.of(wiretap.Secret) {
		lines[string(e.Data)]++
	}
	if len(lines) != 4*connections {
		t.Errorf("%d different secrets", len(lines))
	}
}
