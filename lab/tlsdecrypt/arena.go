package tlsdecrypt

import (
	"sync"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// arena is the memory of one connection: what its messages consist of, which
// stays as long as the Connection, and buffers for reading it, which do not.
// Allocating it anew for each connection takes a third of the time that a
// connection takes in all: see [Connection.Release].
type arena struct {
	messages   slab[Message]
	handshakes slab[tlswire.Handshake]
	extensions tlswire.Memory
	spans      slab[Span]
	bytes      slab[byte] // of handshake messages
	states     slab[handshake]
	lists      slab[*Message]

	keys      slab[protectionTLS13]
	stages    stages
	records   endpoint.Pair[[]byte]                  // the start of a record
	pending   endpoint.Pair[tlswire.HandshakeReader] // the start of a handshake message
	plaintext []byte                                 // of the latest record
}

// The sizes of an arena's blocks: a handshake with client certificates takes
// two or three of each.
const (
	messageBlock = 6
	stateBlock   = 2
	spanBlock    = 8
	byteBlock    = 2 << 10
	listBlock    = 2 * usualMessages // for a connection and for its handshake
	keyBlock     = 4
)

// maxBlocks is how many blocks of each kind, and maxBuffer how many bytes of
// each buffer, are kept for another connection.
const (
	maxBlocks = 8
	maxBuffer = 32 << 10
)

var arenas = sync.Pool{New: func() any { return new(arena) }}

// Release lets other connections use the memory of c. Nothing that c refers to
// may be used afterwards, nor by a copy of it. It need not be called: then the
// memory is c's own.
func (c *Connection) Release() {
	if a := c.arena; a != nil {
		c.arena, c.Messages, c.handshakes = nil, nil, nil
		a.reset()
		arenas.Put(a)
	}
}

// Trim gives up the buffers with which c was read: call it for a Connection
// that is kept for long. Release does nothing afterwards.
func (c *Connection) Trim() { c.arena = nil }

func (a *arena) reset() {
	a.messages.reset()
	a.handshakes.reset()
	a.extensions.Reset()
	a.spans.reset()
	a.bytes.reset()
	a.states.reset()
	a.lists.reset()
	for _, b := range []*[]byte{&a.records.Client, &a.records.Server, &a.plaintext} {
		if cap(*b) > maxBuffer {
			*b = nil
		}
	}
}

// slab is memory for items, in blocks.
type slab[T any] struct {
	blocks [][]T
	used   int // blocks
}

// add stores an item in a block of size items or more.
func (s *slab[T]) add(size int, item *T) *T {
	b := s.block(size, 1)
	*b = append(*b, *item)
	return &(*b)[len(*b)-1]
}

// keep stores items one after the other, in a block of size items or more. The
// result does not grow in place.
func (s *slab[T]) keep(size int, items ...T) []T {
	b := s.block(size, len(items))
	*b = append(*b, items...)
	return (*b)[len(*b)-len(items) : len(*b) : len(*b)]
}

// reserve returns room for n items, to be appended, in a block of size items or
// more.
func (s *slab[T]) reserve(size, n int) []T {
	b := s.block(size, n)
	start := len(*b)
	*b = (*b)[:start+n]
	return (*b)[start : start : start+n]
}

// block returns a block with room for n items, of size items if it is new and
// that is enough.
func (s *slab[T]) block(size, n int) *[]T {
	for {
		if s.used > 0 {
			if b := &s.blocks[s.used-1]; cap(*b)-len(*b) >= n {
				return b
			}
		}
		if s.used == len(s.blocks) {
			s.blocks = append(s.blocks, make([]T, 0, max(size, n)))
		}
		s.used++
	}
}

// reset empties a slab.
func (s *slab[T]) reset() {
	s.blocks = s.blocks[:min(len(s.blocks), maxBlocks)]
	for i := range s.blocks {
		clear(s.blocks[i])
		s.blocks[i] = s.blocks[i][:0]
	}
	s.used = 0
}
