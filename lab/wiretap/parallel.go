package wiretap

import (
	"sync"
	"sync/atomic"
)

const (
	parallelBatch = 64 << 10 // bytes of data of a connection that are passed on in one batch
	parallelQueue = 32       // batches that wait, for each goroutine
	parallelOpen  = 256      // connections that have a batch; beyond that all batches are passed on
)

// Parallel is a sink that passes events on to another in several goroutines:
// those of one connection in order and by one goroutine at a time, those of
// another by whichever has time. It is for one goroutine, which reads a file.
// While too many wait, that one passes some on, too: nobody has to be woken,
// and no processor idles meanwhile. A connection's events are passed on in
// batches: when it ends, when they hold 64 KiB, when as many others have ended
// as have a batch, or when 256 have one.
type Parallel struct {
	sink    Sink
	ready   chan *parallelConn // that have batches, and no goroutine
	most    int64              // batches that wait
	waiting atomic.Int64       // batches
	fewer   chan struct{}      // than most wait again
	workers sync.WaitGroup
	open    map[*parallelConn]struct{} // connections that have a batch that is not full
	ended   int                        // connections, since all batches were passed on
}

// parallelConn is one connection.
type parallelConn struct {
	handle Handler // of the sink
	batch  *Batch  // to which events are added; nil when there are none

	mu      sync.Mutex
	waiting []*Batch // in order
	taken   bool     // it is in ready, or a goroutine works on it
}

// NewParallel returns a sink that passes events on to sink in n goroutines, of
// which the caller's is one unless it is the only one. The caller closes it
// after the last event.
func NewParallel(sink Sink, n int) *Parallel {
	p := &Parallel{
		sink:  sink,
		ready: make(chan *parallelConn, n*parallelQueue),
		most:  int64(n * parallelQueue),
		fewer: make(chan struct{}, 1),
		open:  make(map[*parallelConn]struct{}),
	}
	for range max(n-1, 1) {
		p.workers.Go(p.work)
	}
	return p
}

// work passes on what is ready, until Close.
func (p *Parallel) work() {
	for c := range p.ready {
		p.pass(c)
	}
}

// pass passes on the batches of a connection that wait.
func (p *Parallel) pass(c *parallelConn) {
	for b := c.next(); b != nil; b = c.next() {
		for i := range b.Events {
			c.handle(b.Events[i])
		}
		b.Free()
		if p.waiting.Add(-1) == p.most-1 {
			select {
			case p.fewer <- struct{}{}:
			default:
			}
		}
	}
}

// next takes the next batch out of those that wait; nil: there is none, and
// another goroutine may take the connection.
func (c *parallelConn) next() *Batch {
	c.mu.Lock()
	if len(c.waiting) == 0 {
		c.taken = false
		c.mu.Unlock()
		return nil
	}
	b := c.waiting[0]
	c.waiting = c.waiting[1:]
	c.mu.Unlock()
	return b
}

// Open implements Sink.
func (p *Parallel) Open(e Event) Handler {
	c := &parallelConn{handle: p.sink.Open(e)}
	return func(e Event) {
		if c.batch == nil {
			p.gather(c)
		}
		c.batch.Add(&e)
		ends := e.Kind == Close || e.Kind == CutOff
		if ends || c.batch.Size() > parallelBatch {
			p.handOn(c)
		}
		if ends {
			p.handOnOthers()
		}
	}
}

// gather begins a batch of c.
func (p *Parallel) gather(c *parallelConn) {
	if len(p.open) == parallelOpen {
		p.handOnAll()
	}
	c.batch = NewBatch()
	p.open[c] = struct{}{}
}

// handOn adds the batch of c to those that wait.
func (p *Parallel) handOn(c *parallelConn) {
	p.makeRoom()
	p.waiting.Add(1)
	c.mu.Lock()
	c.waiting = append(c.waiting, c.batch)
	taken := c.taken
	c.taken = true
	c.mu.Unlock()
	c.batch = nil
	delete(p.open, c)
	if !taken {
		p.ready <- c // it has room: each connection there has a batch that waits
	}
}

// makeRoom works on what is ready while there is no room for another batch.
func (p *Parallel) makeRoom() {
	for p.waiting.Load() >= p.most {
		select {
		case c := <-p.ready:
			p.pass(c)
		case <-p.fewer:
		}
	}
}

// handOnOthers passes all batches on once as many connections have ended as
// have one. What an open connection has begun, such as a session, is known then
// to those that have ended; and a batch more for each that ends costs little.
func (p *Parallel) handOnOthers() {
	if p.ended++; p.ended >= len(p.open) {
		p.handOnAll()
	}
}

func (p *Parallel) handOnAll() {
	p.ended = 0
	for c := range p.open {
		p.handOn(c)
	}
}

// Close passes on what waits, and returns when the sink has taken it.
func (p *Parallel) Close() {
	p.handOnAll()
	close(p.ready)
	p.work()
	p.workers.Wait()
}
