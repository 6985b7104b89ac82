package wiretap

import (
	"fmt"
	"strings"
	"sync"
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
