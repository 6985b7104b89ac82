package capture_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// readError reads a file and returns its events too.
func readError(file []byte) ([]string, error) {
	var l eventLog
	err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: &l})
	return l.lines, err
}

// TestCutShort: of a file that is cut anywhere, all whole packets before are
// read, and the error names the place.
func TestCutShort(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	s := play(w)
	s.client("question")
	s.server("answer")
	s.secret("CLIENT_RANDOM")
	s.client("more")
	s.close()
	w.Close()
	packets := rawPackets(t, m.Bytes())
	files := map[string][]byte{"pcapng": m.Bytes(), "pcap": pcapFile(littleEndian, 0xa1b2c3d4, 101, packets)}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			starts := blockStarts(t, file)
			events := 0
			for cut := 4; cut < len(file); cut++ {
				got, err := readError(file[:cut])
				at, whole := slices.BinarySearch(starts, cut)
				if whole {
					if err != nil {
						t.Fatalf("cut at the block at %d: %v", cut, err)
					}
				} else {
					var damage *capture.DamagedError
					if !errors.As(err, &damage) || !errors.Is(err, io.ErrUnexpectedEOF) || damage.Offset != int64(starts[at-1]) {
						t.Fatalf("cut at %d in the block at %d: error is %v", cut, starts[at-1], err)
					}
				}
				if len(got) < events {
					t.Fatalf("cut at %d: %d events, with fewer bytes there were %d", cut, len(got), events)
				}
				events = len(got)
			}
			if events < 4 {
				t.Errorf("%d events", events)
			}
		})
	}
}

// blockStarts returns where the blocks of a pcapng file, or the packets of a
// pcap file, begin.
func blockStarts(t *testing.T, file []byte) []int {
	starts := []int{0}
	if bytes.HasPrefix(file, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
		for _, b := range blocks(t, file) {
			starts = append(starts, starts[len(starts)-1]+len(b.body)+12)
		}
		return starts
	}
	for at := 24; at < len(file); at += 16 + int(littleEndian.Uint32(file[at+8:])) {
		starts = append(starts, at)
	}
	return append(starts, len(file))
}

// TestDamaged: a file with wrong bytes is read without a panic, and mostly up
// to them.
func TestDamaged(t *testing.T) {
	r := random()
	packets, _ := dialogues(t, r, v4[0], v4[1])
	for name, file := range map[string][]byte{
		"pcapng":             pcapngFile(littleEndian, packetBlock, 101, packets),
		"pcapng, big endian": pcapngFile(bigEndian, 2, 101, packets),
		"pcap":               pcapFile(bigEndian, 0xa1b23c4d, 101, packets),
	} {
		t.Run(name, func(t *testing.T) {
			for range 300 {
				damaged := slices.Clone(file)
				for range 1 + r.IntN(4) {
					damaged[4+r.IntN(len(file)-4)] = byte(r.Uint32())
				}
				_, err := readError(damaged)
				var damage *capture.DamagedError
				if err != nil && !errors.As(err, &damage) {
					t.Fatalf("error is %v", err)
				}
			}
		})
	}
}

// TestNoTrustInLengths: lengths of 4 GiB take neither memory nor more than the
// file.
func TestNoTrustInLengths(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	play(w).close()
	w.Close()
	for _, kind := range []uint32{packetBlock, decryptionSecrets, 0xbad} {
		for _, length := range []uint32{0, 8, 0xfffffffc, 15 << 20} {
			file := slices.Clone(m.Bytes())
			offset := len(file)
			file = littleEndian.AppendUint32(littleEndian.AppendUint32(file, kind), length)
			file = append(file, make([]byte, 100)...)
			allocated := testing.AllocsPerRun(1, func() {
				_, err := readError(file)
				var damage *capture.DamagedError
				if !errors.As(err, &damage) || damage.Offset != int64(offset) {
					t.Errorf("block type %d with length %d: error is %v, want it at %d", kind, length, err, offset)
				}
			})
			if allocated > 1000 {
				t.Errorf("block type %d with length %d: %v allocations", kind, length, allocated)
			}
		}
	}
}

func TestNoCapture(t *testing.T) {
	for content, want := range map[string]string{
		"":                       "not a capture: it is empty",
		"PK":                     "not a capture: it begins with 50 4b, as",
		"-----BEGIN CERTIFICATE": "not a capture: it begins with 2d 2d 2d 2d, as",
	} {
		var format *capture.FormatError
		if _, err := readError([]byte(content)); !errors.As(err, &format) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error of %q is %v, want %s…", content, err, want)
		}
	}
}

// TestReadErrors: an error of the file system is no damage of the file.
func TestReadErrors(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	play(w).close()
	w.Close()
	err := capture.Read(io.MultiReader(bytes.NewReader(m.Bytes()), iotest.ErrReader(os.ErrPermission)), capture.ReadOptions{Sink: &eventLog{}})
	if err != os.ErrPermission {
		t.Errorf("error is %v", err)
	}
}

func TestReadPacked(t *testing.T) {
	packets, want := dialogues(t, random(), v4[0], v4[1])
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write(pcapngFile(littleEndian, packetBlock, 101, packets))
	z.Close()
	readTurns(t, packed.Bytes()).same(t, want)
	for _, cut := range []int{1, 20, packed.Len() / 2} {
		var damage *capture.DamagedError
		if _, err := readError(packed.Bytes()[:packed.Len()-cut]); !errors.As(err, &damage) {
			t.Errorf("without its last %d bytes: error is %v", cut, err)
		}
		wrong := slices.Clone(packed.Bytes())
		wrong[len(wrong)-cut] ^= 0xff
		if _, err := readError(wrong); !errors.As(err, &damage) {
			t.Errorf("with its last byte but %d changed: error is %v", cut-1, err)
		}
	}
}

// TestReadSecrets: secrets come before the packets behind them, and Progress
// and Unread report the rest.
func TestReadSecrets(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	s := play(w)
	s.secret("CLIENT_RANDOM")
	s.client("question")
	s.secret("EXPORTER_SECRET")
	s.close()
	w.Close()
	file := append(m.Bytes(), pcapngFile(bigEndian, packetBlock, 147, []raw{{data: []byte("?")}, {data: []byte("?")}})...)
	var l eventLog
	var read int64
	err := capture.Read(bytes.NewReader(file), capture.ReadOptions{
		Sink:     &l,
		Secrets:  func(lines []byte) { l.lines = append(l.lines, string(lines)) },
		Progress: func(n int64) { read = n },
		Unread:   func(u capture.Unread) { l.lines = append(l.lines, u.String()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if read != int64(len(file)) {
		t.Errorf("%d bytes read of %d", read, len(file))
	}
	equal(t, l.lines, "CLIENT_RANDOM 00 11\n", fmt.Sprintf("0: open %v %v", clientAddr, serverAddr), "0: says exchange 3",
		"0: client question", "EXPORTER_SECRET 00 11\n", "0: server half-close", "0: server close",
		"2 link type 147 packets")

	var alone []string
	err = capture.Read(bytes.NewReader(file), capture.ReadOptions{Secrets: func(lines []byte) { alone = append(alone, string(lines)) }})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, alone, "CLIENT_RANDOM 00 11\n", "EXPORTER_SECRET 00 11\n")
}

// Who wants the secrets alone reads no packet of a pcap.
func TestReadSecretsOfPcap(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	play(w).close()
	w.Close()
	file := pcapFile(littleEndian, 0xa1b2c3d4, 101, rawPackets(t, m.Bytes()))
	for name, content := range map[string][]byte{"whole": file, "cut": file[:len(file)-1]} {
		if err := capture.Read(bytes.NewReader(content), capture.ReadOptions{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, content := range []string{"", "text", "and more text"} {
		if err := capture.Read(strings.NewReader(content), capture.ReadOptions{}); err == nil {
			t.Errorf("%q is taken for a capture", content)
		}
	}
}

// FuzzRead: anything is read without a panic, and every connection's events
// keep the rules of wiretap.
//
//	go test -run '^$' -fuzz FuzzRead -fuzzminimizetime 20x ./lab/capture
//
// By default new inputs are made smaller for up to a minute each, and most of
// the time goes there.
func FuzzRead(f *testing.F) {
	w, m := newWriter(f, capture.Options{})
	s := play(w)
	s.client("question")
	s.secret("CLIENT_RANDOM")
	s.event(wiretap.Verdict, endpoint.Server, "accepted")
	s.close()
	w.Close()
	f.Add(m.Bytes())
	packets := rawPackets(f, m.Bytes())
	f.Add(pcapFile(littleEndian, 0xa1b2c3d4, 101, packets))
	f.Add(pcapFile(bigEndian, 0xa1b23c4d, 12, fragmented(packets)))
	f.Add(pcapngFile(bigEndian, packetBlock, 101, packets[:4]))
	f.Add(pcapngFile(littleEndian, 3, 101, packets))
	var ethernet []raw
	for i, e := range encapsulations {
		frame := wrapped(packets[i%len(packets):][:1], e.wrap)
		if e.link == 1 {
			ethernet = append(ethernet, frame...)
		} else {
			f.Add(pcapFile(littleEndian, 0xa1b2c3d4, e.link, frame))
		}
	}
	for ; len(ethernet) > 0; ethernet = ethernet[min(6, len(ethernet)):] {
		f.Add(pcapFile(littleEndian, 0xa1b2c3d4, 1, ethernet[:min(6, len(ethernet))]))
	}
	f.Add(pcapFile(littleEndian, 0xa1b2c3d4, 101, []raw{packets[0], {data: quote(packets[0].data)}, {data: over4(17, datagram(443, quicInitial))}}))
	f.Fuzz(func(t *testing.T, file []byte) {
		err := capture.Read(bytes.NewReader(file), capture.ReadOptions{
			Sink: rules{t}, Secrets: func([]byte) {}, Notice: func(string) {}, Live: len(file)%2 == 0,
			Unread: func(u capture.Unread) {
				if u.Packets == 0 || u.Kind == "" || (u.Flows > 0) != u.Between[0].Addr().IsValid() {
					t.Errorf("not read: %+v", u)
				}
			},
		})
		var damage *capture.DamagedError
		if errors.As(err, &damage) && (damage.Offset < 0 || len(file) > 2 && file[0] != 0x1f && damage.Offset > int64(len(file))) {
			t.Errorf("damage at %d of %d bytes", damage.Offset, len(file))
		}
	})
}

// rules is a sink that checks that connections keep them.
type rules struct{ t *testing.T }

func (r rules) Open(e wiretap.Event) wiretap.Handler {
	last, closed := e.Time, false
	finished := map[endpoint.Side]bool{}
	if e.Kind != wiretap.Open || !e.Client.IsValid() || !e.Server.IsValid() {
		r.t.Errorf("opened by %+v", e)
	}
	return func(e wiretap.Event) {
		switch {
		case closed:
			r.t.Errorf("%v after the end", e.Kind)
		case e.Time.Before(last):
			r.t.Errorf("time runs backwards from %v to %v", last, e.Time)
		case e.Kind == wiretap.Data && (len(e.Data) == 0 || finished[e.From]):
			r.t.Errorf("%d bytes of the %v, which has finished: %v", len(e.Data), e.From, finished[e.From])
		case e.Kind == wiretap.Gap && e.Missing == 0:
			r.t.Error("nothing is missing")
		}
		last, closed = e.Time, e.Kind == wiretap.Close || e.Kind == wiretap.CutOff
		finished[e.From] = finished[e.From] || e.Kind == wiretap.HalfClose
	}
}
