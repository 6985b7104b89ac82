package tlsdecrypt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/wiretap"
)

// pki is a server CA and a client CA, and what they issued.
type pki struct {
	serverCA, clientCA authority
	server             map[string]tls.Certificate // by key: "ecdsa", "rsa", "ed25519"
	client             map[string]tls.Certificate
	serverPool         *x509.CertPool
	clientPool         *x509.CertPool
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var testPKI = sync.OnceValue(func() *pki {
	p := &pki{
		serverCA: newAuthority("server-ca"), clientCA: newAuthority("client-ca"),
		server: map[string]tls.Certificate{}, client: map[string]tls.Certificate{},
		serverPool: x509.NewCertPool(), clientPool: x509.NewCertPool(),
	}
	p.serverPool.AddCert(p.serverCA.cert)
	p.clientPool.AddCert(p.clientCA.cert)
	for _, kind := range []string{"ecdsa", "rsa", "ed25519"} {
		p.server[kind] = p.serverCA.issue("server", kind, time.Now().Add(24*time.Hour), x509.ExtKeyUsageServerAuth)
		p.client[kind] = p.clientCA.issue("client", kind, time.Now().Add(24*time.Hour), x509.ExtKeyUsageClientAuth)
	}
	return p
})

func newAuthority(name string) authority {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return authority{must(x509.ParseCertificate(der)), key}
}

func (a authority) issue(name, kind string, notAfter time.Time, usage x509.ExtKeyUsage) tls.Certificate {
	var key any
	var public any
	switch kind {
	case "rsa":
		k := must(rsa.GenerateKey(rand.Reader, 2048))
		key, public = k, k.Public()
	case "ed25519":
		pub, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		key, public = k, pub
	default:
		k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		key, public = k, k.Public()
	}
	template := &x509.Certificate{
		SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62))), Subject: pkix.Name{CommonName: name},
		NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		DNSNames: []string{"localhost"},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// write puts a certificate and its key into files that other programs read.
func write(t *testing.T, name string, c tls.Certificate) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")
	der := must(x509.MarshalPKCS8PrivateKey(c.PrivateKey))
	writePEM(t, cert, "CERTIFICATE", c.Certificate[0])
	writePEM(t, key, "PRIVATE KEY", der)
	return cert, key
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serverConfig and clientConfig are for mutual TLS with ECDSA certificates.
func serverConfig() *tls.Config {
	p := testPKI()
	return &tls.Config{Certificates: []tls.Certificate{p.server["ecdsa"]}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.clientPool, NextProtos: []string{"http/1.1"}}
}

func clientConfig() *tls.Config {
	p := testPKI()
	return &tls.Config{Certificates: []tls.Certificate{p.client["ecdsa"]}, RootCAs: p.serverPool, ServerName: "localhost", NextProtos: []string{"http/1.1"}}
}

// recording keeps the events of connections.
type recording struct {
	mu     sync.Mutex
	events []wiretap.Event
}

func (r *recording) Open(e wiretap.Event) wiretap.Handler {
	r.add(e)
	return r.add
}

func (r *recording) add(e wiretap.Event) {
	e.Data = append([]byte(nil), e.Data...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// dissect replays the events of one connection.
func (r *recording) dissect(t testing.TB, o Options) *Connection {
	t.Helper()
	var got *Connection
	o.Done = func(c *Connection) {
		if got != nil {
			t.Error("Done was called twice")
		}
		got = c
	}
	d := New(o)
	r.replay(d)
	d.Close()
	if got == nil {
		t.Fatal("Done was not called")
	}
	return got
}

func (r *recording) replay(sink wiretap.Sink) {
	handle := sink.Open(r.events[0])
	for _, e := range r.events[1:] {
		handle(e)
	}
}

// request and response are what the two sides say.
const (
	request  = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
	response = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
)

// record runs one connection of crypto/tls, with its server tapped, and returns
// its events.
func record(t testing.TB, server, client *tls.Config) *recording {
	t.Helper()
	r := &recording{}
	recordTo(t, r, server, client)
	return r
}

func recordTo(t testing.TB, sink wiretap.Sink, server, client *tls.Config) {
	t.Helper()
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			return
		}
		raw.SetDeadline(time.Now().Add(30 * time.Second))
		c := tls.Client(raw, client)
		defer c.Close()
		if _, err := c.Write([]byte(request)); err != nil {
			return
		}
		buf := make([]byte, 1024)
		for n := 0; n < len(response); {
			k, err := c.Read(buf)
			if err != nil {
				return
			}
			n += k
		}
	}()
	raw := must(listener.Accept())
	raw.SetDeadline(time.Now().Add(30 * time.Second))
	tapped := wiretap.New(sink).Server(raw, 1)
	config := server.Clone()
	config.KeyLogWriter = tapped.Secrets()
	c := tls.Server(tapped, config)
	buf := make([]byte, len(request))
	if _, err := io.ReadFull(c, buf); err == nil {
		c.Write([]byte(response))
		c.Read(buf) // the client's close_notify
	}
	c.Close()
	<-done
}
