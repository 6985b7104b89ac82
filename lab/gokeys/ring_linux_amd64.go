package gokeys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/text"
)

// Layout of lab's memory in a program: a page for code, and the ring.
const (
	codeSize = 4096
	distance = 1 << 20 // from the program, below it
	lowest   = 1 << 16 // vm.mmap_min_addr
	jump     = 0xe9
)

var doNothing = []byte{0x90}

// storeSecretAt is the code of storeSecret, with some bytes behind it.
var storeSecretAt *[512]byte

// What storeSecret has in place of the first instruction of the function that
// it is for, of the ring's address, and of the address where the function goes
// on. The last one is its end.
const (
	firstThere = 0x9090909090909090
	ringThere  = 0x52494e4752494e47
	onThere    = 0x474f4f4e474f4f4e
	endThere   = 0x454e4445454e4445
)

// storeSecret returns the code for a function whose first instruction is at an
// address, and the offset of the breakpoint in it.
func storeSecret(ring, function uint64, first []byte) (code []byte, stop uint64) {
	place := func(pattern uint64) int {
		return bytes.Index(storeSecretAt[:], binary.LittleEndian.AppendUint64(nil, pattern))
	}
	code = bytes.Clone(storeSecretAt[:place(endThere)])
	copy(code[place(firstThere):], first)
	binary.LittleEndian.PutUint64(code[place(ringThere):], ring)
	binary.LittleEndian.PutUint64(code[place(onThere):], function+uint64(len(first)))
	return code, uint64(bytes.LastIndex(code, trap))
}

// install has a program that has just begun to execute store its secrets in a
// ring. It sets i.ring, and a jump in each function that it can; the jump
// covers one instruction, so that no thread comes back to its middle. Programs
// with a seccomp filter of their own might be killed for the system calls: they
// get breakpoints.
func (t *Trace) install(tid int, i *image) {
	var functions []uint64
	for address, b := range i.breakpoints {
		if b.storable && b.isWide() {
			functions = append(functions, address)
		}
	}
	if len(functions) == 0 || !bytes.Equal(filters(tid), filters(os.Getpid())) {
		return
	}
	r, err := mapRing(tid, functions[0])
	if err != nil {
		return
	}
	i.ring = r
	at := r.start - codeSize
	for _, function := range functions {
		code, stop := storeSecret(r.start, function, i.breakpoints[function].code)
		way := binary.LittleEndian.AppendUint32([]byte{jump}, uint32(at-function-jumpSize))
		if at+uint64(len(code)) > r.start || poke(tid, at, code) != nil || poke(tid, function, way) != nil {
			break
		}
		r.stops[at+stop] = struct{}{}
		r.jumps[function] = struct{}{}
		at += uint64(len(code))
	}
	go t.empty(r)
}

// mapRing has a program map a page for code, and a ring behind it. It is near
// enough to a function for a jump from there.
func mapRing(tid int, function uint64) (*ring, error) {
	r := &ring{slots: ringSlots, stops: make(map[uint64]struct{}), jumps: make(map[uint64]struct{}), stored: make(chan struct{}, 1)}
	size := ringHeader + r.slots*(8+slotSize)
	start, err := roomBelow(tid, function, codeSize+size)
	if err != nil {
		return nil, err
	}
	r.start = start + codeSize
	const private = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_FIXED_NOREPLACE
	s := newStepper(tid)
	isMapped := s.call(unix.SYS_MMAP, start, codeSize, unix.PROT_READ|unix.PROT_EXEC, private, ^uint64(0), 0) == start &&
		s.call(unix.SYS_MMAP, r.start, size, unix.PROT_READ|unix.PROT_WRITE, private, ^uint64(0), 0) == r.start
	s.finish()
	if !isMapped { // an older kernel may have put it elsewhere, where it does no harm
		return nil, errors.ErrUnsupported
	}
	if r.memory, err = os.OpenFile(fmt.Sprintf("/proc/%d/mem", tid), os.O_RDWR, 0); err != nil {
		return nil, err
	}
	if err := r.write(); err != nil {
		r.memory.Close()
		return nil, err
	}
	return r, nil
}

// original returns what a breakpoint that is there has replaced: the first byte
// of the function, or that of a jump, which an earlier lab has left behind it.
func original(there, code []byte) []byte {
	if len(code) >= jumpSize && !bytes.Equal(there[1:], code[1:]) {
		return []byte{jump}
	}
	return code[:len(trap)]
}

// Fields of proc_pid_status(5) and proc_pid_maps(5).
var (
	seccomp = text.Pattern(`(?m)^Seccomp.*$`)
	mapping = text.Pattern(`(?m)^([0-9a-f]+)-([0-9a-f]+) `)
)

// filters returns how many seccomp filters a process has. Those of its own are
// behind those that it was started with.
func filters(pid int) []byte { return bytes.Join(seccomp().FindAll(statusOf(pid), -1), nil) }

// roomBelow returns an address for lab's memory, below the part of the program
// that has a function, and near enough for a jump from there.
func roomBelow(tid int, function, size uint64) (uint64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", tid))
	if err != nil {
		return 0, err
	}
	size = (size + codeSize - 1) &^ (codeSize - 1)
	var ends, start uint64 // of what is below, and of the program
	for _, found := range mapping().FindAllSubmatch(maps, -1) {
		var from, to uint64
		if _, err := fmt.Sscanf(string(found[1])+" "+string(found[2]), "%x %x", &from, &to); err != nil {
			return 0, err
		}
		if from > function {
			break
		}
		if from-ends > 2*distance || start == 0 {
			start = from // a gap is below it
		}
		ends = to
	}
	if start < lowest+size {
		return 0, errors.New("no room")
	}
	if start < distance+lowest+size {
		return start - size, nil
	}
	return start - distance - size, nil
}
