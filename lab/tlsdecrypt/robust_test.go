package tlsdecrypt

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// flows are recorded connections of both versions, with client authentication
// and tickets.
func flows(t testing.TB) map[string]*recording {
	all := map[string]*recording{}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		server, client := serverConfig(), clientConfig()
		server.MaxVersion = version
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		all[tls.VersionName(version)] = record(t, server, client)
	}
	return all
}

func summary(c *Connection) (all []string) {
	for _, m := range c.Messages {
		all = append(all, describe(m))
	}
	return all
}

// change gives the recording with each event as f would have it.
func (r *recording) change(f func(wiretap.Event) []wiretap.Event) *recording {
	changed := &recording{}
	for _, e := range r.events {
		changed.events = append(changed.events, f(e)...)
	}
	return changed
}

func TestAnyCutReadsTheSame(t *testing.T) {
	for name, r := range flows(t) {
		whole := r.dissect(t, Options{})
		for _, size := range []int{1, 2, 5, 7, 100} {
			cut := r.change(func(e wiretap.Event) (all []wiretap.Event) {
				if e.Kind != wiretap.Data {
					return []wiretap.Event{e}
				}
				for piece := range slices.Chunk(e.Data, size) {
					e.Data = piece
					all = append(all, e)
				}
				return all
			}).dissect(t, Options{})
			if !slices.Equal(summary(cut), summary(whole)) || len(cut.Problems) > 0 {
				t.Errorf("%s in pieces of %d bytes: %q, problems %v", name, size, summary(cut), cut.Problems)
			}
			for i, m := range cut.Messages {
				if !slices.Equal(m.Records, whole.Messages[i].Records) {
					t.Errorf("%s in pieces of %d bytes: %s has records %v, not %v", name, size, describe(m), m.Records, whole.Messages[i].Records)
				}
			}
			allHold(t, cut, 6)
		}
	}
}

// Secrets that come late, from the events or from the store, open what waits
// for them, in the right order.
func TestSecretsThatComeLate(t *testing.T) {
	for name, r := range flows(t) {
		whole := r.dissect(t, Options{})
		var secrets []wiretap.Event
		late := r.change(func(e wiretap.Event) []wiretap.Event {
			switch e.Kind {
			case wiretap.Secret:
				secrets = append(secrets, e)
				return nil
			case wiretap.Close:
				return append(secrets, e)
			}
			return []wiretap.Event{e}
		})
		if c := late.dissect(t, Options{}); !slices.Equal(summary(c), summary(whole)) || len(c.Problems) > 0 {
			t.Errorf("%s: %q, problems %v", name, summary(c), c.Problems)
		}
		store := &keylog.Store{}
		for _, e := range secrets {
			store.AddPassing(e.Data)
		}
		bare := r.change(func(e wiretap.Event) []wiretap.Event {
			if e.Kind == wiretap.Secret {
				return nil
			}
			return []wiretap.Event{e}
		})
		if c := bare.dissect(t, Options{Secrets: store}); !slices.Equal(summary(c), summary(whole)) || len(c.Problems) > 0 {
			t.Errorf("%s from the store: %q, problems %v", name, summary(c), c.Problems)
		}

		others := &keylog.Store{}
		others.Add(keylog.Entry{Label: keylog.LabelClientRandom, ClientRandom: make([]byte, 32), Secret: make([]byte, 48)})
		if c := bare.dissect(t, Options{Secrets: others}); len(c.Problems) != 1 || !strings.HasPrefix(c.Problems[0].Text, "no keys of this connection: those that are there are of other connections") {
			t.Errorf("%s with secrets of others: problems %v", name, c.Problems)
		}
		c := bare.dissect(t, Options{})
		if len(c.Problems) != 1 || !strings.HasPrefix(c.Problems[0].Text, "no keys: name a key log with --keylog, or set SSLKEYLOGFILE") {
			t.Errorf("%s without secrets: problems %v", name, c.Problems)
		}
		if c.Version == 0 || c.ServerName != "localhost" || !slices.ContainsFunc(c.Messages, func(m *Message) bool { return m.Encrypted }) {
			t.Errorf("%s without secrets: %q, %+v", name, summary(c), c.Negotiated)
		}
	}
}

func TestSecretsOfAnotherConnection(t *testing.T) {
	r := flows(t)["TLS 1.3"]
	wrong := r.change(func(e wiretap.Event) []wiretap.Event {
		if e.Kind == wiretap.Secret {
			e.Data = bytes.Clone(e.Data)
			copy(e.Data[len(e.Data)-9:], "00000000")
		}
		return []wiretap.Event{e}
	})
	c := wrong.dissect(t, Options{})
	if len(c.Problems) == 0 || !strings.Contains(c.Problems[0].Text, "does not open with server_handshake_traffic_secret") {
		t.Errorf("problems %v", c.Problems)
	}
}

// Secrets that come late, in any order: Node writes each on its own.
func TestSecretsInAnyOrder(t *testing.T) {
	r := flows(t)["TLS 1.3"]
	var secrets []wiretap.Event
	for _, e := range r.events {
		if e.Kind == wiretap.Secret {
			secrets = append(secrets, e)
		}
	}
	if inAnyOrder(t, r, secrets, summary(r.dissect(t, Options{}))) < 24 {
		t.Errorf("%d secrets have fewer orders", len(secrets))
	}
}

// inAnyOrder wants the same messages of a connection in whose end the secrets
// come, in any order, and returns how many orders there are.
func inAnyOrder(t *testing.T, r *recording, secrets []wiretap.Event, want []string) (orders int) {
	t.Helper()
	var inOrder func(first, rest []wiretap.Event)
	inOrder = func(first, rest []wiretap.Event) {
		for i, e := range rest {
			inOrder(append(slices.Clone(first), e), slices.Delete(slices.Clone(rest), i, i+1))
		}
		if len(rest) > 0 {
			return
		}
		orders++
		if last := first[len(first)-1]; bytes.HasPrefix(last.Data, []byte(keylog.LabelClientEarlyTraffic)) {
			return // it is not waited for once all others are there
		}
		changed := r.change(func(e wiretap.Event) []wiretap.Event {
			if e.Kind == wiretap.Secret || e.Kind == wiretap.Close {
				return nil
			}
			return []wiretap.Event{e}
		})
		changed.events = append(append(changed.events, first...), wiretap.Event{Kind: wiretap.Close})
		c := changed.dissect(t, Options{})
		if !slices.Equal(summary(c), want) || len(c.Problems) > 0 {
			t.Errorf("order %d: %q, problems %v", orders, summary(c), c.Problems)
		}
	}
	inOrder(nil, secrets)
	return orders
}

// growing is a file that has one piece more whenever its end was read.
type growing struct {
	pieces [][]byte
	read   bool // the first piece was
}

func (g *growing) Read(p []byte) (int, error) {
	if g.read || len(g.pieces) == 0 {
		g.read = false
		return 0, io.EOF
	}
	n := copy(p, g.pieces[0])
	g.pieces, g.read = g.pieces[1:], true
	return n, nil
}

// A secret of 48 bytes of which a key log has 32 so far, as many as others
// have, is waited for.
func TestHalfASecret(t *testing.T) {
	r := &recording{events: append([]wiretap.Event{{Kind: wiretap.Open}}, recordedFlows(t)["openssl-key-update"]...)}
	whole := summary(r.dissect(t, Options{}))
	log := &growing{pieces: [][]byte{[]byte("# a comment\n")}}
	bare := r.change(func(e wiretap.Event) []wiretap.Event {
		if e.Kind != wiretap.Secret {
			return []wiretap.Event{e}
		}
		for line := range bytes.Lines(e.Data) {
			half := len(line) - len("\n") - 2*16
			log.pieces = append(log.pieces, line[:half], line[half:])
		}
		return nil
	})
	store := &keylog.Store{}
	if err := store.Follow(log); err != nil {
		t.Fatal(err)
	}
	if c := bare.dissect(t, Options{Secrets: store}); !slices.Equal(summary(c), whole) || len(c.Problems) > 0 {
		t.Errorf("%q, problems %v, want %q", summary(c), c.Problems, whole)
	}
}

// Only the application's secrets: the handshake stays closed, what follows does
// not.
func TestApplicationSecretsOnly(t *testing.T) {
	c := flows(t)["TLS 1.3"].change(func(e wiretap.Event) []wiretap.Event {
		if e.Kind == wiretap.Secret && bytes.Contains(e.Data, []byte("HANDSHAKE")) {
			return nil
		}
		return []wiretap.Event{e}
	}).dissect(t, Options{})
	text := strings.Join(summary(c), "\n")
	for _, want := range []string{"server encrypted application_data [server_handshake_traffic_secret]", "GET /hello HTTP/1.1 [client_application_traffic_secret]", "HTTP/1.1 200 OK [server_application_traffic_secret]"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestNotTLS(t *testing.T) {
	for said, want := range map[string]string{
		"GET / HTTP/1.1\r\n\r\n":                     "the client does not speak TLS: it sent HTTP that is not encrypted: GET / HTTP/1.1",
		"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n": "the client does not speak TLS: it sent text: SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3",
		"\x16\x03\x01\x02\x00\x01\x00\x01":           "ends within a record: only 8 bytes of that of the client are there",
	} {
		r := &recording{events: []wiretap.Event{
			{Kind: wiretap.Open, Exchange: 7, Time: time.Now()},
			{Kind: wiretap.Data, Time: time.Now(), From: endpoint.Client, Data: []byte(said)},
			{Kind: wiretap.Verdict, Data: []byte("a comment")},
			{Kind: wiretap.Reset, From: endpoint.Server},
		}}
		c := r.dissect(t, Options{})
		if len(c.Problems) != 1 || c.Problems[0].Text != want || c.Problems[0].From != endpoint.Client {
			t.Errorf("%q: problems %+v", said, c.Problems)
		}
		if c.Progress().Succeeded || c.Progress().Alert != nil || c.EndedBy != endpoint.Server {
			t.Errorf("%q: %+v, ended by the %v", said, c.Progress(), c.EndedBy)
		}
		if c.End != ServerReset || c.Number != 7 || !slices.Equal(c.Comments, []string{"a comment"}) {
			t.Errorf("%q: connection %+v", said, c)
		}
	}
}

func TestCapturedAfterTheHandshake(t *testing.T) {
	for name, r := range flows(t) {
		skipped := map[endpoint.Side]int{}
		c := r.change(func(e wiretap.Event) []wiretap.Event {
			switch {
			case e.Kind == wiretap.Open:
				return []wiretap.Event{e, {Kind: wiretap.Gap, From: endpoint.Client, Missing: -1}, {Kind: wiretap.Gap, From: endpoint.Server, Missing: -1}}
			case e.Kind == wiretap.Data && skipped[e.From] < map[endpoint.Side]int{endpoint.Client: 2, endpoint.Server: 1}[e.From]:
				skipped[e.From]++
				return nil
			}
			return []wiretap.Event{e}
		}).dissect(t, Options{})
		if len(c.Problems) == 0 || !strings.HasPrefix(c.Problems[0].Text, "starts mid-connection: ") {
			t.Errorf("%s: problems %+v, %q", name, c.Problems, summary(c))
		}
		if p := c.Progress(); p.Succeeded || !p.Lacking {
			t.Errorf("%s: %+v", name, p)
		}
		if last := c.Messages[len(c.Messages)-1]; !last.Encrypted || len(c.Problems) > 1 {
			t.Errorf("%s: %q, problems %+v", name, summary(c), c.Problems)
		}
		c.Check(trust())
	}
}

// Bytes missing within a record cost that record alone; of more of them, the
// records that they are of.
func TestGaps(t *testing.T) {
	for name, r := range flows(t) {
		gap := func(missing int) *Connection {
			return r.change(func(e wiretap.Event) []wiretap.Event {
				i := bytes.LastIndex(e.Data, []byte("\x17\x03\x03"))
				if e.Kind == wiretap.Data && e.From == endpoint.Client && i >= 0 && len(e.Data)-i > 40 && missing > 0 {
					before, after, lost := e, e, e
					before.Data, after.Data = e.Data[:i+10], e.Data[i+10+missing:]
					lost.Kind, lost.Data, lost.Missing = wiretap.Gap, nil, int64(missing)
					missing = 0
					return []wiretap.Event{before, lost, after}
				}
				return []wiretap.Event{e}
			}).dissect(t, Options{})
		}
		whole := gap(0)
		c := gap(20)
		if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Text, "bytes are missing here: the record") {
			t.Errorf("%s: problems %+v", name, c.Problems)
		}
		if closed := slices.IndexFunc(c.Messages, func(m *Message) bool { return m.Encrypted }); closed < 0 || len(c.Messages) != len(whole.Messages) || describe(c.Messages[len(c.Messages)-1]) != describe(whole.Messages[len(whole.Messages)-1]) {
			t.Errorf("%s: %q", name, summary(c))
		}
		c.Check(trust())
		for _, s := range results(c) {
			if strings.HasSuffix(s, string(Fails)) {
				t.Errorf("%s: %s, but only bytes are missing", name, s)
			}
		}
	}
	// In the clear, a record that is not whole takes the checks with it, but
	// fails none.
	first := true
	c := flows(t)["TLS 1.2"].change(func(e wiretap.Event) []wiretap.Event {
		if e.Kind == wiretap.Data && e.From == endpoint.Server && first {
			first = false
			before, after := e, e
			before.Data, after.Data = e.Data[:len(e.Data)-60], e.Data[len(e.Data)-50:]
			return []wiretap.Event{before, {Kind: wiretap.Gap, From: endpoint.Server, Missing: 10}, after}
		}
		return []wiretap.Event{e}
	}).dissect(t, Options{})
	c.Check(trust())
	if got := results(c); len(c.Problems) == 0 || slices.ContainsFunc(got, func(s string) bool { return strings.HasSuffix(s, string(Fails)) }) {
		t.Errorf("problems %+v, checks %q", c.Problems, got)
	}

	r := flows(t)["TLS 1.3"]
	c = r.change(func(e wiretap.Event) []wiretap.Event {
		if e.Kind == wiretap.Data && e.From == endpoint.Server {
			return []wiretap.Event{e, {Kind: wiretap.Gap, From: endpoint.Server, Missing: 5000}}
		}
		return []wiretap.Event{e}
	}).dissect(t, Options{})
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Text, "bytes are missing here: 5000 of the server's") {
		t.Errorf("problems %+v", c.Problems)
	}
}

// Without its ServerHello a connection stays closed.
func TestServerHelloIsMissing(t *testing.T) {
	for name, r := range flows(t) {
		first := true
		c := r.change(func(e wiretap.Event) []wiretap.Event {
			if e.Kind == wiretap.Data && e.From == endpoint.Server && first {
				first = false
				return []wiretap.Event{{Kind: wiretap.Data, From: endpoint.Server, Data: e.Data[:20]}, {Kind: wiretap.Gap, From: endpoint.Server, Missing: 3000}}
			}
			return []wiretap.Event{e}
		}).dissect(t, Options{})
		var texts []string
		for _, p := range c.Problems {
			texts = append(texts, p.Text)
		}
		if len(texts) != 2 || !strings.HasPrefix(texts[0], "a packet is missing here: it had ServerHello") || texts[1] != "bytes are missing here: 3000 of the server's, which begin in a record after 20 bytes of it" {
			t.Errorf("%s: problems %q, messages %q", name, texts, summary(c))
		}

		first = true
		c = r.change(func(e wiretap.Event) []wiretap.Event {
			if e.Kind == wiretap.Data && e.From == endpoint.Server && first {
				first = false
				return []wiretap.Event{{Kind: wiretap.Gap, From: endpoint.Server, Missing: int64(len(e.Data))}}
			}
			return []wiretap.Event{e}
		}).dissect(t, Options{})
		if len(c.Problems) != 2 || !strings.HasPrefix(c.Problems[0].Text, "a packet is missing here: it had ServerHello") || !strings.HasPrefix(c.Problems[1].Text, "bytes are missing here: the first ") || !c.Progress().Lacking {
			t.Errorf("%s without its packet: %+v, problems %+v", name, c.Progress(), c.Problems)
		}
	}
}

// A client that speaks HTTP in the clear gets an answer in kind, and one of
// TLS may meet a server that has none.
func TestOneSideHasNoTLS(t *testing.T) {
	hello := flows(t)["TLS 1.3"].events[1]
	for _, test := range []struct {
		client []byte
		want   string
		from   endpoint.Side
	}{
		{[]byte("GET / HTTP/1.1\r\n\r\n"), "the server answered without TLS, too: it sent HTTP that is not encrypted: HTTP/1.0 400 Bad Request", endpoint.Client},
		{hello.Data, "the server does not speak TLS: it sent HTTP that is not encrypted: HTTP/1.0 400 Bad Request", endpoint.Server},
	} {
		r := &recording{events: []wiretap.Event{
			{Kind: wiretap.Open},
			{Kind: wiretap.Data, From: endpoint.Client, Data: test.client},
			{Kind: wiretap.Data, From: endpoint.Server, Data: []byte("HTTP/1.0 400 Bad Request\r\n\r\nno")},
			{Kind: wiretap.Close},
		}}
		c := r.dissect(t, Options{})
		said := slices.ContainsFunc(c.Problems, func(p Problem) bool { return p.Text == test.want })
		if !said || c.NotTLSFrom != test.from || c.Plain.Server != (Plain{HTTP: true, Line: "HTTP/1.0 400 Bad Request"}) {
			t.Errorf("%+v, not TLS from the %v, problems %+v", c.Plain, c.NotTLSFrom, c.Problems)
		}
	}
}

// The side that ended the connection is reported as far as it was seen.
func TestEnds(t *testing.T) {
	for _, test := range []struct {
		events []wiretap.Event
		want   End
	}{
		{[]wiretap.Event{{Kind: wiretap.HalfClose, From: endpoint.Client}, {Kind: wiretap.Close, From: endpoint.Server}}, Closed},
		{[]wiretap.Event{{Kind: wiretap.HalfClose, From: endpoint.Server}, {Kind: wiretap.Close, From: endpoint.Server}}, ServerClosed},
		{[]wiretap.Event{{Kind: wiretap.Close, From: endpoint.Server}}, ServerClosed},
		{[]wiretap.Event{{Kind: wiretap.Close, From: endpoint.Client}}, ClientClosed},
		{[]wiretap.Event{{Kind: wiretap.Reset, From: endpoint.Client}, {Kind: wiretap.Close, From: endpoint.Server}}, ClientReset},
		{nil, CutOff},
	} {
		r := &recording{events: append([]wiretap.Event{{Kind: wiretap.Open}}, test.events...)}
		if c := r.dissect(t, Options{}); c.End != test.want {
			t.Errorf("%v: %q, want %q", test.events, c.End, test.want)
		}
	}
}

// A session of TLS 1.2 is resumed whose first connection is not in the capture.
func TestResumedSessionIsUnknown(t *testing.T) {
	server, client := serverConfig(), clientConfig()
	server.MaxVersion = tls.VersionTLS12
	server.SetSessionTicketKeys([][32]byte{{1}})
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	record(t, server, client)
	c := record(t, server, client).dissect(t, Options{})
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Text, "its secret is that of an earlier connection") || c.Resumption != ByTicket {
		t.Errorf("problems %v, resumption %q", c.Problems, c.Resumption)
	}
}

// A long body is counted, not held.
func TestMemoryIsBounded(t *testing.T) {
	r := flows(t)["TLS 1.3"]
	var done *Connection
	d := New(Options{Done: func(c *Connection) { done = c }})
	handle := d.Open(r.events[0])
	for _, e := range r.events[1:3] {
		handle(e)
	}
	record := append([]byte{23, 3, 3, 0x40, 0}, make([]byte, 0x4000)...)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 20000 { // 320 MiB each way
		for _, from := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			handle(wiretap.Event{Kind: wiretap.Data, From: from, Data: record})
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the connection holds %d bytes", grown)
	}
	handle(wiretap.Event{Kind: wiretap.Close})
	if len(done.Messages) > maxMessages || done.Omitted == 0 {
		t.Errorf("%d messages, %d omitted", len(done.Messages), done.Omitted)
	}
}

// Handshake messages without end are not held either.
func TestMemoryOfHandshakesIsBounded(t *testing.T) {
	hello := flows(t)["TLS 1.2"].dissect(t, Options{}).Messages[0].Handshake.Raw
	padded := append(bytes.Clone(hello), make([]byte, 1<<16)...) // does not parse, and is kept as it came
	n := len(padded) - tlswire.HandshakeHeaderLen
	padded[1], padded[2], padded[3] = byte(n>>16), byte(n>>8), byte(n)
	var stream []byte
	for piece := range slices.Chunk(padded, tlswire.MaxPlaintext) {
		stream = append(stream, tlswire.Record{Type: tlswire.ContentTypeHandshake, Version: tlswire.VersionTLS12, Fragment: piece}.Marshal()...)
	}
	r := &recording{events: []wiretap.Event{{Kind: wiretap.Open}}}
	for range 200 {
		r.events = append(r.events, wiretap.Event{Kind: wiretap.Data, Data: stream})
	}
	c := r.dissect(t, Options{})
	if len(c.Messages) > maxBytes/len(padded) || c.Omitted < 100 || len(c.Messages) == 0 {
		t.Errorf("%d messages, %d omitted", len(c.Messages), c.Omitted)
	}
}

// No secret gets into the JSON.
func TestJSON(t *testing.T) {
	for name, r := range flows(t) {
		c := r.dissect(t, Options{})
		c.Check(trust())
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.events {
			if e.Kind == wiretap.Secret {
				secret := strings.Fields(string(e.Data))[2]
				if bytes.Contains(b, []byte(secret[:16])) {
					t.Errorf("%s: the JSON has a secret", name)
				}
			}
		}
		var got struct {
			Connection int
			TLS        struct {
				Version    string
				ClientAuth bool   `json:"client_auth"`
				ServerName string `json:"server_name"`
			}
			Messages []struct {
				From      string
				Key       struct{ Secret string }
				Handshake struct {
					Name   string
					Fields []struct {
						Name           string
						Offset, Length int
					}
				}
				HTTP   struct{ Line string }
				Checks []struct{ Subject, Result, Text string }
			}
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		first := got.Messages[0]
		if got.Connection != 1 || got.TLS.Version != name || !got.TLS.ClientAuth || got.TLS.ServerName != "localhost" ||
			first.From != "client" || first.Handshake.Name != "ClientHello" || len(first.Handshake.Fields) < 5 || len(got.Messages) != len(c.Messages) {
			t.Errorf("%s: %.500s", name, b)
		}
	}
}

// What cannot be seen without keys is left out of the JSON: it is not false.
func TestJSONOfWhatIsNotKnown(t *testing.T) {
	for _, test := range []struct {
		version           uint16
		asks, keys        bool
		asked, earlyTaken string // as the JSON has them; "" is for left out
	}{
		{tls.VersionTLS13, true, true, "true", "false"},
		{tls.VersionTLS13, false, true, "false", "false"},
		{tls.VersionTLS13, true, false, "", ""},
		{tls.VersionTLS13, false, false, "", ""},
		{tls.VersionTLS12, true, false, "true", "false"},
		{tls.VersionTLS12, false, false, "false", "false"},
	} {
		server := serverConfig()
		server.MaxVersion = test.version
		if !test.asks {
			server.ClientAuth = tls.NoClientCert
		}
		r := record(t, server, clientConfig())
		if !test.keys {
			r = r.change(func(e wiretap.Event) []wiretap.Event {
				if e.Kind == wiretap.Secret {
					return nil
				}
				return []wiretap.Event{e}
			})
		}
		var got struct{ TLS map[string]json.RawMessage }
		if err := json.Unmarshal(must(json.Marshal(r.dissect(t, Options{}))), &got); err != nil {
			t.Fatal(err)
		}
		if asked, early := string(got.TLS["client_auth"]), string(got.TLS["early_data"]); asked != test.asked || early != test.earlyTaken {
			t.Errorf("%+v: client_auth %q, early_data %q", test, asked, early)
		}
	}
}

// Connections of many goroutines at once do not disturb each other.
func TestConcurrent(t *testing.T) {
	all := flows(t)
	done := make(chan *Connection, 200)
	d := New(Options{Done: func(c *Connection) { done <- c }})
	for range 20 {
		for _, r := range all {
			go func() {
				r.replay(d)
			}()
		}
	}
	shared := trust()
	for range 20 * len(all) {
		c := <-done
		c.Check(shared)
		if len(c.Problems) > 0 || c.End != ServerClosed {
			t.Errorf("problems %v, end %q", c.Problems, c.End)
		}
	}
	d.Close()
}

// A capture that begins in the middle of a connection without TLS says so; the
// middle of a record is none of that.
func TestCapturedInTheMiddleOfSomethingElse(t *testing.T) {
	hello := flows(t)["TLS 1.3"].events[1]
	for _, test := range []struct {
		client, server string
		from           endpoint.Side // who does not speak TLS
		want           string
	}{
		{"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", endpoint.Client, "the client does not speak TLS: it sent HTTP that is not encrypted: GET /a HTTP/1.1"},
		{"", "HTTP/1.1 200 OK\r\n\r\n", endpoint.Server, "the server does not speak TLS: it sent HTTP that is not encrypted: HTTP/1.1 200 OK"},
		{"a004 SELECT INBOX\r\n", "\x8a\x01\xff\x17", endpoint.Client, "the client does not speak TLS: it sent text: a004 SELECT [...]"},
		{"\x8a\x01\xff\x17\x99", "\x92\xb7\x00\x00", endpoint.Unknown, "no record begins in what was seen of the client: its 5 bytes are the middle of one, or not TLS; the connection was open when the capture began"},
		{string(hello.Data), "http://crl.example/ca.crl\x30\x82\x01", endpoint.Unknown, "no record begins in what was seen of the server: its 28 bytes are the middle of one, or not TLS; the connection was open when the capture began"},
	} {
		r := &recording{events: []wiretap.Event{{Kind: wiretap.Open}, {Kind: wiretap.Gap, From: endpoint.Client, Missing: -1}, {Kind: wiretap.Gap, From: endpoint.Server, Missing: -1}}}
		if test.client != "" {
			r.events = append(r.events, wiretap.Event{Kind: wiretap.Data, From: endpoint.Client, Data: []byte(test.client)})
		}
		r.events = append(r.events, wiretap.Event{Kind: wiretap.Data, From: endpoint.Server, Data: []byte(test.server)})
		c := r.dissect(t, Options{})
		if len(c.Problems) == 0 || c.Problems[0].Text != test.want || c.NotTLSFrom != test.from {
			t.Errorf("%q, %q: not TLS from the %v, problems %+v", test.client, test.server, c.NotTLSFrom, c.Problems)
		}
	}
}
