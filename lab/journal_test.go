package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// An address that is used again is another exchange, although the dissection of
// the one before is not finished.
func TestReusedAddressIsAnotherExchange(t *testing.T) {
	for _, side := range []endpoint.Side{endpoint.Server, endpoint.Client} {
		reported := make(chan *Exchange, 2)
		j := &Journal{Each: func(x *Exchange) { reported <- x }}
		j.Dissect()
		for number := 1; number <= 2; number++ {
			if got := j.begin(side, "127.0.0.1:40000", "127.0.0.1:8443"); got != number {
				t.Errorf("%s: connection %d is exchange %d", side, number, got)
			}
			if number == 2 {
				if x := next(t, reported); x.Number != 1 || x.Outcome != verdict.Accepted {
					t.Errorf("%s: %d, %s", side, x.Number, x.Outcome)
				}
			}
			j.end(side, "127.0.0.1:40000", "127.0.0.1:8443", verdict.View{}, func(*Exchange) {})
		}
		j.Wait(t.Context())
		if x := next(t, reported); x.Number != 2 {
			t.Errorf("%s: exchange %d", side, x.Number)
		}
	}
}

// What two sides report of an exchange is joined to one, in whatever order they
// do, and reported once.
func TestJournalJoins(t *testing.T) {
	const client, server = endpoint.Client, endpoint.Server
	alert := verdict.Alert{Code: uint8(tlswire.AlertBadCertificate), Name: "bad_certificate", SentBy: server}
	refuses := verdict.View{Err: errors.New("tls: client didn't provide a certificate"), Refused: true, State: verdict.StateHandshake}
	refused := verdict.View{Err: io.EOF, Alert: &alert, State: verdict.StateRequestSent}
	lost := verdict.View{Err: io.EOF, State: verdict.StateHandshake}
	type report struct {
		side endpoint.Side
		view verdict.View
	}
	for name, test := range map[string]struct {
		paired  bool
		begin   []endpoint.Side
		reports []report
		want    string // of each exchange: who reported, and the verdict
	}{
		"a server alone":             {false, []endpoint.Side{server}, []report{{server, refuses}}, "1 server: rejected by server no_client_certificate"},
		"a client alone":             {false, []endpoint.Side{client}, []report{{client, refused}}, "1 client: rejected by server certificate_refused"},
		"both, the server first":     {true, []endpoint.Side{client, server}, []report{{server, refuses}, {client, refused}}, "1 client server: rejected by server no_client_certificate"},
		"both, the client first":     {true, []endpoint.Side{client, server}, []report{{client, refused}, {server, refuses}}, "1 client server: rejected by server no_client_certificate"},
		"the server sees it first":   {true, []endpoint.Side{server, client}, []report{{client, refused}, {server, refuses}}, "1 client server: rejected by server no_client_certificate"},
		"the server is late":         {true, []endpoint.Side{client}, []report{{client, lost}, {server, refuses}}, "1 client server: rejected by server no_client_certificate"},
		"not paired":                 {false, []endpoint.Side{client}, []report{{client, lost}, {server, refuses}}, "1 client: rejected by server closed"},
		"a side that reports twice":  {true, []endpoint.Side{client, server}, []report{{client, refused}, {client, verdict.View{}}, {server, lost}}, "1 client server: rejected by server certificate_refused"},
		"an address used again":      {false, []endpoint.Side{client, client}, []report{{client, lost}}, "2 client: rejected by server closed"},
		"used again, after a report": {true, []endpoint.Side{client, server, client}, []report{{client, lost}}, "2 client: rejected by server closed"},
		"both content":               {true, []endpoint.Side{client, server}, []report{{server, verdict.View{}}, {client, verdict.View{}}}, "1 client server: accepted by unknown "},
		"the other side is silent":   {true, []endpoint.Side{client, server}, []report{{client, lost}}, "1 client: rejected by server closed"},
	} {
		reported := make(chan string, 10)
		j := &Journal{Paired: test.paired, Each: func(x *Exchange) {
			reported <- fmt.Sprintf("%d%s%s: %s by %v %s", x.Number, x.Client.Error, x.Server.Error, x.Outcome, x.RejectedBy, x.Code)
		}}
		for _, side := range test.begin {
			j.begin(side, "127.0.0.1:40000", "127.0.0.1:8443")
		}
		for _, r := range test.reports {
			j.end(r.side, "127.0.0.1:40000", "127.0.0.1:8443", r.view, func(x *Exchange) {
				*map[endpoint.Side]*string{client: &x.Client.Error, server: &x.Server.Error}[r.side] = " " + r.side.String()
			})
		}
		waitNot(t, j)
		close(reported)
		var got []string
		for x := range reported {
			got = append(got, x)
		}
		if all := strings.Join(got, "; "); all != test.want {
			t.Errorf("%s: %s, want %s", name, all, test.want)
		}
	}
}

// waitNot has j judge what it has: who has not reported by now does not.
func waitNot(t *testing.T, j *Journal) {
	t.Helper()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	j.Wait(over)
}

// An exchange that neither side has reported when the journal ends is nobody's,
// and neither is one that was broken off.
func TestJournalForgets(t *testing.T) {
	j := &Journal{Paired: true, Each: func(x *Exchange) { t.Errorf("exchange %d", x.Number) }}
	j.begin(endpoint.Client, "127.0.0.1:1", "127.0.0.1:8443")
	j.forget("127.0.0.1:1", "127.0.0.1:8443")
	j.end(endpoint.Client, "127.0.0.1:1", "127.0.0.1:8443", verdict.View{}, func(*Exchange) { t.Error("it is filled") })
	j.begin(endpoint.Client, "127.0.0.1:2", "127.0.0.1:8443")
	waitNot(t, j)
}

// What was said belongs to the exchange whose number it has: an address may be
// used again. How long it took is how long its connection was open.
func TestJournalTakesItsWire(t *testing.T) {
	reported := make(chan *Exchange, 1)
	j := &Journal{Each: func(x *Exchange) { reported <- x }}
	defer j.Dissect().Close()
	said := func(number int) *tlsdecrypt.Connection {
		return &tlsdecrypt.Connection{Number: number, Client: netip.MustParseAddrPort("127.0.0.1:1"), Server: netip.MustParseAddrPort("127.0.0.1:8443")}
	}
	number := j.begin(endpoint.Server, "127.0.0.1:1", "127.0.0.1:8443")
	j.onWire(said(number + 1))
	j.end(endpoint.Server, "127.0.0.1:1", "127.0.0.1:8443", verdict.View{}, func(*Exchange) {})
	wire := said(number)
	wire.Opened, wire.Ended = time.Unix(1, 0), time.Unix(8, 0)
	j.onWire(wire)
	switch x := next(t, reported); {
	case x.Wire == nil || x.Wire.Number != number:
		t.Errorf("exchange %d has the wire %+v", number, x.Wire)
	case x.DurationMS != 7000:
		t.Errorf("the exchange took %v ms, and its connection was open for 7000", x.DurationMS)
	}
}

// judge gives the verdict of one side before the other has reported, with what
// that one says if it comes in time. Only a side that does not know the reason
// waits for it.
func TestJournalJudge(t *testing.T) {
	refuses := verdict.View{Err: errors.New("tls: client didn't provide a certificate"), Refused: true}
	for name, test := range map[string]struct {
		paired bool
		server *verdict.View // that is reported before; nil: none is
		client verdict.View
		want   verdict.Code
		waits  time.Duration
	}{
		"the server says why": {true, &refuses, verdict.View{Err: io.EOF}, verdict.NoClientCertificate, 0},
		"of another journal":  {false, &refuses, verdict.View{Err: io.EOF}, verdict.Closed, 0},
		"it says nothing":     {true, nil, verdict.View{Err: io.EOF}, verdict.Closed, otherView},
		"the client knows":    {true, nil, verdict.View{Err: errors.New("tls: no cipher suite supported by both"), Refused: true}, verdict.NoCommonCipherSuite, 0},
		"accepted":            {true, &refuses, verdict.View{}, "", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			j := &Journal{Paired: test.paired}
			for _, side := range []endpoint.Side{endpoint.Client, endpoint.Server} {
				j.begin(side, "127.0.0.1:1", "127.0.0.1:8443")
			}
			if test.server != nil {
				j.end(endpoint.Server, "127.0.0.1:1", "127.0.0.1:8443", *test.server, func(*Exchange) {})
			}
			before := time.Now()
			v := j.judge(endpoint.Client, "127.0.0.1:1", "127.0.0.1:8443", test.client, 200)
			if waited := time.Since(before); v.Code != test.want || waited != test.waits {
				t.Errorf("%s: %q after %v, want %q after %v", name, v.Code, waited, test.want, test.waits)
			}
			waitNot(t, j)
		})
	}
}

// stopped returns a journal whose Each has been called once and returns only
// after resume.
func stopped(t *testing.T) (j *Journal, reported *[]*Exchange, resume func()) {
	t.Helper()
	taken, again := make(chan bool), make(chan bool)
	var all []*Exchange
	j = &Journal{Each: func(x *Exchange) {
		if all = append(all, x); len(all) == 1 {
			close(taken)
			<-again
		}
	}}
	reject(j, 0, nil)
	<-taken
	return j, &all, func() {
		close(again)
		j.Wait(t.Context())
	}
}

// reject has an exchange rejected, in which wire was said.
func reject(j *Journal, n int, wire *tlsdecrypt.Connection) {
	client := fmt.Sprintf("127.0.0.1:%d", n)
	j.begin(endpoint.Server, client, "127.0.0.1:8443")
	j.end(endpoint.Server, client, "127.0.0.1:8443", verdict.View{Err: fmt.Errorf("no: %s", strings.Repeat("x", 1000)), Refused: true},
		func(x *Exchange) { x.Wire = wire })
}

// An Each that does not return holds up no exchange, and what waits for it
// takes a bounded amount of memory. What is left out is counted.
func TestStoppedReader(t *testing.T) {
	const many = 50_000
	j, reported, resume := stopped(t)
	before := heap()
	for n := 1; n <= many; n++ {
		reject(j, n, nil)
	}
	if grown := heap() - before; grown > 3*maxBacklog {
		t.Errorf("%d exchanges that wait take %d MiB", many, grown>>20)
	}
	resume()
	shown, notShown := 0, 0
	for _, x := range *reported {
		shown++
		notShown += x.NotShown.Len()
	}
	if shown < 1000 || notShown == 0 || shown+notShown != many+1 {
		t.Errorf("%d shown, %d not shown, of %d", shown, notShown, many+1)
	}
	if last := (*reported)[shown-1]; last.NotShown == nil || last.NotShown.Rejected != notShown || last.NotShown.Accepted != 0 {
		t.Errorf("after the last one: %+v", last.NotShown)
	}
	reject(j, 1, nil)
	j.Wait(t.Context())
	if last := (*reported)[len(*reported)-1]; len(*reported) != shown+1 || last.NotShown != nil {
		t.Errorf("when it reads again: %d exchanges, %+v", len(*reported), last.NotShown)
	}
}

// What was said is left out first.
func TestStoppedReaderOfDrawings(t *testing.T) {
	const many = 1000
	j, reported, resume := stopped(t)
	before := heap()
	for n := 1; n <= many; n++ {
		wire := &tlsdecrypt.Connection{}
		for range 500 {
			wire.Messages = append(wire.Messages, &tlsdecrypt.Message{Handshake: &tlswire.Handshake{Raw: make([]byte, 100)}})
		}
		reject(j, n, wire)
	}
	if grown := heap() - before; grown > 3*maxBacklog {
		t.Errorf("%d exchanges that wait take %d MiB", many, grown>>20)
	}
	resume()
	with, without := 0, 0
	for _, x := range (*reported)[1:] {
		if x.WireLeftOut == (x.Wire != nil) {
			t.Fatalf("exchange %d: left out %v, %v", x.Number, x.WireLeftOut, x.Wire != nil)
		}
		if x.NotShown != nil {
			t.Errorf("exchange %d: %+v", x.Number, x.NotShown)
		}
		if x.WireLeftOut {
			without++
		} else {
			with++
		}
	}
	if with == 0 || without == 0 || with+without != many {
		t.Errorf("%d with what was said, %d without", with, without)
	}
}

// An exchange that is only counted was accepted unless a side was rejected, or
// refused in HTTP, or there was no handshake.
func TestNotShown(t *testing.T) {
	b := &backlog{}
	b.add(&Exchange{})
	b.lines = maxBacklog
	for _, outcome := range []verdict.Outcome{verdict.Accepted, verdict.Rejected, verdict.Broken, verdict.Unknown, verdict.Rejected, verdict.Rejected} {
		b.add(&Exchange{Verdict: verdict.Verdict{Outcome: outcome}})
	}
	b.add(&Exchange{Verdict: verdict.Verdict{Outcome: verdict.Accepted, How: verdict.InHTTP}})
	if got := b.next().NotShown; got == nil || *got != (Counts{Accepted: 2, Rejected: 3, Refused: 1, Silent: 1}) || got.Len() != 7 {
		t.Errorf("%+v", got)
	}
}

// What was said takes half of the memory of what waits at most, though the rest
// is free. The first exchange keeps it in any case.
func TestBacklogOfWires(t *testing.T) {
	b, wire := &backlog{}, &tlsdecrypt.Connection{}
	for range 500 {
		wire.Messages = append(wire.Messages, &tlsdecrypt.Message{Handshake: &tlswire.Handshake{Raw: make([]byte, 100)}})
	}
	kept := 0
	for range 2 * maxBacklog / wire.Size() {
		x := &Exchange{Wire: wire}
		if b.add(x); x.Wire != nil {
			kept++
		}
	}
	if most := maxBacklog / 2 / wire.Size(); kept != most {
		t.Errorf("%d of %d bytes are kept, want %d", kept, wire.Size(), most)
	}
	huge := &tlsdecrypt.Connection{Problems: []tlsdecrypt.Problem{{Text: strings.Repeat("x", maxBacklog)}}}
	x := &Exchange{Wire: huge}
	if (&backlog{}).add(x); x.Wire == nil {
		t.Error("the first exchange has lost its wire")
	}
}

// heap returns the heap in use, in bytes.
func heap() int {
	runtime.GC()
	runtime.GC() // what pools hold goes in the second round
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
