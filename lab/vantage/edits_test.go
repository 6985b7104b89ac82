package vantage_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/vantage"
	"mtlslab.example/lab/lab/wiretap"
)

// These tests join a capture with itself, one of the two changed as something
// on the way, or a capture program, changes what is recorded: what is found is
// the change, and nothing else.

// recorded is the server's capture of a few connections, with their keys.
var recorded = sync.OnceValues(func() (*tape, *secrets) {
	w := newWorld(nil)
	w.serve(false)
	for _, path := range []string{"/a", "/b", "/c", "/d", "/e"} {
		if err := w.call(path); err != nil {
			panic(err)
		}
	}
	w.end()
	spread(&w.server)
	return &w.server, &w.keys
})

// spread puts a second between the connections of a capture.
func spread(t *tape) {
	for i, events := range t.events {
		for j := range events {
			events[j].Time = events[j].Time.Add(time.Duration(i) * time.Second)
		}
	}
}

// on applies a change to the connection with a number, and to no other.
func on(number int, change edit) edit {
	return func(events []wiretap.Event) []wiretap.Event {
		if events[0].Exchange != number+1 {
			return events
		}
		return change(slices.Clone(events))
	}
}

// gone leaves a connection out.
func gone([]wiretap.Event) []wiretap.Event { return nil }

// withoutLast takes away the last data of the side that ended the connection.
func withoutLast(events []wiretap.Event) []wiretap.Event {
	by := endedBy(events)
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].Kind == wiretap.Data && events[i].From == by {
			return slices.Delete(events, i, i+1)
		}
	}
	return events
}

func endedBy(events []wiretap.Event) endpoint.Side {
	for _, e := range events {
		if e.Kind == wiretap.HalfClose || e.Kind == wiretap.Reset || e.Kind == wiretap.Close {
			return e.From
		}
	}
	return endpoint.Unknown
}

// torn ends a connection with a RST in the name of the server, before anything
// but hellos was said.
func torn(events []wiretap.Event) []wiretap.Event {
	at := slices.IndexFunc(events, func(e wiretap.Event) bool { return e.Kind == wiretap.Data && e.From == endpoint.Server }) + 1
	rst := events[at-1]
	rst.Kind, rst.Data = wiretap.Reset, nil
	closed := rst
	closed.Kind, closed.From = wiretap.Close, endpoint.Client
	return append(events[:at], rst, closed)
}

// stalled ends a connection where torn does, without an end.
func stalled(events []wiretap.Event) []wiretap.Event {
	at := slices.IndexFunc(events, func(e wiretap.Event) bool { return e.Kind == wiretap.Data && e.From == endpoint.Server }) + 1
	cut := events[at-1]
	cut.Kind, cut.From, cut.Data = wiretap.CutOff, endpoint.Unknown, nil
	return append(events[:at], cut)
}

// missing takes bytes of the server's out of the capture, which notices.
func missing(events []wiretap.Event) []wiretap.Event {
	for i := len(events) - 1; i >= 0; i-- {
		if e := &events[i]; e.Kind == wiretap.Data && e.From == endpoint.Server {
			e.Kind, e.Missing, e.Data = wiretap.Gap, int64(len(e.Data)), nil
			break
		}
	}
	return events
}

// joined joins the capture with itself, after edits of either copy.
func joined(near, far []edit) *vantage.Report {
	t, keys := recorded()
	return vantage.Join(view("client.pcapng", t, keys, near...), view("server.pcapng", t, keys, far...))
}

// TestEdits: each change is found by its name.
func TestEdits(t *testing.T) {
	for _, try := range []struct {
		name      string
		near, far []edit
		want      string
		words     string
	}{
		{name: "none"},
		{name: "another clock", far: []edit{later(2 * time.Minute)}, want: "clocks_differ", words: "server.pcapng is 2m0s ahead of that of client.pcapng (± 0.1 ms)"},
		{name: "a clock that is behind", far: []edit{later(-90 * time.Minute)}, want: "clocks_differ clock_decides", words: "by the clock of server.pcapng it is not valid yet"},
		{name: "a clock a day ahead", near: []edit{later(24 * time.Hour)}, want: "clocks_differ clock_decides", words: "by the clock of client.pcapng it has expired, by the clock of server.pcapng it is valid"},
		{name: "NAT", far: []edit{translated}, want: "addresses_translated", words: "is 203.0.113.7:40000 to the server"},
		{name: "a call elsewhere", far: []edit{on(1, gone)}, want: "never_reached", words: "stream 1 of client.pcapng"},
		{name: "another client", near: []edit{on(1, gone)}},
		{name: "the last message dropped", near: []edit{on(2, withoutLast)}, want: "not_arrived", words: "did not arrive"},
		{name: "a message from nowhere", far: []edit{on(2, withoutLast)}, want: "injected", words: "never sent it"},
		{name: "a forged RST", near: []edit{on(1, torn)}, far: []edit{on(1, stalled)}, want: "reset_forged", words: "never sent by the server"},
		{name: "a RST that got lost", near: []edit{on(1, stalled)}, far: []edit{on(1, torn)}, want: "reset_not_arrived", words: "the RST of the server did not arrive"},
		{name: "a gap in a capture", near: []edit{on(1, missing)}, want: "not_arrived?", words: "either it did not arrive, or that capture has missed the packet"},
	} {
		t.Run(try.name, func(t *testing.T) {
			expect(t, joined(try.near, try.far), try.want, try.words)
		})
	}
}

// TestEditsTogether: several changes at a time are found as those changes, in
// whatever combination.
func TestEditsTogether(t *testing.T) {
	changes := []struct {
		near, far edit
		code      string
	}{
		{nil, later(10 * time.Minute), "clocks_differ"},
		{nil, translated, "addresses_translated"},
		{nil, on(1, gone), "never_reached"},
		{on(2, withoutLast), nil, "not_arrived"},
		{on(0, torn), on(0, stalled), "reset_forged"},
		{on(4, missing), nil, "not_arrived?"},
		{on(3, gone), nil, ""},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		var near, far []edit
		var want []string
		for _, change := range changes {
			if random.IntN(2) == 0 {
				continue
			}
			if change.near != nil {
				near = append(near, safe(change.near))
			}
			if change.far != nil {
				far = append(far, safe(change.far))
			}
			want = append(want, change.code)
		}
		got := codes(joined(near, far))
		want = slices.DeleteFunc(want, func(s string) bool { return s == "" })
		slices.Sort(got)
		slices.Sort(want)
		if want = slices.Compact(want); !slices.Equal(got, want) {
			t.Errorf("found %q, and changed %q", got, want)
		}
	}
}

// safe applies an edit to what is still there.
func safe(change edit) edit {
	return func(events []wiretap.Event) []wiretap.Event {
		if len(events) == 0 {
			return nil
		}
		return change(events)
	}
}

// TestJoinedLadder: what one end has alone stands at its place among the
// others, and is marked.
func TestJoinedLadder(t *testing.T) {
	r := joined([]edit{on(2, withoutLast)}, []edit{later(time.Hour)})
	p := r.Pairs[2]
	if len(p.OneEnd) == 0 {
		t.Fatal("nothing is marked")
	}
	for m, end := range p.OneEnd {
		if end.In != endpoint.Server || end.Missed {
			t.Errorf("%v is marked %+v", m.Type, end)
		}
		at := slices.Index(p.Joined.Messages, m)
		if at < 0 {
			t.Fatal("a marked message is not in the joined connection")
		}
		if m.Time.Sub(p.Joined.Opened).Abs() > time.Minute {
			t.Errorf("a message has the time of the other clock: %v after the connection was opened", m.Time.Sub(p.Joined.Opened))
		}
	}
	whole := joined(nil, nil).Pairs[2].Joined
	if got, want := names(p.Joined), names(whole); got != want {
		t.Errorf("joined: %s\nwant:   %s", got, want)
	}
}

func names(c *tlsdecrypt.Connection) string {
	var all []string
	for _, m := range c.Messages {
		switch {
		case m.Handshake != nil:
			all = append(all, m.Handshake.Name())
		case m.Alert != nil:
			all = append(all, m.From.String()+" "+m.Alert.Description.String())
		case m.Type == tlswire.ContentTypeChangeCipherSpec:
		default:
			all = append(all, m.Type.String())
		}
	}
	return strings.Join(all, " ")
}

// TestKeysInOneFile: the keys of one capture open the other, and that is said.
func TestKeysInOneFile(t *testing.T) {
	tape, keys := recorded()
	near, far := view("client.pcapng", tape, keys), view("server.pcapng", tape, keys)
	far.HasKeys = func([]byte) bool { return true }
	r := vantage.Join(near, far)
	expect(t, r, "keys_from_other_file", "the keys are in server.pcapng alone, and open the same connection in client.pcapng")
}

// TestReversed: a capture that began in the middle may take the client for the
// server. It is the same connection all the same.
func TestReversed(t *testing.T) {
	headless := func(events []wiretap.Event) []wiretap.Event {
		open := events[0]
		open.Client, open.Server = open.Server, open.Client
		tail := []wiretap.Event{open}
		for _, e := range events[len(events)-3:] {
			e.From = e.From.Other()
			tail = append(tail, e)
		}
		return tail
	}
	r := joined([]edit{on(1, headless)}, nil)
	expect(t, r, "cannot_be_seen?", "stream 1 of client.pcapng cannot be compared")
	if p := r.Pairs[1]; p.Relation != vantage.Same || p.Joined != p.Ends.Server {
		t.Errorf("the pair is %+v", p)
	}
}

// TestAnyLoss: whatever is missing in either capture, joining them ends, each
// connection is in a pair, and a file that lacks nothing is not said to.
func TestAnyLoss(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	lossy := func(events []wiretap.Event) []wiretap.Event {
		kept := []wiretap.Event{events[0]}
		for _, e := range events[1:] {
			switch n := random.IntN(12); {
			case n == 0:
			case n == 1 && e.Kind == wiretap.Data:
				e.Kind, e.Missing, e.Data = wiretap.Gap, int64(len(e.Data)), nil
				kept = append(kept, e)
			case n == 2 && e.Kind == wiretap.Data:
				e.Data = e.Data[:random.IntN(len(e.Data))]
				kept = append(kept, e)
			default:
				kept = append(kept, e)
			}
		}
		return kept
	}
	for range 200 {
		near, far := []edit{lossy}, []edit{lossy, later(time.Duration(random.Int64N(int64(time.Hour))))}
		r := joined(near, far)
		ends := 0
		for _, p := range r.Pairs {
			if p.Joined == nil {
				t.Fatalf("nothing is joined in %+v", p)
			}
			for _, c := range []*tlsdecrypt.Connection{p.Ends.Client, p.Ends.Server} {
				if c != nil {
					ends++
				}
			}
		}
		if want := len(r.Captures.Client.Connections) + len(r.Captures.Server.Connections); ends < want {
			t.Fatalf("%d connections are in pairs, and there are %d", ends, want)
		}
	}
}

// TestHelloPassedOn: what ends TLS may send the server the client's own
// ClientHello. Then two ServerHellos answer it, which proves that it does.
func TestHelloPassedOn(t *testing.T) {
	answered := func(events []wiretap.Event) []wiretap.Event {
		const random = tlswire.RecordHeaderLen + tlswire.HandshakeHeaderLen + 2 // where it begins
		for i, e := range events {
			if e.Kind == wiretap.Data && e.From == endpoint.Server {
				events[i].Data = slices.Clone(e.Data)
				events[i].Data[random] ^= 1
				break
			}
		}
		return events
	}
	r := joined(nil, []edit{on(1, answered)})
	if p := r.Pairs[1]; p.Relation != vantage.Apart || p.Findings[0].Code != vantage.TLSEnded || p.Findings[0].How != "" {
		t.Errorf("the pair is %+v", p)
	}
}

// TestPartOfRecords: of encrypted records in a row those are marked that one
// capture lacks, and they are counted.
func TestPartOfRecords(t *testing.T) {
	tape, _ := recorded()
	r := vantage.Join(view("client.pcapng", tape, &secrets{}), view("server.pcapng", tape, &secrets{}, on(1, lacksFlight)))
	expect(t, r, "not_arrived?", "encrypted records of the client is in client.pcapng, and not in server.pcapng, where bytes are missing")
	p := r.Pairs[1]
	marked, all := 0, 0
	for _, m := range p.Joined.Messages {
		if m.From != endpoint.Client || !m.Encrypted {
			continue
		}
		all += len(m.Records)
		if _, ok := p.OneEnd[m]; ok {
			marked += len(m.Records)
		}
	}
	if marked == 0 || marked == all {
		t.Errorf("%d of %d encrypted records are marked", marked, all)
	}
}

// lacksFlight takes the first 500 bytes that the client sent after ServerHello
// out of the capture, which notices: ChangeCipherSpec and encrypted records.
func lacksFlight(events []wiretap.Event) []wiretap.Event {
	var kept []wiretap.Event
	answered, lost := false, 500
	for _, e := range events {
		if e.Kind == wiretap.Data && e.From == endpoint.Server {
			answered = true
		}
		if n := min(lost, len(e.Data)); answered && e.Kind == wiretap.Data && e.From == endpoint.Client && n > 0 {
			gap := e
			gap.Kind, gap.Missing, gap.Data = wiretap.Gap, int64(n), nil
			e.Data, lost = e.Data[n:], lost-n
			kept = append(kept, gap)
			if len(e.Data) == 0 {
				continue
			}
		}
		kept = append(kept, e)
	}
	return kept
}

// TestLineInMissingBytes: a PROXY line that one capture may have missed is not
// said to be put there on the way.
func TestLineInMissingBytes(t *testing.T) {
	line := []byte("PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n")
	with := func(events []wiretap.Event) []wiretap.Event {
		e := events[0]
		e.Kind, e.From, e.Data = wiretap.Data, endpoint.Client, line
		return slices.Insert(slices.Clone(events), 1, e)
	}
	lost := func(events []wiretap.Event) []wiretap.Event {
		events = with(events)
		events[1].Kind, events[1].Missing, events[1].Data = wiretap.Gap, int64(len(line)), nil
		return events
	}
	late := func(events []wiretap.Event) []wiretap.Event {
		events[0].Missing = -1
		return events
	}
	for name, change := range map[string]edit{"lost": lost, "late": late} {
		r := joined([]edit{on(1, change)}, []edit{on(1, with)})
		if got := codes(r); !slices.Equal(got, []string{"proxy_line?"}) {
			t.Errorf("%s: found %q:\n%s", name, got, text(r))
		}
	}
	expect(t, joined(nil, []edit{on(1, with)}), "proxy_line", "a load balancer on the way has put it there")
}
