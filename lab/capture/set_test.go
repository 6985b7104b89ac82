package capture_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
)

const rawIP, microseconds = 101, 0xa1b2c3d4

// setOf returns files in memory, in any order, and counts those that are open.
func setOf(r *rand.Rand, open *int, contents ...[]byte) (files []capture.File) {
	for i, content := range contents {
		files = append(files, capture.File{Name: fmt.Sprint(i), Open: func() (io.ReadCloser, error) {
			*open++
			return closing{bytes.NewReader(content), open}, nil
		}})
	}
	r.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
	return files
}

type closing struct {
	io.Reader
	open *int
}

func (c closing) Close() error { *c.open--; return nil }

// apart gives every packet a time of its own.
func apart(packets []raw) []raw {
	for i := range packets {
		packets[i].time = time.Unix(1_800_000_000, int64(i)*1e6)
	}
	return packets
}

// sameEvents compares events that have random bytes.
func sameEvents(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("event %d of %d is %.40q, want %.40q of %d", i, len(got), slices.Concat(got, []string{"none"})[min(i, len(got))], slices.Concat(want, []string{"none"})[min(i, len(want))], len(want))
		}
	}
}

func zipped(t *testing.T, file []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestReadSet: files read as one have the events of the one file that they were
// cut from, whether they follow each other or were recorded at the same time,
// in whatever form.
func TestReadSet(t *testing.T) {
	r := random()
	packets, _ := dialogues(t, r, v4[0], v4[1])
	packets = apart(packets)
	whole := readBack(t, pcapFile(littleEndian, microseconds, rawIP, packets))
	third := len(packets) / 3
	dealt := make([][]raw, 3)
	for _, p := range packets {
		n := r.IntN(3)
		dealt[n] = append(dealt[n], p)
	}
	for name, parts := range map[string][][]raw{
		"rotated":      {packets[:third], packets[third : 2*third], nil, packets[2*third:]},
		"at one time":  dealt,
		"overlapping":  {packets[:third], append(slices.Clone(packets[third:2*third]), packets[2*third+5:]...), packets[2*third : 2*third+5]},
		"a single one": {packets},
	} {
		t.Run(name, func(t *testing.T) {
			contents := [][]byte{{}} // a file that was made just now
			for i, part := range parts {
				switch file := pcapFile(bigEndian, microseconds, rawIP, part); i % 3 {
				case 0:
					contents = append(contents, file)
				case 1:
					contents = append(contents, zipped(t, file))
				case 2:
					contents = append(contents, pcapngFile(littleEndian, packetBlock, rawIP, part))
				}
			}
			var l eventLog
			open, read := 0, int64(0)
			var first, last time.Time
			var from []string
			err := capture.ReadSet(setOf(r, &open, contents...), func(name string) { from = append(from, name) }, capture.ReadOptions{
				Sink: &l, Progress: func(n int64) { read = n }, Period: func(a, b time.Time) { first, last = a, b },
			})
			if err != nil || open != 0 {
				t.Errorf("%v, and %d files are open", err, open)
			}
			sameEvents(t, l.lines, whole)
			if !first.Equal(packets[0].time) || !last.Equal(packets[len(packets)-1].time) {
				t.Errorf("from %v to %v", first, last)
			}
			if name == "rotated" && strings.Join(from, " ") != "1 2 4" {
				t.Errorf("the files were read in the order %v", from)
			}
			if all := len(bytes.Join(contents, nil)); name != "a single one" && (read > int64(all) || read < int64(all/2)) {
				t.Errorf("%d bytes were read of %d", read, all)
			}
		})
	}
}

// TestReadSetOpen: of a ring's files no more than two are open at a time.
func TestReadSetOpen(t *testing.T) {
	packets, _ := dialogues(t, random(), v4[0], v4[1])
	packets = apart(packets)
	var contents [][]byte
	for part := range slices.Chunk(packets, 5) {
		contents = append(contents, pcapFile(littleEndian, microseconds, rawIP, part))
	}
	open, most := 0, 0
	err := capture.ReadSet(setOf(random(), &open, contents...), func(string) { most = max(most, open) }, capture.ReadOptions{Sink: &eventLog{}})
	if err != nil || most > 2 || len(contents) < 10 {
		t.Errorf("%v; of %d files %d were open at a time", err, len(contents), most)
	}
}

// TestReadSetWrong: what can be read of the files is, and each that is damaged
// is named.
func TestReadSetWrong(t *testing.T) {
	packets, _ := dialogues(t, random(), v4[0], v4[1])
	packets = apart(packets)
	file := func(part []raw) []byte { return pcapFile(littleEndian, microseconds, rawIP, part) }
	first, second := file(packets[:9]), file(packets[8:])
	open := 0
	var l eventLog
	err := capture.ReadSet(setOf(random(), &open, first[:len(first)-1], second, []byte("\n\r\r\n")), anyFile, capture.ReadOptions{Sink: &l})
	sameEvents(t, l.lines, readBack(t, file(packets)))
	for _, want := range []string{"0 is cut short", "2 is cut short"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}

	l = eventLog{}
	err = capture.ReadSet(setOf(random(), &open, file(packets), []byte("no capture")), anyFile, capture.ReadOptions{Sink: &l})
	var wrong *capture.FileError
	if !errors.As(err, &wrong) || wrong.Name != "1" || !errors.As(err, new(*capture.FormatError)) || len(l.lines) > 0 {
		t.Errorf("%v, after %d events", err, len(l.lines))
	}
}

func anyFile(string) {}

// TestReadSetSecrets: those at the beginning of the last file are there before
// the first packet of the first one.
func TestReadSetSecrets(t *testing.T) {
	packets, _ := dialogues(t, random(), v4[0], v4[1])
	packets = apart(packets)
	body := littleEndian.AppendUint32(littleEndian.AppendUint32(nil, 0x544c534b), 6)
	secrets := appendBlock(littleEndian, sectionBlock(littleEndian), 10, append(body, "SECRET"...))
	last := append(secrets, pcapngFile(littleEndian, packetBlock, rawIP, packets[9:])...)
	open, lines := 0, ""
	var before string
	err := capture.ReadSet(setOf(random(), &open, pcapFile(littleEndian, microseconds, rawIP, packets[:9]), last),
		func(name string) {
			if name == "0" {
				before = lines
			}
		},
		capture.ReadOptions{Sink: &eventLog{}, Secrets: func(b []byte) { lines += string(b) }})
	if err != nil || before != "SECRET" {
		t.Errorf("%v; before the first packet there is %q", err, before)
	}
}
