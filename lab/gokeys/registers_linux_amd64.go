package gokeys

import (
	"debug/elf"
	"math/bits"
	"syscall"
)

const machine = elf.EM_X86_64

// trap is INT3, after which the program counter is behind it.
var trap = []byte{0xcc}

// trapped returns the address of the breakpoint that a thread has met.
func trapped(r *syscall.PtraceRegs) uint64 { return r.Rip - uint64(len(trap)) }

// arguments returns a function's first arguments. The order of the registers
// is that of Go's ABIInternal.
func arguments(r *syscall.PtraceRegs) [9]uint64 {
	return [9]uint64{r.Rax, r.Rbx, r.Rcx, r.Rdi, r.Rsi, r.R8, r.R9, r.R10, r.R11}
}

// guard returns the address of the end of the goroutine's stack, as its
// descriptor g has it.
func guard(r *syscall.PtraceRegs) uint64 { return r.R14 + 16 }

// stackPointer returns the stack pointer.
func stackPointer(r *syscall.PtraceRegs) uint64 { return r.Rsp }

// returnNil sets the registers as a function that has just begun sets them to
// return a nil error.
func returnNil(tid int, r *syscall.PtraceRegs) error {
	address, err := peekWord(tid, r.Rsp)
	if err == nil {
		r.Rip, r.Rsp, r.Rax, r.Rbx = address, r.Rsp+8, 0, 0
	}
	return err
}

// perform does what an instruction at an address does. end is the end of the
// stack.
func (i Instruction) perform(r *syscall.PtraceRegs, address, end uint64) {
	r.Rip = address + uint64(len(i.code))
	switch i.kind {
	case addressBelow:
		r.R12 = r.Rsp + uint64(i.offset)
	case compareStack:
		r.Eflags = flagsOf(r.Eflags, r.Rsp, end)
	case push:
		r.Rsp -= 8
	}
}

// pushed returns the value that an instruction of kind push stores.
func (i Instruction) pushed(r *syscall.PtraceRegs) uint64 {
	return [...]uint64{r.Rax, r.Rcx, r.Rdx, r.Rbx, r.Rsp, r.Rbp, r.Rsi, r.Rdi, r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15}[i.register]
}

// cArguments returns the first arguments of a function in C (System V ABI).
func cArguments(r *syscall.PtraceRegs) [6]uint64 {
	return [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.Rcx, r.R8, r.R9}
}

// flagsOf returns the flags after CMP a, b.
func flagsOf(flags, a, b uint64) uint64 {
	const carry, parity, adjust, zero, sign, overflow = 1 << 0, 1 << 2, 1 << 4, 1 << 6, 1 << 7, 1 << 11
	difference := a - b
	set := func(flag uint64, on bool) {
		flags &^= flag
		if on {
			flags |= flag
		}
	}
	set(carry, a < b)
	set(parity, bits.OnesCount8(uint8(difference))%2 == 0)
	set(adjust, (a^b^difference)&0x10 != 0)
	set(zero, difference == 0)
	set(sign, difference>>63 != 0)
	set(overflow, (a^b)&(a^difference)>>63 != 0)
	return flags
}

// execute is code that calls execve(2). The kernel has set the register of the
// call's number when the code begins.
var execute = []byte{0xb8, 59, 0, 0, 0, 0x0f, 0x05} // MOVL $59, AX; SYSCALL

// prepareExecute sets the registers for execute at the program counter.
func prepareExecute(r *syscall.PtraceRegs, path, argv, envp uint64) {
	r.Rdi, r.Rsi, r.Rdx = path, argv, envp
}

func programCounter(r *syscall.PtraceRegs) uint64 { return r.Rip }
