package wiretap

import (
	"sync"
	"sync/atomic"
	"time"
)

// The limits of Async, in bytes of data: of one connection in all, and of all
// connections while it waits.
const (
	asyncConnection = 4 << 20
	asyncWaiting    = 32 << 20
)

// asyncDelay is how long events wait for more: handling several connections in
// a row costs less processor time than handling each at once.
const asyncDelay = 20 * time.Millisecond

// Async is a sink that passes events on to another in a goroutine of its own,
// at most 20 ms later, so that the other sink does not block the connections.
// The events of a connection keep their order.
//
// Data beyond the first 4 MiB of a connection, and data that comes while 32 MiB
// wait because the other sink is slow, is passed on as a Gap.
type Async struct {
	sink    Sink
	waiting atomic.Int64 // bytes of data

	passing sync.Mutex // held while events are passed on; taken before mu

	mu      sync.Mutex
	pending []*asyncConn // connections with events that wait
	last    time.Time    // when something was passed on
	closed  bool
}

// NewAsync returns a sink that passes events on to sink. The caller closes it.
func NewAsync(sink Sink) *Async { return &Async{sink: sink} }

// asyncConn is one connection.
type asyncConn struct {
	async  *Async
	handle Handler // of the sink, once Open has been passed on

	mu    sync.Mutex
	batch *Batch // nil when nothing waits
	taken int64  // bytes of data so far
}

// Open implements Sink. That the events are passed on is scheduled here, where
// whoever accepts connections has just been woken: the kernel has to wake
// somebody for a timer that is set later.
func (a *Async) Open(e Event) Handler {
	c := &asyncConn{async: a}
	c.add(e)
	return c.add
}

// add queues an event with a copy of its data.
func (c *asyncConn) add(e Event) {
	c.mu.Lock()
	first := c.batch == nil
	if first {
		c.batch = NewBatch()
	}
	if e.Kind == Data && !c.admit(len(e.Data)) {
		c.batch.miss(e)
	} else {
		c.batch.Add(&e)
	}
	c.mu.Unlock()
	if first {
		c.async.later(c)
	}
	if e.Kind == Close && c.async.isIdle() {
		go c.async.passOn()
	}
}

// admit reports whether n more bytes of data may wait, and counts them if so.
func (c *asyncConn) admit(n int) bool {
	if c.taken += int64(n); c.taken > asyncConnection {
		return false
	}
	if c.async.waiting.Add(int64(n)) > asyncWaiting {
		c.async.waiting.Add(-int64(n))
		return false
	}
	return true
}

// later schedules the events of c to be passed on.
func (a *Async) later(c *asyncConn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	if a.pending = append(a.pending, c); len(a.pending) == 1 {
		time.AfterFunc(asyncDelay, a.passOn)
	}
}

// isIdle reports whether nothing was passed on lately: then it is not worth
// while to wait for more.
func (a *Async) isIdle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.last) > asyncDelay
}

// passOn passes on what waits.
func (a *Async) passOn() {
	a.passing.Lock()
	defer a.passing.Unlock()
	a.mu.Lock()
	pending := a.pending
	a.pending, a.last = nil, time.Now()
	a.mu.Unlock()
	for _, c := range pending {
		c.passOn()
	}
}

func (c *asyncConn) passOn() {
	c.mu.Lock()
	b := c.batch
	c.batch = nil
	c.mu.Unlock()
	var size int64
	for _, e := range b.Events {
		if e.Kind == Open {
			c.handle = c.async.sink.Open(e)
			continue
		}
		if e.Kind == Data {
			size += int64(len(e.Data))
		}
		c.handle(e)
	}
	c.async.waiting.Add(-size)
	b.Free()
}

// Close passes on what waits, and returns when the sink has taken it. Events
// after it are lost.
func (a *Async) Close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.passOn()
}
