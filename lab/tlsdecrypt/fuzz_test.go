package tlsdecrypt

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// FuzzDissect changes recorded connections: no change makes a panic, what is
// made of it can be checked and written as JSON, and where bytes are missing,
// and nothing else is wrong, no check fails. Its input is one of testdata/flows
// and three changes to it, in numbers: go test does not spend its time on
// making these shorter. To run it:
//
//	go test -fuzz FuzzDissect -fuzztime 1m ./lab/tlsdecrypt
func FuzzDissect(f *testing.F) {
	recorded := recordedFlows(f)
	var flows [][]wiretap.Event
	for i, name := range slices.Sorted(maps.Keys(recorded)) {
		flows = append(flows, recorded[name])
		for kind := range byte(kindsOfChange) {
			for _, at := range []uint16{0, 5, 60, 600} {
				f.Add(byte(i), kind, byte(3*i), at, uint16(0x1603), byte(3), byte(5), at/2, uint16(0), byte(3), byte(9), at*2, uint16(0))
			}
		}
	}
	shared := trust()
	f.Fuzz(func(t *testing.T, flow, kind1, event1 byte, at1, given1 uint16, kind2, event2 byte, at2, given2 uint16, kind3, event3 byte, at3, given3 uint16) {
		changes := []change{{kind1, event1, at1, given1}, {kind2, event2, at2, given2}, {kind3, event3, at3, given3}}
		events := flows[int(flow)%len(flows)]
		onlyMissing := true
		for _, c := range changes {
			events = c.of(events)
			onlyMissing = onlyMissing && (c.kind%kindsOfChange == changeCut || c.kind%kindsOfChange == changeMissing)
		}
		r := &recording{events: append([]wiretap.Event{{}}, events...)}
		c := r.dissect(t, Options{Secrets: &keylog.Store{}})
		c.Check(shared)
		if _, err := json.Marshal(c); err != nil {
			t.Fatal(err)
		}
		for _, result := range results(c) {
			if onlyMissing && strings.HasSuffix(result, string(Fails)) {
				t.Fatalf("%s, and bytes are missing, which is all", result)
			}
		}
	})
}

// change is one to the events of a connection: of which kind, to which event,
// where in its data, and a number for it.
type change struct {
	kind, event byte
	at, given   uint16
}

// The kinds of changes.
const (
	changeBytes   byte = iota // other bytes
	changeMore                // more bytes
	changeFewer               // the rest is not there
	changeCut                 // in two pieces
	changeMissing             // missing, and said to be
	changeGone                // not there
	changeLater               // in another place
	changeKind                // of another kind and side
	kindsOfChange
)

// of returns events with the change. It leaves those that it is given as they
// are.
func (c change) of(events []wiretap.Event) []wiretap.Event {
	if len(events) == 0 {
		return events
	}
	events = slices.Clone(events)
	i := int(c.event) % len(events)
	e := &events[i]
	at := min(int(c.at), len(e.Data))
	before, after := e.Data[:at:at], e.Data[at:]
	given := []byte{byte(c.given >> 8), byte(c.given)}
	switch c.kind % kindsOfChange {
	case changeBytes:
		e.Data = bytes.Clone(e.Data)
		copy(e.Data[at:], given)
	case changeMore:
		e.Data = slices.Concat(before, bytes.Repeat(given, 1+int(c.given)%500), after)
	case changeFewer:
		e.Data = before
	case changeCut:
		if e.Kind == wiretap.Data {
			second := *e
			e.Data, second.Data = before, after
			events = slices.Insert(events, i+1, second)
		}
	case changeMissing:
		if e.Kind == wiretap.Data {
			*e = wiretap.Event{Kind: wiretap.Gap, From: e.From, Missing: int64(len(e.Data))}
		}
	case changeGone:
		events = slices.Delete(events, i, i+1)
	case changeLater:
		j := int(c.given) % len(events)
		events[i], events[j] = events[j], events[i]
	case changeKind:
		e.Kind, e.From, e.Missing = wiretap.Kind(given[0]), endpoint.Side(given[1]), int64(at)-1
	}
	return events
}

// recordedFlows are the connections in testdata/flows, by name. The tests of
// other programs write them: see -seeds.
func recordedFlows(t testing.TB) map[string][]wiretap.Event {
	t.Helper()
	files, err := filepath.Glob("testdata/flows/*")
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	flows := map[string][]wiretap.Event{}
	for _, file := range files {
		script, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		flows[filepath.Base(file)] = events(script)
	}
	return flows
}

// events reads a script: for each event 1 byte of kind and side, 2 of length,
// then the data.
func events(script []byte) (all []wiretap.Event) {
	for len(script) >= 3 {
		e := wiretap.Event{Kind: wiretap.Kind(script[0] >> 1), From: endpoint.Client + endpoint.Side(script[0]&1)}
		n := min(int(binary.BigEndian.Uint16(script[1:])), len(script)-3)
		e.Data, e.Missing = script[3:3+n], int64(n)-1
		script = script[3+n:]
		all = append(all, e)
	}
	return all
}

var compressions = []tlswire.CertificateCompressionAlgorithm{tlswire.CompressionZlib, tlswire.CompressionBrotli, tlswire.CompressionZstd}

// FuzzUnpack has no compressed certificate panic, or become longer than it
// claims to be. What it unpacks is short, so that many inputs can be tried;
// TestUnpackIsBounded has the long ones. To run it:
//
//	go test -fuzz FuzzUnpack -fuzztime 1m ./lab/tlsdecrypt
func FuzzUnpack(f *testing.F) {
	for i, a := range compressions {
		f.Add(byte(i), uint16(8), pack(f, a, []byte{0, 0, 0, 4, 0, 0, 0, 0}))
		f.Add(byte(i), uint16(300), pack(f, a, make([]byte, 3000)))
	}
	f.Add(byte(len(compressions)), uint16(8), []byte{1})
	f.Fuzz(func(t *testing.T, which byte, claimed uint16, content []byte) {
		message := &tlswire.CompressedCertificate{Algorithm: 99, UncompressedLength: uint32(claimed & 0xfff), Compressed: content}
		if int(which) < len(compressions) {
			message.Algorithm = compressions[which]
		}
		inner, err := unpack(message, tlswire.Context{Version: tlswire.VersionTLS13})
		if err == nil && len(inner.Raw) != tlswire.HandshakeHeaderLen+int(message.UncompressedLength) {
			t.Errorf("%d bytes unpacked, which claim to be %d", len(inner.Raw), claimed)
		}
	})
}

// A small message that would be a large one when unpacked takes no more memory
// than the largest message and its decoder need.
func TestUnpackIsBounded(t *testing.T) {
	for _, a := range compressions {
		bomb := pack(t, a, make([]byte, 64<<20))
		for _, claimed := range []uint32{1, tlswire.MaxHandshake, 1<<24 - 1} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := unpack(&tlswire.CompressedCertificate{Algorithm: a, UncompressedLength: claimed, Compressed: bomb}, tlswire.Context{Version: tlswire.VersionTLS13})
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; err == nil || grown > 16<<20 {
				t.Errorf("%v, %d bytes that claim to be %d: %d bytes allocated, %v", a, len(bomb), claimed, grown, err)
			}
		}
	}
}
