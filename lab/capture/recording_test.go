package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// script opens a connection on w and hands it events one after the other.
type script struct {
	handle wiretap.Handler
	time   time.Time
}

func play(w *capture.Writer) *script {
	s := &script{time: time.Unix(1_800_000_000, 123_456_789)}
	s.handle = w.Open(wiretap.Event{Kind: wiretap.Open, Exchange: 3, Time: s.time, Client: clientAddr, Server: serverAddr})
	return s
}

func (s *script) event(k wiretap.Kind, from endpoint.Side, data string) {
	s.time = s.time.Add(time.Microsecond)
	s.handle(wiretap.Event{Kind: k, From: from, Time: s.time, Data: []byte(data)})
}

func (s *script) client(data string)  { s.event(wiretap.Data, endpoint.Client, data) }
func (s *script) server(data string)  { s.event(wiretap.Data, endpoint.Server, data) }
func (s *script) secret(label string) { s.event(wiretap.Secret, endpoint.Server, label+" 00 11\n") }
func (s *script) close()              { s.event(wiretap.Close, endpoint.Server, "") }

// record makes a TLS record.
func tlsRecord(kind byte, length int) string {
	return string(append([]byte{kind, 3, 3, byte(length >> 8), byte(length)}, make([]byte, length)...))
}

const (
	changeCipher = 20
	alert        = 21
	handshake    = 22
	application  = 23
)

func newWriter(t testing.TB, o capture.Options) (*capture.Writer, *memory) {
	t.Helper()
	m := &memory{}
	w, err := capture.NewWriter(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, m
}

func TestSecretsComeFirst(t *testing.T) {
	hello := tlsRecord(handshake, 100)
	cases := map[string]struct {
		play func(*script)
		want string
	}{
		"TLS 1.2": {func(s *script) {
			s.client(hello)
			s.server(hello)
			s.secret("CLIENT_RANDOM")
			s.client(hello)
			s.close()
		}, "DP"},
		"TLS 1.3": {func(s *script) {
			s.client(hello)
			s.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
			s.secret("SERVER_HANDSHAKE_TRAFFIC_SECRET")
			s.server(hello)
			s.secret("CLIENT_TRAFFIC_SECRET_0")
			s.secret("SERVER_TRAFFIC_SECRET_0")
			s.client(hello)
			s.close()
		}, "DP"},
		"a late secret": {func(s *script) {
			s.secret("CLIENT_RANDOM")
			s.client(hello)
			s.secret("EXPORTER_SECRET")
			s.close()
		}, "DPDP"},
		"no TLS after all": {func(s *script) {
			s.client(hello)
			s.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
			s.server("HTTP/1.0 400 Bad Request\r\n\r\n")
			s.close()
		}, "DP"},
		"no secret": {func(s *script) { s.client(hello); s.close() }, "P"},
		"some secrets": {func(s *script) {
			s.client(hello)
			s.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
			s.close()
		}, "DP"},
		"no secret twice": {func(s *script) {
			s.secret("CLIENT_RANDOM")
			s.secret("CLIENT_RANDOM")
			s.client(hello)
			s.close()
		}, "DP"},
		"after 1 MiB": {func(s *script) {
			for range 17 {
				s.client(strings.Repeat(tlsRecord(application, 1<<14), 4))
			}
			s.secret("CLIENT_RANDOM")
			s.close()
		}, "PDP"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, m := newWriter(t, capture.Options{})
			c.play(play(w))
			w.Close()
			if got := outline(t, m.Bytes()); got != c.want {
				t.Errorf("blocks are %s, want %s", got, c.want)
			}
			if strings.Count(m.String(), "CLIENT_RANDOM") > 1 {
				t.Error("a secret is there twice")
			}
		})
	}
}

// TestSecretsComeInAnyOrder: the packets wait for the last secret, whichever
// that is, and however many came before the server's flight.
func TestSecretsComeInAnyOrder(t *testing.T) {
	labels := []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"}
	for order := range 4 * 4 * 4 * 4 {
		before, left := order%4, slices.Clone(labels)
		w, m := newWriter(t, capture.Options{})
		s := play(w)
		s.client(tlsRecord(handshake, 100))
		for n := order; len(left) > 0; n /= 4 {
			if len(left) == len(labels)-before {
				s.server(tlsRecord(handshake, 100))
			}
			at := n % len(left)
			s.secret(left[at])
			left = slices.Delete(left, at, at+1)
			s.server(tlsRecord(application, 100))
		}
		s.close()
		w.Close()
		if got := outline(t, m.Bytes()); got != "DP" {
			t.Errorf("order %d: blocks are %s, want DP", order, got)
		}
	}
}

// TestHiddenClientHello: with Encrypted ClientHello secrets go by a random that
// cannot be seen. They are written under the visible one too, whichever end is
// tapped: a client logs them after it has read the server's flight.
func TestHiddenClientHello(t *testing.T) {
	hello := []byte(tlsRecord(handshake, 100))
	copy(hello[5:], []byte{1, 0, 0, 96, 3, 3})
	visible, hidden := strings.Repeat("a", 64), strings.Repeat("b", 64)
	for i := range 32 {
		hello[11+i] = 0xaa
	}
	flight := tlsRecord(handshake, 100) + tlsRecord(changeCipher, 1) + tlsRecord(application, 1000)
	for _, tapped := range []string{"server", "client"} {
		w, m := newWriter(t, capture.Options{})
		s := play(w)
		s.client(string(hello))
		if tapped == "client" {
			s.server(flight)
		}
		for _, label := range []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"} {
			s.event(wiretap.Secret, endpoint.Client, label+" "+hidden+" 11\n")
		}
		if tapped == "server" {
			s.server(flight)
		}
		s.close()
		w.Close()
		for _, random := range []string{visible, hidden} {
			if line := "SERVER_HANDSHAKE_TRAFFIC_SECRET " + random + " 11\n"; !strings.Contains(m.String(), line) {
				t.Errorf("%s tapped: no line %q", tapped, line)
			}
		}
	}
}

// TestHeldForFiveSeconds: what waits for secrets that never come is written all
// the same.
func TestHeldForFiveSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 5 seconds")
	}
	t.Parallel()
	r := record(t, capture.Options{})
	s := play(r.Writer)
	s.client(tlsRecord(handshake, 100))
	start := time.Now()
	peertest.Eventually(t, "the ClientHello in the file", func() bool {
		file, err := os.ReadFile(r.name)
		return err == nil && outline(t, file) == "P"
	})
	if waited := time.Since(start); waited < 4900*time.Millisecond || waited > 15*time.Second {
		t.Errorf("waited %v", waited)
	}
}

// comments returns the comment of each packet of a file, "" if it has none.
func comments(t *testing.T, file []byte) []string {
	t.Helper()
	var list []string
	for _, b := range blocks(t, file) {
		if b.kind != packetBlock {
			continue
		}
		captured := int(binary.LittleEndian.Uint32(b.body[12:]))
		options := b.body[20+(captured+3)&^3:]
		if len(options) == 0 {
			list = append(list, "")
			continue
		}
		list = append(list, string(options[4:4+binary.LittleEndian.Uint16(options[2:])]))
	}
	return list
}

func TestVerdictFindsItsPacket(t *testing.T) {
	const why = "rejected: certificate_required"
	cases := map[string]struct {
		play func(*script)
		want []string
	}{
		"alert": {func(s *script) {
			s.server(tlsRecord(alert, 2))
			s.event(wiretap.Verdict, endpoint.Server, why)
			s.close()
		}, []string{"exchange 3", "", "", why, "", ""}},
		"encrypted alert, and the client goes on": {func(s *script) {
			s.secret("CLIENT_RANDOM")
			s.server(tlsRecord(application, 19))
			s.client(tlsRecord(application, 500))
			s.event(wiretap.HalfClose, endpoint.Client, "")
			s.event(wiretap.Verdict, endpoint.Server, why)
			s.close()
		}, []string{"exchange 3", "", "", why, "", "", "", "", ""}},
		"what looked like an alert was not the end": {func(s *script) {
			s.secret("CLIENT_RANDOM")
			s.server(tlsRecord(application, 19))
			s.server(tlsRecord(application, 100))
			s.server(tlsRecord(application, 19))
			s.event(wiretap.Verdict, endpoint.Server, why)
			s.close()
		}, []string{"exchange 3", "", "", "", "", why, "", ""}},
		"reset": {func(s *script) {
			s.client(tlsRecord(handshake, 100))
			s.event(wiretap.Reset, endpoint.Client, "")
			s.event(wiretap.Verdict, endpoint.Server, why)
			s.close()
		}, []string{"exchange 3", "", "", "", why}},
		"the next packet": {func(s *script) {
			s.event(wiretap.Verdict, endpoint.Server, why)
			s.event(wiretap.Verdict, endpoint.Server, "and more")
			s.close()
		}, []string{"exchange 3", "", "", why + "; and more", ""}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, m := newWriter(t, capture.Options{})
			c.play(play(w))
			w.Close()
			if got := comments(t, m.Bytes()); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("comments are %q, want %q", got, c.want)
			}
			if _, err := conversation(m.Bytes()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSnaplenKeepsHandshakes: of each type of record, however it is cut into
// events.
func TestSnaplenKeepsHandshakes(t *testing.T) {
	records := []struct {
		kind   byte
		length int
		whole  bool
	}{
		{handshake, 5000, true}, {changeCipher, 1, true}, {application, 16000, true}, // a hidden handshake
		{application, 1 << 14, true}, {application, 280 << 10, true},
		{application, 16000, false}, {application, 16000, false}, {application, 19, true}, {alert, 30, true}, {application, 10000, false},
	}
	var bytesOf string
	want := 0
	for _, r := range records {
		for left := r.length; left > 0; left -= min(left, 1<<14) {
			bytesOf += tlsRecord(r.kind, min(left, 1<<14))
			if r.whole {
				want += 5 + min(left, 1<<14)
			}
		}
	}
	for _, size := range []int{1 << 20, 16389, 1000, 77} {
		w, m := newWriter(t, capture.Options{Snaplen: 64})
		s := play(w)
		for p := bytesOf; len(p) > 0; p = p[min(size, len(p)):] {
			s.server(p[:min(size, len(p))])
		}
		s.close()
		w.Close()
		got, whole := 0, 0
		for _, b := range blocks(t, m.Bytes()) {
			if b.kind != packetBlock {
				continue
			}
			captured, length := binary.LittleEndian.Uint32(b.body[12:]), binary.LittleEndian.Uint32(b.body[16:])
			if got += int(length) - 40; captured == length {
				whole += int(captured) - 40
			}
		}
		got -= 2 * 8 // the options of SYN
		if got != len(bytesOf) {
			t.Errorf("by %d bytes: %d bytes are there of %d", size, got, len(bytesOf))
		}
		if whole < want {
			t.Errorf("by %d bytes: %d bytes are whole, want %d", size, whole, want)
		}
	}
}

// TestSnaplenAfterTheHandshake: once the client has answered the server's
// flight, no more than tickets are kept whole.
func TestSnaplenAfterTheHandshake(t *testing.T) {
	w, m := newWriter(t, capture.Options{Snaplen: 64})
	s := play(w)
	s.server(tlsRecord(handshake, 100) + tlsRecord(changeCipher, 1) + tlsRecord(application, 3000))
	s.client(tlsRecord(changeCipher, 1) + tlsRecord(application, 2000))
	for range 10 {
		s.server(tlsRecord(application, 1<<14))
	}
	s.close()
	w.Close()
	whole := 0
	for _, b := range blocks(t, m.Bytes()) {
		if b.kind == packetBlock && binary.LittleEndian.Uint32(b.body[12:]) == binary.LittleEndian.Uint32(b.body[16:]) {
			whole += int(binary.LittleEndian.Uint32(b.body[12:])) - 40
		}
	}
	if whole < 5100 || whole > 24<<10 {
		t.Errorf("%d bytes of packets are whole", whole)
	}
}

func TestAddresses(t *testing.T) {
	for _, c := range [][2]string{
		{"127.0.0.1:1", "127.0.0.1:8443"}, {"[::1]:1", "[::1]:8443"}, {"[fe80::1%lo]:1", "[fe80::2%lo]:8443"},
		{"[::ffff:10.0.0.1]:1", "10.0.0.2:8443"}, {"10.0.0.1:1", "[::1]:8443"},
	} {
		w, m := newWriter(t, capture.Options{})
		handle := w.Open(wiretap.Event{Time: time.Now(), Client: netip.MustParseAddrPort(c[0]), Server: netip.MustParseAddrPort(c[1])})
		for _, from := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			handle(wiretap.Event{Kind: wiretap.Data, From: from, Time: time.Now(), Data: make([]byte, 70001)})
		}
		handle(wiretap.Event{Kind: wiretap.Close, From: endpoint.Server, Time: time.Now()})
		w.Close()
		if streams, err := conversation(m.Bytes()); err != nil || len(streams.Client.data) != 70001 || len(streams.Server.data) != 70001 {
			t.Errorf("%v: %v", c, err)
		}
	}
	w, _ := newWriter(t, capture.Options{})
	w.Open(wiretap.Event{})(wiretap.Event{Kind: wiretap.Close}) // no addresses at all
}

func TestTimesAreNanoseconds(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	play(w).close()
	w.Close()
	for _, b := range blocks(t, m.Bytes()) {
		if b.kind == packetBlock {
			nanos := int64(binary.LittleEndian.Uint32(b.body[4:]))<<32 | int64(binary.LittleEndian.Uint32(b.body[8:]))
			if nanos != 1_800_000_000_123_456_789 {
				t.Errorf("the first packet is of %d", nanos)
			}
			return
		}
	}
}

// failing is a disk that gets full.
type failing struct {
	memory
	room int
}

var errFull = errors.New("no space left on device")

func (f *failing) Write(p []byte) (int, error) {
	if f.Len()+len(p) > f.room {
		n, _ := f.memory.Write(p[:f.room-f.Len()])
		return n, errFull
	}
	return f.memory.Write(p)
}

func (f *failing) Truncate(size int64) error { f.memory.Truncate(int(size)); return nil }

func TestDiskFull(t *testing.T) {
	f := &failing{room: 1_000_001}
	var notices []error
	w, err := capture.NewWriter(f, capture.Options{Notice: func(err error) { notices = append(notices, err) }})
	if err != nil {
		t.Fatal(err)
	}
	s := play(w)
	for range 200 {
		s.client(strings.Repeat("x", 16384))
	}
	s.close()
	play(w).close()
	var failure *capture.WriteError
	if err := w.Close(); !errors.As(err, &failure) || !errors.Is(err, errFull) {
		t.Errorf("Close says %v", err)
	}
	if len(notices) != 1 || !errors.Is(notices[0], errFull) {
		t.Errorf("notices are %v", notices)
	}
	blocks(t, f.Bytes())
	if f.Len() < 900_000 {
		t.Errorf("%d bytes are there", f.Len())
	}
}

func TestLimit(t *testing.T) {
	var notices []error
	w, m := newWriter(t, capture.Options{Limit: 100_000, Notice: func(err error) { notices = append(notices, err) }})
	for range 100 {
		s := play(w)
		s.client(strings.Repeat("x", 5000))
		s.close()
	}
	var limit *capture.LimitError
	if err := w.Close(); !errors.As(err, &limit) {
		t.Errorf("Close says %v", err)
	}
	if len(notices) != 1 || !errors.As(notices[0], &limit) || limit.Limit != 100_000 {
		t.Errorf("notices are %v", notices)
	}
	blocks(t, m.Bytes())
	if m.Len() > 100_000 || m.Len() < 90_000 {
		t.Errorf("%d bytes are there", m.Len())
	}
	if _, err := capture.NewWriter(&memory{}, capture.Options{Limit: 10}); err == nil {
		t.Error("a limit too small for the headers is taken")
	}
}

// TestSlowFile: whoever is faster than the file waits, and nothing is lost.
func TestSlowFile(t *testing.T) {
	r, pipe := io.Pipe()
	w := make(chan *capture.Writer)
	go func() {
		writer, err := capture.NewWriter(pipe, capture.Options{})
		if err != nil {
			t.Error(err)
		}
		w <- writer
	}()
	file := make(chan []byte)
	go func() {
		b := &bytes.Buffer{}
		io.CopyBuffer(b, struct{ io.Reader }{r}, make([]byte, 100))
		file <- b.Bytes()
	}()
	writer := <-w
	s := play(writer)
	want := 0
	for range 200 {
		n := rand.IntN(30_000)
		want += n
		s.server(strings.Repeat("x", n))
		if n%10 == 0 {
			writer.Flush()
		}
	}
	s.close()
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	streams, err := conversation(<-file)
	if err != nil || len(streams.Server.data) != want {
		t.Errorf("%d bytes of %d, %v", len(streams.Server.data), want, err)
	}
}

func TestStuckReader(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 4 seconds")
	}
	t.Parallel()
	r, pipe := io.Pipe()
	go r.Read(make([]byte, 1<<16)) // the headers
	notices := make(chan error, 10)
	w, err := capture.NewWriter(pipe, capture.Options{Notice: func(err error) { notices <- err }})
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		play(w).close()
		close(over)
	}()
	var stall *capture.StallError
	if err := await(t, notices); !errors.As(err, &stall) {
		t.Errorf("the first notice is %v", err)
	}
	var failure *capture.WriteError
	if err := w.Close(); !errors.As(err, &failure) || !errors.As(await(t, notices), &failure) {
		t.Errorf("Close says %v", err)
	}
	await(t, over)
	if len(notices) > 0 {
		t.Errorf("one more notice: %v", <-notices)
	}
}

// await receives from c before long.
func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(peertest.Patience):
		t.Fatal("nothing came")
	}
	return v
}

func TestCloseWritesOpenConnections(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	s := play(w)
	s.client(tlsRecord(handshake, 100))
	s.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET")
	w.Close()
	s.client("ignored")
	s.close()
	w.Open(wiretap.Event{})(wiretap.Event{Kind: wiretap.Close})
	if got := outline(t, m.Bytes()); got != "DP" {
		t.Errorf("blocks are %s", got)
	}
}
