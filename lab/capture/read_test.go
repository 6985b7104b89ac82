package capture_test

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// eventLog is a sink that writes down the events of each connection, those of
// Data joined.
type eventLog struct{ lines []string }

func (l *eventLog) Open(e wiretap.Event) wiretap.Handler {
	l.add(e, fmt.Sprintf("open %v %v", e.Client, e.Server))
	return func(e wiretap.Event) {
		switch e.Kind {
		case wiretap.Gap:
			l.add(e, fmt.Sprintf("%v gap %d", e.From, e.Missing))
		case wiretap.Altered:
			l.add(e, fmt.Sprintf("%v altered %d", e.From, e.Missing))
		case wiretap.Verdict:
			l.add(e, fmt.Sprintf("says %s", e.Data))
		case wiretap.Data:
			l.add(e, fmt.Sprintf("%v %s", e.From, e.Data))
		case wiretap.CutOff:
			l.add(e, "cut off")
		default:
			l.add(e, fmt.Sprintf("%v %v", e.From, e.Kind))
		}
	}
}

func (l *eventLog) add(e wiretap.Event, text string) {
	l.lines = append(l.lines, fmt.Sprintf("%d: %s", e.Exchange, text))
}

// readBack reads a file and returns its events.
func readBack(t testing.TB, file []byte) []string {
	t.Helper()
	var l eventLog
	if err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: &l}); err != nil {
		t.Fatal(err)
	}
	return l.lines
}

// equal compares events.
func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("events are\n%s\nwant\n%s", g, w)
	}
}

func TestReadBack(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	s := play(w)
	s.client("question")
	s.server("answer")
	s.client("more")
	s.event(wiretap.Verdict, endpoint.Server, "accepted")
	s.event(wiretap.HalfClose, endpoint.Client, "")
	s.close()
	s = play(w)
	s.secret("CLIENT_RANDOM")
	s.client("question")
	s.event(wiretap.Reset, endpoint.Client, "")
	s.close()
	w.Close()
	open := fmt.Sprintf("open %v %v", clientAddr, serverAddr)
	equal(t, readBack(t, m.Bytes()),
		"0: "+open, "0: says exchange 3", "0: client question", "0: server answer", "0: client more",
		"0: client half-close", "0: says accepted", "0: server close",
		"1: "+open, "1: says exchange 3", "1: client question", "1: client reset", "1: server close")
}

// seg is a TCP segment of a connection made by hand.
type seg struct {
	from     endpoint.Side
	flags    string // of S, A, F, R
	seq, ack int    // relative: 0 is the SYN's
	payload  string
	cut      int // bytes of payload that are not captured
}

// Sequence numbers begin shortly before they wrap around.
const isn = -5 // modulo 2^32

// packet makes the packet of a connection from 192.0.2.1 port 40000 to
// 192.0.2.2 port 8443.
func (s seg) packet(t testing.TB, at int) raw {
	t.Helper()
	ports := endpoint.Pair[layers.TCPPort]{Client: 40000, Server: 8443}
	ips := endpoint.Pair[netip.Addr]{Client: v4[0], Server: v4[1]}
	ip := layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: ips.Of(s.from).AsSlice(), DstIP: ips.Of(s.from.Other()).AsSlice()}
	tcp := layers.TCP{
		SrcPort: *ports.Of(s.from), DstPort: *ports.Of(s.from.Other()), Seq: uint32(isn + s.seq), Ack: uint32(isn + s.ack), Window: 1000,
		SYN: strings.Contains(s.flags, "S"), ACK: strings.Contains(s.flags, "A"), FIN: strings.Contains(s.flags, "F"), RST: strings.Contains(s.flags, "R"),
	}
	tcp.SetNetworkLayerForChecksum(&ip)
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, &ip, &tcp, gopacket.Payload(s.payload))
	if err != nil {
		t.Fatal(err)
	}
	return raw{time.Unix(1_800_000_000, int64(at)*1000), b.Bytes()[:len(b.Bytes())-s.cut]}
}

func TestReadConnections(t *testing.T) {
	const c, s = endpoint.Client, endpoint.Server
	handshake := []seg{{from: c, flags: "S"}, {from: s, flags: "SA", ack: 1}, {from: c, flags: "A", seq: 1, ack: 1}}
	hello := string([]byte{22, 3, 1, 0, 1, 1})
	serverHello := string([]byte{22, 3, 3, 0, 1, 2})
	open, cut := "0: open 192.0.2.1:40000 192.0.2.2:8443", "0: cut off"
	turned := "0: open 192.0.2.2:8443 192.0.2.1:40000"
	cases := map[string]struct {
		bare     bool // there is no handshake
		segments []seg
		want     []string
	}{
		"nothing said": {want: []string{open, cut}},
		"closed": {segments: []seg{{c, "FA", 1, 1, "question", 0}, {s, "FA", 1, 10, "answer", 0}, {c, "A", 10, 8, "", 0}},
			want: []string{open, "0: client question", "0: client half-close", "0: server answer", "0: server close"}},
		"closed by one": {segments: []seg{{s, "FA", 1, 1, "", 0}},
			want: []string{open, "0: server half-close", "0: server close"}},
		"reset": {segments: []seg{{c, "A", 1, 1, "question", 0}, {s, "R", 1, 0, "", 0}, {s, "R", 1, 0, "", 0}},
			want: []string{open, "0: client question", "0: server reset", "0: client close"}},
		"under way when it was reset": {segments: []seg{{c, "A", 1, 1, "question", 0}, {c, "R", 9, 0, "", 0}, {s, "A", 1, 9, "ans", 0}, {c, "R", 9, 0, "", 0}, {s, "FA", 4, 9, "wer", 0}},
			want: []string{open, "0: client question", "0: client reset", "0: server ans", "0: server wer", "0: server half-close", "0: server close"}},
		"reset, but it goes on": {segments: []seg{{s, "R", 1, 0, "", 0}, {c, "FA", 1, 1, "question", 0}, {s, "FA", 1, 10, "answer", 0}},
			want: []string{open, "0: server reset", "0: client question", "0: client half-close", "0: server answer", "0: server close"}},
		"reset with words": {segments: []seg{{s, "RA", 1, 1, "go away", 0}},
			want: []string{open, "0: server reset", "0: client close"}},
		"the answer before the question": {segments: []seg{{s, "A", 1, 9, "answer", 0}, {c, "A", 1, 1, "question", 0}},
			want: []string{open, "0: client question", "0: server answer", cut}},
		"a FIN before the last data": {segments: []seg{{c, "FA", 9, 1, "", 0}, {c, "A", 1, 1, "question", 0}},
			want: []string{open, "0: client question", "0: client half-close", "0: client close"}},
		"lost on its way": {segments: []seg{{c, "A", 4, 1, "d", 0}, {c, "A", 2, 1, "bc", 0}, {c, "A", 1, 1, "a", 0}},
			want: []string{open, "0: client a", "0: client bc", "0: client d", cut}},
		"lost in the capture": {segments: []seg{{s, "A", 1, 9, "answer", 0}, {c, "A", 9, 7, "more", 0}},
			want: []string{open, "0: client gap 8", "0: server answer", "0: client more", cut}},
		"lost from the middle": {segments: []seg{{c, "A", 1, 1, "ab", 0}, {c, "A", 5, 1, "ef", 0}, {s, "A", 1, 7, "answer", 0}},
			want: []string{open, "0: client ab", "0: client gap 2", "0: client ef", "0: server answer", cut}},
		"sent again, with a later acknowledgement": {segments: []seg{{s, "A", 1, 3, "answer", 0}, {c, "A", 1, 7, "ab", 0}},
			want: []string{open, "0: server answer", "0: client ab", cut}},
		"cut by the snapshot length": {segments: []seg{{c, "A", 1, 1, "question", 3}, {c, "A", 9, 1, "more", 0}},
			want: []string{open, "0: client quest", "0: client gap 3", "0: client more", cut}},
		"sent again with other contents": {segments: []seg{{c, "A", 1, 1, "question", 0}, {c, "A", 9, 1, "more", 0}, {c, "A", 1, 1, "quastion", 0}, {c, "A", 9, 1, "more", 0}},
			want: []string{open, "0: client question", "0: client more", "0: client altered 8", cut}},
		"the same where another is waited for": {segments: []seg{{c, "A", 1, 1, "question", 0}, {c, "A", 11, 1, "more", 0}, {c, "A", 1, 1, "quastion", 0}, {c, "A", 9, 1, "-+", 0}},
			want: []string{open, "0: client question", "0: client altered 8", "0: client -+", "0: client more", cut}},
		"sent again in other pieces": {segments: []seg{{c, "A", 1, 1, "question", 0}, {c, "A", 1, 1, "quas", 0}, {c, "A", 1, 1, "question, more", 0}},
			want: []string{open, "0: client question", "0: client , more", cut}},
		"cut, and sent again": {segments: []seg{{c, "A", 1, 1, "question", 3}, {c, "A", 1, 1, "question", 0}},
			want: []string{open, "0: client quest", "0: client gap 3", cut}},
		"a keep-alive": {segments: []seg{{c, "A", 0, 1, "x", 0}, {c, "A", 1, 1, "a", 0}, {c, "A", 1, 1, "x", 0}, {c, "A", 1, 1, "", 0}},
			want: []string{open, "0: client a", cut}},
		"a SYN again": {segments: []seg{{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}, {c, "A", 1, 1, "a", 0}},
			want: []string{open, "0: client a", cut}},
		"the port is used again": {segments: []seg{{c, "A", 1, 1, "a", 0}, {c, "S", 1000, 0, "", 0}, {s, "SA", 5000, 1001, "", 0}, {s, "A", 5001, 1001, "b", 0}},
			want: []string{open, "0: client a", cut, "1" + open[1:], "1: server b", "1: cut off"}},
		"data in the SYN": {bare: true, segments: []seg{{c, "S", 0, 0, "early", 0}, {s, "SA", 0, 6, "", 0}, {c, "A", 6, 1, "late", 0}},
			want: []string{open, "0: client early", "0: client late", cut}},
		"several SYN-ACKs": {bare: true, segments: []seg{{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}, {s, "SA", 9000, 1, "", 0}, {s, "SA", 5000, 1, "", 0},
			{c, "A", 1, 5001, "question", 0}, {s, "A", 5001, 9, "answer", 0}}, want: []string{open, "0: client question", "0: server answer", cut}},
		"several SYN-ACKs, the first counts": {bare: true, segments: []seg{{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}, {s, "SA", 9000, 1, "", 0},
			{s, "A", 1, 1, "answer", 0}, {c, "A", 1, 7, "question", 0}}, want: []string{open, "0: server answer", "0: client question", cut}},
		"refused, and the same SYN again": {bare: true, segments: []seg{{c, "S", 0, 0, "", 0}, {s, "RA", -isn, 1, "", 0}, {c, "S", 0, 0, "", 0}, {s, "SA", 700, 1, "", 0},
			{c, "A", 1, 701, "question", 0}, {s, "A", 701, 9, "answer", 0}}, want: []string{open, "0: client question", "0: server answer", cut}},
		"refused, which nobody heeds": {bare: true, segments: []seg{{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}, {s, "RA", 1, 1, "", 0},
			{c, "A", 1, 1, "question", 0}, {s, "A", 1, 9, "answer", 0}}, want: []string{open, "0: client question", "0: server answer", cut}},
		"refused, and another SYN": {bare: true, segments: []seg{{c, "S", 0, 0, "", 0}, {s, "RA", -isn, 1, "", 0}, {c, "S", 300, 0, "", 0}, {s, "SA", 0, 301, "", 0},
			{c, "A", 301, 1, "question", 0}}, want: []string{"1" + open[1:], "1: client question", "1: cut off"}},
		"no SYN-ACK": {bare: true, segments: []seg{{c, "S", 0, 0, "", 0}, {c, "A", 1, 1, "question", 0}, {s, "A", 1, 9, "answer", 0}},
			want: []string{open, "0: client question", "0: server gap -1", "0: server answer", cut}},
		"no SYN": {bare: true, segments: []seg{{s, "A", 50, 20, "answer", 0}, {c, "A", 20, 56, "question", 0}},
			want: []string{open, "0: server gap -1", "0: server answer", "0: client gap -1", "0: client question", cut}},
		"no SYN but ClientHello, to the higher port": {bare: true, segments: []seg{{s, "A", 50, 20, hello, 0}, {c, "A", 20, 56, "answer", 0}},
			want: []string{turned, "0: client gap -1", "0: client " + hello, "0: server gap -1", "0: server answer", cut}},
		"no SYN but ServerHello": {bare: true, segments: []seg{{c, "A", 50, 20, serverHello, 0}},
			want: []string{turned, "0: server gap -1", "0: server " + serverHello, cut}},
		"no SYN but a keep-alive": {bare: true, segments: []seg{{s, "A", 50, 21, "", 0}, {c, "A", 20, 50, "x", 0}, {c, "A", 21, 50, "question", 0}},
			want: []string{open, "0: client gap -1", "0: client question", cut}},
		"refused":        {bare: true, segments: []seg{{c, "S", 0, 0, "", 0}, {s, "RA", -isn, 1, "", 0}}},
		"never answered": {bare: true, segments: []seg{{c, "S", 0, 0, "", 0}, {c, "S", 0, 0, "", 0}}},
		"scanned":        {bare: true, segments: []seg{{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}, {c, "R", 1, 0, "", 0}}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			segments := test.segments
			if !test.bare {
				segments = append(slices.Clone(handshake), segments...)
			}
			var packets []raw
			for at, s := range segments {
				packets = append(packets, s.packet(t, at))
			}
			equal(t, readBack(t, pcapFile(littleEndian, 0xa1b23c4d, 101, packets)), test.want...)
		})
	}
}

// TestLateBytes: bytes that come after the end of their connection, or are not
// of its sequence, are counted.
func TestLateBytes(t *testing.T) {
	const c, s = endpoint.Client, endpoint.Server
	handshake := []seg{{from: c, flags: "S"}, {from: s, flags: "SA", ack: 1}, {from: c, flags: "A", seq: 1, ack: 1}}
	for name, test := range map[string]struct {
		live     bool
		segments []seg
		bytes    int
	}{
		"sent again": {segments: []seg{{c, "FA", 1, 1, "question", 0}, {s, "FA", 1, 10, "answer", 0}, {s, "FA", 1, 10, "answer", 0}}},
		"after both FINs": {segments: []seg{{c, "FA", 1, 1, "question", 0}, {s, "FA", 1, 10, "answer", 0}, {s, "A", 8, 10, "more", 0}},
			bytes: len("more")},
		"after a reset that somebody waits for": {live: true, segments: []seg{{c, "R", 1, 0, "", 0}, {s, "A", 1, 1, "answer", 0}, {s, "A", 1, 1, "answer", 0}},
			bytes: len("answer")},
		"after its sender's FIN": {segments: []seg{{c, "FA", 1, 1, "question", 0}, {c, "A", 10, 1, "more", 0}, {s, "A", 1, 10, "answer", 0}}, bytes: len("more")},
		"a text in a reset":      {segments: []seg{{c, "A", 1, 1, "question", 0}, {s, "RA", 1, 9, "go away", 0}}, bytes: len("go away")},
		"before the SYN":         {segments: []seg{{s, "A", -9000, 1, "answer", 0}}, bytes: len("answer")},
	} {
		t.Run(name, func(t *testing.T) {
			var packets []raw
			for at, s := range append(slices.Clone(handshake), test.segments...) {
				packets = append(packets, s.packet(t, at))
			}
			var notices []string
			err := capture.Read(bytes.NewReader(pcapFile(littleEndian, 0xa1b23c4d, 101, packets)), capture.ReadOptions{
				Sink: &discard{}, Live: test.live, Notice: func(text string) { notices = append(notices, text) },
			})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if test.bytes > 0 {
				want = []string{fmt.Sprintf("bytes passed over that came after the end of their connection or do not fit its sequence numbers: %d, the first in stream 0", test.bytes)}
			}
			if !slices.Equal(notices, want) {
				t.Errorf("notices are %q, want %q", notices, want)
			}
		})
	}
}

// TestReadGoesOn: behind bytes that the capture has missed, reading goes on
// before the end of the file: soon if they were acknowledged, and after 8 MiB
// if they were not.
func TestReadGoesOn(t *testing.T) {
	const c, s = endpoint.Client, endpoint.Server
	for name, test := range map[string]struct {
		acknowledged bool
		atMost       int // segments that wait
	}{
		"acknowledged":     {true, 70},
		"not acknowledged": {false, 8<<20/60000 + 1},
	} {
		t.Run(name, func(t *testing.T) {
			packets := []raw{seg{c, "S", 0, 0, "", 0}.packet(t, 0), seg{s, "SA", 0, 1, "", 0}.packet(t, 1), seg{c, "A", 1, 1, "", 0}.packet(t, 2)}
			body := strings.Repeat("x", 60000)
			for i := range test.atMost {
				packets = append(packets, seg{c, "A", 100 + i*len(body), 1, body, 0}.packet(t, 3))
				if test.acknowledged {
					packets = append(packets, seg{s, "A", 1, 100 + i*len(body), "", 0}.packet(t, 3))
				}
			}
			r, w := io.Pipe()
			events := make(chan string, 10*len(packets))
			done := make(chan error)
			go func() { done <- capture.Read(r, capture.ReadOptions{Sink: kinds(events)}) }()
			w.Write(pcapFile(littleEndian, 0xa1b23c4d, 101, packets))
			for _, want := range []string{"open", "client gap 99", "client data"} {
				select {
				case got := <-events:
					if got != want {
						t.Errorf("event %s, want %s", got, want)
					}
				case <-time.After(5 * time.Second):
					t.Fatalf("no event %s", want)
				}
			}
			w.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// kinds is a sink that lists the kinds of events.
type kinds chan string

func (k kinds) Open(wiretap.Event) wiretap.Handler {
	k <- "open"
	return func(e wiretap.Event) {
		text := fmt.Sprintf("%v %v", e.From, e.Kind)
		if e.Kind == wiretap.Gap {
			text += fmt.Sprintf(" %d", e.Missing)
		}
		k <- text
	}
}
