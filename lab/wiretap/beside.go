package wiretap

import (
	"sync"
	"sync/atomic"
	"time"
)

// What Beside keeps at most of what it has not handed on, in bytes of data: of one connection in all, and of all
// connections at a time.
const (
	besideConnection = 4 << 20
	besideAll        = 32 << 20
)

// besideDelay is how long events wait for more. It costs a processor less to do the same thing for several connections
// in a row than to turn to each in the middle of something else.
const besideDelay = 20 * time.Millisecond

// Beside is a sink that hands events on to another in a goroutine of its own, at most 20 ms later: whatever is done with
// them there, it does not hold the connections up. The events of a connection keep their order.
//
// Nothing is left out in silence: data beyond the first 4 MiB of a connection, or beyond 32 MiB that wait because
// the other sink is slow, is handed on as a Gap.
type Beside struct {
	sink    Sink
	waiting atomic.Int64 // bytes of data

	handing sync.Mutex // held while events are handed on; taken before mu

	mu      sync.Mutex
	pending []*aside  // connections with events that wait
	last    time.Time // something was handed on
	closed  bool
}

// NewBeside returns a sink that hands events on to sink. The caller closes it.
func NewBeside(sink Sink) *Beside { return &Beside{sink: sink} }

// aside is one connection.
type aside struct {
	beside *Beside
	handle Handler // of the sink

	mu    sync.Mutex
	batch *Batch // nil when nothing waits
	taken int64  // bytes of data so far
}

// Open implements Sink.
func (b *Beside) Open(e Event) Handler {
	a := &aside{beside: b, handle: b.sink.Open(e)}
	return a.add
}

// add keeps an event, with a copy of its data.
func (a *aside) add(e Event) {
	a.mu.Lock()
	first := a.batch == nil
	if first {
		a.batch = NewBatch()
	}
	if e.Kind == Data && !a.admit(len(e.Data)) {
		a.batch.miss(e)
	} else {
		a.batch.Add(e)
	}
	a.mu.Unlock()
	if first {
		a.beside.later(a)
	}
	if e.Kind == Close && a.beside.isIdle() {
		go a.beside.handOn()
	}
}

// admit tells whether n more bytes of data may wait, and counts them.
func (a *aside) admit(n int) bool {
	if a.taken += int64(n); a.taken > besideConnection {
		return false
	}
	if a.beside.waiting.Add(int64(n)) > besideAll {
		a.beside.waiting.Add(-int64(n))
		return false
	}
	return true
}

// later has the events of a handed on.
func (b *Beside) later(a *aside) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	if b.pending = append(b.pending, a); len(b.pending) == 1 {
		time.AfterFunc(besideDelay, b.handOn)
	}
}

// isIdle tells whether nothing was handed on lately: then there is nothing to wait for.
func (b *Beside) isIdle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Since(b.last) > besideDelay
}

// handOn hands on what waits.
func (b *Beside) handOn() {
	b.handing.Lock()
	defer b.handing.Unlock()
	b.mu.Lock()
	pending := b.pending
	b.pending, b.last = nil, time.Now()
	b.mu.Unlock()
	for _, a := range pending {
		a.handOn()
	}
}

func (a *aside) handOn() {
	a.mu.Lock()
	b := a.batch
	a.batch = nil
	a.mu.Unlock()
	var size int64
	for _, e := range b.Events {
		if e.Kind == Data {
			size += int64(len(e.Data))
		}
		a.handle(e)
	}
	a.beside.waiting.Add(-size)
	b.Free()
}

// Close hands on what waits, and returns when the sink has taken it. Events after it are lost.
func (b *Beside) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.handOn()
}
