package fault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// pair returns the two ends of a TCP connection.
func pair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{client, server} {
		_ = c.SetDeadline(time.Now().Add(peertest.Patience))
		t.Cleanup(func() { c.Close() })
	}
	return client, server
}

// newCertificate returns a certificate that is its own CA.
func newCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// recorder keeps what is written to a connection.
type recorder struct {
	net.Conn
	written []byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.written = append(r.written, b...)
	return r.Conn.Write(b)
}

// The server reads on after a KeyUpdate, which is the first record after the
// handshake, and what follows is under the next keys.
func TestKeyUpdate(t *testing.T) {
	below, server := pair(t)
	sent, keys := &recorder{Conn: below}, new(peertest.Buffer)
	verified := false
	config := &tls.Config{InsecureSkipVerify: true, KeyLogWriter: keys,
		VerifyConnection: func(tls.ConnectionState) error { verified = true; return nil }}
	client := tls.Client(KeyUpdate(sent, config), config)
	got := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(tls.Server(server, &tls.Config{Certificates: []tls.Certificate{newCertificate(t, "server")}}))
		got <- string(text)
	}()
	for _, text := range []string{"one", strings.Repeat("two", 10_000), "three"} {
		if _, err := io.WriteString(client, text); err != nil {
			t.Fatal(err)
		}
	}
	client.Close()
	if !verified {
		t.Error("the client's own VerifyConnection was not called")
	}
	if text := <-got; text != "one"+strings.Repeat("two", 10_000)+"three" {
		t.Errorf("the server has read %d bytes", len(text))
	}

	var secret []byte
	for line := range strings.Lines(keys.String()) {
		if entry, err := keylog.ParseLine([]byte(strings.TrimSpace(line))); err == nil && entry.Label == keylog.LabelClientTraffic0 {
			secret = entry.Secret
		}
	}
	first, err := tlsdecrypt.NewTrafficKeys(tlswire.CipherSuite(client.ConnectionState().CipherSuite), secret)
	if err != nil {
		t.Fatal(err)
	}
	next, err := first.Next()
	if err != nil {
		t.Fatal(err)
	}
	var updates, after int
	for rest := sent.written; len(rest) > 0; {
		record, more, err := tlswire.ReadRecord(rest, 0)
		if err != nil {
			t.Fatal(err)
		}
		rest = more
		if inner, err := first.Open(record); err == nil {
			updates++
			if string(inner) != "\x18\x00\x00\x01\x00\x16" { // KeyUpdate, update_not_requested
				t.Errorf("under the first keys there is %x", inner)
			}
		} else if _, err := next.Open(record); err == nil {
			after++
		}
	}
	if updates != 1 || after < 5 { // three writes, one of them of two records, and close_notify
		t.Errorf("%d records are under the first keys, %d under the next", updates, after)
	}
}

func TestKeyUpdateNeedsTLS13(t *testing.T) {
	below, server := pair(t)
	config := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}
	go func() {
		_ = tls.Server(server, &tls.Config{Certificates: []tls.Certificate{newCertificate(t, "server")}}).Handshake()
	}()
	if err := tls.Client(KeyUpdate(below, config), config).Handshake(); err == nil || !strings.Contains(err.Error(), "needs TLS 1.3") {
		t.Error(err)
	}
}

// What a client says in place of a ClientHello, and how its handshake ends.
func TestClientWithoutTLS(t *testing.T) {
	for fault, want := range map[NotTLS]struct {
		says, did string
		quits     bool
	}{
		PlainHTTP: {"GET / HTTP/1.1\r\nHost: example:", "sent plain HTTP; the answer was HTTP/1.1 400 Bad Request", false},
		Garbage:   {garbage, "sent bytes that are not TLS; the answer was HTTP/1.1 400 Bad Request", false},
		Silence:   {"", "said nothing; the answer was HTTP/1.1 400 Bad Request", false},
		HangUp:    {"\x16\x03\x01", "hung up during the handshake", true},
	} {
		client, server := pair(t)
		said := make(chan string, 1)
		go func() {
			b := make([]byte, 16<<10)
			n := 0
			if fault != Silence {
				n, _ = server.Read(b)
			}
			_, _ = io.WriteString(server, badRequest)
			server.Close()
			said <- string(b[:n])
		}()
		config := &tls.Config{ServerName: "example"}
		err := tls.Client(fault.Client(client, config), config).Handshake()
		var own verdict.Misbehaviour
		if !errors.As(err, &own) || own.Error() != want.did || own.HungUp() != want.quits {
			t.Errorf("%s: the handshake ends with %+v", fault, err)
		}
		if got := <-said; !strings.HasPrefix(got, want.says) || want.says == "" && got != "" {
			t.Errorf("%s: the client says %q", fault, got)
		}
	}
}

// What a server says in place of a ServerHello, after its client has spoken: on
// this connection one cannot write before the other reads.
func TestServerWithoutTLS(t *testing.T) {
	for fault, want := range map[NotTLS]string{PlainHTTP: badRequest, Garbage: garbage, Silence: "", HangUp: ""} {
		client, server := net.Pipe()
		_ = client.SetDeadline(time.Now().Add(5 * time.Second))
		ended := make(chan error, 1)
		go func() {
			config := &tls.Config{Certificates: []tls.Certificate{newCertificate(t, "server")}}
			ended <- tls.Server(fault.Server(server, config), config).Handshake()
			server.Close()
		}()
		if _, err := io.WriteString(client, "\x16\x03\x01\x00\x00"); err != nil {
			t.Fatal(err)
		}
		said := make([]byte, len(want))
		_, _ = io.ReadFull(client, said)
		client.Close()
		var own verdict.Misbehaviour
		if err := <-ended; !errors.As(err, &own) || string(said) != want {
			t.Errorf("%s: the server says %q, and its handshake ends with %v", fault, said, err)
		}
	}
}

// A client that withholds its certificate shows it to a server that names its
// CA, and to no other.
func TestWithhold(t *testing.T) {
	own, foreign := newCertificate(t, "own"), newCertificate(t, "foreign")
	for name, ca := range map[string]*x509.Certificate{"own": own.Leaf, "foreign": foreign.Leaf} {
		client, server := pair(t)
		pool := x509.NewCertPool()
		pool.AddCert(ca)
		shown := make(chan int, 1)
		go func() {
			conn := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{foreign}, ClientAuth: tls.RequestClientCert, ClientCAs: pool})
			_ = conn.Handshake()
			shown <- len(conn.ConnectionState().PeerCertificates)
		}()
		config := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}
		if err := tls.Client(Withhold(client, config), config).Handshake(); err != nil {
			t.Fatal(err)
		}
		if got := <-shown; got != map[string]int{"own": 1, "foreign": 0}[name] {
			t.Errorf("a server that names %s is shown %d certificates", name, got)
		}
	}
}

// An impostor's signature is that of another key than the one it claims.
func TestImpostor(t *testing.T) {
	claimed, other := newCertificate(t, "claimed"), newCertificate(t, "other")
	key := Impostor(claimed.Leaf.PublicKey, other.PrivateKey.(*ecdsa.PrivateKey))
	digest := sha256.Sum256([]byte("text"))
	signature, err := key.Sign(rand.Reader, digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	if key.Public() != claimed.Leaf.PublicKey || ecdsa.VerifyASN1(claimed.Leaf.PublicKey.(*ecdsa.PublicKey), digest[:], signature) ||
		!ecdsa.VerifyASN1(other.Leaf.PublicKey.(*ecdsa.PublicKey), digest[:], signature) {
		t.Error("the signature is not the other key's")
	}
}

func TestChain(t *testing.T) {
	for chain, want := range map[Chain]string{"": "leaf,sub,", ChainLeaf: "leaf,", ChainReversed: "sub,leaf,"} {
		certificate := &tls.Certificate{Certificate: [][]byte{[]byte("leaf"), []byte("sub")}}
		chain.Apply(certificate)
		got := ""
		for _, der := range certificate.Certificate {
			got += string(der) + ","
		}
		if got != want {
			t.Errorf("%q sends %s", chain, got)
		}
	}
}

// Keys for Encrypted ClientHello are made once and then read; another file is
// refused and stays as it is.
func TestLoadECH(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ech.pem")
	made, err := LoadECH(file, "public.example")
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadECH(file, "other.example")
	if err != nil || string(made.list) != string(again.list) || !strings.Contains(string(made.list), "public.example") {
		t.Errorf("read again, the list is %q, %v", again.list, err)
	}
	for _, text := range []string{"", "mine", string(newCertificate(t, "mine").Certificate[0])} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadECH(file, "public.example"); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%q is read: %v", text, err)
		}
		if left, _ := os.ReadFile(file); string(left) != text {
			t.Errorf("%q was replaced", text)
		}
	}
}

// Join applies faults in their order, the first one nearest to the network.
func TestJoin(t *testing.T) {
	if Join() != nil {
		t.Error("no faults are one")
	}
	client, _ := pair(t)
	config := &tls.Config{}
	conn := Join(Withhold, Offer([]uint16{1}), KeyUpdate)(client, config)
	update, ok := conn.(*keyUpdate)
	if !ok || config.GetClientCertificate == nil {
		t.Fatalf("%T", conn)
	}
	if below, ok := update.NetConn().(offer); !ok || below.NetConn() != client {
		t.Errorf("below KeyUpdate there is %T", update.NetConn())
	}
}
