package vantage_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/wiretap"
	"mtlslab.example/lab/lab/wiretap/wiretaptest"
)

// authority is a CA of the tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newAuthority(name string) *authority {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return &authority{must(x509.ParseCertificate(der)), key}
}

// issue makes a certificate for localhost.
func (a *authority) issue(name string) tls.Certificate {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(23 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: must(x509.ParseCertificate(der))}
}

func pool(all ...*authority) *x509.CertPool {
	p := x509.NewCertPool()
	for _, a := range all {
		p.AddCert(a.cert)
	}
	return p
}

var (
	serverCA = sync.OnceValue(func() *authority { return newAuthority("server-ca") })
	clientCA = sync.OnceValue(func() *authority { return newAuthority("client-ca") })
	middleCA = sync.OnceValue(func() *authority { return newAuthority("corporate-proxy") })
)

// tape keeps the events of connections, as a capture does.
type tape struct {
	mu     sync.Mutex
	events [][]wiretap.Event // of each connection
}

func (t *tape) Open(e wiretap.Event) wiretap.Handler {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.events)
	t.events = append(t.events, []wiretap.Event{e})
	return func(e wiretap.Event) {
		e.Data = bytes.Clone(e.Data)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.events[n] = append(t.events[n], e)
	}
}

// secrets is a key log in memory.
type secrets struct {
	keylog.Store
}

func (s *secrets) Write(line []byte) (int, error) {
	entry, err := keylog.ParseLine(bytes.TrimSpace(line))
	if err == nil {
		s.Add(entry)
	}
	return len(line), err
}

// world is a client and a server with a capture at each, and what is between.
type world struct {
	t              *testing.T
	client, server tape
	keys           secrets
	clientConfig   *tls.Config
	serverConfig   *tls.Config
	target         string // where the server listens
	front          string // where what is between listens; "": the client calls the server
	asks           bool   // the client asks what is between for the way, with HTTP CONNECT
	close          []func()
}

// newWorld starts a mutual TLS server.
func newWorld(t *testing.T) *world {
	w := &world{t: t}
	own := clientCA().issue("client")
	w.clientConfig = &tls.Config{RootCAs: pool(serverCA(), middleCA()), Certificates: []tls.Certificate{own}, ServerName: "localhost", KeyLogWriter: &w.keys}
	w.serverConfig = &tls.Config{ClientCAs: pool(clientCA()), ClientAuth: tls.RequireAndVerifyClientCert, Certificates: []tls.Certificate{serverCA().issue("server")}, KeyLogWriter: &w.keys}
	return w
}

// serve begins to answer HTTP, with TLS unless plain.
func (w *world) serve(plain bool) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	w.target = l.Addr().String()
	var listener net.Listener = wiretaptest.Listener(wiretap.New(&w.server), l)
	if !plain {
		listener = tls.NewListener(listener, w.serverConfig)
	}
	var open sync.WaitGroup
	server := &http.Server{
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed:
				open.Done()
			}
		},
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello\n") }),
		ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() { _ = server.Serve(listener); close(done) }()
	w.close = append(w.close, func() { server.Close(); <-done; open.Wait() })
}

// stand puts something between the client and the server.
func (w *world) stand(between func(client net.Conn)) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { between(c); c.Close() })
		}
	})
	w.close = append([]func(){func() { l.Close(); all.Wait() }}, w.close...)
	w.front = l.Addr().String()
}

// call makes a request to what the client takes for the server, and closes.
func (w *world) call(path string) error {
	address := w.target
	if w.front != "" {
		address = w.front
	}
	dial := wiretaptest.Dialer(wiretap.New(&w.client), (&net.Dialer{}).DialContext)
	raw, err := dial(context.Background(), "tcp", address)
	if err != nil {
		return err
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(10 * time.Second))
	if w.asks {
		if err := connect(raw, w.target); err != nil {
			return err
		}
	}
	c := tls.Client(raw, w.clientConfig)
	defer c.Close()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// connect asks a proxy for the way to target.
func connect(c net.Conn, target string) error {
	if _, err := fmt.Fprintf(c, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", target); err != nil {
		return err
	}
	said, err := head(c)
	if err == nil && !strings.HasPrefix(said, "HTTP/1.1 200 ") {
		return fmt.Errorf("the proxy says %q", said)
	}
	return err
}

// head reads the head of an HTTP message, and not a byte more.
func head(c net.Conn) (said string, err error) {
	for b := make([]byte, 1); !strings.HasSuffix(said, "\r\n\r\n"); said += string(b) {
		if _, err := c.Read(b); err != nil {
			return said, err
		}
	}
	return said, nil
}

// relay copies between the two, and ends each direction as its sender does.
func relay(client net.Conn, target string, change func(fromServer bool, b []byte) []byte) {
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	copying := func(to, from net.Conn, fromServer bool) {
		b := make([]byte, 64<<10)
		for {
			n, err := from.Read(b)
			if n > 0 {
				data := bytes.Clone(b[:n])
				if change != nil {
					data = change(fromServer, data)
				}
				if _, err := to.Write(data); err != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		_ = to.(*net.TCPConn).CloseWrite()
	}
	done := make(chan struct{})
	go func() { copying(server, client, false); close(done) }()
	copying(client, server, true)
	<-done
}

// end waits until all is closed.
func (w *world) end() {
	for _, end := range w.close {
		end()
	}
	w.close = nil
}

// edit changes the events of a connection, or leaves it out by returning none.
type edit func([]wiretap.Event) []wiretap.Event

// view dissects a capture, after edits.
func view(name string, t *tape, keys *secrets, edits ...edit) vantage.Capture {
	v := vantage.Capture{Name: name, Own: true}
	d := tlsdecrypt.New(tlsdecrypt.Options{Secrets: &keys.Store, Done: func(c *tlsdecrypt.Connection) { v.Connections = append(v.Connections, c) }})
	for i, events := range t.events {
		events = slices.Clone(events)
		for _, change := range edits {
			events = change(events)
		}
		if len(events) == 0 {
			continue
		}
		events[0].Exchange = i
		handle := d.Open(events[0])
		for _, e := range events[1:] {
			e.Exchange = i
			handle(e)
		}
		for _, e := range events {
			if v.First.IsZero() || e.Time.Before(v.First) {
				v.First = e.Time
			}
			if e.Time.After(v.Last) {
				v.Last = e.Time
			}
		}
	}
	d.Close()
	slices.SortFunc(v.Connections, func(a, b *tlsdecrypt.Connection) int { return a.Number - b.Number })
	return v
}

// join joins the world's two captures.
func (w *world) join() *vantage.Report {
	w.t.Helper()
	w.end()
	return vantage.Join(view("client.pcapng", &w.client, &w.keys), view("server.pcapng", &w.server, &w.keys))
}

// later moves a capture's clock.
func later(by time.Duration) edit {
	return func(events []wiretap.Event) []wiretap.Event {
		events = slices.Clone(events)
		for i := range events {
			events[i].Time = events[i].Time.Add(by)
		}
		return events
	}
}

// translated gives the client another address.
func translated(events []wiretap.Event) []wiretap.Event {
	events = slices.Clone(events)
	events[0].Client = netip.MustParseAddrPort("203.0.113.7:40000")
	return events
}
