package gokeys

import (
	"debug/elf"
	"syscall"
)

const machine = elf.EM_AARCH64

// trap is BRK #0, at which the program counter stays.
var trap = []byte{0x00, 0x00, 0x20, 0xd4}

// trapped returns the address of the breakpoint that a thread has met.
func trapped(r *syscall.PtraceRegs) uint64 { return r.Pc }

// arguments returns a function's first arguments. The order of the registers is
// that of Go's ABIInternal.
func arguments(r *syscall.PtraceRegs) [9]uint64 { return [9]uint64(r.Regs[:9]) }

// guard returns the address of the end of the goroutine's stack, as its
// descriptor g has it.
func guard(r *syscall.PtraceRegs) uint64 { return r.Regs[28] + 16 }

// stackPointer returns the stack pointer.
func stackPointer(r *syscall.PtraceRegs) uint64 { return r.Sp }

// returnNil sets the registers as a function that has just begun sets them to
// return a nil error.
func returnNil(_ int, r *syscall.PtraceRegs) error {
	r.Pc, r.Regs[0], r.Regs[1] = r.Regs[30], 0, 0
	return nil
}

// perform does what an instruction at an address does. end is the end of the
// stack.
func (i Instruction) perform(r *syscall.PtraceRegs, address, end uint64) {
	r.Pc = address + uint64(len(i.code))
	r.Regs[16] = end
}

// pushed is not called: no instruction of this processor is of kind push.
func (Instruction) pushed(*syscall.PtraceRegs) uint64 { return 0 }

// cArguments returns the first arguments of a function in C (AAPCS64).
func cArguments(r *syscall.PtraceRegs) [6]uint64 { return [6]uint64(r.Regs[:6]) }

// execute is code that calls execve(2). The kernel has set the register of the
// first argument when the code begins.
var execute = []byte{
	0xe0, 0x03, 0x09, 0xaa, // MOVD R9, R0
	0xa8, 0x1b, 0x80, 0xd2, // MOVD $221, R8
	0x01, 0x00, 0x00, 0xd4, // SVC
}

// prepareExecute sets the registers for execute at the program counter.
func prepareExecute(r *syscall.PtraceRegs, path, argv, envp uint64) {
	r.Regs[9], r.Regs[1], r.Regs[2] = path, argv, envp
}

func programCounter(r *syscall.PtraceRegs) uint64 { return r.Pc }
