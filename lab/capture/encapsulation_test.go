package capture_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// recorded returns the packets of two exchanges of a server and its client at
// an address, and what was said.
func recorded(t *testing.T, address string) ([]raw, *turns) {
	t.Helper()
	w, m := newWriter(t, capture.Options{})
	lines := &secretLines{}
	l := setup{tapServer: wiretap.New(w, lines), address: address}.start(t)
	for range 2 {
		l.get(t, "/small")
		l.client.CloseIdleConnections()
	}
	l.stop()
	peertest.Eventually(t, "the end of all connections", func() bool { return lines.open.Load() == 0 })
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return small(t, rawPackets(t, m.Bytes())), readTurns(t, m.Bytes())
}

// small cuts packets into ones that fit an Ethernet frame.
func small(t *testing.T, packets []raw) (made []raw) {
	for _, p := range packets {
		made = append(made, rebuilt(t, p, func(tcp *layers.TCP, payload []byte, add func(layers.TCP, []byte)) {
			fin := tcp.FIN
			for tcp.FIN = false; len(payload) > 1200; payload = payload[1200:] {
				add(*tcp, payload[:1200])
				tcp.Seq += 1200
			}
			tcp.FIN = fin
			add(*tcp, payload)
		})...)
	}
	return made
}

// wrapped puts packets into frames.
func wrapped(packets []raw, wrap func(ip []byte) []byte) []raw {
	frames := make([]raw, len(packets))
	for i, p := range packets {
		frames[i] = raw{p.time, wrap(p.data)}
	}
	return frames
}

// readAll reads a file in which there must be nothing but TCP.
func readAll(t *testing.T, file []byte) *turns {
	t.Helper()
	got := newTurns()
	err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: got, Unread: func(u capture.Unread) { t.Errorf("not read: %v", u) }})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestEncapsulations: whatever carries the packets of the lab, they read the
// same, and as tshark reads them.
func TestEncapsulations(t *testing.T) {
	for version, address := range map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0"} {
		packets, want := recorded(t, address)
		for _, e := range encapsulations {
			t.Run(version+" in "+e.name, func(t *testing.T) {
				readAll(t, pcapFile(littleEndian, 0xa1b2c3d4, e.link, wrapped(packets, e.wrap))).same(t, want)
			})
		}
		t.Run(version+" and tshark", func(t *testing.T) { asTshark(t, packets) })
	}
}

// asTshark reads one file with the packets in each encapsulation, and compares
// with tshark, packet by packet.
func asTshark(t *testing.T, packets []raw) {
	need(t, "tshark")
	file := sectionBlock(littleEndian)
	var interfaces, blocks []byte
	var names []string
	for _, e := range encapsulations {
		if e.only != "" {
			continue
		}
		interfaces = appendBlock(littleEndian, interfaces, interfaceBlock, append(littleEndian.AppendUint16(nil, uint16(e.link)), 0, 0, 0, 0, 0, 0))
		for _, p := range wrapped(packets, func(ip []byte) []byte { return e.wrap(moved(ip, byte(len(names)))) }) {
			body := littleEndian.AppendUint32(nil, uint32(len(names)))
			body = append(body, make([]byte, 8)...)
			body = littleEndian.AppendUint32(littleEndian.AppendUint32(body, uint32(len(p.data))), uint32(len(p.data)))
			blocks = appendBlock(littleEndian, blocks, packetBlock, append(body, p.data...))
		}
		names = append(names, e.name)
	}
	file = slices.Concat(file, interfaces, blocks)
	lines := tsharkStreams(t, file)
	if len(lines) != len(names)*len(packets) {
		t.Fatalf("tshark reads %d packets of %d", len(lines), len(names)*len(packets))
	}
	var counted segments
	if err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: &counted}); err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		stream, rest, _ := strings.Cut(line, "\t")
		n, err := strconv.Atoi(stream)
		_, want, _ := strings.Cut(lines[i%len(packets)], "\t")
		if first, _ := strconv.Atoi(strings.Split(lines[i%len(packets)], "\t")[0]); err != nil || n != first+2*(i/len(packets)) || rest != want {
			t.Fatalf("%s: tshark reads %q, and without the encapsulation %q", names[i/len(packets)], line, lines[i%len(packets)])
		}
	}
	if counted.streams != 2*len(names) {
		t.Errorf("%d streams, tshark has %d", counted.streams, 2*len(names))
	}
}

// segments is a sink that counts streams.
type segments struct{ streams int }

func (s *segments) Open(e wiretap.Event) wiretap.Handler {
	s.streams = max(s.streams, e.Exchange+1)
	return func(wiretap.Event) {}
}

// moved returns a packet between other addresses, so that its connection is
// another one.
func moved(ip []byte, n byte) []byte {
	ip = bytes.Clone(ip)
	at := []int{14, 18}
	if isSix(ip) {
		at = []int{23, 39}
	}
	for _, i := range at {
		ip[i] = n + 1
	}
	return ip
}

// tsharkStreams returns what tshark reads in a file, a line for each packet
// that begins with the number of its stream.
func tsharkStreams(t *testing.T, file []byte) []string {
	t.Helper()
	need(t, "tshark")
	name := filepath.Join(t.TempDir(), "wrapped.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-r", name, "-T", "fields"}
	for _, field := range []string{"tcp.stream", "tcp.seq", "tcp.len", "tls.handshake.type", "tls.record.content_type"} {
		args = append(args, "-e", field)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n")
}

// TestOneDirectionWrapped: nothing is missing when only what one side sends is
// in a tunnel, and both directions are one connection.
func TestOneDirectionWrapped(t *testing.T) {
	packets, want := dialogues(t, random(), v4[0], v4[1])
	packets = small(t, packets)
	for _, e := range encapsulations {
		if e.link != 1 {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			frames := wrapped(packets, func(ip []byte) []byte {
				if bytes.Equal(ip[12:16], v4[1].AsSlice()) {
					return e.wrap(ip)
				}
				return etherIP(ip)
			})
			readAll(t, pcapFile(littleEndian, 0xa1b2c3d4, 1, frames)).same(t, want)
		})
	}
}

// TestCAPWAPFragments: frames that CAPWAP carries in parts are put together.
func TestCAPWAPFragments(t *testing.T) {
	packets, want := dialogues(t, random(), v4[0], v4[1])
	var frames []raw
	for i, p := range packets {
		inner := swapFC(dot11(8, make([]byte, 2), snap(p.data)))
		for at := 0; at < len(inner); at += 512 {
			end, flags := at+512, byte(0x80)
			if end >= len(inner) {
				end, flags = len(inner), 0xc0
			}
			header := cat([]byte{0, 2 << 3, 1<<1 | 1, flags}, u16(i), u16(at))
			frames = append(frames, raw{p.time, overUDP(5247, cat(header, inner[at:end]))})
		}
	}
	file := pcapFile(littleEndian, 0xa1b2c3d4, 1, frames)
	readAll(t, file).same(t, want)
	bare := tsharkStreams(t, pcapFile(littleEndian, 0xa1b2c3d4, 101, packets))
	got := tsharkStreams(t, file)
	got = slices.DeleteFunc(got, func(line string) bool { return strings.TrimSpace(line) == "" }) // not the last fragment
	if !slices.Equal(got, bare) {
		t.Errorf("tshark reads\n%q\nand without the encapsulation\n%q", got, bare)
	}
}
