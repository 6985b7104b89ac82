package capture

import (
	"maps"
	"slices"
	"time"
)

const (
	maxFragments    = 16 << 20         // bytes of fragments that wait for others; past it all of them are forgotten
	maxFragmentTime = 30 * time.Second // after which an identification is taken to be used again
	maxWhole        = 1 << 16          // bytes of a packet in fragments
	fragmentUnit    = 8                // bytes; offsets are multiples of it
)

// About the memory of these, in bytes, without the data.
const (
	piecesSize   = 256
	fragmentSize = 64
)

// fragments are packets of which some part has not come yet.
type fragments struct {
	packets map[fragmentKey]*pieces
	bytes   int // about, in all of them
	lost    int // fragments that were forgotten
}

// fragmentKey is what the fragments of a packet have in common.
type fragmentKey struct {
	from, to [16]byte
	id       uint32
	protocol protocol // that the packet is of
}

// pieces are the fragments of a packet. Those that bring no data are only
// counted, so that work and memory do not grow with them.
type pieces struct {
	data   map[int][]byte // the longest at each offset
	size   int            // about the memory, in bytes
	count  int            // of fragments
	length int            // of the packet in bytes; 0 while it is not known
	have   int            // bytes from the packet's beginning on that are there without a gap
	last   time.Time
}

type fragment struct {
	offset int // in bytes, a multiple of fragmentUnit
	data   []byte
}

// add keeps a copy of a fragment, behind which there are more or not, and
// returns the packet that it completes, or nil.
func (f *fragments) add(key fragmentKey, part fragment, more bool, now time.Time) []byte {
	if part.offset+len(part.data) > maxWhole {
		f.lost++
		return nil
	}
	p := f.packets[key]
	if p == nil || now.Sub(p.last) > maxFragmentTime {
		f.drop(key)
		p = &pieces{data: make(map[int][]byte), size: piecesSize}
		if f.packets == nil {
			f.packets = make(map[fragmentKey]*pieces)
		}
		f.packets[key] = p
		f.bytes += p.size
	}
	p.last = now
	if !more {
		p.length = part.offset + len(part.data)
	}
	before := p.size
	p.insert(part)
	f.bytes += p.size - before
	if p.length > 0 && p.have >= p.length {
		f.take(key)
		return p.whole()
	}
	if f.bytes > maxFragments {
		for key := range f.packets {
			f.drop(key)
		}
	}
	return nil
}

// take forgets the fragments of a packet and returns how many there were.
func (f *fragments) take(key fragmentKey) int {
	p := f.packets[key]
	if p == nil {
		return 0
	}
	f.bytes -= p.size
	delete(f.packets, key)
	return p.count
}

func (f *fragments) drop(key fragmentKey) { f.lost += f.take(key) }

// count returns how many fragments there are and were whose packet is not
// whole.
func (f *fragments) count() int {
	n := f.lost
	for _, p := range f.packets {
		n += p.count
	}
	return n
}

// insert keeps a copy of the data that the fragment at its offset did not have.
func (p *pieces) insert(part fragment) {
	p.count++
	known, ok := p.data[part.offset]
	if len(part.data) <= len(known) {
		return
	}
	if !ok {
		p.size += fragmentSize
	}
	p.size += len(part.data) - len(known)
	p.data[part.offset] = append(known, part.data[len(known):]...)
	if part.offset > p.have {
		return
	}
	next := p.have + fragmentUnit - p.have%fragmentUnit // what began before has been counted
	p.have = max(p.have, part.offset+len(part.data))
	for ; next <= p.have; next += fragmentUnit {
		p.have = max(p.have, next+len(p.data[next]))
	}
}

// whole returns the packet, all of which is there. Of bytes that came twice
// those of the fragment that begins first count.
func (p *pieces) whole() []byte {
	whole := make([]byte, 0, p.length)
	for _, offset := range slices.Sorted(maps.Keys(p.data)) {
		if offset >= p.length {
			break
		}
		if old := len(whole) - offset; old < len(p.data[offset]) {
			whole = append(whole, p.data[offset][old:]...)
		}
	}
	return whole[:p.length]
}
