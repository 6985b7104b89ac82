package capture

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"mtlslab.example/lab/lab/endpoint"
)

// sent is a segment as a reader decodes it.
type sent struct {
	layers.TCP
	from    endpoint.Side
	length  int
	payload []byte
}

// segmented returns the segments that run makes on a connection that begins
// with isn.
func segmented(t *testing.T, isn endpoint.Pair[uint32], run func(*segmenter)) []sent {
	t.Helper()
	var list []sent
	s := newSegmenter(netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2"), isn, func(p *packet) {
		frame := append(bytes.Clone(p.header[:p.headerLength]), p.payload...)
		decoded := gopacket.NewPacket(frame, layers.LinkTypeRaw, gopacket.Default)
		tcp, ok := decoded.TransportLayer().(*layers.TCP)
		if !ok {
			t.Fatalf("no TCP: %v", decoded)
		}
		list = append(list, sent{*tcp, p.from, p.length, tcp.Payload})
	})
	s.open("")
	run(s)
	return list
}

func TestHandshake(t *testing.T) {
	got := segmented(t, endpoint.Pair[uint32]{Client: 100, Server: 200}, func(*segmenter) {})
	if len(got) != 3 {
		t.Fatalf("%d segments", len(got))
	}
	syn, synAck, ack := got[0], got[1], got[2]
	if !syn.SYN || syn.ACK || syn.Seq != 100 || syn.Ack != 0 || len(syn.Options) == 0 {
		t.Errorf("SYN is %+v", syn)
	}
	if !synAck.SYN || !synAck.ACK || synAck.Seq != 200 || synAck.Ack != 101 {
		t.Errorf("SYN-ACK is %+v", synAck)
	}
	if ack.SYN || !ack.ACK || ack.Seq != 101 || ack.Ack != 201 {
		t.Errorf("ACK is %+v", ack)
	}
}

// TestWrap: sequence numbers go round at 2^32.
func TestWrap(t *testing.T) {
	data := make([]byte, 200_000)
	got := segmented(t, endpoint.Pair[uint32]{Client: 1<<32 - 1, Server: 1<<32 - 100_000}, func(s *segmenter) {
		s.data(endpoint.Client, []byte("x"), -1, false)
		s.data(endpoint.Server, data, -1, false)
		s.fin(endpoint.Server)
		s.fin(endpoint.Client)
	})
	last := got[len(got)-1]
	if last.Ack != 2 || last.Seq != 100_002 {
		t.Errorf("the last segment is %d, %d", last.Seq, last.Ack)
	}
}

func TestSegmentSizes(t *testing.T) {
	data := make([]byte, 1<<20)
	unacknowledged, total := 0, 0
	for _, s := range segmented(t, endpoint.Pair[uint32]{}, func(s *segmenter) { s.data(endpoint.Server, data, -1, true) }) {
		if s.length > 65535 || len(s.payload) > maxSegment {
			t.Errorf("a segment has %d bytes", s.length)
		}
		if total += len(s.payload); len(s.payload) > 0 {
			unacknowledged += len(s.payload)
			if s.PSH != (total == len(data)) {
				t.Errorf("PSH is %v at %d", s.PSH, total)
			}
		} else {
			unacknowledged = 0
		}
		if unacknowledged > 2*ackEvery {
			t.Errorf("%d bytes are not acknowledged", unacknowledged)
		}
	}
	if total != len(data) {
		t.Errorf("%d bytes", total)
	}
}

// TestWindow: less is under way than the window that the receiver last gave,
// that of its SYN at first.
func TestWindow(t *testing.T) {
	for _, from := range []endpoint.Side{endpoint.Client, endpoint.Server} {
		window, scale, underWay := 0, 0, 0
		for _, s := range segmented(t, endpoint.Pair[uint32]{}, func(s *segmenter) {
			for range 100 {
				s.data(from, make([]byte, 20_000), -1, false)
			}
		}) {
			switch {
			case s.from == from:
				underWay += len(s.payload)
			case s.SYN:
				for _, o := range s.Options {
					if o.OptionType == layers.TCPOptionKindWindowScale {
						scale = int(o.OptionData[0])
					}
				}
				window = int(s.Window)
			default:
				window, underWay = int(s.Window)<<scale, 0
			}
			if underWay > 0 && underWay >= window {
				t.Fatalf("the %v has %d bytes under way in a window of %d", from, underWay, window)
			}
		}
		if window != 0xffff<<windowScale {
			t.Errorf("the window for the %v ends as %d", from, window)
		}
	}
}

func TestShortenedSegment(t *testing.T) {
	got := segmented(t, endpoint.Pair[uint32]{}, func(s *segmenter) { s.data(endpoint.Client, make([]byte, 1000), 10, false) })
	if s := got[3]; len(s.payload) != 10 || s.length != 1040 {
		t.Errorf("%d bytes of %d", len(s.payload), s.length)
	}
}

func TestSum16(t *testing.T) {
	for n := range 300 {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(rand.Uint32())
		}
		if n%3 == 0 {
			p = bytes.Repeat([]byte{0xff}, n)
		}
		want := gopacket.FoldChecksum(gopacket.ComputeChecksum(p, 0))
		if got := gopacket.FoldChecksum(uint32(sum16(p))); got != want {
			t.Errorf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}

// FuzzSession: what is no handshake is no session, and does no harm.
func FuzzSession(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0}, []byte{2, 0, 0, 0})
	f.Add(append([]byte{1, 0, 0, 38}, make([]byte, 38)...), append([]byte{2, 0, 0, 38}, make([]byte, 38)...))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		if s, ok := readSession(client, server); ok && len(s.random) != 32 {
			t.Errorf("a random of %d bytes", len(s.random))
		}
	})
}
