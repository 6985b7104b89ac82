package capture_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// streams is a sink that keeps the bytes of each direction by TCP stream.
type streams map[int]*endpoint.Pair[[]byte]

func (s streams) Open(e wiretap.Event) wiretap.Handler {
	both := &endpoint.Pair[[]byte]{}
	s[e.Exchange] = both
	return func(e wiretap.Event) {
		if e.Kind == wiretap.Data {
			*both.Of(e.From) = append(*both.Of(e.From), e.Data...)
		}
	}
}

// follow returns what tshark makes of TCP streams to port 8443.
func follow(t *testing.T, name string, numbers []int) streams {
	t.Helper()
	args := []string{"-r", name, "-q"}
	for _, n := range numbers {
		args = append(args, "-z", fmt.Sprintf("follow,tcp,raw,%d", n))
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	followed := streams{}
	var both *endpoint.Pair[[]byte]
	first := endpoint.Client // tshark's node 0: the sender of the first packet
	for line := range strings.Lines(string(out)) {
		var number int
		if n, _ := fmt.Sscanf(line, "Filter: tcp.stream eq %d", &number); n == 1 {
			both = &endpoint.Pair[[]byte]{}
			followed[number] = both
		}
		if strings.HasPrefix(line, "Node 0: ") {
			first = endpoint.Client
			if strings.HasSuffix(line, ":8443\n") {
				first = endpoint.Server
			}
		}
		data, err := hex.DecodeString(strings.TrimSpace(line))
		switch {
		case err != nil || len(data) == 0:
		case line[0] == '\t':
			*both.Of(first.Other()) = append(*both.Of(first.Other()), data...)
		default:
			*both.Of(first) = append(*both.Of(first), data...)
		}
	}
	return followed
}

// TestStreamsAsTshark: a file with ports that are used again, connections that
// are refused, never answered, or have begun before the file has, has the
// streams that tshark finds in it, under the same numbers and with the same
// bytes.
func TestStreamsAsTshark(t *testing.T) {
	need(t, "tshark")
	r := random()
	var packets []raw
	var opened []int // streams with something in them
	number := 0
	for round := range 3 {
		some, _ := dialogues(t, r, v4[0], v4[1]) // the same ports each time
		packets = append(packets, duplicated(r, some)...)
		for range 4 {
			opened = append(opened, number)
			number++
		}
		packets = append(packets, attempts(t, some, uint16(50000+10*round))...)
		number += 2
	}
	other, _ := dialogues(t, r, v4[1], v4[0]) // the other way round
	late := other[len(other)/8:]              // within the first connection, whose turns are some 20 packets
	packets = append(packets, late...)
	for range 4 {
		opened = append(opened, number)
		number++
	}
	for i := range packets {
		packets[i].time = time.Unix(1_800_000_000, int64(i)*1e6)
	}
	name := filepath.Join(t.TempDir(), "messy.pcap")
	file := pcapFile(littleEndian, 0xa1b2c3d4, 101, packets)
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}

	got := streams{}
	var notices []string
	err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: got, Notice: func(text string) { notices = append(notices, text) }})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"connections that were not opened: 6: 192.0.2.2:8443 refused 3 (RST), 192.0.2.2:8443 never answered 3"}; !slices.Equal(notices, want) {
		t.Errorf("notices are %q, want %q", notices, want)
	}
	if len(got) != len(opened) {
		t.Errorf("%d streams, want %d", len(got), len(opened))
	}
	for stream, want := range follow(t, name, opened) {
		if got[stream] == nil {
			t.Errorf("no stream %d", stream)
			continue
		}
		for side, want := range want.All() {
			got := *got[stream].Of(side)
			if !bytes.Equal(got, *want) {
				t.Errorf("stream %d: the %v sent %d bytes, tshark has %d", stream, side, len(got), len(*want))
			}
		}
	}
}

// duplicated sends some packets again, a little later.
func duplicated(r *rand.Rand, packets []raw) (made []raw) {
	for i, p := range packets {
		made = append(made, p)
		if i > 0 && r.IntN(4) == 0 {
			made = append(made, packets[i-1])
		}
	}
	return made
}

// attempts makes a SYN that is refused, and one that nobody answers, from
// packets of a connection.
func attempts(t *testing.T, packets []raw, port uint16) []raw {
	syn := func(port uint16) raw {
		return rebuilt(t, packets[0], func(tcp *layers.TCP, payload []byte, add func(layers.TCP, []byte)) {
			tcp.SrcPort = layers.TCPPort(port)
			add(*tcp, payload)
		})[0]
	}
	refusal := rebuilt(t, packets[1], func(tcp *layers.TCP, payload []byte, add func(layers.TCP, []byte)) {
		tcp.DstPort, tcp.SYN, tcp.RST, tcp.Seq, tcp.Options = layers.TCPPort(port), false, true, 0, nil
		add(*tcp, nil)
	})[0]
	return []raw{syn(port), refusal, syn(port + 1), syn(port + 1)}
}

// TestEditcap reads every form of the pcap and pcapng formats that editcap
// writes.
func TestEditcap(t *testing.T) {
	need(t, "editcap")
	packets, want := dialogues(t, random(), netip.MustParseAddr("::1"), netip.MustParseAddr("::1"))
	dir := t.TempDir()
	from := filepath.Join(dir, "from.pcap")
	if err := os.WriteFile(from, pcapFile(bigEndian, 0xa1b23c4d, 101, packets), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"pcap", "nsecpcap", "modpcap", "pcapng"} {
		to := filepath.Join(dir, form)
		if out, err := exec.Command("editcap", "-F", form, from, to).CombinedOutput(); err != nil {
			t.Errorf("editcap: %v: %s", err, out)
			continue
		}
		file, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(form, func(t *testing.T) { readTurns(t, file).same(t, want) })
	}
}
