package wiretap

import "sync"

// Batch is a run of events of one connection with copies of their data, for a
// sink that handles them later. Only one goroutine at a time may use it.
type Batch struct {
	Events []Event // their data is valid until Free
	data   []byte
}

// batches is a pool of empty batches: most connections fit in one, and end in a
// moment.
var batches = sync.Pool{New: func() any {
	return &Batch{Events: make([]Event, 0, 32), data: make([]byte, 0, 8<<10)}
}}

// NewBatch returns an empty batch. The caller frees it.
func NewBatch() *Batch { return batches.Get().(*Batch) }

// Add appends a copy of an event and of its data.
func (b *Batch) Add(e *Event) {
	start := len(b.data)
	b.data = append(b.data, e.Data...)
	b.Events = append(b.Events, *e)
	b.Events[len(b.Events)-1].Data = b.data[start:len(b.data):len(b.data)]
}

// Size returns the length of all data, in bytes.
func (b *Batch) Size() int { return len(b.data) }

// miss adds a Gap in place of e.
func (b *Batch) miss(e Event) {
	if i := len(b.Events) - 1; i >= 0 && b.Events[i].Kind == Gap && b.Events[i].From == e.From {
		b.Events[i].Missing += int64(len(e.Data))
		return
	}
	e.Kind, e.Missing, e.Data = Gap, int64(len(e.Data)), nil
	b.Events = append(b.Events, e)
}

// maxPooled is the memory up to which a batch is used again, in bytes.
const maxPooled = 2 * parallelBatch

// Free empties b, whose memory another connection may use from now on.
func (b *Batch) Free() {
	if cap(b.data) > maxPooled {
		return
	}
	clear(b.Events)
	*b = Batch{Events: b.Events[:0], data: b.data[:0]}
	batches.Put(b)
}
