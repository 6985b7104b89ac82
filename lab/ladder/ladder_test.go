package ladder

import (
	"encoding/hex"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
	"mtlslab.example/lab/lab/wiretap"
)

var update = flag.Bool("update", false, "write the golden files in testdata anew")

func draw(t testing.TB, c *tlsdecrypt.Connection, o Options) string {
	t.Helper()
	var b strings.Builder
	if err := Draw(&b, c, judged(c), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// golden compares a drawing with the one that was reviewed.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant (-update accepts the new one)\n%s", name, got, want)
	}
}

func TestLadders(t *testing.T) {
	for _, r := range recordings {
		golden(t, r.name, draw(t, replay(t, r.name, true), Options{}))
	}
	mutual := replay(t, "tls13-mutual", true)
	golden(t, "tls13-no-keys", draw(t, replay(t, "tls13-mutual", false), Options{}))
	golden(t, "tls13-mutual-ascii", draw(t, mutual, Options{ASCII: true}))
	golden(t, "tls13-mutual-wide", draw(t, mutual, Options{Width: 120}))
	golden(t, "tls13-mutual-verbose", draw(t, mutual, Options{Verbose: true}))
	golden(t, "lines", lines(t))
}

// lines are all recordings in one line each.
func lines(t *testing.T) string {
	var b strings.Builder
	for i, r := range recordings {
		c := replay(t, r.name, true)
		c.Number = i + 1
		b.WriteString(lineOf(c, Options{}) + "\n")
	}
	b.WriteString(lineOf(replay(t, "tls13-mutual", false), Options{}) + "\n")
	return b.String()
}

var ansi = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// fits fails for lines that are too wide and for characters that have no
// business on a terminal.
func fits(t *testing.T, name, drawing string, columns int, ascii bool) {
	t.Helper()
	for line := range strings.Lines(drawing) {
		line = strings.TrimSuffix(line, "\n")
		if text.Width(line) > columns {
			t.Errorf("%s: %d columns: %s", name, text.Width(line), line)
		}
		if !text.IsClean(line) || ascii && text.ASCII.Clean(line) != line {
			t.Errorf("%s: %q", name, line)
		}
		if strings.HasSuffix(line, " ") {
			t.Errorf("%s: spaces at the end of %q", name, line)
		}
	}
}

// everyDrawing draws a connection in all ways. Colour changes nothing but
// colours.
func everyDrawing(t *testing.T, name string, c *tlsdecrypt.Connection) {
	t.Helper()
	for _, o := range []Options{{}, {Width: 60}, {Width: 67, ASCII: true, Verbose: true}, {Width: 99, ASCII: true}, {Width: 300}, {Verbose: true}, {Width: 300, ASCII: true, Verbose: true}} {
		plain := draw(t, c, o)
		fits(t, name, plain, o.width(), o.ASCII)
		fits(t, name, lineOf(c, o), o.width(), o.ASCII)
		o.Color = true
		colored := draw(t, c, o)
		if colored == plain || ansi.ReplaceAllString(colored, "") != plain {
			t.Errorf("%s, %+v: without its colours it differs", name, o)
		}
	}
}

func TestDrawingsFit(t *testing.T) {
	for _, r := range recordings {
		everyDrawing(t, r.name, replay(t, r.name, true))
		everyDrawing(t, r.name+" without keys", replay(t, r.name, false))
	}
	everyDrawing(t, "nothing", &tlsdecrypt.Connection{})
}

// At every moment of a connection there is a drawing.
func TestUnfinishedConnections(t *testing.T) {
	for _, r := range recordings {
		c := replay(t, r.name, true)
		all := c.Messages
		c.End, c.Ended = tlsdecrypt.StillOpen, time.Time{}
		for n := range all {
			c.Messages = all[:n]
			if got := draw(t, c, Options{}); !strings.Contains(got, "still open") {
				t.Errorf("%s after %d messages: %s", r.name, n, got)
			}
			fits(t, r.name, lineOf(c, Options{}), 80, false)
		}
	}
}

// evil is all that a peer may put into a name to harm a terminal.
const evil = "\x1b]0;owned\x07\x1b[2J\r\n\u202e\u2066\u200f\u200bx\u0301\u0301\xff\u00a0" + "漢字"

func TestHostilePeers(t *testing.T) {
	c := replay(t, "tls13-mutual", true)
	for _, m := range c.Messages {
		if m.HTTP != nil {
			m.HTTP.Line, m.HTTP.Target = "GET /"+evil+strings.Repeat("a", 1000), "/"+evil+strings.Repeat("a", 1000)
			m.HTTP.Headers = append(m.HTTP.Headers, httpwire.Header{Name: evil, Value: strings.Repeat(evil, 100)},
				httpwire.Header{Name: "Host", Value: evil}, httpwire.Header{Name: "User-Agent", Value: evil})
		}
		if m.Handshake != nil {
			if hello, ok := m.Handshake.Body.(*tlswire.ClientHello); ok {
				names, _ := tlswire.Lookup[*tlswire.ServerNameList](hello.Extensions, tlswire.ExtensionServerName)
				names.Names[0].Name = evil
				alpn, _ := tlswire.Lookup[*tlswire.ProtocolNameList](hello.Extensions, tlswire.ExtensionALPN)
				alpn.Protocols = []string{evil, "h2"}
			}
		}
		for i := range m.Checks {
			m.Checks[i].Text += evil
		}
	}
	c.ALPN = evil
	c.Problems = []tlsdecrypt.Problem{{Offset: -1, Text: evil}}
	c.Comments = []string{evil}
	everyDrawing(t, "hostile", c)
}

// What a person has to find in the drawing of each kind of connection.
func TestLaddersSayIt(t *testing.T) {
	for name, want := range map[string][]string{
		"tls13-mutual": {`Wants to talk to "localhost"`, "X25519MLKEM768 (a key agreement that also resists quantum computers) and x25519", `"Show me a certificate issued under CN=client-ca."`,
			"CN=server, for localhost and 127.0.0.1, issued by CN=server-ca, valid until 2027-11-24.",
			"the client now knows that the server holds the key of CN=server", "the client is done and may send.",
			"by now the server knows the client as CN=client", "GET / HTTP/1.1", "HTTP/1.1 200 OK", "good order (FIN)"},
		"tls12-mutual":           {"both sides now have the keys", "by now the server knows the client as CN=client", "the handshake is done"},
		"tls13-resumed":          {"an earlier session resumed (ticket)", "Brings the ticket of an earlier session, and a proof (the binder)", "no certificates this time", "Who they are was settled then"},
		"tls12-resumed":          {"an earlier session resumed (ticket)", "Brings a ticket", "made from the earlier session's secret"},
		"tls13-retry":            {"HelloRetryRequest", "asks for one for secp384r1", "now with the key share that was asked for: secp384r1"},
		"tls13-one-sided":        {"this is not mutual TLS", "the server does not know who the client is"},
		"tls13-no-certificate":   {"Empty: the client has no certificate", "The server breaks off: the client sent no certificate. The client was already done", "certificate_required (alert 116)"},
		"tls12-no-certificate":   {"Rejected by the server: the client sent no certificate.", "handshake_failure (alert 40)"},
		"tls13-expired-client":   {"EXPIRED on 2025-06-01", "✗ The chain fails: CN=client has expired: it was valid until 2025-06-01", "the client's certificate has expired", "certificate_expired (alert 45)"},
		"tls13-http2":            {"HTTP/2 begins", "GET / HTTP/2", "HTTP: the request to localhost:8443, by Go-http-client/2.0", "HTTP/2 200", "HTTP: the answer, 23 bytes of text/plain."},
		"tls13-hostile-names":    {`CN=eve\1B[31m\0D\0A\E2\80\AEevil\E2\80\8Bmmm`, "mmm…, issued by CN=client-ca"},
		"tls13-untrusted-server": {"The client breaks off: it refuses the server's certificate, and only its own log knows why", "Rejected by the client: the client sent bad_certificate"},
	} {
		got := sentences(draw(t, replay(t, name, true), Options{}))
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s does not say %q", name, w)
			}
		}
	}
	got := sentences(draw(t, replay(t, "tls13-mutual", false), Options{}))
	for _, w := range []string{"! no keys: name a key log with --keylog", "key not known", "The handshake very probably succeeded"} {
		if !strings.Contains(got, w) {
			t.Errorf("without keys it does not say %q: %s", w, got)
		}
	}
}

// What is not in a capture has not failed for that.
func TestIncompleteCapturesSayIt(t *testing.T) {
	data := 0
	whole := func(e wiretap.Event) []wiretap.Event { return []wiretap.Event{e} }
	gap := func(from endpoint.Side, missing int) wiretap.Event {
		return wiretap.Event{Kind: wiretap.Gap, From: from, Missing: int64(missing)}
	}
	noServerHello := func(e wiretap.Event) []wiretap.Event {
		if data++; data == 3 {
			return []wiretap.Event{gap(e.From, len(e.Data))}
		}
		return []wiretap.Event{e}
	}
	late := func(e wiretap.Event) []wiretap.Event {
		switch data++; {
		case data == 1:
			return []wiretap.Event{gap(endpoint.Client, -1), gap(endpoint.Server, -1)}
		case data < 5:
			return nil
		}
		return []wiretap.Event{e}
	}
	early := func(e wiretap.Event) []wiretap.Event {
		if data++; data > 2 {
			return nil
		}
		return []wiretap.Event{e}
	}
	ofData := func(seen func(wiretap.Event) []wiretap.Event, end bool) func(wiretap.Event) []wiretap.Event {
		return func(e wiretap.Event) []wiretap.Event {
			switch {
			case e.Kind == wiretap.Data:
				return seen(e)
			case end && e.Kind != wiretap.Secret:
				return nil
			}
			return []wiretap.Event{e}
		}
	}
	for name, test := range map[string]struct {
		flow string
		keys bool
		seen func(wiretap.Event) []wiretap.Event
		want []string
		line string
	}{
		"no ServerHello": {"tls13-mutual", true, ofData(noServerHello, false), []string{"The version cannot be seen: ServerHello is not in the capture.",
			"! a packet is missing here: it had ServerHello", "How the handshake ended is not in the capture."}, "cut off    -             -    localhost      a packet is missing here"},
		"begun late": {"tls13-mutual", true, ofData(late, false), []string{"The version cannot be seen: the handshake came before the capture began.",
			"! starts mid-connection:"}, "cut off    -             -    127.0.0.1:84…  starts mid-connection"},
		"ended early": {"tls13-mutual", false, ofData(early, true), []string{"The version cannot be seen: the capture ends before ServerHello.",
			"What came after this was not recorded."}, "cut off    -             -    localhost      -"},
		"TLS 1.2 without keys": {"tls12-mutual", false, whole, []string{"1 encrypted record: application data", "1 encrypted record: handshake",
			"The handshake very probably succeeded: after both Finished application data went both ways."}, "accepted?  CN=client     1.2  localhost      no keys"},
	} {
		data = 0
		c := replaySome(t, test.flow, test.keys, test.seen)
		got := sentences(draw(t, c, Options{}))
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s does not say %q: %s", name, want, got)
			}
		}
		if line := lineOf(c, Options{}); !strings.Contains(line, test.line) {
			t.Errorf("%s: %q, want %q", name, line, test.line)
		}
	}
}

// Who refuses a certificate has not learned from it who the other side is.
func TestRefusalsTellNothing(t *testing.T) {
	for _, name := range []string{"tls13-untrusted-server", "tls13-expired-client"} {
		got := sentences(draw(t, replay(t, name, true), Options{}))
		learned := map[string]string{"tls13-untrusted-server": "the client now knows", "tls13-expired-client": "by now the server"}[name]
		if strings.Contains(got, learned) || !strings.Contains(got, "Rejected by the ") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestRefusedVersion(t *testing.T) {
	for name, want := range map[string]string{
		"tls12-mutual": "The server breaks off: it does not speak the client's version of TLS: the client offers TLS 1.2.",
		"tls13-mutual": "The server breaks off: it does not speak the client's version of TLS: the client offers TLS 1.3, TLS 1.2.",
	} {
		c := replay(t, name, true)
		c.Messages = []*tlsdecrypt.Message{c.Messages[0], {From: endpoint.Server, Type: tlswire.ContentTypeAlert,
			Alert: &tlswire.Alert{Level: tlswire.AlertFatal, Description: tlswire.AlertProtocolVersion}}}
		c.Negotiated = tlsdecrypt.Negotiated{}
		if got := sentences(draw(t, c, Options{})); !strings.Contains(got, want) {
			t.Errorf("%s: no %q: %s", name, want, got)
		}
	}
}

func TestResets(t *testing.T) {
	c := replay(t, "tls13-mutual", true)
	c.End = tlsdecrypt.ClientReset
	if got := sentences(draw(t, c, Options{})); !strings.Contains(got, "(RST) after 3.00 ms: harmless here, as both had said goodbye (close_notify).") {
		t.Error(got)
	}
	c.Messages = c.Messages[:len(c.Messages)-1]
	if got := sentences(draw(t, c, Options{})); !strings.Contains(got, "what the server had not read by then may be lost.") {
		t.Error(got)
	}
}

func TestNobodySpoke(t *testing.T) {
	got := sentences(draw(t, &tlsdecrypt.Connection{End: tlsdecrypt.Closed, EndedBy: endpoint.Client}, Options{}))
	if !strings.Contains(got, "Nobody said anything.") || !strings.Contains(got, "There was no handshake: the client closed without a byte, as a health check or a port scan does.") || strings.Contains(got, "┴") {
		t.Error(got)
	}
}

func TestNotTLS(t *testing.T) {
	c := &tlsdecrypt.Connection{End: tlsdecrypt.Closed, EndedBy: endpoint.Server, NotTLSFrom: endpoint.Client,
		Problems: []tlsdecrypt.Problem{{From: endpoint.Client, Text: "the client does not speak TLS: it sent HTTP that is not encrypted: GET / HTTP/1.1"}}}
	got := sentences(draw(t, c, Options{}))
	for _, want := range []string{"No TLS: the client began with something else.", "GET / HTTP/1.1", "Rejected by the server: the client did not speak TLS, and the server closed without an answer, as one does that expects TLS."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q: %s", want, got)
		}
	}
	if line := lineOf(c, Options{}); line != "   0  rejected   -             -    -              server: not_tls" {
		t.Errorf("%q", line)
	}
}

// What a side says in place of TLS is drawn once.
func TestNotTLSIsDrawnOnce(t *testing.T) {
	const line = "GET / HTTP/1.1"
	talk := &prologue.Talk{}
	talk.Take(endpoint.Client, []byte(line+"\r\n\r\n"), time.Time{})
	c := &tlsdecrypt.Connection{End: tlsdecrypt.Closed, EndedBy: endpoint.Server, NotTLSFrom: endpoint.Client, Prologue: &talk.Prologue,
		Plain:    endpoint.Pair[tlsdecrypt.Plain]{Client: tlsdecrypt.Plain{HTTP: true, Line: line}},
		Problems: []tlsdecrypt.Problem{{From: endpoint.Client, Text: "the client does not speak TLS: it sent HTTP that is not encrypted: " + line}}}
	got := sentences(draw(t, c, Options{}))
	if strings.Count(got, line) != 1 || !strings.Contains(got, "it sent HTTP that is not encrypted") {
		t.Error(got)
	}
}

// The number that the lab gave a connection stands in the title, the verdict
// below.
func TestComments(t *testing.T) {
	c := replay(t, "tls13-mutual", true)
	c.Comments = []string{"exchange 7", "rejected by the server: why not"}
	got := draw(t, c, Options{Stream: true})
	if !strings.HasPrefix(got, "TCP stream 1 (exchange 7 of the lab), ") || strings.Count(got, "The lab says: ") != 1 || !strings.Contains(got, "The lab says: rejected by the server: why not.\n") {
		t.Error(got)
	}
}

func TestHeading(t *testing.T) {
	heading := Heading(Options{})
	fits(t, "heading", heading, 80, false)
	line := lineOf(replay(t, "tls13-mutual", true), Options{})
	for name, value := range map[string]string{"outcome": "accepted", "client": "CN=client", "TLS": "1.3", "server": "localhost", "by whom": "GET / 200"} {
		if strings.Index(heading, name) != strings.Index(line, value) {
			t.Errorf("%q is not below %q:\n%s\n%s", value, name, heading, line)
		}
	}
}

// sentences undoes the folding of a drawing.
func sentences(drawing string) string {
	var words []string
	for line := range strings.Lines(drawing) {
		line = strings.Trim(strings.TrimSpace(line), "├┤│┄ ")
		words = append(words, strings.Fields(line)...)
	}
	return strings.Join(words, " ")
}

// Checks that fail stand out, and forbid what would follow from them.
func TestFailedChecks(t *testing.T) {
	c := replay(t, "tls13-mutual", true)
	for _, m := range c.Messages {
		for i := range m.Checks {
			m.Checks[i].Result = tlsdecrypt.Fails
		}
	}
	got := draw(t, c, Options{})
	if strings.Contains(sentences(got), "now knows that the server") || strings.Count(got, "✗") != 7 || strings.Count(got, "✓") != 1 {
		t.Errorf("%s", got)
	}
	if got := draw(t, c, Options{ASCII: true}); strings.Count(got, "FAILS") != 7 {
		t.Errorf("%s", got)
	}
}

// An alert after the handshake is no rejection.
func TestBrokenOff(t *testing.T) {
	c := replay(t, "tls13-mutual", true)
	last := c.Messages[len(c.Messages)-1]
	last.Alert = &tlswire.Alert{Level: tlswire.AlertFatal, Description: tlswire.AlertBadRecordMAC}
	if got := sentences(draw(t, c, Options{})); !strings.Contains(got, "Broken off after the handshake had succeeded: the server ended the connection with bad_record_mac (alert 20).") {
		t.Error(got)
	}
	if got := lineOf(c, Options{}); !strings.Contains(got, "broken") || !strings.Contains(got, "server: bad_record_mac") {
		t.Error(got)
	}
}

func TestLinesHaveColumns(t *testing.T) {
	all := strings.Split(strings.TrimSpace(lines(t)), "\n")
	if !strings.Contains(all[0], "accepted   CN=client     1.3  localhost      GET / 200") {
		t.Errorf("%q", all[0])
	}
	static := messagesOf(t, "../tlswire/testdata/openssl-tls12-rsa.flow") // which agrees on no group
	static.ServerName = "localhost"
	wide := Options{Width: 100}
	if line := lineOf(static, wide); strings.Index(line, "localhost") != strings.Index(lineOf(replay(t, "tls13-mutual", true), wide), "localhost") || !strings.Contains(line, "1.2  -               ") {
		t.Errorf("%q", line)
	}
	for _, want := range []string{"rejected   -             1.3  localhost      server: no_client_certificate", "accepted   (resumed)", "accepted?  "} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("%q is not in\n%s", want, strings.Join(all, "\n"))
		}
	}
}

func TestKind(t *testing.T) {
	seen := map[string]string{}
	for _, r := range recordings {
		if r.name == "tls13-hostile-names" {
			continue
		}
		kind := Kind(replay(t, r.name, true))
		if before := seen[kind]; before != "" {
			t.Errorf("%s and %s are of the same kind: %s", before, r.name, kind)
		}
		seen[kind] = r.name
	}
	c := replay(t, "tls13-mutual", true)
	want := Kind(c)
	c.Number, c.Opened = 7, c.Opened.Add(time.Hour)
	c.Client = netip.MustParseAddrPort("10.0.0.1:1")
	last := len(c.Messages) - 1
	c.Messages[last], c.Messages[last-1] = c.Messages[last-1], c.Messages[last]
	if Kind(c) != want {
		t.Errorf("another time, address and order make another kind:\n%s\n%s", Kind(c), want)
	}
	isGoodbye := func(m *tlsdecrypt.Message) bool {
		return m.Alert != nil && m.Alert.Description == tlswire.AlertCloseNotify
	}
	all := c.Messages
	if !slices.ContainsFunc(all, isGoodbye) {
		t.Fatal("nobody says close_notify")
	}
	if c.Messages = slices.DeleteFunc(slices.Clone(all), isGoodbye); Kind(c) != want {
		t.Errorf("without close_notify it is another kind:\n%s\n%s", Kind(c), want)
	}
	refusal := &tlsdecrypt.Message{From: endpoint.Server, Type: tlswire.ContentTypeAlert, Alert: &tlswire.Alert{Description: tlswire.AlertBadCertificate}}
	if c.Messages = append(c.Messages, refusal); Kind(c) == want {
		t.Errorf("with another alert it is the same kind: %s", want)
	}
}

// What only other peers than Go's do.
func TestRareHandshakesSayIt(t *testing.T) {
	for name, want := range map[string]string{
		"openssl-tls13-post-handshake": "by now the server goes on, and was shown CN=client",
		"openssl-tls12-renegotiation":  "A new handshake on the same connection.",
		"openssl-tls12-rsa":            "the server holds the key of CN=rsa: it could read the secret",
		"openssl-tls12-anonymous":      "Nobody signs it: the client cannot tell who the server is.",
		"openssl-tls13-early-data":     "Sends its first data at once, before any answer.",
		"openssl-tls13-key-update":     "From here on the client encrypts with a new key",
		"openssl-tls12-mutual":         "a fresh statement of its authority that its certificate is not revoked",
	} {
		c := messagesOf(t, "../tlswire/testdata/"+name+".flow")
		got := sentences(draw(t, c, Options{}))
		if !strings.Contains(got, want) || !strings.Contains(got, "Accepted: ") {
			t.Errorf("%s does not say %q: %s", name, want, got)
		}
	}
}

// The messages of tlswire's recordings: every one has a sentence.
func TestEveryMessageHasWords(t *testing.T) {
	files, err := filepath.Glob("../tlswire/testdata/*.flow")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings", err)
	}
	for _, file := range files {
		everyDrawing(t, filepath.Base(file), messagesOf(t, file))
	}
}

// messagesOf makes a connection of the handshake messages and alerts of a flow.
func messagesOf(t *testing.T, file string) *tlsdecrypt.Connection {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &tlsdecrypt.Connection{}
	var ctx tlswire.Context
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 3 || words[1] != "handshake" && words[1] != "alert" {
			continue
		}
		raw, err := hex.DecodeString(words[2])
		if err != nil {
			t.Fatal(err)
		}
		m := &tlsdecrypt.Message{From: endpoint.Client, Type: tlswire.ContentTypeHandshake}
		if words[0] == "server" {
			m.From = endpoint.Server
		}
		ctx.Sender = m.From
		if words[1] == "alert" {
			alert, err := tlswire.ParseAlert(raw)
			if err != nil {
				t.Fatal(err)
			}
			m.Type, m.Alert = tlswire.ContentTypeAlert, &alert
		} else {
			h, err := tlswire.ParseHandshake(raw, ctx)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if hello, ok := h.Body.(*tlswire.ServerHello); ok {
				ctx.Version, ctx.CipherSuite = hello.Version(), hello.CipherSuite
				c.Version, c.CipherSuite, c.Retried = ctx.Version, ctx.CipherSuite, c.Retried || hello.IsHelloRetryRequest()
				if x, ok := tlswire.Lookup[*tlswire.SelectedCertificateType](hello.Extensions, tlswire.ExtensionServerCertificateType); ok {
					ctx.CertificateType = x.Type
				}
			}
			c.ClientAuth = c.ClientAuth || h.Type == tlswire.TypeCertificateRequest
			m.Handshake = &h
			s := &story{c: c}
			s.remember(m)
			if _, text, _ := s.words(m); !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, ".\"") {
				t.Errorf("%s: %s has the words %q", file, h.Name(), text)
			}
		}
		c.Messages = append(c.Messages, m)
	}
	return c
}

type brokenWriter struct{}

var errBroken = errors.New("no space left on device")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteErrors(t *testing.T) {
	if err := Draw(brokenWriter{}, &tlsdecrypt.Connection{}, &verdict.Verdict{}, Options{}); !errors.Is(err, errBroken) {
		t.Error(err)
	}
}

// Which server of others has verified a client's certificate is not known.
func TestServerOfOthers(t *testing.T) {
	c := replay(t, "tls13-mutual", true)
	for _, test := range []struct {
		o    Options
		want string
	}{{Options{}, "by now the server knows the client as CN=client"}, {Options{Stream: true}, "and can know the client as CN=client"}} {
		if got := sentences(draw(t, c, test.o)); !strings.Contains(got, test.want) {
			t.Errorf("no %q: %s", test.want, got)
		}
	}
}

// A key that both sides were given is no session that was resumed.
func TestGivenKeyInList(t *testing.T) {
	for age, want := range map[uint32]string{0: "(PSK)", 7: "(resumed)"} {
		psk := &tlswire.OfferedPSKs{Identities: []tlswire.PSKIdentity{{Identity: []byte("bob"), ObfuscatedTicketAge: age}}}
		hello := &tlswire.ClientHello{Extensions: []tlswire.Extension{{Type: tlswire.ExtensionPreSharedKey, Body: psk}}}
		c := &tlsdecrypt.Connection{Messages: []*tlsdecrypt.Message{
			{From: endpoint.Client, Type: tlswire.ContentTypeHandshake, Handshake: &tlswire.Handshake{Type: tlswire.TypeClientHello, Body: hello}}}}
		c.Version, c.Resumption = tlswire.VersionTLS13, tlsdecrypt.ByPSK
		if line := lineOf(c, Options{}); !strings.Contains(line, want) {
			t.Errorf("%q, want %s", line, want)
		}
	}
}
