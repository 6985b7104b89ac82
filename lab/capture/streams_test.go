package capture_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// TestStreamNumbers: after any segments between the same two endpoints, and
// ICMP errors that quote them, the next connection has the number that tshark
// gives it.
func TestStreamNumbers(t *testing.T) {
	r := random()
	var packets []raw
	var events []string // what came before each marker
	add := func(p raw) {
		p.time = time.Unix(1_800_000_000, int64(len(packets))*1e6)
		packets = append(packets, p)
	}
	var markers []int // their packets
	for n := range 1500 {
		var says strings.Builder
		for range 1 + r.IntN(6) {
			s := anySegment(r)
			p := s.packet(t, 0)
			address(p.data, uint16(n), 1)
			quoted := r.IntN(5) == 0
			if quoted {
				p.data = quote(p.data[:[]int{28, 34, 35, 36, len(p.data), len(p.data)}[r.IntN(6)]])
			}
			fmt.Fprintf(&says, "%v %s seq %d ack %d %q quoted %v (%d bytes); ", s.from, s.flags, s.seq, s.ack, s.payload, quoted, len(p.data))
			add(p)
		}
		marker := seg{endpoint.Client, "S", 0, 0, "marker", 0}.packet(t, 0)
		address(marker.data, uint16(n), 2)
		markers = append(markers, len(packets))
		events = append(events, says.String())
		add(marker)
	}
	file := pcapFile(littleEndian, 0xa1b23c4d, 101, packets)
	var got markersSeen
	if err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: &got}); err != nil {
		t.Fatal(err)
	}
	lines := tsharkStreams(t, file)
	lab, tshark := -1, -1
	for i, at := range markers {
		want, err := strconv.Atoi(strings.Split(lines[at], "\t")[0])
		if err != nil {
			t.Fatal(err)
		}
		if got[i]-lab != want-tshark {
			t.Errorf("%d streams, tshark has %d: %s", got[i]-lab-1, want-tshark-1, events[i])
		}
		lab, tshark = got[i], want
	}
}

func anySegment(r *rand.Rand) seg {
	return seg{
		from:    endpoint.Client + endpoint.Side(r.IntN(2)),
		flags:   []string{"S", "S", "SA", "A", "A", "R", "RA", "FA"}[r.IntN(8)],
		seq:     []int{0, 0, 1, 8, 1000}[r.IntN(5)],
		ack:     []int{1, 1, 8, 9, 1001}[r.IntN(5)],
		payload: []string{"", "", "payload"}[r.IntN(3)],
	}
}

// address changes the networks that an IPv4 packet is from and to.
func address(ip []byte, network uint16, kind byte) {
	for _, at := range []int{12, 16} {
		ip[at] = 10 + kind
		bigEndian.PutUint16(ip[at+1:], network)
	}
}

// quote returns an ICMP error about a packet.
func quote(ip []byte) []byte {
	return over4(1, cat([]byte{3, 1, 0, 0, 0, 0, 0, 0}, ip))
}

// markersSeen is a sink that keeps the numbers of marker connections, in order.
type markersSeen []int

func (m *markersSeen) Open(e wiretap.Event) wiretap.Handler {
	if e.Client.Addr().As4()[0] == 12 {
		*m = append(*m, e.Exchange)
	}
	return func(wiretap.Event) {}
}
