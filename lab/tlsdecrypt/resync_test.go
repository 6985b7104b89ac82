package tlsdecrypt

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/wiretap"
)

// lastOf returns the index of a side's last data, and of the one before it.
func lastOf(events []wiretap.Event, from endpoint.Side) (last, before int) {
	for i, e := range events {
		if e.Kind == wiretap.Data && e.From == from {
			last, before = i, last
		}
	}
	return last, before
}

// With keys, a record after others that are missing is opened: its number is
// found. Where it depends on the bytes before it (TLS 1.0), it stays closed.
func TestRecordsAfterMissingOnes(t *testing.T) {
	for name, r := range handshakes(t) {
		if strings.HasPrefix(name, "recorded ") {
			continue
		}
		events := r.records()
		_, lost := lastOf(events, endpoint.Client)
		size := int64(len(events[lost].Data))
		c := dissect(t, slices.Replace(events, lost, lost+1, gap(endpoint.Client, size)))
		goodbye := slices.ContainsFunc(c.Messages, func(m *Message) bool {
			return m.From == endpoint.Client && m.Alert != nil && m.Alert.Description == tlswire.AlertCloseNotify
		})
		if goodbye != (name != "TLS 1.0") {
			t.Errorf("%s: %q, problems %q", name, summary(c), problems(c))
		}
		wantPart(t, problems(c), fmt.Sprintf("bytes are missing here: %d of the client's", size))
	}
}

// A capture that begins within a record goes on with the next one. What is
// encrypted there is called so: an encrypted alert is no alert that does not
// parse.
func TestCapturedWithinARecord(t *testing.T) {
	for name, r := range flows(t) {
		for _, cut := range []int{1, 5, 20} {
			var events []wiretap.Event
			begun := endpoint.Pair[bool]{}
			for _, e := range r.records() {
				switch {
				case e.Kind == wiretap.Open:
					e = wiretap.Event{Kind: wiretap.Open}
					events = append(events, e, gap(endpoint.Client, -1), gap(endpoint.Server, -1))
					continue
				case e.Kind == wiretap.Secret, e.Kind == wiretap.Data && !*begun.Of(e.From) && e.Data[0] != byte(tlswire.ContentTypeApplicationData):
					continue
				case e.Kind == wiretap.Data && !*begun.Of(e.From):
					*begun.Of(e.From) = true
					e.Data = e.Data[cut:]
				}
				events = append(events, e)
			}
			c := dissect(t, events)
			if len(c.Messages) == 0 || slices.ContainsFunc(c.Messages, func(m *Message) bool { return !m.Encrypted || m.Err != nil }) {
				t.Errorf("%s from byte %d: %q, problems %q", name, cut, summary(c), problems(c))
			}
			wantPart(t, problems(c), "begins within a record: what was seen first of the server, ")
			wantPart(t, problems(c), "starts mid-connection: the handshake was before the capture began")
		}
	}
}

// No record is found in what is none, however much of it there is, and then it
// is said not to be TLS.
func TestNoRecordToBeFound(t *testing.T) {
	noise := make([]byte, 2*maxSearch)
	rand.Read(noise)
	events := []wiretap.Event{{}, gap(endpoint.Client, -1), gap(endpoint.Server, -1)}
	for piece := range slices.Chunk(noise, 1460) {
		events = append(events, data(endpoint.Server, append([]byte{0x8a}, piece...)))
	}
	c := dissect(t, events)
	if len(c.Messages) > 0 || c.NotTLSFrom != endpoint.Server {
		t.Errorf("%q, not TLS from the %v", summary(c), c.NotTLSFrom)
	}
	wantPart(t, problems(c), "the server does not speak TLS: no record begins in the first ")
}

func TestNextRecord(t *testing.T) {
	record := func(t tlswire.ContentType, n int) []byte {
		return tlswire.Record{Type: t, Version: tlswire.VersionTLS12, Fragment: bytes.Repeat([]byte{0xee}, n)}.Marshal()
	}
	rest := bytes.Repeat([]byte{0xdd}, 100)
	for _, test := range []struct {
		b     []byte
		at    int
		found bool
	}{
		{nil, 0, false},
		{rest, 100, false},
		{slices.Concat(rest, record(23, 50)), 100, true},                              // it ends where the bytes do
		{slices.Concat(rest, record(23, 50), record(21, 26)[:7]), 100, true},          // it is followed by another
		{slices.Concat(rest, record(23, 50)[:40]), 100, false},                        // it may be one
		{slices.Concat(rest, []byte{23}), 100, false},                                 // and this
		{slices.Concat(rest, record(23, 50), rest), 255, false},                       // nothing follows it
		{slices.Concat(rest, []byte{22, 3, 3, 0, 9}, rest, record(23, 9)), 205, true}, // the first one is none
		{slices.Concat(rest, record(24, 50)), 155, false},                             // heartbeats are too rare
		{slices.Concat(rest, record(20, 2)), 107, false},                              // no ChangeCipherSpec has two bytes
		{slices.Concat(rest, record(21, 5)), 110, false},                              // no alert five
		{slices.Concat(rest, record(23, 16384+2049)), 100 + 5 + 16384 + 2049, false},  // too long
	} {
		if at, found := nextRecord(test.b, false); at != test.at || found != test.found {
			t.Errorf("%d bytes: %d, %t, want %d, %t", len(test.b), at, found, test.at, test.found)
		}
	}
}

// A side that sends more after its reset has not sent that.
func TestForgedReset(t *testing.T) {
	for name, whole := range flows(t) {
		intact := whole.dissect(t, Options{})
		for _, from := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			events := whole.records()
			_, before := lastOf(events, from)
			forged := dissect(t, slices.Insert(events, before, wiretap.Event{Kind: wiretap.Reset, From: from}))
			if forged.End != intact.End || forged.EndedBy != intact.EndedBy || len(forged.Messages) != len(intact.Messages) {
				t.Errorf("%s: %q by the %v, want %q by the %v; %q", name, forged.End, forged.EndedBy, intact.End, intact.EndedBy, summary(forged))
			}
			wantPart(t, problems(forged), fmt.Sprintf("a reset (RST) of the %v's ended nothing", from))
		}
	}
}

// What the other side sends after the end of a connection is counted.
func TestBytesAfterTheEnd(t *testing.T) {
	events := records(t, "TLS 1.2")
	flight := nth(t, events, endpoint.Server, tlswire.ContentTypeHandshake, 0)
	c := dissect(t, slices.Concat(events[:flight:flight], []wiretap.Event{{Kind: wiretap.HalfClose, From: endpoint.Client}}, events[flight:flight+1],
		[]wiretap.Event{{Kind: wiretap.Reset, From: endpoint.Client}, {Kind: wiretap.Close, From: endpoint.Server}}))
	if c.EndedBy != endpoint.Client || c.EndedByReset || c.After != int64(len(events[flight].Data)) || c.End != ClientReset {
		t.Errorf("ended by the %v, %d bytes after that, %q", c.EndedBy, c.After, c.End)
	}
}
