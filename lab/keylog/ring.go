package keylog

// ring holds the latest items. The zero value is empty.
type ring[T any] struct {
	items []T
	next  int // index of the oldest, once it is full
}

// push adds an item. When there are size already, it takes the place of the
// oldest, which is returned.
func (r *ring[T]) push(item T, size int) (oldest T, full bool) {
	if len(r.items) < size {
		r.items = append(r.items, item)
		return oldest, false
	}
	oldest, r.items[r.next] = r.items[r.next], item
	r.next = (r.next + 1) % size
	return oldest, true
}
