package wiretap

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestParallelKeepsOrder: connections that are interleaved, some of which never
// close, are each passed on whole, in order, and by one goroutine at a time.
func TestParallelKeepsOrder(t *testing.T) {
	const connections, messages = 40, 300
	var mu sync.Mutex
	got := make(map[int]*strings.Builder)
	s := NewParallel(sinkFunc(func(open Event) Handler {
		data := &strings.Builder{}
		mu.Lock()
		got[open.Exchange] = data
		mu.Unlock()
		return func(e Event) { data.WriteString(string(e.Data)) } // the race detector watches
	}), 3)
	var handlers []Handler
	for n := range connections {
		handlers = append(handlers, s.Open(Event{Kind: Open, Exchange: n}))
	}
	padding := strings.Repeat(".", 400) // so that some are passed on before their end
	buffer := make([]byte, 0, 512)
	for i := range messages {
		for _, handle := range handlers {
			buffer = fmt.Appendf(buffer[:0], "%d%s", i, padding)
			handle(Event{Kind: Data, Data: buffer})
		}
	}
	for n, handle := range handlers {
		if n%2 == 0 {
			handle(Event{Kind: Close})
		}
	}
	s.Close()
	var want strings.Builder
	for i := range messages {
		fmt.Fprintf(&want, "%d%s", i, padding)
	}
	for n := range connections {
		if got[n].String() != want.String() {
			t.Errorf("connection %d got %d bytes, other ones or in another order", n, got[n].Len())
		}
	}
}

// While the only other goroutine is held up, the one that reads the file passes
// on what others have said.
func TestParallelHelps(t *testing.T) {
	held := make(chan struct{})
	const connections = 4 * parallelQueue
	var passed atomic.Int64
	s := NewParallel(sinkFunc(func(open Event) Handler {
		return func(e Event) {
			if open.Exchange == 0 {
				<-held
			} else if passed.Add(1) == connections {
				close(held)
			}
		}
	}), 2)
	for n := range connections + 1 {
		s.Open(Event{Kind: Open, Exchange: n})(Event{Kind: Close})
		for n == 0 && len(s.ready) > 0 { // until the other goroutine has it
			runtime.Gosched()
		}
	}
	s.Close()
}
