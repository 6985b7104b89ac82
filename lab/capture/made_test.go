package capture_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// raw is an IP packet of a capture.
type raw struct {
	time time.Time
	data []byte
}

// turns is a sink that keeps what the two sides of each connection said, in
// turns, by the client's port.
type turns struct {
	said map[uint16]*strings.Builder
	gaps int
}

func newTurns() *turns { return &turns{said: make(map[uint16]*strings.Builder)} }

func (t *turns) Open(e wiretap.Event) wiretap.Handler {
	b := &strings.Builder{}
	t.said[e.Client.Port()] = b
	last := endpoint.Side(9)
	return func(e wiretap.Event) {
		switch e.Kind {
		case wiretap.Data:
			if e.From != last {
				fmt.Fprintf(b, "\n%v: ", e.From)
			}
			last = e.From
			fmt.Fprintf(b, "%x", e.Data)
		case wiretap.Gap:
			t.gaps++
			last = endpoint.Side(9)
			fmt.Fprintf(b, "\n%v: gap %d", e.From, e.Missing)
		case wiretap.HalfClose, wiretap.Reset, wiretap.Close:
			fmt.Fprintf(b, "\n%v %v", e.From, e.Kind)
		}
	}
}

// same compares what was said with what should have been.
func (t *turns) same(test *testing.T, want *turns) {
	test.Helper()
	if len(t.said) != len(want.said) {
		test.Errorf("%d connections, want %d", len(t.said), len(want.said))
	}
	for port, b := range want.said {
		got := t.said[port]
		if got == nil {
			test.Errorf("no connection from port %d", port)
			continue
		}
		g, w := got.String(), b.String()
		if g == w {
			continue
		}
		at := 0
		for at < min(len(g), len(w)) && g[at] == w[at] {
			at++
		}
		test.Errorf("port %d: differs at %d:\n…%.200s\nwant\n…%.200s", port, at, g[max(0, at-60):], w[max(0, at-60):])
	}
}

// dialogues records connections that take turns, a few interleaved, and returns
// the packets and what was said.
func dialogues(t testing.TB, r *rand.Rand, client, server netip.Addr) ([]raw, *turns) {
	t.Helper()
	w, m := newWriter(t, capture.Options{})
	want := newTurns()
	sink := wiretap.Fan(w, want)
	now := time.Unix(1_800_000_000, 0)
	var handlers []wiretap.Handler
	for i := range 4 {
		handlers = append(handlers, sink.Open(wiretap.Event{
			Kind: wiretap.Open, Time: now, Client: netip.AddrPortFrom(client, uint16(40000+i)), Server: netip.AddrPortFrom(server, 8443),
		}))
	}
	for turn := range 12 {
		for i, handle := range handlers {
			now = now.Add(time.Millisecond)
			data := make([]byte, 1+r.IntN(3000))
			for j := range data {
				data[j] = byte(r.Uint32())
			}
			handle(wiretap.Event{Kind: wiretap.Data, Time: now, From: endpoint.Client + endpoint.Side((turn+i)%2), Data: data})
		}
	}
	for _, handle := range handlers {
		handle(wiretap.Event{Kind: wiretap.HalfClose, Time: now, From: endpoint.Client})
		handle(wiretap.Event{Kind: wiretap.Close, Time: now, From: endpoint.Server})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return rawPackets(t, m.Bytes()), want
}

func rawPackets(t testing.TB, file []byte) []raw {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	var packets []raw
	for {
		data, info, err := r.ReadPacketData()
		if err == io.EOF {
			return packets
		}
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, raw{info.Timestamp, data})
	}
}

// pcapFile makes a pcap file.
func pcapFile(order binary.AppendByteOrder, magic, link uint32, packets []raw) []byte {
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(b, 2)
	b = order.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = order.AppendUint32(b, 262144)
	b = order.AppendUint32(b, link)
	for _, p := range packets {
		unit := time.Microsecond
		if magic == 0xa1b23c4d {
			unit = time.Nanosecond
		}
		b = order.AppendUint32(b, uint32(p.time.Unix()))
		b = order.AppendUint32(b, uint32(p.time.Nanosecond()/int(unit)))
		b = order.AppendUint32(b, uint32(len(p.data)))
		b = order.AppendUint32(b, uint32(len(p.data)))
		if magic == 0xa1b2cd34 {
			b = append(b, make([]byte, 8)...)
		}
		b = append(b, p.data...)
	}
	return b
}

func appendBlock(order binary.AppendByteOrder, b []byte, kind uint32, body []byte) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	b = order.AppendUint32(b, kind)
	b = order.AppendUint32(b, uint32(len(body)+12))
	b = append(b, body...)
	return order.AppendUint32(b, uint32(len(body)+12))
}

func sectionBlock(order binary.AppendByteOrder) []byte {
	section := order.AppendUint32(nil, 0x1a2b3c4d)
	section = order.AppendUint16(section, 1)
	section = append(section, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)
	return appendBlock(order, nil, sectionHeader, section)
}

// pcapngFile makes a pcapng file whose packets are in blocks of that type.
func pcapngFile(order binary.AppendByteOrder, kind, link uint32, packets []raw) []byte {
	b := sectionBlock(order)
	// An interface that no packet is of, and the packets' own: its time is
	// counted in 2^-20 s.
	if kind != 3 {
		b = appendBlock(order, b, interfaceBlock, append(order.AppendUint16(nil, 147), 0, 0, 0, 0, 0, 0))
	}
	own := append(order.AppendUint16(nil, uint16(link)), 0, 0, 0, 0, 0, 0)
	own = order.AppendUint16(order.AppendUint16(own, 9), 1)
	own = append(own, 0x80|20, 0, 0, 0, 0, 0, 0, 0)
	b = appendBlock(order, b, interfaceBlock, own)
	for _, p := range packets {
		var body []byte
		units := uint64(p.time.Unix())<<20 | uint64(p.time.Nanosecond())<<20/1e9
		switch kind {
		case packetBlock:
			body = order.AppendUint32(nil, 1)
		case 2:
			body = order.AppendUint16(order.AppendUint16(nil, 1), 0xffff)
		}
		if kind != 3 {
			body = order.AppendUint32(body, uint32(units>>32))
			body = order.AppendUint32(body, uint32(units))
			body = order.AppendUint32(body, uint32(len(p.data)))
		}
		body = order.AppendUint32(body, uint32(len(p.data)))
		b = appendBlock(order, b, kind, append(body, p.data...))
		b = appendBlock(order, b, 0xbad, []byte("unknown block"))
	}
	return b
}

// readTurns reads a file.
func readTurns(t testing.TB, file []byte) *turns {
	t.Helper()
	got := newTurns()
	if err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: got}); err != nil {
		t.Fatal(err)
	}
	return got
}

var (
	littleEndian = binary.LittleEndian
	bigEndian    = binary.BigEndian
	v4           = [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	v6           = [2]netip.Addr{netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::1")}
)

func random() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
