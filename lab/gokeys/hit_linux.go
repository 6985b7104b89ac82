//go:build amd64 || arm64

package gokeys

import (
	"bytes"
	"slices"
	"syscall"

	"mtlslab.example/lab/lab/keylog"
)

// hit is a thread that has met a breakpoint.
type hit struct {
	tid       int
	task      *task
	registers syscall.PtraceRegs
	address   uint64 // of the breakpoint
	end       uint64 // of the goroutine's stack; 0 if it was not read yet
	breakpoint
}

// hit handles a thread that may have met a breakpoint. It reports whether it
// has, and if so, whether it is to go on now.
func (t *Trace) hit(tid int, k *task) (met, goesOn bool) {
	h := hit{tid: tid, task: k}
	if syscall.PtraceGetRegs(tid, &h.registers) != nil {
		return false, false
	}
	h.address = trapped(&h.registers)
	i := t.imageOf(tid, k)
	if h.breakpoint, met = i.breakpoints[h.address]; !met {
		return t.full(&h), true
	}
	return true, h.met(t, &h)
}

// perform does what the instruction at the breakpoint does. The thread then has
// to go on.
func (h *hit) perform() {
	switch h.kind {
	case compareStack, loadGuard:
		if h.end == 0 {
			h.end, _ = peekWord(h.tid, guard(&h.registers))
		}
	case push:
		_ = poke(h.tid, stackPointer(&h.registers)-8, byteOrder.AppendUint64(nil, h.pushed(&h.registers)))
	}
	h.Instruction.perform(&h.registers, h.address, h.end)
	_ = syscall.PtraceSetRegs(h.tid, &h.registers) // it may have been killed
}

// returnNil has the function return a nil error. The thread then has to go on.
func (h *hit) returnNil() {
	if err := returnNil(h.tid, &h.registers); err != nil {
		h.perform()
		return
	}
	_ = syscall.PtraceSetRegs(h.tid, &h.registers)
}

// secret is one that a function was called with.
type secret struct{ label, random, bytes []byte }

// goSecret takes the secret that writeKeyLog was called with: the
// configuration, a string, and two slices. The end of the stack is read too,
// since each read of another process's memory takes its time.
func (t *Trace) goSecret(h *hit) (goesOn bool) {
	a := arguments(&h.registers)
	b, ok := read(h.tid, span{a[1], a[2]}, span{a[3], a[4]}, span{a[6], a[7]}, span{guard(&h.registers), 8})
	if ok {
		h.end = byteOrder.Uint64(b[3])
		t.log(h.task.image.logs, secret{b[0], b[1], b[2]})
	}
	h.perform()
	return true
}

// full takes the secrets of a ring that is full, and then the one that the
// program has not stored. It reports false if the thread is not at the
// breakpoint in lab's code.
func (t *Trace) full(h *hit) bool {
	r := h.task.image.ring
	if r == nil {
		return false
	}
	if _, is := r.stops[h.address]; !is {
		return false
	}
	_, _ = t.drain(r)
	a := arguments(&h.registers)
	if b, ok := read(h.tid, span{a[1], a[2]}, span{a[3], a[4]}, span{a[6], a[7]}); ok {
		t.log(false, secret{b[0], b[1], b[2]})
	}
	r.expect()
	return true
}

// opensslSecret takes the secret that nss_keylog_int was called with: a string,
// the connection, and two pointers with sizes.
func (t *Trace) opensslSecret(h *hit) (goesOn bool) {
	const longest = 32 // label, with the 0 behind it
	a := cArguments(&h.registers)
	if b, ok := read(h.tid, span{a[0], longest}, span{a[2], a[3]}, span{a[4], a[5]}); ok {
		label, _, _ := bytes.Cut(b[0], []byte{0})
		t.log(h.task.image.logs, secret{label, b[1], b[2]})
	}
	h.perform()
	return true
}

// read returns the memory of a stopped thread from several spans, unless there
// is more than functions for secrets have.
func read(tid int, spans ...span) (parts [][]byte, ok bool) {
	const longest = 128
	size := uint64(0)
	for _, s := range spans {
		if s.size > longest {
			return nil, false
		}
		size += s.size
	}
	b := make([]byte, size)
	if peek(tid, b, spans...) != nil {
		return nil, false
	}
	for _, s := range spans {
		parts = append(parts, b[:s.size:s.size])
		b = b[s.size:]
	}
	return parts, true
}

const randomSize = 32

// log logs secrets of a program, which may log them by itself. What a key log
// cannot have is no secret.
func (t *Trace) log(itself bool, secrets ...secret) {
	var lines []byte
	var randoms [][]byte
	for _, s := range secrets {
		entry := keylog.Entry{Label: string(s.label), ClientRandom: s.random, Secret: s.bytes}
		if line, err := entry.AppendText(nil); err == nil && len(s.random) == randomSize {
			if _, err := keylog.ParseLine(line[:len(line)-1]); err == nil {
				lines, randoms = append(lines, line...), append(randoms, s.random)
			}
		}
	}
	switch {
	case len(lines) == 0:
		return
	case itself:
		t.late.add(lines)
	default:
		_, _ = t.o.Keys.Write(lines) // never fails
	}
	if t.o.Secret == nil {
		return
	}
	for _, random := range slices.CompactFunc(randoms, bytes.Equal) {
		t.o.Secret(random)
	}
}
