package tlsdecrypt

import (
	"bytes"
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// What each link of the chain does with records that are missing, late, or not
// readable.

// data is an event with bytes of a side.
func data(from endpoint.Side, b []byte) wiretap.Event {
	return wiretap.Event{Kind: wiretap.Data, From: from, Data: b}
}

func gap(from endpoint.Side, missing int64) wiretap.Event {
	return wiretap.Event{Kind: wiretap.Gap, From: from, Missing: missing}
}

// records are the events of a recording, with one event for each record.
func (r *recording) records() []wiretap.Event {
	joined := &recording{}
	for _, e := range r.events {
		last := len(joined.events) - 1
		if e.Kind == wiretap.Data && joined.events[last].Kind == wiretap.Data && joined.events[last].From == e.From {
			joined.events[last].Data = slices.Concat(joined.events[last].Data, e.Data)
			continue
		}
		joined.events = append(joined.events, e)
	}
	return joined.packets(0).events
}

func records(t testing.TB, version string) []wiretap.Event { return flows(t)[version].records() }

// nth is the index of the n-th record of a side that is of a type, from 0.
func nth(t testing.TB, events []wiretap.Event, from endpoint.Side, kind tlswire.ContentType, n int) int {
	t.Helper()
	for i, e := range events {
		if e.Kind == wiretap.Data && e.From == from && len(e.Data) > 0 && e.Data[0] == byte(kind) {
			if n--; n < 0 {
				return i
			}
		}
	}
	t.Fatalf("the %v sent fewer records of type %v", from, kind)
	return 0
}

// firstHello is a ClientHello in a record of its own.
func firstHello(t testing.TB) wiretap.Event {
	events := records(t, "TLS 1.2")
	return events[nth(t, events, endpoint.Client, tlswire.ContentTypeHandshake, 0)]
}

func dissect(t testing.TB, events []wiretap.Event) *Connection {
	t.Helper()
	return (&recording{events: events}).dissect(t, Options{})
}

func problems(c *Connection) (all []string) {
	for _, p := range c.Problems {
		all = append(all, p.Text)
	}
	return all
}

func anyHas(texts []string, part string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, part) })
}

func wantPart(t *testing.T, texts []string, part string) {
	t.Helper()
	if !anyHas(texts, part) {
		t.Errorf("%q is not in\n%s", part, strings.Join(texts, "\n"))
	}
}

func wantNoPart(t *testing.T, texts []string, part string) {
	t.Helper()
	if anyHas(texts, part) {
		t.Errorf("%q is in\n%s", part, strings.Join(texts, "\n"))
	}
}

// A gap that ends where its record does loses that record alone.
func TestGapUpToTheNextRecord(t *testing.T) {
	events := records(t, "TLS 1.3")
	i := nth(t, events, endpoint.Server, tlswire.ContentTypeApplicationData, 1)
	whole := dissect(t, events)
	rec := events[i].Data
	lost := dissect(t, slices.Replace(slices.Clone(events), i, i+1, data(endpoint.Server, rec[:40]), gap(endpoint.Server, int64(len(rec)-40))))
	wantPart(t, problems(lost), "bytes are missing here: the record that they are part of cannot be read")
	if got, want := summary(lost), summary(whole); len(got) != len(want) || got[len(got)-1] != want[len(want)-1] {
		t.Errorf("%q, and with all bytes %q", got, want)
	}
}

// Without its first bytes the client of a known version is followed from its
// next record on.
func TestClientBeginsAfterServerHello(t *testing.T) {
	events := records(t, "TLS 1.2")
	hello := events[nth(t, events, endpoint.Server, tlswire.ContentTypeHandshake, 0)]
	finished := events[nth(t, events, endpoint.Client, tlswire.ContentTypeHandshake, 1)]
	c := dissect(t, []wiretap.Event{events[0], hello, gap(endpoint.Client, 100), finished})
	wantPart(t, problems(c), "bytes are missing here: the first 100 of the client's")
	if len(c.Messages) != 2 || len(c.Problems) != 1 || !c.Progress().Lacking {
		t.Errorf("%q, problems %q", summary(c), problems(c))
	}
}

// Text is not TLS only if nothing of a handshake was seen: else it may be the
// middle of a record.
func TestTextAfterMissingBytes(t *testing.T) {
	hello := firstHello(t)
	text := data(endpoint.Server, []byte("HTTP/1.1 200 OK\r\nServer: some server\r\n"))
	c := dissect(t, []wiretap.Event{{}, hello, gap(endpoint.Server, 0), text})
	wantPart(t, problems(c), "no record begins in what was seen of the server: its 38 bytes are the middle of one, or not TLS")
	if c.NotTLSFrom != endpoint.Unknown {
		t.Errorf("the %v does not speak TLS", c.NotTLSFrom)
	}
	c = dissect(t, []wiretap.Event{{}, gap(endpoint.Server, 0), text})
	wantPart(t, problems(c), "the server does not speak TLS: it sent HTTP that is not encrypted")
}

// What is left of a side that went on with something else is not the beginning
// of a message.
func TestNothingIsLeftOfASideThatStopped(t *testing.T) {
	half := data(endpoint.Server, []byte("\x16\x03\x03\x00\x06\x02\x00\x00\x50\x03\x03"))
	c := dissect(t, []wiretap.Event{{}, firstHello(t), half, data(endpoint.Server, []byte("<html><body>an error</body>")), {Kind: wiretap.Close, From: endpoint.Server}})
	wantPart(t, problems(c), "no TLS from here on: it sent a web page")
	wantNoPart(t, problems(c), "ends within")
}

// Half a message before a record that cannot be read is not the beginning of
// what comes after it.
func TestHalfAMessageIsDropped(t *testing.T) {
	events := records(t, "TLS 1.2")
	i := nth(t, events, endpoint.Server, tlswire.ContentTypeHandshake, 0)
	var flight, rest []byte
	for _, e := range events[i:] {
		if e.Kind == wiretap.Data && e.From == endpoint.Server {
			if e.Data[0] != byte(tlswire.ContentTypeHandshake) {
				break
			}
			flight = append(flight, e.Data[tlswire.RecordHeaderLen:]...)
		}
	}
	message := func() (m []byte) {
		n := 4 + int(flight[1])<<16 + int(flight[2])<<8 + int(flight[3])
		m, flight = flight[:n], flight[n:]
		return m
	}
	frame := func(b []byte) []byte {
		return append([]byte{byte(tlswire.ContentTypeHandshake), 3, 3, byte(len(b) >> 8), byte(len(b))}, b...)
	}
	serverHello, certificate, keyExchange := message(), message(), message()
	rest = frame(certificate[200:])
	c := dissect(t, []wiretap.Event{events[0], firstHello(t),
		data(endpoint.Server, frame(serverHello)), data(endpoint.Server, frame(certificate[:200])),
		data(endpoint.Server, rest[:100]), gap(endpoint.Server, int64(len(rest)-100)),
		data(endpoint.Server, frame(keyExchange))})
	if got := summary(c); len(got) != 4 || !strings.HasPrefix(got[3], "server ServerKeyExchange") {
		t.Errorf("%q", got)
	}
}

// A secret may come from the key log alone, after the records that need it:
// they are read when the next one comes.
func TestSecretsComeLate(t *testing.T) {
	events := records(t, "TLS 1.3")
	store := &keylog.Store{}
	d := New(Options{Secrets: store})
	defer d.Close()
	handle := d.Open(events[0])
	var lines [][]byte
	last := nth(t, events, endpoint.Client, tlswire.ContentTypeApplicationData, 1)
	for _, e := range events[1:last] {
		if e.Kind == wiretap.Secret {
			lines = append(lines, e.Data)
		} else {
			handle(e)
		}
	}
	before := len(d.Peek(events[0].Exchange).Messages)
	for _, line := range lines {
		store.Add(must(keylog.ParseLine(bytes.TrimSpace(line))))
	}
	handle(events[last])
	if after := d.Peek(events[0].Exchange); len(after.Messages) < before+5 || len(after.Problems) > 0 {
		t.Errorf("%d messages without secrets, then %q, problems %q", before, summary(after), problems(after))
	}
}

// Records wait for their secret up to maxWaiting bytes; then they are shown as
// encrypted.
func TestRecordsDoNotWaitForEver(t *testing.T) {
	events := records(t, "TLS 1.3")
	d := New(Options{})
	defer d.Close()
	handle := d.Open(events[0])
	for _, e := range events[1:] {
		if e.Kind == wiretap.Data && e.From == endpoint.Server {
			handle(e)
			break
		}
		if e.Kind == wiretap.Data {
			handle(e)
		}
	}
	large := data(endpoint.Server, slices.Concat([]byte{byte(tlswire.ContentTypeApplicationData), 3, 3, 0x40, 0}, make([]byte, 0x4000)))
	encrypted := func() bool {
		return slices.ContainsFunc(d.Peek(events[0].Exchange).Messages, func(m *Message) bool { return m.Encrypted })
	}
	for n := 0; n < maxWaiting; n += 0x4000 {
		if handle(large); n < maxWaiting/2 && encrypted() {
			t.Fatalf("%d bytes do not wait", n)
		}
	}
	if handle(large); !encrypted() {
		t.Error("all records wait")
	}
}

// A record that does not open takes its number: the next one opens. If bytes
// were missing before it, it need not be wrong.
func TestRecordThatDoesNotOpen(t *testing.T) {
	events := records(t, "TLS 1.3")
	i := nth(t, events, endpoint.Server, tlswire.ContentTypeApplicationData, 1) // after EncryptedExtensions
	changed := slices.Clone(events)
	changed[i].Data = bytes.Clone(events[i].Data)
	changed[i].Data[50] ^= 1
	c := dissect(t, changed)
	wantPart(t, problems(c), "it was changed on the way")
	wantPart(t, summary(c), "server Finished [server_handshake_traffic_secret]")

	rec := events[i-1].Data
	c = dissect(t, slices.Replace(changed, i-1, i, data(endpoint.Server, rec[:10]), gap(endpoint.Server, int64(len(rec)-10))))
	wantPart(t, problems(c), "a record before it, which may have changed the key, has bytes missing")
}

// The client may send data before it has the server's Finished (False Start,
// RFC 7918). If that is not readable, the handshake was seen whole all the
// same.
func TestDataBeforeTheServersFinished(t *testing.T) {
	events := records(t, "TLS 1.2")
	ccs := nth(t, events, endpoint.Server, tlswire.ContentTypeChangeCipherSpec, 0)
	unreadable := slices.Concat([]byte{byte(tlswire.ContentTypeApplicationData), 3, 3, 0, 60}, make([]byte, 60))
	c := dissect(t, slices.Insert(slices.Clone(events), ccs, data(endpoint.Client, unreadable)))
	wantPart(t, problems(c), "a record does not open")
	for _, hs := range c.handshakes {
		if hs.missed != "" {
			t.Errorf("missing of the handshake: %q", hs.missed)
		}
	}
}

// A ChangeCipherSpec says all by its type: that its byte is missing changes
// nothing of what follows.
func TestChangeCipherSpecWithoutItsByte(t *testing.T) {
	events := records(t, "TLS 1.2")
	for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		i := nth(t, events, side, tlswire.ContentTypeChangeCipherSpec, 0)
		header := data(side, events[i].Data[:tlswire.RecordHeaderLen])
		c := dissect(t, slices.Replace(slices.Clone(events), i, i+1, header, gap(side, 1)))
		wantPart(t, summary(c), side.String()+" Finished [master_secret]")
	}
}

// Secrets of other connections that come with the events are keys, although
// there is no key log.
func TestSecretsOfOthersAreKeys(t *testing.T) {
	c := flows(t)["TLS 1.3"].change(func(e wiretap.Event) []wiretap.Event {
		if e.Kind == wiretap.Secret {
			label, rest, _ := bytes.Cut(e.Data, []byte(" "))
			e.Data = slices.Concat(label, []byte(" "), []byte(strings.Repeat("00", 32)), rest[64:])
		}
		return []wiretap.Event{e}
	}).dissect(t, Options{})
	wantPart(t, problems(c), "no keys of this connection: those that are there are of other connections")
}

// If the capture has lost a HelloRetryRequest and does not say so, what does
// not verify is not wrong.
func TestHelloRetryRequestIsGone(t *testing.T) {
	server := serverConfig()
	server.CurvePreferences = []tls.CurveID{tls.CurveP521}
	events := record(t, server, clientConfig()).records()
	i := nth(t, events, endpoint.Server, tlswire.ContentTypeHandshake, 0)
	c := dissect(t, slices.Delete(events, i, i+1))
	c.Check(trust())
	wantNoPart(t, results(c), string(Fails))
	var texts []string
	for _, m := range c.Messages {
		for _, k := range m.Checks {
			texts = append(texts, k.Text)
		}
	}
	wantPart(t, texts, "there was another ClientHello before this one")
}
