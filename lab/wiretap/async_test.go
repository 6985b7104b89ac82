package wiretap

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// TestAsyncKeepsOrder has many connections at once, each of which must be
// passed on whole and in order.
func TestAsyncKeepsOrder(t *testing.T) {
	const connections, messages = 50, 200
	var mu sync.Mutex
	got := make(map[int]string)
	closed := 0
	b := NewAsync(sinkFunc(func(open Event) Handler {
		return func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			got[open.Exchange] += string(e.Data)
			if e.Kind == Close {
				closed++
			}
		}
	}))
	var all sync.WaitGroup
	for n := range connections {
		all.Go(func() {
			handle := b.Open(Event{Kind: Open, Exchange: n})
			buffer := make([]byte, 0, 16) // used again, as a caller may
			for i := range messages {
				buffer = fmt.Appendf(buffer[:0], "%d.", i)
				handle(Event{Kind: Data, Data: buffer})
			}
			handle(Event{Kind: Close})
		})
	}
	all.Wait()
	b.Close()
	var want strings.Builder
	for i := range messages {
		fmt.Fprintf(&want, "%d.", i)
	}
	for n := range connections {
		if got[n] != want.String() {
			t.Errorf("connection %d was passed on as %q", n, got[n])
		}
	}
	if closed != connections {
		t.Errorf("%d of %d connections were passed on as closed", closed, connections)
	}
}

// TestAsyncOpen: the events of a connection that stays open are passed on too.
func TestAsyncOpen(t *testing.T) {
	r := &recorder{}
	b := NewAsync(r)
	defer b.Close()
	b.Open(Event{Kind: Open})(Event{Kind: Data, Data: []byte("hello")})
	peertest.Eventually(t, "the data of an open connection", func() bool { return len(r.story()) == 2 })
}

// TestAsyncDoesNotBlock: a sink that blocks does not block the connections, and
// what it misses is a Gap.
func TestAsyncDoesNotBlock(t *testing.T) {
	release := make(chan struct{})
	var data, missing int64
	var last Event
	b := NewAsync(sinkFunc(func(Event) Handler {
		return func(e Event) {
			<-release
			data, missing, last = data+int64(len(e.Data)), missing+e.Missing, e
		}
	}))
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	const connections, chunks = 20, 5
	for range connections {
		handle := b.Open(Event{Kind: Open})
		for range chunks {
			handle(Event{Kind: Data, Data: chunk})
		}
		handle(Event{Kind: Close})
	}
	close(release)
	b.Close()
	if data > asyncWaiting || data+missing != connections*chunks<<20 {
		t.Errorf("%d bytes were passed on and %d were missing, of %d", data, missing, connections*chunks<<20)
	}
	if n := b.waiting.Load(); n != 0 {
		t.Errorf("%d bytes count as waiting for ever", n)
	}
	if last.Kind != Close {
		t.Errorf("the last event is %v", last.Kind)
	}
}

type sinkFunc func(Event) Handler

func (f sinkFunc) Open(e Event) Handler { return f(e) }
