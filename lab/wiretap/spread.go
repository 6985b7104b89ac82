package wiretap

import "sync"

const (
	spreadBatch = 64 << 10 // bytes of data of a connection that are handed on at once
	spreadQueue = 32       // batches that wait for each goroutine
	spreadOpen  = 256      // connections that have a batch; past it all are handed on
)

// Spread is a sink that hands events on to another in several goroutines, the events of one connection in one of them
// and in order. Whoever is faster than they are waits. A connection's events are handed on when it ends, or when
// there are many, or many connections. It is for one goroutine that reads a file.
type Spread struct {
	sink    Sink
	queues  []chan job
	workers sync.WaitGroup
	opened  int
	waiting map[*spreading]struct{} // connections that have a batch
}

// spreading is one connection.
type spreading struct {
	handle Handler // of the sink
	queue  chan job
	batch  *Batch // nil when nothing waits
}

type job struct {
	handle Handler
	*Batch
}

// NewSpread returns a sink that hands events on to sink in n goroutines. The caller closes it after the last event.
func NewSpread(sink Sink, n int) *Spread {
	s := &Spread{sink: sink, queues: make([]chan job, n), waiting: make(map[*spreading]struct{})}
	for i := range s.queues {
		queue := make(chan job, spreadQueue)
		s.queues[i] = queue
		s.workers.Go(func() {
			for j := range queue {
				for _, e := range j.Events {
					j.handle(e)
				}
				j.Free()
			}
		})
	}
	return s
}

// Open implements Sink.
func (s *Spread) Open(e Event) Handler {
	c := &spreading{handle: s.sink.Open(e), queue: s.queues[s.opened%len(s.queues)]}
	s.opened++
	return func(e Event) {
		if c.batch == nil {
			s.gather(c)
		}
		c.batch.Add(e)
		if e.Kind == Close || e.Kind == CutOff || c.batch.Size() > spreadBatch {
			s.handOn(c)
		}
	}
}

// gather begins a batch of c.
func (s *Spread) gather(c *spreading) {
	if len(s.waiting) == spreadOpen {
		s.handOnAll()
	}
	c.batch = NewBatch()
	s.waiting[c] = struct{}{}
}

func (s *Spread) handOn(c *spreading) {
	c.queue <- job{c.handle, c.batch}
	c.batch = nil
	delete(s.waiting, c)
}

func (s *Spread) handOnAll() {
	for c := range s.waiting {
		s.handOn(c)
	}
}

// Close hands on what waits, and returns when the sink has taken it.
func (s *Spread) Close() {
	s.handOnAll()
	for _, queue := range s.queues {
		close(queue)
	}
	s.workers.Wait()
}
