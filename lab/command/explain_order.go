package command

import "slices"

// turns is the order in which the connections of a file are shown: that in
// which they were opened, or that in which they ended.
type turns struct {
	asOpened bool
	next     int   // without a gap, all before it have had their turn
	waiting  []int // for those that were opened before them, lowest first
	due      []int // whose turn it is
}

// mostWaiting is how many connections wait at most for one that was opened
// before them, and may last.
const mostWaiting = 64

// end takes a stream that has ended. It is called in the order in which streams
// end, so that each reading of a file shows them in the same order.
func (t *turns) end(stream int) {
	if !t.asOpened {
		t.due = append(t.due, stream)
		return
	}
	i, _ := slices.BinarySearch(t.waiting, stream)
	t.waiting = slices.Insert(t.waiting, i, stream)
	for len(t.waiting) > 0 && (t.waiting[0] <= t.next || len(t.waiting) > mostWaiting) {
		t.due = append(t.due, t.waiting[0])
		t.next = max(t.next, t.waiting[0]+1)
		t.waiting = slices.Delete(t.waiting, 0, 1)
	}
}
