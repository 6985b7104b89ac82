package gokeys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"regexp"

	"golang.org/x/sys/unix"
)

// Handshakes of TLS 1.3 come to writeKeyLog twice with two secrets, one right
// after the other: the client's, then the server's. A stop for each would cost
// a fifth of what a program does. So at the first breakpoint that a program
// meets, a jump to code of lab's takes its place, in memory that the program
// was made to map: it stores the client's secret in a slot, and has a breakpoint
// for all others, where lab gets both.
//
// The jump covers one instruction, so that no thread can be in the middle of
// what it covers. Where that is too short, or the program has a seccomp filter,
// which might kill it for the system calls, the breakpoint stays.

// Layout of lab's memory in the program: a page for code, and slots.
const (
	codeSize  = 4096
	slots     = 64
	slotSize  = 128
	copySize  = codeSize + slots*slotSize
	distance  = 1 << 20 // from the program, below it
	lowest    = 1 << 16 // vm.mmap_min_addr
	jumpSize  = 5
	jump      = 0xe9
	doNothing = 0x90
	nobody    = 1 // the user of a slot that nobody can use any more: no goroutine has its descriptor there
)

// A slot has the descriptor g of the goroutine that uses it, or 0; the sizes of
// the label and of the secret; the client random; and the secret.
const (
	slotLabel  = 8
	slotSecret = 16
	slotRandom = 32
	slotBytes  = 64
)

// slotOf returns the offset of a goroutine's slot.
func slotOf(g uint64) uint64 { return g >> 8 % slots * slotSize }

// copyCode returns lab's code, which is at an address, and the offset of its
// breakpoint. first is the instruction of the function that the code is for,
// and next is where the function goes on behind that. The code may change R13
// and X0, which Go's ABIInternal lets a function do.
func copyCode(address, next uint64, first []byte) (code []byte, stop uint64) {
	const jbe, je, jne, always = 0x86, 0x84, 0x85, jump
	var constant, done, toStop []int // where their distances are to be
	emit := func(b ...byte) { code = append(code, b...) }
	to := func(where *[]int, condition byte) {
		if condition == always {
			emit(jump, 0, 0, 0, 0)
		} else {
			emit(0x0f, condition, 0, 0, 0, 0)
		}
		*where = append(*where, len(code)-4)
	}
	here := func(where []int) {
		for _, at := range where {
			binary.LittleEndian.PutUint32(code[at:], uint32(len(code)-at-4))
		}
	}
	slot := func() { // R13 = slot of R14
		emit(0x4d, 0x89, 0xf5)       // MOVQ R14, R13
		emit(0x49, 0xc1, 0xed, 8)    // SHRQ $8, R13
		emit(0x41, 0x83, 0xe5, 0x3f) // ANDL $63, R13
		emit(0x49, 0xc1, 0xe5, 7)    // SHLQ $7, R13
		emit(0x4c, 0x03, 0x2d, 0, 0, 0, 0)
		constant = append(constant, len(code)-4) // ADDQ slots(PC), R13
	}
	emit(first...)                        // LEAQ frame(SP), R12
	emit(0x4d, 0x3b, 0x66, 0x10)          // CMPQ R12, 16(R14)
	to(&done, jbe)                        // JBE: the function comes back with a larger stack
	emit(0x48, 0x83, 0xf9, 31)            // CMPQ CX, $31: CLIENT_HANDSHAKE_TRAFFIC_SECRET
	emit(0x74, 10)                        // JEQ over the next two
	emit(0x48, 0x83, 0xf9, 23)            // CMPQ CX, $23: CLIENT_TRAFFIC_SECRET_0
	to(&toStop, jne)                      //
	emit(0x80, 0x3b, 'C')                 // CMPB (BX), $'C'
	to(&toStop, jne)                      //
	emit(0x48, 0x83, 0xfe, 32)            // CMPQ SI, $32
	to(&toStop, jne)                      //
	emit(0x49, 0x83, 0xfa, 32)            // CMPQ R10, $32
	emit(0x74, 10)                        // JEQ over the next two
	emit(0x49, 0x83, 0xfa, 48)            // CMPQ R10, $48
	to(&toStop, jne)                      //
	slot()                                //
	emit(0x66, 0x48, 0x0f, 0x6e, 0xc0)    // MOVQ AX, X0
	emit(0x31, 0xc0)                      // XORL AX, AX
	emit(0xf0, 0x4d, 0x0f, 0xb1, 0x75, 0) // LOCK CMPXCHGQ R14, (R13)
	emit(0x66, 0x48, 0x0f, 0x7e, 0xc0)    // MOVQ X0, AX
	to(&toStop, jne)                      //
	emit(0x49, 0x89, 0x4d, slotLabel)     // MOVQ CX, 8(R13)
	emit(0x4d, 0x89, 0x55, slotSecret)    // MOVQ R10, 16(R13)
	for at := range byte(2) {             // the random
		emit(0xf3, 0x0f, 0x6f, 0x47, 16*at)                  // MOVOU 16*at(DI), X0
		emit(0xf3, 0x41, 0x0f, 0x7f, 0x45, slotRandom+16*at) // MOVOU X0, …(R13)
	}
	for at := range byte(3) { // the secret
		if at == 2 {
			emit(0x49, 0x83, 0xfa, 32) // CMPQ R10, $32
			to(&done, je)
		}
		emit(0xf3, 0x41, 0x0f, 0x6f, 0x41, 16*at)           // MOVOU 16*at(R9), X0
		emit(0xf3, 0x41, 0x0f, 0x7f, 0x45, slotBytes+16*at) // MOVOU X0, …(R13)
	}
	to(&done, always)
	here(toStop)
	stop = uint64(len(code))
	emit(trap...)
	slot()
	emit(0x4d, 0x39, 0x75, 0) // CMPQ R14, (R13)
	to(&done, jne)
	emit(0x49, 0xc7, 0x45, 0, 0, 0, 0, 0) // MOVQ $0, (R13)
	here(done)
	emit(jump)
	code = binary.LittleEndian.AppendUint32(code, uint32(next-(address+uint64(len(code))+4)))
	here(constant)
	return binary.LittleEndian.AppendUint64(code, address+codeSize), stop
}

// copied takes the secrets at the breakpoint of lab's code: that of writeKeyLog
// and the one in the slot, if there is one.
func (t *Trace) copied(h *hit) (goesOn bool) {
	a := arguments(&h.registers)
	g := h.registers.R14
	b, ok := read(h.tid, span{a[1], a[2]}, span{a[3], a[4]}, span{a[6], a[7]}, span{h.slots + slotOf(g), slotSize})
	if !ok {
		return true
	}
	var before secret
	if slot := b[3]; byteOrder.Uint64(slot) == g {
		label := "CLIENT_TRAFFIC_SECRET_0"
		if byteOrder.Uint64(slot[slotLabel:]) != uint64(len(label)) {
			label = "CLIENT_HANDSHAKE_TRAFFIC_SECRET"
		}
		size := min(byteOrder.Uint64(slot[slotSecret:]), slotSize-slotBytes)
		before = secret{[]byte(label), slot[slotRandom : slotRandom+randomSize], slot[slotBytes : slotBytes+size]}
	}
	t.log(h, before, secret{b[0], b[1], b[2]})
	return true
}

// copyInside has the program store secrets by itself from now on. The thread
// has met the breakpoint at a function, and was made to go on behind it.
func (t *Trace) copyInside(h *hit) {
	i := h.task.image
	if i.copies || i.syscall == 0 || h.kind != addressBelow || len(h.code) < jumpSize || t.leaving {
		return
	}
	i.copies = true // whether or not that can be: it is tried once
	if field := seccomp.FindSubmatch(statusOf(h.tid)); field == nil || string(field[1]) != "0" {
		return
	}
	there := make([]byte, jumpSize)
	if peek(h.tid, there, span{h.address, jumpSize}) != nil || !bytes.HasPrefix(there, trap) {
		return // by another thread, whose image is not known to be the same
	}
	address, err := roomBelow(h.tid, h.address)
	if err != nil {
		return
	}
	s := newStepper(h.tid, i.syscall)
	defer s.finish()
	const private = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_FIXED_NOREPLACE
	if at := s.call(unix.SYS_MMAP, address, copySize, unix.PROT_READ|unix.PROT_WRITE, private, ^uint64(0), 0); at != address {
		return // an older kernel may have put it elsewhere, where it does no harm
	}
	code, stop := copyCode(address, h.address+uint64(len(h.code)), h.code)
	if poke(h.tid, address, code) != nil || s.call(unix.SYS_MPROTECT, address, codeSize, unix.PROT_READ|unix.PROT_EXEC) != 0 {
		return
	}
	const register, synchronise = 1 << 6, 1 << 5 // MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, and without REGISTER
	if s.call(unix.SYS_MEMBARRIER, register) != 0 {
		return
	}
	i.breakpoints[address+stop] = breakpoint{Instruction: Instruction{code: []byte{doNothing}, kind: nothing}, met: (*Trace).copied, copied: code, slots: address + codeSize}
	target := binary.LittleEndian.AppendUint32(nil, uint32(address-h.address-jumpSize))
	// Until all processors have the rest of the jump they have the breakpoint.
	if poke(h.tid, h.address+1, target) != nil || s.call(unix.SYS_MEMBARRIER, synchronise) != 0 {
		_ = poke(h.tid, h.address+1, there[1:])
		return
	}
	_ = poke(h.tid, h.address, []byte{jump})
}

// closeCopy has lab's code store no more secrets, and overwrites those that it
// has stored, but for one that a thread is just storing. The jump to it stays,
// since threads may be on their way.
func closeCopy(tid int, stop uint64, b breakpoint) {
	start := b.slots - codeSize
	there := make([]byte, len(b.copied))
	if peek(tid, there, span{start, uint64(len(there))}) != nil {
		return
	}
	if copy(there[stop-start:], trap); !bytes.Equal(there, b.copied) {
		return // a process that has something else there
	}
	_ = poke(tid, stop, []byte{doNothing})
	empty := make([]byte, slots*slotSize)
	for at := 0; at < len(empty); at += slotSize {
		empty[at] = nobody
	}
	local := []unix.Iovec{{Base: &empty[0], Len: uint64(len(empty))}}
	remote := []unix.RemoteIovec{{Base: uintptr(b.slots), Len: len(empty)}}
	if n, err := unix.ProcessVMWritev(tid, local, remote, 0); err != nil || n != len(empty) {
		_ = poke(tid, b.slots, empty) // slower
	}
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
	seccomp = regexp.MustCompile(`(?m)^Seccomp:\t([0-9])$`)
	mapping = regexp.MustCompile(`(?m)^([0-9a-f]+)-([0-9a-f]+) `)
)

// roomBelow returns an address for lab's memory, below the part of the program
// that has a function, and near enough for a jump from there.
func roomBelow(tid int, function uint64) (uint64, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", tid))
	if err != nil {
		return 0, err
	}
	var ends, start uint64 // of what is below, and of the program
	for _, found := range mapping.FindAllSubmatch(maps, -1) {
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
	if start < lowest+copySize {
		return 0, errors.New("no room")
	}
	if start < distance+lowest+copySize {
		return start - copySize, nil
	}
	return start - distance - copySize, nil
}
