package capture_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
)

// The notice of attempts that failed names the servers, and tells refusals from
// silence.
func TestAttemptsAreNamed(t *testing.T) {
	const c, s = endpoint.Client, endpoint.Server
	for want, segments := range map[string][]seg{
		"1: 192.0.2.2:8443 never answered 1":                                              {{c, "S", 0, 0, "", 0}, {c, "S", 0, 0, "", 0}},
		"1: 192.0.2.2:8443 refused 1 (RST)":                                               {{c, "S", 0, 0, "", 0}, {s, "RA", 0, 1, "", 0}},
		"1: 192.0.2.2:8443 answered 1 that the client gave up, as some health checks do":  {{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}},
		"1: 192.0.2.2:8443 answered 1 that the client gave up, as some health checks do ": {{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}, {c, "RA", 1, 1, "", 0}},
	} {
		var packets []raw
		for i, segment := range segments {
			packets = append(packets, segment.packet(t, i))
		}
		var notices []string
		err := capture.Read(bytes.NewReader(pcapFile(littleEndian, 0xa1b23c4d, 101, packets)), capture.ReadOptions{
			Sink: &discard{}, Notice: func(notice string) { notices = append(notices, notice) }})
		if want = "connections that were not opened: " + strings.TrimSpace(want); err != nil || !slices.Equal(notices, []string{want}) {
			t.Errorf("%v, %q, want %q", err, notices, want)
		}
	}
}

// TestAttempts: connections that were begun and never opened, and how far they
// came.
func TestAttempts(t *testing.T) {
	const c, s = endpoint.Client, endpoint.Server
	for name, test := range map[string]struct {
		segments []seg
		want     []capture.Attempt
	}{
		"never answered": {[]seg{{c, "S", 0, 0, "", 0}, {c, "S", 0, 0, "", 0}}, []capture.Attempt{{}}},
		"refused":        {[]seg{{c, "S", 0, 0, "", 0}, {s, "RA", 0, 1, "", 0}}, []capture.Attempt{{Refused: true}}},
		"answered":       {[]seg{{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}}, []capture.Attempt{{Answered: true}}},
		"refused, and tried again": {[]seg{{c, "S", 0, 0, "", 0}, {s, "RA", 0, 1, "", 0}, {c, "S", 0, 0, "", 0}, {s, "RA", 0, 1, "", 0}},
			[]capture.Attempt{{Refused: true}, {Refused: true}}},
		"opened":          {[]seg{{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}, {c, "A", 1, 1, "", 0}}, nil},
		"without a SYN":   {[]seg{{c, "A", 1, 1, "", 0}}, nil},
		"the answer only": {[]seg{{s, "SA", 0, 1, "", 0}}, []capture.Attempt{{Answered: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			var packets []raw
			for i, segment := range test.segments {
				packets = append(packets, segment.packet(t, i))
			}
			var got []capture.Attempt
			var first, last time.Time
			err := capture.Read(bytes.NewReader(pcapFile(littleEndian, 0xa1b23c4d, 101, packets)), capture.ReadOptions{
				Sink:    &discard{},
				Attempt: func(a capture.Attempt) { got = append(got, a) },
				Period:  func(from, to time.Time) { first, last = from, to },
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range test.want {
				a := &test.want[i]
				a.Client, a.Server, a.Time = netip.AddrPortFrom(v4[0], 40000), netip.AddrPortFrom(v4[1], 8443), packets[0].time
			}
			for i := range got {
				got[i].Time = got[i].Time.In(packets[0].time.Location())
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("attempts: %+v\nwant:     %+v", got, test.want)
			}
			if !first.Equal(packets[0].time) || !last.Equal(packets[len(packets)-1].time) {
				t.Errorf("from %v to %v, want %v to %v", first, last, packets[0].time, packets[len(packets)-1].time)
			}
		})
	}
}
