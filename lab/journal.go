package lab

import (
	"context"
	"sync"
	"time"
)

// Journal numbers the exchanges of a server, a client, or both, joins what the
// two sides saw of each, and hands it on. It is safe for concurrent use.
type Journal struct {
	// Paired says that the clients and the server of this journal talk to each
	// other: an exchange that a client opened ends when both sides have.
	Paired bool
	// Each is called once for every exchange, one at a time, when its verdict is
	// known: after the first response, or when the connection has ended.
	Each func(*Exchange)

	mu     sync.Mutex
	number int
	open   map[string]*entry
	calls  sync.Mutex // held while Each runs
	idle   chan struct{}
}

// entry is an exchange that goes on.
type entry struct {
	Exchange
	opened   time.Time
	expected map[Side]bool
	halves   map[Side]*half
}

// begin is called when side has connected, before it sends anything, and returns
// the number of the exchange.
func (j *Journal) begin(side Side, clientAddr, serverAddr string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := clientAddr + " " + serverAddr
	e := j.open[key]
	if e == nil || e.halves[side] != nil { // an address that is used again
		j.number++
		e = &entry{opened: time.Now(), expected: make(map[Side]bool), halves: make(map[Side]*half)}
		e.Exchange = Exchange{Number: j.number, Time: e.opened.UTC(), ClientAddr: clientAddr, ServerAddr: serverAddr}
		if j.open == nil {
			j.open = make(map[string]*entry)
		}
		j.open[key] = e
	}
	e.expected[side] = true
	if j.Paired && side == ClientSide {
		e.expected[ServerSide] = true
	}
	return e.Number
}

// end is called when side knows its verdict. fill adds what it learned.
func (j *Journal) end(side Side, clientAddr, serverAddr string, h half, fill func(*Exchange)) {
	j.mu.Lock()
	key := clientAddr + " " + serverAddr
	e := j.open[key]
	if e == nil || e.halves[side] != nil {
		j.mu.Unlock()
		return
	}
	e.halves[side] = &h
	fill(&e.Exchange)
	if len(e.halves) < len(e.expected) {
		j.mu.Unlock()
		return
	}
	delete(j.open, key)
	e.Verdict = judge(e.halves[ServerSide], e.halves[ClientSide])
	e.DurationMS = float64(time.Since(e.opened).Microseconds()) / 1000
	idle := j.idle
	if len(j.open) > 0 {
		idle = nil
	} else {
		j.idle = nil
	}
	j.calls.Lock() // before mu is released: exchanges are told in the order of their ends
	j.mu.Unlock()
	defer j.calls.Unlock()
	if j.Each != nil {
		j.Each(&e.Exchange)
	}
	if idle != nil {
		close(idle)
	}
}

// Wait waits until every exchange that was begun has been handed on, or ctx ends.
func (j *Journal) Wait(ctx context.Context) {
	j.mu.Lock()
	if len(j.open) == 0 {
		j.mu.Unlock()
		return
	}
	if j.idle == nil {
		j.idle = make(chan struct{})
	}
	idle := j.idle
	j.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
