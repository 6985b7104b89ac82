package tlsdecrypt

import (
	"bytes"
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/wiretap"
)

// describe is a message in one line: who, what, and under which key.
func describe(m *Message) string {
	s := m.From.String() + " "
	switch {
	case m.Encrypted:
		s += "encrypted " + m.Type.String()
	case m.Handshake != nil:
		s += m.Handshake.Name()
	case m.Alert != nil:
		s += m.Alert.Description.String()
	case m.HTTP != nil:
		s += m.HTTP.Line
	default:
		s += strings.TrimSpace(m.Type.String() + " " + string(m.Data))
	}
	switch {
	case m.Key.Generation > 0:
		s += " [" + m.Key.Secret + " " + string(rune('0'+m.Key.Generation)) + "]"
	case m.Key.Secret != "":
		s += " [" + m.Key.Secret + "]"
	}
	return s
}

// expect compares the messages of a connection, and wants no problem in it.
func expect(t *testing.T, c *Connection, want ...string) {
	t.Helper()
	var got []string
	for _, m := range c.Messages {
		got = append(got, describe(m))
		if m.Err != nil {
			t.Errorf("%s: %v", describe(m), m.Err)
		}
		if len(m.Records) == 0 || m.Time.IsZero() {
			t.Errorf("%s has records %v, time %v", describe(m), m.Records, m.Time)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("messages\n got %q\nwant %q", got, want)
	}
	for _, p := range c.Problems {
		t.Errorf("problem: %+v", p)
	}
}

func TestTLS13Mutual(t *testing.T) {
	c := record(t, serverConfig(), clientConfig()).dissect(t, Options{})
	expect(t, c,
		"client ClientHello", "server ServerHello", "server change_cipher_spec",
		"server EncryptedExtensions [server_handshake_traffic_secret]",
		"server CertificateRequest [server_handshake_traffic_secret]",
		"server Certificate [server_handshake_traffic_secret]",
		"server CertificateVerify [server_handshake_traffic_secret]",
		"server Finished [server_handshake_traffic_secret]",
		"client change_cipher_spec",
		"client Certificate [client_handshake_traffic_secret]",
		"client CertificateVerify [client_handshake_traffic_secret]",
		"client Finished [client_handshake_traffic_secret]",
		"client GET /hello HTTP/1.1 [client_application_traffic_secret]",
		"server HTTP/1.1 200 OK [server_application_traffic_secret]",
		"client close_notify [client_application_traffic_secret]",
		"server close_notify [server_application_traffic_secret]")
}

// plaintext says what the connection's two requests and responses came to.
func says(t *testing.T, c *Connection) {
	t.Helper()
	var lines []string
	for _, m := range c.Messages {
		if m.HTTP != nil {
			lines = append(lines, m.HTTP.Line)
		}
		if m.Encrypted || m.Err != nil {
			t.Errorf("%s: %v", describe(m), m.Err)
		}
	}
	if want := []string{"GET /hello HTTP/1.1", "HTTP/1.1 200 OK"}; !slices.Equal(lines, want) {
		t.Errorf("HTTP %q, want %q; problems %v", lines, want, c.Problems)
	}
	for _, p := range c.Problems {
		t.Errorf("problem: %+v", p)
	}
}

// Every suite and version that crypto/tls has, with each kind of certificate.
func TestSuites(t *testing.T) {
	p := testPKI()
	suites := append(tls.CipherSuites(), tls.InsecureCipherSuites()...)
	for _, suite := range suites {
		for _, version := range suite.SupportedVersions {
			t.Run(suite.Name+" "+tls.VersionName(version), func(t *testing.T) {
				kinds := []string{"rsa"}
				if strings.Contains(suite.Name, "ECDSA") {
					kinds = []string{"ecdsa", "ed25519"}
				} else if version == tls.VersionTLS13 {
					kinds = []string{"rsa", "ecdsa", "ed25519"}
				}
				for _, kind := range kinds {
					if kind == "ed25519" && version < tls.VersionTLS12 {
						continue
					}
					server, client := serverConfig(), clientConfig()
					for _, c := range []*tls.Config{server, client} {
						c.MinVersion, c.MaxVersion, c.CipherSuites = version, version, []uint16{suite.ID}
					}
					server.Certificates = []tls.Certificate{p.server[kind]}
					client.Certificates = []tls.Certificate{p.client[kind]}
					c := record(t, server, client).dissect(t, Options{})
					if uint16(c.Version) != version || version != tls.VersionTLS13 && uint16(c.CipherSuite) != suite.ID {
						t.Errorf("negotiated %+v", c.Negotiated)
					}
					says(t, c)
					allHold(t, c, 5)
				}
			})
		}
	}
}

func TestHelloRetryRequest(t *testing.T) {
	server := serverConfig()
	server.CurvePreferences = []tls.CurveID{tls.CurveP521}
	c := record(t, server, clientConfig()).dissect(t, Options{})
	says(t, c)
	allHold(t, c, 6)
	if !c.Retried || c.Group.String() != "secp521r1" {
		t.Errorf("negotiated %+v", c.Negotiated)
	}
}

// A session is resumed, with what is known of the first connection only.
func TestResumption(t *testing.T) {
	for version, want := range map[uint16]Resumption{tls.VersionTLS12: ByTicket, tls.VersionTLS13: ByPSK} {
		server, client := serverConfig(), clientConfig()
		server.MaxVersion = version
		server.SetSessionTicketKeys([][32]byte{{1}})
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		var all []*Connection
		d := New(Options{Done: func(c *Connection) { all = append(all, c) }})
		for range 4 {
			record(t, server, client).replay(d)
		}
		d.Close()
		for i, c := range all {
			says(t, c)
			allHold(t, c, 2)
			if resumed := i > 0; resumed != (c.Resumption == want) {
				t.Errorf("%s, connection %d: resumption %q", tls.VersionName(version), i, c.Resumption)
			}
		}
	}
}

// Connections of TLS 1.2 that resume a session come before the one that began
// it, or its secret comes after its ticket.
func TestResumptionOutOfOrder(t *testing.T) {
	server, client := serverConfig(), clientConfig()
	server.MaxVersion = tls.VersionTLS12
	server.SetSessionTicketKeys([][32]byte{{1}})
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	var all []*recording
	for range 4 {
		all = append(all, record(t, server, client))
	}
	isSecret := func(e wiretap.Event) bool { return e.Kind == wiretap.Secret }
	opens := func(t *testing.T, got []*Connection) {
		t.Helper()
		if len(got) != len(all) {
			t.Fatalf("%d connections, not %d", len(got), len(all))
		}
		for _, c := range got {
			says(t, c)
		}
	}
	t.Run("later connections first", func(t *testing.T) {
		store := &keylog.Store{}
		var got []*Connection
		d := New(Options{Secrets: store, Unordered: true, Done: func(c *Connection) { got = append(got, c) }})
		for i, r := range slices.Backward(all) {
			for _, e := range r.events {
				if isSecret(e) {
					entry, err := keylog.ParseLine(bytes.TrimSpace(e.Data))
					if err != nil {
						t.Fatal(err)
					}
					store.Add(entry)
				}
			}
			store.Add(keylog.Entry{Label: keylog.LabelClientRandom, ClientRandom: bytes.Repeat([]byte{9}, 32), Secret: make([]byte, 48)})
			without := &recording{events: slices.DeleteFunc(slices.Clone(r.events), isSecret)}
			without.replay(d)
			if i > 0 && len(got) > 0 {
				t.Errorf("connection %d has not waited for that which began its session", i)
			}
		}
		opens(t, got)
		d.Close()
	})
	t.Run("secret after the ticket", func(t *testing.T) {
		var got []*Connection
		d := New(Options{Done: func(c *Connection) { got = append(got, c) }})
		for _, r := range all {
			last := len(r.events) - 1
			events := slices.DeleteFunc(slices.Clone(r.events[:last]), isSecret)
			for _, e := range r.events {
				if isSecret(e) {
					events = append(events, e)
				}
			}
			late := &recording{events: append(events, r.events[last])}
			late.replay(d)
		}
		d.Close()
		opens(t, got)
	})
	t.Run("never", func(t *testing.T) {
		store := &keylog.Store{}
		store.Add(keylog.Entry{Label: keylog.LabelClientRandom, ClientRandom: bytes.Repeat([]byte{9}, 32), Secret: make([]byte, 48)})
		ended := 0
		d := New(Options{Secrets: store, Unordered: true, Done: func(*Connection) { ended++ }})
		for range maxUnsettled + 1 {
			all[1].replay(d)
		}
		if ended != 1 {
			t.Errorf("%d connections have ended, and there is room for all but 1", ended)
		}
		if d.Close(); ended != maxUnsettled+1 {
			t.Errorf("%d connections have ended", ended)
		}
	})
}

func TestRejections(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		client := clientConfig()
		client.MaxVersion, client.Certificates = version, nil
		c := record(t, serverConfig(), client).dissect(t, Options{})
		want := map[uint16]string{tls.VersionTLS12: "handshake_failure", tls.VersionTLS13: "certificate_required"}[version]
		found := false
		for _, m := range c.Messages {
			found = found || m.Alert != nil && m.Alert.Description.String() == want && m.From == endpoint.Server
		}
		if !found {
			t.Errorf("%s: no alert %s", tls.VersionName(version), want)
		}
		if p := c.Progress(); p.Succeeded || p.Alert == nil || p.Alert.From != endpoint.Server || p.Alert.Alert.Description.String() != want {
			t.Errorf("%s: %+v", tls.VersionName(version), p)
		}
	}
	client := clientConfig()
	client.MinVersion, client.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	c := record(t, serverConfig(), client).dissect(t, Options{})
	expect(t, c, "client ClientHello", "server protocol_version")
}
