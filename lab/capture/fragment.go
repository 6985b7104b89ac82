package capture

import (
	"bytes"
	"slices"
	"time"
)

const (
	maxFragments    = 16 << 20         // bytes of fragments that wait for others; past it all of them are forgotten
	maxFragmentTime = 30 * time.Second // after which an identification is taken to be used again
	maxWhole        = 1 << 16          // bytes of a packet in fragments
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

// pieces are the fragments of a packet, by offset.
type pieces struct {
	fragments []fragment
	length    int // of the packet in bytes; 0 while it is not known
	have      int // bytes in fragments
	last      time.Time
}

type fragment struct {
	offset int // in bytes
	data   []byte
}

// add keeps a copy of a fragment, behind which there are more or not, and returns the packet that it completes, or nil.
func (f *fragments) add(key fragmentKey, part fragment, more bool, now time.Time) []byte {
	if part.offset+len(part.data) > maxWhole {
		f.lost++
		return nil
	}
	p := f.packets[key]
	if p == nil || now.Sub(p.last) > maxFragmentTime {
		f.drop(key)
		p = &pieces{}
		if f.packets == nil {
			f.packets = make(map[fragmentKey]*pieces)
		}
		f.packets[key] = p
	}
	p.last = now
	if !more {
		p.length = part.offset + len(part.data)
	}
	part.data = bytes.Clone(part.data)
	p.insert(part)
	f.bytes += part.size()
	if whole := p.whole(); whole != nil {
		f.take(key)
		return whole
	}
	if f.bytes > maxFragments {
		for key := range f.packets {
			f.drop(key)
		}
	}
	return nil
}

// size is about the memory of a fragment, in bytes.
func (f *fragment) size() int { return 64 + len(f.data) }

// take forgets the fragments of a packet and returns how many there were.
func (f *fragments) take(key fragmentKey) int {
	p := f.packets[key]
	if p == nil {
		return 0
	}
	for i := range p.fragments {
		f.bytes -= p.fragments[i].size()
	}
	delete(f.packets, key)
	return len(p.fragments)
}

func (f *fragments) drop(key fragmentKey) { f.lost += f.take(key) }

// count returns how many fragments there are and were whose packet is not whole.
func (f *fragments) count() int {
	n := f.lost
	for _, p := range f.packets {
		n += len(p.fragments)
	}
	return n
}

func (p *pieces) insert(part fragment) {
	i, _ := slices.BinarySearchFunc(p.fragments, part.offset+1, func(f fragment, at int) int { return f.offset - at })
	p.fragments = slices.Insert(p.fragments, i, part)
	p.have += len(part.data)
}

// whole returns the packet if all of it is there. Of bytes that came twice the first in the packet count.
func (p *pieces) whole() []byte {
	if p.length == 0 || p.have < p.length {
		return nil
	}
	whole := make([]byte, 0, p.length)
	for _, part := range p.fragments {
		old := len(whole) - part.offset
		if old < 0 {
			return nil
		}
		if old < len(part.data) {
			whole = append(whole, part.data[old:]...)
		}
	}
	if len(whole) < p.length {
		return nil
	}
	return whole[:p.length]
}
