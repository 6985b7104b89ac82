//go:build amd64 || arm64

package gokeys

import (
	"syscall"

	"mtlslab.example/lab/lab/keylog"
)

// hit handles a thread that may have met a breakpoint, and reports whether it
// has.
func (t *Trace) hit(tid int, k *task) bool {
	var registers syscall.PtraceRegs
	if syscall.PtraceGetRegs(tid, &registers) != nil {
		return false
	}
	image, address := t.imageOf(tid, k), trapped(&registers)
	first, ok := image.breakpoints[address]
	if !ok {
		return false
	}
	if line, ok := secretOf(tid, arguments(&registers)); ok {
		if image.logs {
			t.late.add(line)
		} else {
			_, _ = t.o.Keys.Write(line) // never fails
		}
	}
	var end uint64
	if first.kind != addressBelow {
		end, _ = peekWord(tid, guard(&registers))
	}
	first.perform(&registers, address, end)
	_ = syscall.PtraceSetRegs(tid, &registers) // it may have been killed
	return true
}

// secretOf returns the line of a key log for the arguments of writeKeyLog: the
// configuration, a string, and two slices.
func secretOf(tid int, a [9]uint64) (line []byte, ok bool) {
	const longestLabel, randomSize, longestSecret = 64, 32, 64
	label, random, secret := span{a[1], a[2]}, span{a[3], a[4]}, span{a[6], a[7]}
	if label.size > longestLabel || random.size != randomSize || secret.size > longestSecret {
		return nil, false
	}
	b := make([]byte, label.size+random.size+secret.size)
	if peek(tid, b, label, random, secret) != nil {
		return nil, false
	}
	entry := keylog.Entry{Label: string(b[:label.size]), ClientRandom: b[label.size:][:randomSize], Secret: b[label.size+randomSize:]}
	line, err := entry.AppendText(nil)
	if err != nil {
		return nil, false
	}
	_, err = keylog.ParseLine(line[:len(line)-1]) // what a key log cannot have is no secret
	return line, err == nil
}
