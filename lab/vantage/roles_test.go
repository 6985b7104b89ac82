package vantage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/wiretap"
)

// transit is how long a packet of these tests is under way.
const transit = 10 * time.Millisecond

// slowly puts time between the events of a connection, as a network does.
func slowly(events []wiretap.Event) []wiretap.Event {
	events = slices.Clone(events)
	for i := range events {
		events[i].Time = events[0].Time.Add(time.Duration(i) * 5 * transit)
	}
	return events
}

// arrived has the times of the server's capture: what the client sends comes
// later there, and what the server sends earlier.
func arrived(events []wiretap.Event) []wiretap.Event {
	events = slices.Clone(events)
	for i, e := range events {
		by := transit
		if e.From == endpoint.Server {
			by = -transit
		}
		events[i].Time = e.Time.Add(by)
	}
	return events
}

// since leaves out the first packets of a connection, of which the first is the
// SYN.
func since(n int) edit {
	return func(events []wiretap.Event) []wiretap.Event {
		if n == 0 || len(events) <= n {
			return events
		}
		open := events[0]
		open.Missing, open.Time = -1, events[n].Time
		return append([]wiretap.Event{open}, events[n:]...)
	}
}

// until leaves out all packets of a connection from the nth on.
func until(n int) edit {
	return func(events []wiretap.Event) []wiretap.Event {
		if len(events) <= n || n == 0 {
			return events
		}
		cut := events[n-1]
		cut.Kind, cut.From, cut.Data = wiretap.CutOff, endpoint.Unknown, nil
		return append(slices.Clone(events[:n]), cut)
	}
}

// without leaves out one packet, which the sequence numbers show.
func without(n int) edit {
	return func(events []wiretap.Event) []wiretap.Event {
		if len(events) <= n || events[n].Kind != wiretap.Data {
			return events
		}
		events = slices.Clone(events)
		events[n].Kind, events[n].Missing, events[n].Data = wiretap.Gap, int64(len(events[n].Data)), nil
		return events
	}
}

// tcpdumps joins two captures of programs that may miss packets.
func tcpdumps(near, far []edit) *vantage.Report {
	t, keys := recorded()
	a := view("client.pcap", t, keys, append([]edit{slowly}, near...)...)
	b := view("server.pcap", t, keys, append([]edit{slowly, arrived}, far...)...)
	a.Own, b.Own = false, false
	return vantage.Join(a, b)
}

// TestPacketsMissing: whatever one of two captures lacks, its beginning, its
// end or a packet, the files are not swapped, and nothing is said to be lost,
// forged or put there on the way: the capture may have missed it.
func TestPacketsMissing(t *testing.T) {
	for n := range 24 {
		for name, change := range map[string]edit{"since": since(n), "until": until(n), "without": without(n)} {
			for side, r := range map[string]*vantage.Report{
				"client": tcpdumps([]edit{change}, nil), "server": tcpdumps(nil, []edit{change}),
				"client, one connection": tcpdumps([]edit{on(2, change)}, nil), "server, one connection": tcpdumps(nil, []edit{on(2, change)}),
			} {
				what := fmt.Sprintf("%s capture %s packet %d", side, name, n)
				if r.Swapped {
					t.Errorf("%s: the files are swapped:\n%s", what, text(r))
				}
				for _, f := range r.Findings {
					if f.How != vantage.Unknown && f.Code != vantage.NotCaptured && f.Code != vantage.OneEnd {
						t.Errorf("%s: %s: %s", what, f.Code, f.Text)
					}
				}
				if r.Clock.Known && (r.Clock.Ahead.Abs() > r.Clock.Error+time.Millisecond) {
					t.Errorf("%s: the clocks differ: %+v", what, r.Clock)
				}
			}
		}
	}
}

// TestGivenTheWrongWayRound: files in the wrong order are noticed, whole or
// not.
func TestGivenTheWrongWayRound(t *testing.T) {
	tape, keys := recorded()
	for name, change := range map[string]edit{"whole": since(0), "without SYN": since(1), "with a gap": without(4)} {
		server := view("server.pcap", tape, keys, slowly, arrived, change)
		client := view("client.pcap", tape, keys, slowly)
		r := vantage.Join(server, client)
		if !r.Swapped || r.Captures.Client.Name != "client.pcap" {
			t.Errorf("%s: %s is taken for the client's", name, r.Captures.Client.Name)
		}
	}
}

// TestClockSet: a clock that is set during a connection does not swap the
// files, and how the clocks compare is not known where its times contradict
// each other.
func TestClockSet(t *testing.T) {
	for _, by := range []time.Duration{-10 * time.Second, 10 * time.Second} {
		for at := 2; at < 8; at++ {
			set := func(events []wiretap.Event) []wiretap.Event {
				events = slices.Clone(events)
				for i := range events {
					if i >= at {
						events[i].Time = events[i].Time.Add(by)
					}
					if i > 0 && events[i].Time.Before(events[i-1].Time) { // as a capture is read
						events[i].Time = events[i-1].Time
					}
				}
				return events
			}
			for _, r := range []*vantage.Report{tcpdumps([]edit{set}, nil), tcpdumps(nil, []edit{set})} {
				if r.Swapped {
					t.Errorf("set by %v at %d: the files are swapped", by, at)
				}
				if by < 0 && r.Clock.Known && r.Clock.Ahead.Abs() > r.Clock.Error+time.Millisecond && r.Clock.Drift == 0 {
					t.Errorf("set by %v at %d: the clocks compare as %+v", by, at, r.Clock)
				}
			}
		}
	}
}

// TestFailedAlone: a failed connection is reported without any other.
func TestFailedAlone(t *testing.T) {
	tape, keys := recorded()
	v := view("client.pcap", tape, keys)
	a := capture.Attempt{Time: v.First, Client: v.Connections[0].Client, Server: v.Connections[0].Server, Refused: true}
	v.Connections = nil
	v.Attempts = []capture.Attempt{a}
	far := v
	far.Name = "server.pcap"
	expect(t, vantage.Join(v, far), "refused_by_server", "the server itself refused")
}
