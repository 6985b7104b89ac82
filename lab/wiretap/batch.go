package wiretap

import "sync"

// batch is a run of events and the memory of their data.
type batch struct {
	events []Event
	data   []byte
}

// batches are empty ones: most connections fit one, and are gone in a moment.
var batches = sync.Pool{New: func() any {
	return &batch{events: make([]Event, 0, 32), data: make([]byte, 0, 8<<10)}
}}

func (b *batch) add(e Event) {
	start := len(b.data)
	b.data = append(b.data, e.Data...)
	e.Data = b.data[start:len(b.data):len(b.data)]
	b.events = append(b.events, e)
}

// miss notes that the data of e is left out.
func (b *batch) miss(e Event) {
	if i := len(b.events) - 1; i >= 0 && b.events[i].Kind == Gap && b.events[i].From == e.From {
		b.events[i].Missing += int64(len(e.Data))
		return
	}
	e.Kind, e.Missing, e.Data = Gap, int64(len(e.Data)), nil
	b.events = append(b.events, e)
}

// maxPooled is the memory up to which a batch is used again, in bytes.
const maxPooled = 2 * spreadBatch

// free empties b, whose memory another connection may use from now on.
func (b *batch) free() {
	if cap(b.data) > maxPooled {
		return
	}
	clear(b.events)
	*b = batch{events: b.events[:0], data: b.data[:0]}
	batches.Put(b)
}
