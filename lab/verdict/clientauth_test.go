package verdict

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// spoken is a connection of crypto/tls that is dissected while it is spoken.
type spoken struct {
	mu     sync.Mutex
	number int
	handle wiretap.Handler
}

func (s *spoken) event(e wiretap.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Exchange, e.Time = s.number, start
	s.handle(e)
}

// Write takes the lines of a key log.
func (s *spoken) Write(line []byte) (int, error) {
	s.event(wiretap.Event{Kind: wiretap.Secret, From: endpoint.Server, Data: line})
	return len(line), nil
}

// end is one end of the connection, below TLS.
type end struct {
	net.Conn
	side endpoint.Side
	*spoken
}

func (e end) Write(b []byte) (int, error) {
	e.event(sends(e.side, b))
	return e.Conn.Write(b)
}

// answered has d read the connection of a request to which the server answers
// with a status.
func answered(t *testing.T, d *tlsdecrypt.Dissector, number int, server, client *tls.Config, status int) {
	t.Helper()
	s := &spoken{number: number, handle: d.Open(wiretap.Event{Kind: wiretap.Open, Exchange: number, Time: start,
		Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(40000+number)), Server: netip.MustParseAddrPort("192.0.2.2:443")})}
	a, b := net.Pipe()
	server = server.Clone()
	server.KeyLogWriter = s
	go func() {
		conn := tls.Server(end{b, endpoint.Server, s}, server)
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d Status\r\nContent-Length: 0\r\n\r\n", status)
		}
	}()
	conn := tls.Client(end{a, endpoint.Client, s}, client)
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
		t.Fatal(err)
	}
	_, _ = a.Close(), b.Close()
	s.event(wiretap.Event{Kind: wiretap.HalfClose, From: endpoint.Client})
	s.event(wiretap.Event{Kind: wiretap.Close, From: endpoint.Server})
}

// A server that refuses in HTTP a client that it has not asked for a
// certificate. When it takes up a session it never asks: it knows the client
// from there.
func TestNotAsked(t *testing.T) {
	leaf, key := newCertificateAndKey(t, nil)
	now := func() time.Time { return start }
	identity := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	for asks, wants := range map[tls.ClientAuthType]map[int][2]string{ // first, and resumed
		tls.NoClientCert: {
			200: {"accepted", "accepted"},
			400: {"accepted", "accepted"},
			401: {"accepted (refused in HTTP): certificate_not_requested", "accepted (refused in HTTP): not_authorised"},
			403: {"accepted (refused in HTTP): certificate_not_requested", "accepted (refused in HTTP): not_authorised"},
		},
		tls.RequireAnyClientCert: {
			200: {"accepted", "accepted"},
			403: {"accepted (refused in HTTP): not_authorised", "accepted (refused in HTTP): not_authorised"},
		},
	} {
		for status, want := range wants {
			server := &tls.Config{Certificates: []tls.Certificate{identity}, ClientAuth: asks, MaxVersion: tls.VersionTLS12, Time: now}
			server.SetSessionTicketKeys([][32]byte{{}})
			client := &tls.Config{Certificates: []tls.Certificate{identity}, InsecureSkipVerify: true, Time: now, ServerName: "example.org", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			var read []*tlsdecrypt.Connection
			d := tlsdecrypt.New(tlsdecrypt.Options{Done: func(c *tlsdecrypt.Connection) { read = append(read, c) }})
			for i, want := range want {
				answered(t, d, i, server, client, status)
				c := read[i]
				if resumed := c.Resumption != tlsdecrypt.FullHandshake; resumed != (i == 1) {
					t.Fatalf("call %d is resumed: %v", i, resumed)
				}
				if got := brief(judgeWire(c)); got != want {
					t.Errorf("%v, %d, call %d: %s, want %s", asks, status, i, got, want)
				}
			}
		}
	}
}

// A server that asks later is not one that never asks, and one that takes up a
// session does not ask again.
func TestNeverAsked(t *testing.T) {
	leaf, key := newCertificateAndKey(t, nil)
	now := func() time.Time { return start }
	identity := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for asks, want := range map[tls.ClientAuthType]string{tls.NoClientCert: neverAsked, tls.RequestClientCert: ""} {
			server := &tls.Config{Certificates: []tls.Certificate{identity}, ClientAuth: asks, MaxVersion: version, Time: now}
			client := &tls.Config{Certificates: []tls.Certificate{identity}, InsecureSkipVerify: true, Time: now, ServerName: "example.org"}
			var read *tlsdecrypt.Connection
			d := tlsdecrypt.New(tlsdecrypt.Options{Done: func(c *tlsdecrypt.Connection) { read = c }})
			answered(t, d, 1, server, client, 200)
			v := judgeWire(read)
			if v.Reason != want || v.Code != "" || v.Fix != "" || v.Outcome != Accepted {
				t.Errorf("%x, %v: %s, %q, want %q", version, asks, brief(v), v.Reason, want)
			}
			if v.Mutual == nil || *v.Mutual != (asks != tls.NoClientCert) {
				t.Errorf("%x, %v: mutual is %v", version, asks, v.Mutual)
			}
			if asks != tls.NoClientCert {
				continue
			}
			again := *read
			again.Messages = append(slices.Clone(read.Messages), said(endpoint.Server, &tlswire.HelloRequest{}))
			if v := judgeWire(&again); !strings.Contains(v.Reason, "it wanted another one (HelloRequest)") {
				t.Errorf("%x, HelloRequest: %q", version, v.Reason)
			}
			again.Messages = append(again.Messages, warning(endpoint.Client, tlswire.AlertNoRenegotiation))
			if v := judgeWire(&again); version == tls.VersionTLS12 && !strings.Contains(v.Reason, "the client refused another one (no_renegotiation)") {
				t.Errorf("%x, no_renegotiation: %q", version, v.Reason)
			}
			again.Messages = append(slices.Clone(read.Messages), sealed12(endpoint.Server))
			if v := judgeWire(&again); strings.Contains(v.Reason, neverAsked) && version == tls.VersionTLS12 {
				t.Errorf("%x, another handshake, which is encrypted: %q", version, v.Reason)
			}
			again.ClientAuth = true // after the handshake, or in another one
			if v := judgeWire(&again); strings.Contains(v.Reason, "asked") {
				t.Errorf("%x, asked later: %q", version, v.Reason)
			}
			again.ClientAuth, again.Messages, again.End = false, read.Messages, tlsdecrypt.CutOff
			if v := judgeWire(&again); strings.Contains(v.Reason, "never") || !strings.Contains(v.Reason, "so far") {
				t.Errorf("%x, cut off: %q", version, v.Reason)
			}
		}
	}
}

// The client knows that it was not asked, and whether it was to be.
func TestJudgeUnasked(t *testing.T) {
	for _, test := range []struct {
		view   View
		status int
		want   string
		fix    bool
	}{
		{View{Unasked: true}, 200, "accepted", false},
		{View{Unasked: true, WantsMutual: true}, 200, "accepted: certificate_not_requested", true},
		{View{Unasked: true, WantsMutual: true, InHTTP: RefuseUnasked(403, "")}, 403, "accepted (refused in HTTP): certificate_not_requested", true},
		{View{WantsMutual: true}, 200, "accepted", false},
	} {
		v := Judge(nil, &test.view, test.status, nil)
		if got := brief(v); got != test.want || (v.Fix != "") != test.fix {
			t.Errorf("%s, fix %q, want %s", got, v.Fix, test.want)
		}
		if test.view.Unasked != (v.Mutual != nil && !*v.Mutual) {
			t.Errorf("%+v: mutual is %v", test.view, v.Mutual)
		}
		if test.view.InHTTP == nil && (v.Reason == neverAsked) != test.view.Unasked {
			t.Errorf("%q", v.Reason)
		}
	}
}

// A note is no reason to compute every signature of a capture.
func TestNoteNeedsNoCheck(t *testing.T) {
	leaf, key := newCertificateAndKey(t, nil)
	now := func() time.Time { return start }
	server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}, Time: now}
	client := &tls.Config{InsecureSkipVerify: true, Time: now, ServerName: "example.org"}
	for status, want := range map[int]bool{200: false, 403: true} {
		var read *tlsdecrypt.Connection
		d := tlsdecrypt.New(tlsdecrypt.Options{Done: func(c *tlsdecrypt.Connection) { read = c }})
		answered(t, d, 1, server, client, status)
		checked := false
		v := Of(read, func() *chain.Trust { checked = true; return &chain.Trust{} })
		if checked != want || !strings.Contains(v.Reason, neverAsked) {
			t.Errorf("%d: checked %v, %q", status, checked, v.Reason)
		}
	}
}

// A server may ask for a certificate after the handshake, and then refuse it.
func TestAskedAfter(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	leaf := newCertificate(t, nil)
	v12, v13 := asked(handshake(tlswire.VersionTLS12)), asked(handshake(tlswire.VersionTLS13))
	request13, request12 := said(server, &tlswire.CertificateRequest{}), said(server, &tlswire.CertificateRequestTLS12{})
	in13 := asked(talk(tlswire.VersionTLS13, hello(), serverHello(), request13, shows(server, nil), finished(server), shows(client, leaf.Raw), finished(client), ticket()))
	const pha, again = "after the handshake (post-handshake authentication)", "in a second handshake (renegotiation)"
	for name, test := range map[string]struct {
		c          *tlsdecrypt.Connection
		want, says string
	}{
		"and refuse it":         {v13(ticket(), request13, shows(client, leaf.Raw), finished(client), alert(server, tlswire.AlertUnknownCA)), "broken: unknown_ca; server's unknown_ca", pha},
		"and get none":          {v13(ticket(), request13, shows(client), finished(client), alert(server, tlswire.AlertCertificateRequired)), "broken: no_client_certificate; server's certificate_required", pha},
		"in TLS 1.2":            {v12(said(server, &tlswire.HelloRequest{}), hello(), serverHello(), shows(server, nil), request12, shows(client, leaf.Raw), alert(server, tlswire.AlertUnknownCA)), "broken: unknown_ca; server's unknown_ca", again},
		"not if it asked first": {in13(request(), alert(server, tlswire.AlertUnknownCA)), "broken: unknown_ca; server's unknown_ca", ""},
		"nor of another alert":  {v13(ticket(), request13, alert(client, tlswire.AlertUnexpectedMessage)), "broken: other; client's unexpected_message", ""},
	} {
		v := judgeWire(ended(test.c, server))
		if brief(v) != test.want || strings.Contains(v.Reason, "had asked for a certificate") != (test.says != "") || !strings.HasSuffix(v.Reason, test.says) {
			t.Errorf("%s: %s: %s", name, brief(v), v.Reason)
		}
	}
}

// A server that does not speak HTTP is made to ask in its own way.
func TestFixForProtocol(t *testing.T) {
	for protocol, want := range map[string]string{"PostgreSQL": "pg_hba.conf", "SMTP": "smtpd_tls_ask_ccert", "": "ssl_verify_client"} {
		c := ended(handshake(tlswire.VersionTLS13)(), endpoint.Client)
		if protocol != "" {
			c.Prologue = &prologue.Prologue{Layers: []*prologue.Layer{{Protocol: protocol, Kind: prologue.StartTLS, Agreed: true}}}
		}
		v := Judge(nil, &View{Unasked: true, WantsMutual: true}, 0, c)
		if v.Code != NotAsked || !strings.Contains(v.Fix, want) {
			t.Errorf("%s: %s, %s", protocol, v.Code, v.Fix)
		}
	}
}

// A client without a certificate may have one whose key the server does not
// take.
func TestTakesKeys(t *testing.T) {
	for scheme, want := range map[tlswire.SignatureScheme]string{tlswire.SchemeRSAPSSRSAESHA256: "RSA keys alone (rsa_pss_rsae_sha256)", tlswire.SchemeECDSASecp256r1SHA256: "no signatures of RSA keys", 0: ""} {
		request := &tlswire.CertificateRequest{}
		if scheme != 0 {
			request.Extensions = []tlswire.Extension{{Type: tlswire.ExtensionSignatureAlgorithms, Body: &tlswire.SignatureSchemeList{Schemes: []tlswire.SignatureScheme{scheme}}}}
		}
		c := talk(tlswire.VersionTLS13, hello(), serverHello(), said(endpoint.Server, request), shows(endpoint.Server, nil), finished(endpoint.Server), shows(endpoint.Client), finished(endpoint.Client))(alert(endpoint.Server, tlswire.AlertCertificateRequired))
		v := judgeWire(ended(c, endpoint.Server))
		if v.Code != NoClientCertificate || !strings.Contains(v.Reason, want) || (want == "") != (v.Reason == noClientCertificate) {
			t.Errorf("%v: %s, %s, %s", scheme, v.Code, v.Reason, v.Fix)
		}
	}
}
