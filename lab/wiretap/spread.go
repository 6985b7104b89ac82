package wiretap

import "sync"

const (
	spreadBatch = 64 << 10 // bytes of data of a connection that are handed on at once
	spreadQueue = 32       // batches that wait for each goroutine
)

// Spread is a sink that hands events on to another in several goroutines, the events of one connection in one of them
// and in order. Whoever is faster than they are waits. A connection's events are handed on when it closes, or when
// there are many. It is for one goroutine that reads a file.
type Spread struct {
	sink    Sink
	queues  []chan job
	workers sync.WaitGroup
	opened  int
	open    map[*spreading]struct{}
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
	s := &Spread{sink: sink, queues: make([]chan job, n), open: make(map[*spreading]struct{})}
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
	s.open[c] = struct{}{}
	return func(e Event) {
		if c.batch == nil {
			c.batch = NewBatch()
		}
		c.batch.Add(e)
		if e.Kind == Close {
			delete(s.open, c)
		}
		if e.Kind == Close || c.batch.Size() > spreadBatch {
			c.handOn()
		}
	}
}

func (c *spreading) handOn() {
	c.queue <- job{c.handle, c.batch}
	c.batch = nil
}

// Close hands on what waits, and returns when the sink has taken it.
func (s *Spread) Close() {
	for c := range s.open {
		if c.batch != nil {
			c.handOn()
		}
	}
	for _, queue := range s.queues {
		close(queue)
	}
	s.workers.Wait()
}
