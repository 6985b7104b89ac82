package capture_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/wiretap"
	"mtlslab.example/lab/lab/wiretap/wiretaptest"
)

// pki is a CA with a server and a client certificate.
type pki struct {
	roots          *x509.CertPool
	ca             []byte
	server, client tls.Certificate
}

var testPKI = sync.OnceValue(func() pki {
	caKey, ca, err := issue("ca", nil, nil)
	if err != nil {
		panic(err)
	}
	p := pki{roots: x509.NewCertPool(), ca: ca.Raw}
	p.roots.AddCert(ca)
	for name, to := range map[string]*tls.Certificate{"server": &p.server, "client": &p.client} {
		key, cert, err := issue(name, ca, caKey)
		if err != nil {
			panic(err)
		}
		*to = tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	}
	return p
})

func issue(name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		template.KeyUsage |= x509.KeyUsageCertSign
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return key, cert, err
}

// setup is a server and its client, either of which may be tapped.
type setup struct {
	tls            uint16 // version; 0 is crypto/tls's choice
	http2          bool
	resume         bool
	tapServer      *wiretap.Tap
	tapClient      *wiretap.Tap
	address        string // to listen on; "" is 127.0.0.1:0
	noClientCert   bool
	retry          bool      // the client's key share makes the server send HelloRetryRequest
	keyLog         io.Writer // besides the capture
	handler        http.Handler
	skipClientAuth bool
}

// lab is a running setup.
type lab struct {
	addr   string
	client *http.Client
	ended  atomic.Int64 // connections that the server has closed
	server *http.Server
	config *tls.Config // of the client, without key log
}

// start runs s until the test ends. The server gives the tap the reason why a
// handshake failed, as lab does.
func (s setup) start(t testing.TB) *lab {
	t.Helper()
	l := &lab{}
	address := s.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("cannot listen on %s: %v", address, err)
	}
	l.addr = ln.Addr().String()
	if s.tapServer != nil {
		ln = wiretaptest.Listener(s.tapServer, ln)
	}
	handler := s.handler
	if handler == nil {
		handler = http.HandlerFunc(serve)
	}
	l.server = &http.Server{
		Handler:  handler,
		ErrorLog: log.New(io.Discard, "", 0),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				l.ended.Add(1)
			}
		},
	}
	go l.server.Serve(listenTLS(ln, s.serverConfig(), func() { l.ended.Add(1) }))
	l.config = s.clientConfig()
	transport := &http.Transport{DialTLSContext: s.dialer(l.config), ForceAttemptHTTP2: s.http2, MaxIdleConnsPerHost: 256}
	l.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	t.Cleanup(l.stop)
	return l
}

// stop closes all connections and waits for the server's end of them.
func (l *lab) stop() {
	l.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	l.server.Shutdown(ctx)
	l.server.Close()
}

func (l *lab) get(t testing.TB, path string) {
	t.Helper()
	response, err := l.client.Get("https://" + l.addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
}

// serve answers /status/N with that status, and ?bytes=N with so many.
func serve(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("bytes"))
	status := http.StatusOK
	fmt.Sscanf(r.URL.Path, "/status/%d", &status)
	w.Header().Set("Content-Length", strconv.Itoa(n))
	w.WriteHeader(status)
	for body := make([]byte, 32<<10); n > 0; n -= len(body) {
		w.Write(body[:min(n, len(body))])
	}
}

func (s setup) serverConfig() *tls.Config {
	p := testPKI()
	c := &tls.Config{
		Certificates: []tls.Certificate{p.server},
		ClientCAs:    p.roots,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
		MaxVersion:   s.tls,
		NextProtos:   []string{"http/1.1"},
		KeyLogWriter: s.keyLog,
	}
	if s.skipClientAuth {
		c.ClientAuth = tls.NoClientCert
	}
	if s.http2 {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	if s.retry {
		c.CurvePreferences = []tls.CurveID{tls.CurveP384}
	}
	return c
}

func (s setup) clientConfig() *tls.Config {
	p := testPKI()
	c := &tls.Config{
		RootCAs:      p.roots,
		ServerName:   "localhost",
		NextProtos:   []string{"http/1.1"},
		MinVersion:   tls.VersionTLS12,
		KeyLogWriter: nil,
	}
	if !s.noClientCert {
		c.Certificates = []tls.Certificate{p.client}
	}
	if s.http2 {
		c.NextProtos = []string{"h2"}
	}
	if s.resume {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	}
	if s.retry {
		c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}
	}
	return c
}

// dialer returns a dialer of TLS connections, tapped if the client is.
func (s setup) dialer(config *tls.Config) wiretaptest.DialFunc {
	dial := (&net.Dialer{}).DialContext
	if s.tapClient != nil {
		dial = wiretaptest.Dialer(s.tapClient, dial)
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		config := config
		if tapped, ok := wiretap.Of(raw); ok {
			config = config.Clone()
			config.KeyLogWriter = tapped.Secrets()
		}
		conn := tls.Client(raw, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			if tapped, ok := wiretap.Of(raw); ok {
				tapped.Annotate("client: " + err.Error())
			}
			raw.Close()
			return nil, err
		}
		return conn, nil
	}
}

// tlsListener accepts connections whose handshake has succeeded. For the others
// it gives the tap the reason, and waits a moment for the client to close
// first, so that its alert arrives.
type tlsListener struct {
	net.Listener
	conns    chan net.Conn
	rejected func() // is called after a connection of a failed handshake was closed
}

func listenTLS(l net.Listener, config *tls.Config, rejected func()) *tlsListener {
	t := &tlsListener{l, make(chan net.Conn), rejected}
	// By way of GetConfigForClient all connections share config's session
	// ticket keys.
	explained := config.Clone()
	explained.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		l, ok := hello.Conn.(*logged)
		if !ok {
			return config, nil
		}
		c := config.Clone()
		c.KeyLogWriter = &l.keys
		return c, nil
	}
	go func() {
		var handshakes sync.WaitGroup
		defer func() { handshakes.Wait(); close(t.conns) }()
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			conn := raw
			if secrets := secretsOf(config, raw); secrets != nil {
				conn = &logged{Conn: raw, keys: keylog.Buffer{To: secrets}}
			}
			handshakes.Go(func() { t.handshake(raw, tls.Server(conn, explained)) })
		}
	}()
	return t
}

func (t *tlsListener) handshake(raw net.Conn, conn *tls.Conn) {
	if err := conn.Handshake(); err != nil {
		if tapped, ok := wiretap.Of(raw); ok {
			tapped.Annotate("server: " + err.Error())
			tapped.CloseWrite()
			tapped.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
			io.Copy(io.Discard, tapped)
		}
		raw.Close()
		t.rejected()
		return
	}
	t.conns <- conn
}

func (t *tlsListener) Accept() (net.Conn, error) {
	conn, ok := <-t.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// logged writes the lines of its key log as the real lab does: before the next
// read or write.
type logged struct {
	net.Conn
	keys keylog.Buffer
}

func (c *logged) NetConn() net.Conn { return c.Conn }

func (c *logged) Read(p []byte) (int, error) {
	c.keys.Flush()
	return c.Conn.Read(p)
}

func (c *logged) Write(p []byte) (int, error) {
	c.keys.Flush()
	return c.Conn.Write(p)
}

// secretsOf returns what takes the secrets of raw: config's key log, its tap,
// both, or nil.
func secretsOf(config *tls.Config, raw net.Conn) io.Writer {
	tapped, ok := wiretap.Of(raw)
	switch {
	case !ok:
		return config.KeyLogWriter
	case config.KeyLogWriter == nil:
		return tapped.Secrets()
	}
	return io.MultiWriter(config.KeyLogWriter, tapped.Secrets())
}

// writeClient writes the client's certificate to dir/c.pem and its key to
// dir/k.pem.
func writeClient(t *testing.T, dir string) {
	t.Helper()
	client := testPKI().client
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"c.pem": {Type: "CERTIFICATE", Bytes: client.Certificate[0]},
		"k.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	clientAddr = netip.MustParseAddrPort("127.0.0.1:40000")
	serverAddr = netip.MustParseAddrPort("127.0.0.1:8443")
)
