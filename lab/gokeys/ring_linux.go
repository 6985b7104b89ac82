//go:build amd64 || arm64

package gokeys

import (
	"os"
	"sync"
	"time"
)

// A ring takes the secrets of a program without a stop: code in the program
// stores them in memory of its own, and lab reads that every now and then. When
// the ring is full, the code meets a breakpoint, at which lab empties it.
//
// A program that executes another, or is killed, has its ring read before its
// memory is gone: its threads stop once more when they end, and Go's runtime
// has several. A process that was forked has a copy that is not read, but Go's
// runtime does not work in one before it executes another program.
//
// Layout: the number of the next secret, a mask for slots, the address of the
// slots, and at ringHeader the sequence number of each slot; then the slots. A
// slot has the sizes of the label and of the secret, the client random, the
// label and the secret.
type ring struct {
	memory *os.File            // of the program
	start  uint64              // its address there
	slots  uint64              // a power of two, not 1
	stops  map[uint64]struct{} // addresses of breakpoints in lab's code
	jumps  map[uint64]struct{} // and of the functions that lead there
	stored chan struct{}       // has something when secrets are likely to come

	mu   sync.Mutex
	tail uint64 // the number of the first secret that was not taken yet
	read []byte
}

const (
	ringHeader = 64
	slotSize   = 128
	slotRandom = 16
	slotLabel  = 48
	slotBytes  = 80
	closedRing = 1 << 63 // a next number that no slot has
)

// ringSlots is how many secrets a program can store between two reads.
var ringSlots uint64 = 512

// Pauses between two reads: while secrets come, and of an idle program.
const (
	shortPause = 20 * time.Millisecond
	longPause  = 100 * time.Millisecond
)

func (r *ring) sequence(n uint64) uint64 { return r.start + ringHeader + n%r.slots*8 }
func (r *ring) slot(n uint64) uint64 {
	return r.start + ringHeader + r.slots*8 + n%r.slots*slotSize
}

// write initialises the ring.
func (r *ring) write() error {
	b := byteOrder.AppendUint64(nil, 0)
	b = byteOrder.AppendUint64(b, r.slots-1)
	b = byteOrder.AppendUint64(b, r.slot(0))
	b = append(b, make([]byte, ringHeader-len(b))...)
	for n := range r.slots {
		b = byteOrder.AppendUint64(b, n)
	}
	_, err := r.memory.WriteAt(b, int64(r.start))
	return err
}

// take returns the secrets that are there, in their order, and makes their
// slots empty. Where a thread is just storing one, it goes on with the next.
// The error says that the program has ended.
func (r *ring) take() (secrets []secret, err error) {
	if r.read == nil {
		r.read = make([]byte, ringHeader+8*r.slots)
	}
	if _, err := r.memory.ReadAt(r.read, int64(r.start)); err != nil {
		return nil, err
	}
	sequence := func(n uint64) uint64 { return byteOrder.Uint64(r.read[ringHeader+n%r.slots*8:]) }
	next := min(byteOrder.Uint64(r.read), r.tail+r.slots)
	for n := r.tail; n < next; {
		first := n
		for n < next && sequence(n) == n+1 && n%r.slots >= first%r.slots {
			n++
		}
		if n == first { // being stored, or taken before
			n++
			continue
		}
		some, err := r.takeSome(first, n)
		if err != nil {
			return secrets, err
		}
		secrets = append(secrets, some...)
		for ; first < n; first++ {
			byteOrder.PutUint64(r.read[ringHeader+first%r.slots*8:], first+r.slots)
		}
	}
	for r.tail < next && sequence(r.tail) == r.tail+r.slots {
		r.tail++
	}
	return secrets, nil
}

// takeSome takes the secrets from one number to another, whose slots are one
// after the other. It overwrites them before the program may use them again.
func (r *ring) takeSome(from, to uint64) (secrets []secret, err error) {
	b := make([]byte, (to-from)*slotSize)
	if _, err := r.memory.ReadAt(b, int64(r.slot(from))); err != nil {
		return nil, err
	}
	if _, err := r.memory.WriteAt(make([]byte, len(b)), int64(r.slot(from))); err != nil {
		return nil, err
	}
	var empty []byte
	for n := from; n < to; n++ {
		s := b[(n-from)*slotSize:][:slotSize]
		label := min(byteOrder.Uint64(s), slotBytes-slotLabel)
		size := min(byteOrder.Uint64(s[8:]), slotSize-slotBytes)
		secrets = append(secrets, secret{s[slotLabel:][:label], s[slotRandom:slotLabel], s[slotBytes:][:size]})
		empty = byteOrder.AppendUint64(empty, n+r.slots)
	}
	_, err = r.memory.WriteAt(empty, int64(r.sequence(from)))
	return secrets, err
}

// drain logs the secrets that are in a ring, and reports whether there were
// any.
func (t *Trace) drain(r *ring) (found bool, err error) {
	if r == nil {
		return false, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	secrets, err := r.take()
	t.log(false, secrets...)
	return len(secrets) > 0, err
}

// empty drains a ring every now and then, until its program or the trace ends.
func (t *Trace) empty(r *ring) {
	defer r.memory.Close()
	for pause := shortPause; ; {
		select {
		case <-t.ended:
			return
		case <-r.stored:
			pause = shortPause
		case <-time.After(pause):
		}
		switch found, err := t.drain(r); {
		case err != nil:
			return
		case found:
			pause = shortPause
		default:
			pause = min(2*pause, longPause)
		}
	}
}

// stores reports whether the function at an address stores its secrets. r may
// be nil.
func (r *ring) stores(function uint64) bool {
	if r == nil {
		return false
	}
	_, does := r.jumps[function]
	return does
}

// expect has a ring be read soon. r may be nil.
func (r *ring) expect() {
	if r == nil {
		return
	}
	select {
	case r.stored <- struct{}{}:
	default:
	}
}

// close has the program store no more secrets, and meet no more breakpoints in
// lab's code. The jump to the code stays: threads may be on their way.
func (r *ring) close(tid int) {
	for address := range r.stops {
		_ = poke(tid, address, doNothing)
	}
	_, _ = r.memory.WriteAt(byteOrder.AppendUint64(nil, closedRing), int64(r.start)) // it may have ended
}
