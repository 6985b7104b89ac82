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

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// FuzzDissect changes recorded connections: no change makes a panic, and what is made of it can be checked and written as
// JSON. Its input is a short list of changes to one of testdata/flows, so that go test spends its time on new inputs and
// not on making them shorter. To run it:
//
//	go test -fuzz FuzzDissect -fuzztime 1m ./lab/tlsdecrypt
func FuzzDissect(f *testing.F) {
	recorded := recordedFlows(f)
	var flows [][]wiretap.Event
	for i, name := range slices.Sorted(maps.Keys(recorded)) {
		flows = append(flows, recorded[name])
		for kind := range byte(kindsOfChange) {
			f.Add(byte(i), []byte{kind, byte(3 * i), 0, 7, 2, 0xff, 0x16})
		}
	}
	shared := trust()
	f.Fuzz(func(t *testing.T, flow byte, changes []byte) {
		r := &recording{events: append([]wiretap.Event{{}}, changed(flows[int(flow)%len(flows)], changes)...)}
		c := r.dissect(t, Options{Secrets: &keylog.Store{}})
		c.Check(shared)
		if _, err := json.Marshal(c); err != nil {
			t.Fatal(err)
		}
		for _, result := range results(c) {
			if onlyMissing(changes) && strings.HasSuffix(result, string(Fails)) {
				t.Fatalf("%s, and bytes are missing, which is all", result)
			}
		}
	})
}

// recordedFlows are the connections in testdata/flows, by name. The tests of other programs write them: see -seeds.
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

// events reads a script: for each event 1 byte of kind and side, 2 of length, then the data.
func events(script []byte) (all []wiretap.Event) {
	for len(script) >= 3 {
		e := wiretap.Event{Kind: wiretap.Kind(script[0] >> 1), From: wiretap.Side(script[0] & 1)}
		n := min(int(binary.BigEndian.Uint16(script[1:])), len(script)-3)
		e.Data, e.Missing = script[3:3+n], int64(n)-1
		script = script[3+n:]
		all = append(all, e)
	}
	return all
}

const kindsOfChange = 8

// onlyMissing reports whether changes leave out data, and say so, and change nothing else.
func onlyMissing(changes []byte) bool {
	for len(changes) >= 5 {
		if kind := changes[0] % kindsOfChange; kind != 3 && kind != 4 {
			return false
		}
		changes = changes[5+min(int(changes[4]), len(changes)-5):]
	}
	return true
}

// changed is a flow with changes: for each 1 byte of kind, 1 of which event, 2 of where in it, 1 of how many bytes follow, and these.
func changed(flow []wiretap.Event, changes []byte) []wiretap.Event {
	flow = append([]wiretap.Event(nil), flow...)
	for len(changes) >= 5 && len(flow) > 0 && len(flow) < 1000 {
		kind, i, at := changes[0]%kindsOfChange, int(changes[1])%len(flow), int(binary.BigEndian.Uint16(changes[2:]))
		n := min(int(changes[4]), len(changes)-5)
		given := changes[5 : 5+n]
		changes = changes[5+n:]
		e := &flow[i]
		at = min(at, len(e.Data))
		before, after := e.Data[:at:at], e.Data[at:]
		switch kind {
		case 0: // other bytes
			e.Data = bytes.Clone(e.Data)
			copy(e.Data[at:], given)
		case 1: // more bytes
			e.Data = append(append(before, given...), after...)
		case 2: // fewer
			e.Data = before
		case 3: // in two pieces
			second := *e
			e.Data, second.Data = before, after
			flow = append(flow[:i+1:i+1], append([]wiretap.Event{second}, flow[i+1:]...)...)
		case 4: // missing
			e.Missing, e.Kind, e.Data = int64(len(e.Data)), wiretap.Gap, nil
		case 5: // not there
			flow = append(flow[:i:i], flow[i+1:]...)
		case 6: // later
			if j := i + 1 + n; j < len(flow) {
				flow[i], flow[j] = flow[j], flow[i]
			}
		case 7: // of another kind and side
			if n > 0 {
				e.Kind, e.From, e.Missing = wiretap.Kind(given[0]>>1), wiretap.Side(given[0]&1), int64(at)-1
			}
		}
	}
	return flow
}

var compressions = []tlswire.CertificateCompressionAlgorithm{tlswire.CompressionZlib, tlswire.CompressionBrotli, tlswire.CompressionZstd}

// FuzzUnpack has no compressed certificate panic, or become longer than it claims to be. What it unpacks is short, so that
// many inputs can be tried; TestUnpackIsBounded has the long ones. To run it:
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

// A small message that would be a large one when unpacked takes no more memory than the largest message and its decoder need.
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
