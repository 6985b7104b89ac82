package probe

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/text"
)

// listen starts a server that does as told with each connection.
func listen(t testing.TB, serve func(net.Conn)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	peertest.Serve(t, l, serve)
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// A hostile server is given up in bounded time, and the reason is said.
func TestHostile(t *testing.T) {
	p := newPKI(t)
	reset := func(c net.Conn) {
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  string
	}{
		"silent":            {func(c net.Conn) { time.Sleep(10 * time.Second); c.Close() }, "the server cannot be probed: the server was silent for too long"},
		"a byte at a time":  {func(c net.Conn) { drip(c, "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"+strings.Repeat("a", 1000)) }, "the server was silent for too long"},
		"resets":            {reset, ""},
		"closes":            {func(c net.Conn) { c.Close() }, ""},
		"a gigabyte":        {func(c net.Conn) { _, _ = io.Copy(c, zeros{}) }, "did not speak TLS"},
		"a gigabyte of TLS": {func(c net.Conn) { _, _ = io.Copy(c, records{}) }, ""},
		"plain HTTP": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}, "plain HTTP"},
		"resets after hello": {func(c net.Conn) { _, _ = c.Read(make([]byte, 100)); reset(c) }, "broke off the connection"},
		"one alert of no use": {func(c net.Conn) {
			_, _ = c.Read(make([]byte, 9999))
			_, _ = io.WriteString(c, "\x15\x03\x03\x00\x02\x02\x50")
			c.Close()
		}, "internal_error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := p.options(listen(t, c.serve))
			o.Timeout = 300 * time.Millisecond
			r := probed(t, o)
			if r.Exit() != ExitUnknown || r.Error == "" || !strings.Contains(r.Error, c.want) || len(r.Findings) > 0 {
				t.Errorf("exit status %d, %q, %d findings", r.Exit(), r.Error, len(r.Findings))
			}
			if strings.Contains(r.Hint, "--ca ") || strings.Contains(r.Error, "good certificate is not let in") { // it was never shown
				t.Errorf("%q, hint %q", r.Error, r.Hint)
			}
		})
	}
}

// A server that takes the good certificate and speaks no HTTP lets nobody in,
// as far as can be told.
func TestNoHTTP(t *testing.T) {
	p := newPKI(t)
	config := &tls.Config{Certificates: []tls.Certificate{p.pair("server")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
	o := p.options(listen(t, func(raw net.Conn) {
		defer raw.Close()
		_, _ = io.Copy(io.Discard, tls.Server(raw, config))
	}))
	o.Timeout = 300 * time.Millisecond
	r := probed(t, o)
	if r.Exit() != ExitUnknown || !strings.Contains(r.Error, "the handshake succeeded, and no answer came") || !strings.Contains(r.Hint, "--starttls") {
		t.Errorf("exit status %d, %q, hint %q", r.Exit(), r.Error, r.Hint)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// records are handshake records that never make a message.
type records struct{}

func (records) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = "\x16\x03\x03\x40\x00\x02\xff\xff\xff"[i%9]
	}
	return len(b), nil
}

func drip(c net.Conn, text string) {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A server that answers without an end, in drips or elsewhere still lets in or
// not: the head of its answer counts.
func TestHostileAnswers(t *testing.T) {
	p := newPKI(t)
	for name, handler := range map[string]http.HandlerFunc{
		"a gigabyte": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.CopyN(w, zeros{}, 1<<30) },
		"drips": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(50 * time.Millisecond)
			}
		},
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := p.options(p.goServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}, handler))
			o.Timeout, o.Only = 500*time.Millisecond, []string{noneCase, "self-signed-client", "revoked-client"}
			want(t, probed(t, o), "revoked-client", "")
		})
	}
}

// A server that no longer lets in the good certificate after a bad one may lock
// out: the probe stops, and says so.
func TestLockout(t *testing.T) {
	p := newPKI(t)
	var refused atomic.Bool
	config := &tls.Config{Certificates: []tls.Certificate{p.pair("server")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}
	port := listen(t, func(raw net.Conn) {
		defer raw.Close()
		if refused.Load() {
			_ = raw.(*net.TCPConn).SetLinger(0)
			return
		}
		c := tls.Server(raw, config)
		if err := c.Handshake(); err != nil {
			if !strings.Contains(err.Error(), "didn't provide") {
				refused.Store(true)
			}
			return
		}
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.CloseWrite()
		}
	})
	o := p.options(port)
	o.Concurrency = 1
	r := probed(t, o)
	if r.Exit() != ExitUnknown || !strings.Contains(r.Error, "the good certificate is no longer let in") || !strings.Contains(r.Hint, "lock out") {
		t.Errorf("exit status %d, %q, hint %q", r.Exit(), r.Error, r.Hint)
	}
}

// A server that closes in place of an alert has refused, too.
func TestCut(t *testing.T) {
	p := newPKI(t)
	port := listen(t, func(raw net.Conn) {
		defer raw.Close()
		config := &tls.Config{Certificates: []tls.Certificate{p.pair("server")}, ClientAuth: tls.RequireAnyClientCert}
		config.VerifyPeerCertificate = func(ders [][]byte, _ [][]*x509.Certificate) error {
			if good := p.pair("client"); !bytes.Equal(ders[0], good.Leaf.Raw) {
				raw.Close()
				return errors.New("not that one")
			}
			return nil
		}
		c := tls.Server(raw, config)
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.CloseWrite()
		}
	})
	o := p.options(port)
	o.Only = []string{"self-signed-client", "look-alike-ca"}
	r := probed(t, o)
	want(t, r, "", "")
	for _, f := range r.Findings {
		if f.Result != Cut || f.Judgement != Right {
			t.Errorf("%s in %s: %s %s", f.Case, f.TLS, f.Judgement, f.Result)
		}
	}
}

// What a server calls itself and its CAs is shown clean, and the names of a
// thousand CAs are few.
func TestHostileNames(t *testing.T) {
	p := newPKI(t)
	const name = "\x1b]0;owned\x07\x1b[2Jok    mtls\nALARM\u202e"
	ca := p.pair("server-ca")
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name, Organization: []string{name}}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost", "a\x1b[2Jb"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	server := p.pair("server")
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Leaf, server.Leaf.PublicKey, ca.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	pool := p.pool("client-ca")
	for i := range 1000 {
		pool.AddCert(&x509.Certificate{Raw: []byte{byte(i), byte(i >> 8)}, RawSubject: subject(t, fmt.Sprint(name, i))})
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: server.PrivateKey}}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
	o := p.options(listen(t, func(raw net.Conn) {
		defer raw.Close()
		c := tls.Server(raw, config)
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			fmt.Fprintf(c, "HTTP/1.1 200 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", strings.ReplaceAll(name, "\n", ""))
			c.CloseWrite()
		}
	}))
	var b bytes.Buffer
	table := Table{Printer: text.Printer{W: &b}, Names: 30}
	o.Each = func(row []*Finding) { table.Row(row...) }
	r := probed(t, o)
	table.Rest()
	if r.Exit() == ExitUnknown || b.Len() > 20_000 {
		t.Errorf("exit status %d, %q, a table of %d bytes", r.Exit(), r.Error, b.Len())
	}
	for line := range strings.Lines(b.String()) {
		if !text.IsClean(strings.TrimSuffix(line, "\n")) || strings.HasPrefix(line, "ALARM") && !strings.HasPrefix(line, "ALARM revoked-client") {
			t.Errorf("%q", line)
		}
	}
}

// subject returns the DER of a name.
func subject(t *testing.T, name string) []byte {
	t.Helper()
	der, err := asn1.Marshal(pkix.Name{CommonName: name}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	return der
}
