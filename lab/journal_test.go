package lab

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

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

// heap returns the heap in use, in bytes.
func heap() int {
	runtime.GC()
	runtime.GC() // what pools hold goes in the second round
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
