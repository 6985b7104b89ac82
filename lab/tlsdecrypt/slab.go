package tlsdecrypt

// slabSize is how many items are allocated at a time: about half of what a
// handshake with client certificates has.
const slabSize = 6

// slab allocates items several at a time, which costs less than one by one.
// They are freed together.
type slab[T any] []T

// add stores an item and returns where.
func (s *slab[T]) add(item T) *T {
	if len(*s) == cap(*s) {
		*s = make([]T, 0, slabSize)
	}
	*s = append(*s, item)
	return &(*s)[len(*s)-1]
}

// one stores an item and returns it as a slice that does not grow in place.
func (s *slab[T]) one(item T) []T {
	s.add(item)
	return (*s)[len(*s)-1 : len(*s) : len(*s)]
}
