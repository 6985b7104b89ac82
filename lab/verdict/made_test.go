package verdict

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/netip"
	"slices"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// start is when the connections of these tests are opened, and step how much
// later each of their messages is sent.
var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const step = 10 * time.Millisecond

// talk returns a maker of connections, whose messages begin with said.
func talk(version tlswire.Version, said ...*tlsdecrypt.Message) func(more ...*tlsdecrypt.Message) *tlsdecrypt.Connection {
	return func(more ...*tlsdecrypt.Message) *tlsdecrypt.Connection {
		c := &tlsdecrypt.Connection{Opened: start, ClientRandom: make([]byte, 32)}
		if c.Version = version; version != 0 {
			c.CipherSuite = tlswire.TLS_AES_128_GCM_SHA256
		}
		at := start
		for _, m := range slices.Concat(said, more) {
			own := *m
			at = at.Add(step)
			own.Time = at
			c.Messages = append(c.Messages, &own)
		}
		return c
	}
}

// asked makes connections on which the server asks for a certificate.
func asked(make func(...*tlsdecrypt.Message) *tlsdecrypt.Connection) func(...*tlsdecrypt.Message) *tlsdecrypt.Connection {
	return func(more ...*tlsdecrypt.Message) *tlsdecrypt.Connection {
		c := make(more...)
		c.ClientAuth = true
		return c
	}
}

// handshake is one that both sides come to the end of, without certificates
// that can be parsed.
func handshake(version tlswire.Version) func(...*tlsdecrypt.Message) *tlsdecrypt.Connection {
	server, client := endpoint.Server, endpoint.Client
	if version < tlswire.VersionTLS13 {
		return talk(version, hello(), serverHello(), shows(server, nil), finished(client), finished(server))
	}
	return talk(version, hello(), serverHello(), shows(server, nil), finished(server), finished(client))
}

// handshakeWithout is one in which the client sends an empty Certificate.
func handshakeWithout(version tlswire.Version) func(...*tlsdecrypt.Message) *tlsdecrypt.Connection {
	server, client := endpoint.Server, endpoint.Client
	return talk(version, hello(), serverHello(), shows(server, nil), finished(server), shows(client), finished(client), ticket())
}

// ended ends a connection a step after its last message: by closes first.
func ended(c *tlsdecrypt.Connection, by endpoint.Side) *tlsdecrypt.Connection {
	return endedAfter(c, by, step)
}

func endedAfter(c *tlsdecrypt.Connection, by endpoint.Side, silence time.Duration) *tlsdecrypt.Connection {
	last := c.Opened
	if n := len(c.Messages); n > 0 {
		last = c.Messages[n-1].Time
	}
	c.EndedBy, c.EndedAt, c.Ended, c.End = by, last.Add(silence), last.Add(silence), tlsdecrypt.Closed
	return c
}

func endsWith(c *tlsdecrypt.Connection, end tlsdecrypt.End) *tlsdecrypt.Connection {
	c.End = end
	return c
}

func said(from endpoint.Side, body tlswire.Body) *tlsdecrypt.Message {
	return &tlsdecrypt.Message{From: from, Type: tlswire.ContentTypeHandshake, Handshake: &tlswire.Handshake{Type: body.Type(), Body: body}}
}

// suites are one of TLS 1.3, and one of TLS 1.2.
var suites = []tlswire.CipherSuite{tlswire.TLS_AES_128_GCM_SHA256, 0xc02f}

func hello() *tlsdecrypt.Message {
	return said(endpoint.Client, &tlswire.ClientHello{LegacyVersion: tlswire.VersionTLS12, CipherSuites: suites})
}

func serverHello() *tlsdecrypt.Message { return said(endpoint.Server, &tlswire.ServerHello{}) }
func ticket() *tlsdecrypt.Message      { return said(endpoint.Server, &tlswire.NewSessionTicket{}) }

func finished(from endpoint.Side) *tlsdecrypt.Message { return said(from, &tlswire.Finished{}) }

// shows is a Certificate with ders, which need not parse.
func shows(from endpoint.Side, ders ...[]byte) *tlsdecrypt.Message {
	body := &tlswire.Certificate{}
	for _, der := range ders {
		body.Entries = append(body.Entries, tlswire.CertificateEntry{Data: der})
	}
	return said(from, body)
}

// checkedAs adds the result of the check of its chain.
func checkedAs(m *tlsdecrypt.Message, result tlsdecrypt.Result, faults ...*chain.Fault) *tlsdecrypt.Message {
	for _, f := range faults {
		m.Checks = append(m.Checks, tlsdecrypt.Check{Subject: "chain", Result: result, Fault: f})
	}
	if len(faults) == 0 {
		m.Checks = append(m.Checks, tlsdecrypt.Check{Subject: "chain", Result: result})
	}
	return m
}

// signature is a CertificateVerify whose check gave result.
func signature(from endpoint.Side, result tlsdecrypt.Result) *tlsdecrypt.Message {
	m := said(from, &tlswire.CertificateVerify{})
	m.Checks = []tlsdecrypt.Check{{Subject: "signature", Result: result}}
	return m
}

func alert(from endpoint.Side, d tlswire.AlertDescription) *tlsdecrypt.Message {
	return &tlsdecrypt.Message{From: from, Type: tlswire.ContentTypeAlert, Alert: &tlswire.Alert{Level: tlswire.AlertFatal, Description: d}}
}

// opened is a message that was encrypted.
func opened(m *tlsdecrypt.Message) *tlsdecrypt.Message {
	m.Key.Secret = "client_handshake_traffic_secret"
	return m
}

func warning(from endpoint.Side, d tlswire.AlertDescription) *tlsdecrypt.Message {
	m := alert(from, d)
	m.Alert.Level = tlswire.AlertWarning
	return m
}

func request() *tlsdecrypt.Message {
	return &tlsdecrypt.Message{From: endpoint.Client, Type: tlswire.ContentTypeApplicationData, HTTP: &httpwire.Message{Request: true, Method: "GET"}}
}

func answer(status int, headers ...httpwire.Header) *tlsdecrypt.Message {
	return &tlsdecrypt.Message{From: endpoint.Server, Type: tlswire.ContentTypeApplicationData, HTTP: &httpwire.Message{Status: status, Headers: headers}}
}

var nginx = httpwire.Header{Name: "server", Value: "nginx/1.28"}

// sealed are records whose keys are missing: they carry n bytes of plaintext
// each, padding counted.
func sealed(from endpoint.Side, sizes ...int) *tlsdecrypt.Message {
	m := &tlsdecrypt.Message{From: from, Type: tlswire.ContentTypeApplicationData, Encrypted: true}
	for _, n := range sizes {
		m.Records = append(m.Records, tlsdecrypt.Span{Length: tlswire.RecordHeaderLen + n + 1 + 16})
	}
	return m
}

// sealed12 is an encrypted handshake message of TLS 1.2, which is Finished.
func sealed12(from endpoint.Side) *tlsdecrypt.Message {
	return &tlsdecrypt.Message{From: from, Type: tlswire.ContentTypeHandshake, Encrypted: true}
}

// plain is a connection on which sides say something other than TLS.
func plain(c *tlsdecrypt.Connection, first endpoint.Side, client, server tlsdecrypt.Plain) *tlsdecrypt.Connection {
	c.NotTLSFrom, c.Plain = first, endpoint.Pair[tlsdecrypt.Plain]{Client: client, Server: server}
	return c
}

// read dissects what was sent on a connection that client opened and closed.
func read(t *testing.T, events ...wiretap.Event) (c *tlsdecrypt.Connection) {
	t.Helper()
	d := tlsdecrypt.New(tlsdecrypt.Options{Done: func(read *tlsdecrypt.Connection) { c = read }})
	client, server := netip.MustParseAddrPort("192.0.2.1:40000"), netip.MustParseAddrPort("192.0.2.2:443")
	handle := d.Open(wiretap.Event{Kind: wiretap.Open, Exchange: 1, Time: start, Client: client, Server: server})
	for _, e := range events {
		e.Exchange, e.Time = 1, start
		handle(e)
	}
	handle(wiretap.Event{Kind: wiretap.HalfClose, Exchange: 1, Time: start, From: endpoint.Client})
	handle(wiretap.Event{Kind: wiretap.Close, Exchange: 1, Time: start, From: endpoint.Server})
	d.Close()
	if c == nil {
		t.Fatal("no connection was read")
	}
	return c
}

func sends(from endpoint.Side, b []byte) wiretap.Event {
	return wiretap.Event{Kind: wiretap.Data, From: from, Data: b}
}

// recordOf is the plaintext record of a message.
func recordOf(t tlswire.ContentType, content []byte) []byte {
	return append([]byte{byte(t), 3, 3, byte(len(content) >> 8), byte(len(content))}, content...)
}

func helloOf(extensions ...tlswire.Extension) []byte {
	body := &tlswire.ClientHello{LegacyVersion: tlswire.VersionTLS12, CipherSuites: suites,
		LegacyCompressionMethods: []tlswire.CompressionMethod{0}, Extensions: extensions}
	return recordOf(tlswire.ContentTypeHandshake, tlswire.Handshake{Type: body.Type(), Body: body}.Marshal())
}

// answersFIN ends c by the client, and then the server sends an alert.
func answersFIN(c *tlsdecrypt.Connection, d tlswire.AlertDescription) *tlsdecrypt.Connection {
	ended(c, endpoint.Client)
	m := alert(endpoint.Server, d)
	m.Time = c.EndedAt
	c.Messages = append(c.Messages, m)
	return c
}

// newCertificate is one of a client and server named example.org, issued by
// another name, and valid when the connections of these tests are made; change
// may be nil.
func newCertificate(t *testing.T, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	cert, _ := newCertificateAndKey(t, change)
	return cert
}

func newCertificateAndKey(t *testing.T, change func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "leaf"}, DNSNames: []string{"example.org"},
		NotBefore: start.Add(-time.Hour), NotAfter: start.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	if change != nil {
		change(template)
	}
	parent := &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}
