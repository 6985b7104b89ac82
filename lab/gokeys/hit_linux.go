//go:build amd64 || arm64

package gokeys

import (
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
	if h.breakpoint, met = t.imageOf(tid, k).breakpoints[h.address]; !met {
		return false, false
	}
	return true, h.met(t, &h)
}

// perform does what the instruction at the breakpoint does. The thread then has
// to go on.
func (h *hit) perform() {
	if h.kind != addressBelow && h.end == 0 {
		h.end, _ = peekWord(h.tid, guard(&h.registers))
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

// secret takes the secret that writeKeyLog was called with.
func (t *Trace) secret(h *hit) (goesOn bool) {
	if line, entry, ok := h.secretOf(arguments(&h.registers)); ok {
		if h.task.image.logs {
			t.late.add(line)
		} else {
			_, _ = t.o.Keys.Write(line) // never fails
		}
		if t.o.Secret != nil {
			t.o.Secret(entry.ClientRandom)
		}
	}
	h.perform()
	return true
}

// secretOf returns the line of a key log for the arguments of writeKeyLog: the
// configuration, a string, and two slices. It also sets h.end, since each read
// of another process's memory takes its time.
func (h *hit) secretOf(a [9]uint64) (line []byte, entry keylog.Entry, ok bool) {
	const longestLabel, randomSize, longestSecret = 64, 32, 64
	label, random, secret := span{a[1], a[2]}, span{a[3], a[4]}, span{a[6], a[7]}
	if label.size > longestLabel || random.size != randomSize || secret.size > longestSecret {
		return nil, entry, false
	}
	b := make([]byte, label.size+random.size+secret.size+8)
	if peek(h.tid, b, label, random, secret, span{guard(&h.registers), 8}) != nil {
		return nil, entry, false
	}
	b, h.end = b[:len(b)-8], byteOrder.Uint64(b[len(b)-8:])
	entry = keylog.Entry{Label: string(b[:label.size]), ClientRandom: b[label.size:][:randomSize], Secret: b[label.size+randomSize:]}
	line, err := entry.AppendText(nil)
	if err != nil {
		return nil, entry, false
	}
	_, err = keylog.ParseLine(line[:len(line)-1]) // what a key log cannot have is no secret
	return line, entry, err == nil
}
