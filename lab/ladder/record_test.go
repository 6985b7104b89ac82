package ladder

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
	"mtlslab.example/lab/lab/wiretap/wiretaptest"
)

var record = flag.Bool("record", false, "record the flows in testdata anew, from Go's own client and server")

// flowFile is a file of recorded connections, one after the other: a line for
// each event.
func flowFile(name string) string { return filepath.Join("testdata", name+".flow") }

// replay dissects and checks recorded connections and returns the last one.
// Times and addresses are made up: each event comes 300 µs after the one
// before.
func replay(t testing.TB, name string, withKeys bool) *tlsdecrypt.Connection {
	t.Helper()
	return replaySome(t, name, withKeys, func(e wiretap.Event) []wiretap.Event { return []wiretap.Event{e} })
}

// replaySome replays what seen makes of each event.
func replaySome(t testing.TB, name string, withKeys bool, seen func(wiretap.Event) []wiretap.Event) *tlsdecrypt.Connection {
	t.Helper()
	text, err := os.ReadFile(flowFile(name))
	if err != nil {
		t.Fatal(err)
	}
	var got *tlsdecrypt.Connection
	d := tlsdecrypt.New(tlsdecrypt.Options{Done: func(c *tlsdecrypt.Connection) { got = c }})
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	var handle wiretap.Handler
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] == "#" {
			continue
		}
		if words[1] == "open" {
			at = at.Truncate(time.Minute).Add(time.Minute)
			handle = d.Open(wiretap.Event{Kind: wiretap.Open, Exchange: 1, Time: at,
				Client: netip.MustParseAddrPort("127.0.0.1:51234"), Server: netip.MustParseAddrPort("127.0.0.1:8443")})
			continue
		}
		e := wiretap.Event{Exchange: 1, From: endpoint.Client}
		if words[0] == "server" {
			e.From = endpoint.Server
		}
		if len(words) > 2 {
			if e.Data, err = hex.DecodeString(words[2]); err != nil {
				t.Fatal(err)
			}
		}
		e.Kind = kinds[words[1]]
		if e.Kind == wiretap.Secret && !withKeys {
			continue
		}
		if e.Kind != wiretap.Secret {
			at = at.Add(300 * time.Microsecond)
		}
		e.Time = at
		for _, e := range seen(e) {
			handle(e)
		}
	}
	d.Close()
	if got == nil {
		t.Fatalf("%s: the connection did not end", name)
	}
	got.Check(trust(t))
	return got
}

// casFile holds the CAs of the recordings.
var casFile = filepath.Join("testdata", "cas.pem")

func trust(t testing.TB) *chain.Trust {
	t.Helper()
	text, err := os.ReadFile(casFile)
	if err != nil {
		t.Fatal(err)
	}
	trust := &chain.Trust{Now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		trust.CAs = append(trust.CAs, chain.NamedCA{Name: cert.Subject.CommonName, Certificate: cert})
	}
	return trust
}

var kinds = map[string]wiretap.Kind{"data": wiretap.Data, "secret": wiretap.Secret, "verdict": wiretap.Verdict,
	"half-close": wiretap.HalfClose, "reset": wiretap.Reset, "close": wiretap.Close}

// recorder keeps the events of connections as lines of a flow file.
type recorder struct {
	mu    sync.Mutex
	lines []string
	done  chan struct{} // closed when the connection has ended
}

func (r *recorder) Open(wiretap.Event) wiretap.Handler {
	done := make(chan struct{})
	r.mu.Lock()
	r.lines, r.done = append(r.lines, "client open"), done
	r.mu.Unlock()
	return func(e wiretap.Event) {
		r.mu.Lock()
		r.lines = append(r.lines, strings.TrimSpace(fmt.Sprintf("%v %v %x", e.From, e.Kind, e.Data)))
		r.mu.Unlock()
		if e.Kind == wiretap.Close {
			close(done)
		}
	}
}

// pki issues the certificates of the recordings.
type pki struct{ t *testing.T }

func (p pki) issue(template *x509.Certificate, issuer *tls.Certificate) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Date(2027, 11, 24, 0, 0, 0, 0, time.UTC)
	}
	template.NotBefore = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	template.BasicConstraintsValid = true
	parent, signer := template, any(key)
	if issuer != nil {
		parent, signer = issuer.Leaf, issuer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		p.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (p pki) ca(name string) tls.Certificate {
	return p.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, KeyUsage: x509.KeyUsageCertSign}, nil)
}

func pool(cas ...tls.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, ca := range cas {
		p.AddCert(ca.Leaf)
	}
	return p
}

// hostile is a name that would recolour a terminal, turn its lines round and
// overflow it.
var hostile = "eve\x1b[31m\r\n\u202eevil\u200b" + strings.Repeat("m", 300)

// recordings change the configurations of a server and a client that
// authenticate each other, and say how many connections to make; the last is
// kept.
var recordings = []struct {
	name        string
	change      func(server, client *tls.Config, made map[string]tls.Certificate)
	connections int
}{
	{"tls13-mutual", func(s, c *tls.Config, _ map[string]tls.Certificate) {}, 1},
	{"tls12-mutual", func(s, c *tls.Config, _ map[string]tls.Certificate) { c.MaxVersion = tls.VersionTLS12 }, 1},
	{"tls13-resumed", func(s, c *tls.Config, _ map[string]tls.Certificate) {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}, 2},
	{"tls12-resumed", func(s, c *tls.Config, _ map[string]tls.Certificate) {
		c.MaxVersion, c.ClientSessionCache = tls.VersionTLS12, tls.NewLRUClientSessionCache(1)
	}, 2},
	{"tls13-retry", func(s, c *tls.Config, _ map[string]tls.Certificate) {
		s.CurvePreferences, c.CurvePreferences = []tls.CurveID{tls.CurveP384}, []tls.CurveID{tls.X25519, tls.CurveP384}
	}, 1},
	{"tls13-one-sided", func(s, c *tls.Config, _ map[string]tls.Certificate) {
		s.ClientAuth, c.Certificates = tls.NoClientCert, nil
	}, 1},
	{"tls13-no-certificate", func(s, c *tls.Config, _ map[string]tls.Certificate) { c.Certificates = nil }, 1},
	{"tls12-no-certificate", func(s, c *tls.Config, _ map[string]tls.Certificate) {
		c.Certificates, c.MaxVersion = nil, tls.VersionTLS12
	}, 1},
	{"tls13-expired-client", func(s, c *tls.Config, made map[string]tls.Certificate) {
		c.Certificates = []tls.Certificate{made["expired"]}
	}, 1},
	{"tls13-untrusted-server", func(s, c *tls.Config, made map[string]tls.Certificate) { c.RootCAs = pool(made["other-ca"]) }, 1},
	{"tls13-http2", func(s, c *tls.Config, _ map[string]tls.Certificate) { c.NextProtos = []string{"h2"} }, 1},
	{"tls13-hostile-names", func(s, c *tls.Config, made map[string]tls.Certificate) {
		c.Certificates, c.ServerName = []tls.Certificate{made["hostile"]}, "localhost"
	}, 1},
}

func TestRecord(t *testing.T) {
	if !*record {
		t.Skip("only with -record")
	}
	p := pki{t}
	serverCA, clientCA := p.ca("server-ca"), p.ca("client-ca")
	client := func(name string, until time.Time) tls.Certificate {
		return p.issue(&x509.Certificate{Subject: pkix.Name{CommonName: name}, NotAfter: until,
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, &clientCA)
	}
	made := map[string]tls.Certificate{
		"server": p.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "server"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, &serverCA),
		"client":   client("client", time.Time{}),
		"expired":  client("client", time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)),
		"hostile":  client(hostile, time.Time{}),
		"other-ca": p.ca("other-ca"),
	}
	var cas []byte
	for _, ca := range []tls.Certificate{serverCA, clientCA} {
		cas = append(cas, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate[0]})...)
	}
	if err := os.WriteFile(casFile, cas, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, r := range recordings {
		var secrets bytes.Buffer
		server := &tls.Config{Certificates: []tls.Certificate{made["server"]}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(clientCA),
			NextProtos: []string{"http/1.1"}, KeyLogWriter: &secrets, Time: func() time.Time { return time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) }}
		clientConfig := &tls.Config{Certificates: []tls.Certificate{made["client"]}, RootCAs: pool(serverCA), ServerName: "localhost", NextProtos: []string{"http/1.1"}, Time: server.Time}
		r.change(server, clientConfig, made)
		kept := &recorder{}
		callServer(t, kept, server, clientConfig, r.connections)
		var text strings.Builder
		fmt.Fprintf(&text, "# %s: Go's client and server, recorded by the test with -record\n", r.name)
		for _, line := range kept.lines {
			fmt.Fprintln(&text, line)
			if line != "client open" {
				continue
			}
			for secret := range strings.Lines(secrets.String()) {
				fmt.Fprintf(&text, "server secret %x\n", secret)
			}
		}
		if err := os.WriteFile(flowFile(r.name), []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// callServer makes a number of connections, one after the other, with a request
// each.
func callServer(t *testing.T, kept *recorder, serverConfig, clientConfig *tls.Config, connections int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{TLSConfig: serverConfig, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "Hello, over mutual TLS\n")
	})}
	go server.ServeTLS(wiretaptest.Listener(wiretap.New(kept), listener), "", "")
	defer server.Close()
	httpClient := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		raw, err := net.Dial(network, listener.Addr().String())
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, clientConfig)
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		return conn, nil
	}}}
	for range connections {
		resp, err := httpClient.Get("https://localhost:8443/")
		if err != nil {
			t.Logf("the client: %v", err)
		} else {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		httpClient.CloseIdleConnections()
		kept.mu.Lock()
		done := kept.done
		kept.mu.Unlock()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("the connection did not end")
		}
	}
}

// judged is what the messages of a connection show of it.
func judged(c *tlsdecrypt.Connection) *verdict.Verdict {
	v := verdict.Judge(nil, nil, 0, c)
	return &v
}

// lineOf is the line of a connection that is judged by its messages alone.
func lineOf(c *tlsdecrypt.Connection, o Options) string { return Line(c, judged(c), o) }
