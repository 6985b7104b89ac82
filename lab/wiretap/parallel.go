package wiretap

import "sync"

const (
	parallelBatch = 64 << 10 // bytes of data of a connection that are passed on in one batch
	parallelQueue = 16       // batches that wait for each goroutine
	parallelOpen  = 256      // connections that have a batch; beyond that all batches are passed on
)

// Parallel is a sink that passes events on to another in several goroutines,
// the events of one connection in one of them and in order. It blocks while
// their queues are full. A connection's events are passed on in batches: when
// it ends, when they hold 64 KiB, or when 256 connections have a batch. It is
// for one goroutine, which reads a file.
type Parallel struct {
	sink    Sink
	queues  []chan job
	workers sync.WaitGroup
	opened  int
	waiting map[*parallelConn]struct{} // connections that have a batch
}

// parallelConn is one connection.
type parallelConn struct {
	handle Handler // of the sink
	queue  chan job
	batch  *Batch // nil when nothing waits
}

type job struct {
	handle Handler
	*Batch
}

// NewParallel returns a sink that passes events on to sink in n goroutines. The
// caller closes it after the last event.
func NewParallel(sink Sink, n int) *Parallel {
	p := &Parallel{sink: sink, queues: make([]chan job, n), waiting: make(map[*parallelConn]struct{})}
	for i := range p.queues {
		queue := make(chan job, parallelQueue)
		p.queues[i] = queue
		p.workers.Go(func() {
			for j := range queue {
				for _, e := range j.Events {
					j.handle(e)
				}
				j.Free()
			}
		})
	}
	return p
}

// Open implements Sink.
func (p *Parallel) Open(e Event) Handler {
	c := &parallelConn{handle: p.sink.Open(e), queue: p.queues[p.opened%len(p.queues)]}
	p.opened++
	return func(e Event) {
		if c.batch == nil {
			p.gather(c)
		}
		c.batch.Add(e)
		if e.Kind == Close || e.Kind == CutOff || c.batch.Size() > parallelBatch {
			p.handOn(c)
		}
	}
}

// gather begins a batch of c.
func (p *Parallel) gather(c *parallelConn) {
	if len(p.waiting) == parallelOpen {
		p.handOnAll()
	}
	c.batch = NewBatch()
	p.waiting[c] = struct{}{}
}

func (p *Parallel) handOn(c *parallelConn) {
	c.queue <- job{c.handle, c.batch}
	c.batch = nil
	delete(p.waiting, c)
}

func (p *Parallel) handOnAll() {
	for c := range p.waiting {
		p.handOn(c)
	}
}

// Close passes on what waits, and returns when the sink has taken it.
func (p *Parallel) Close() {
	p.handOnAll()
	for _, queue := range p.queues {
		close(queue)
	}
	p.workers.Wait()
}
