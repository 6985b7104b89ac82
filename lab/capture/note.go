package capture

import "sync"

// note is a piece of memory for what is kept of a handshake. A nil note is an empty one.
type note struct{ b []byte }

// notes are empty ones: most of what is kept is forgotten in a moment.
var notes = sync.Pool{New: func() any { return &note{make([]byte, 0, 2<<10)} }}

// add returns n with p appended.
func (n *note) add(p []byte) *note {
	if n == nil {
		n = notes.Get().(*note)
	}
	n.b = append(n.b, p...)
	return n
}

func (n *note) bytes() []byte {
	if n == nil {
		return nil
	}
	return n.b
}

// free returns n's memory, which another connection may use from now on.
func (n *note) free() {
	if n != nil && cap(n.b) <= maxPooled {
		n.b = n.b[:0]
		notes.Put(n)
	}
}
