package capture_test

import (
	"bytes"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// times is a sink that keeps when each side said something.
type times struct {
	open wiretap.Event
	said map[string]time.Time
	cut  time.Time
}

func (t *times) Open(e wiretap.Event) wiretap.Handler {
	t.open, t.said = e, make(map[string]time.Time)
	return func(e wiretap.Event) {
		switch e.Kind {
		case wiretap.Data:
			t.said[string(e.Data)] = e.Time
		case wiretap.CutOff:
			t.cut = e.Time
		}
	}
}

// TestTimesAfterGap: what comes after bytes that are missing has the time of
// its own packet, and so has what the peer says after it.
func TestTimesAfterGap(t *testing.T) {
	const c, s = endpoint.Client, endpoint.Server
	for name, segments := range map[string][]seg{
		"of the middle": {{c, "S", 0, 0, "", 0}, {s, "SA", 0, 1, "", 0}, {c, "A", 1, 1, "hello", 0}, {s, "A", 4, 6, "world", 0}, {c, "A", 6, 9, "more", 0}, {s, "A", 9, 10, "end", 0}},
		"of the SYNs":   {{c, "A", 1, 1, "hello", 0}, {s, "A", 4, 6, "world", 0}, {c, "A", 6, 9, "more", 0}, {s, "A", 9, 10, "end", 0}},
		"of a request":  {{s, "A", 1, 6, "world", 0}, {c, "A", 6, 6, "more", 0}, {s, "A", 6, 10, "end", 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var packets []raw
			want := make(map[string]time.Time)
			for i, segment := range segments {
				p := segment.packet(t, i)
				packets = append(packets, p)
				want[segment.payload] = p.time
			}
			delete(want, "")
			got := &times{}
			if err := capture.Read(bytes.NewReader(pcapFile(littleEndian, 0xa1b23c4d, 101, packets)), capture.ReadOptions{Sink: got}); err != nil {
				t.Fatal(err)
			}
			for data, at := range want {
				if !got.said[data].Equal(at) {
					t.Errorf("%q was said at %v, want %v", data, got.said[data], at)
				}
			}
			if last := packets[len(packets)-1].time; !got.cut.Equal(last) {
				t.Errorf("the last packet was at %v, want %v", got.cut, last)
			}
			if hasSYN := segments[0].flags == "S"; (got.open.Missing == 0) != hasSYN {
				t.Errorf("Missing of Open is %d, and there is a SYN: %v", got.open.Missing, hasSYN)
			}
		})
	}
}
