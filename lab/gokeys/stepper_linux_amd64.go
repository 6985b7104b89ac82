package gokeys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// stepper has a stopped thread make system calls, in place of the instruction
// where it is. No other thread may be there.
type stepper struct {
	tid         int
	registers   syscall.PtraceRegs
	instruction []byte           // that is replaced
	signals     []syscall.Signal // that came meanwhile
	interrupted bool
	failed      bool
}

var systemCall = []byte{0x0f, 0x05} // SYSCALL

func newStepper(tid int) *stepper {
	s := &stepper{tid: tid}
	there := make([]byte, len(systemCall))
	s.failed = syscall.PtraceGetRegs(tid, &s.registers) != nil || peek(tid, there, span{s.registers.Rip, uint64(len(there))}) != nil
	if !s.failed {
		s.instruction = there
		s.failed = poke(tid, s.registers.Rip, systemCall) != nil
	}
	return s
}

// call makes a system call. It returns what that has returned, or -1 if it was
// not made.
func (s *stepper) call(number uint64, arguments ...uint64) uint64 {
	const none = ^uint64(0)
	if s.failed {
		return none
	}
	r := s.registers
	r.Rax, r.Orig_rax = number, none
	for i, to := range []*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9} {
		if *to = 0; i < len(arguments) {
			*to = arguments[i]
		}
	}
	var at syscall.PtraceRegs
	for at.Orig_rax != number { // it may have to return from execve(2) first
		if s.failed = syscall.PtraceSetRegs(s.tid, &r) != nil || !s.step() || syscall.PtraceGetRegs(s.tid, &at) != nil; s.failed {
			return none
		}
	}
	if s.failed = !s.step() || syscall.PtraceGetRegs(s.tid, &at) != nil; s.failed {
		return none
	}
	return at.Rax
}

// step goes on to the next entry into a system call, or the next return from
// one. It reports false if the thread has ended.
func (s *stepper) step() bool {
	const atSyscall = unix.SIGTRAP | 0x80 // PTRACE_O_TRACESYSGOOD
	for {
		if syscall.PtraceSyscall(s.tid, 0) != nil {
			return false
		}
		var ended unix.Siginfo // is left for the tracer's wait
		err := unix.EINTR
		for err == unix.EINTR {
			e := unix.Waitid(unix.P_PID, s.tid, &ended, unix.WEXITED|unix.WSTOPPED|unix.WNOWAIT|unix.WALL, nil)
			err, _ = e.(syscall.Errno)
		}
		const trapped = 4 // CLD_TRAPPED; CLD_STOPPED is 5
		if err != 0 || ended.Code < trapped {
			return false
		}
		var status syscall.WaitStatus
		if _, err := wait(s.tid, &status, unix.WALL); err != nil || !status.Stopped() {
			return false
		}
		switch {
		case status>>16 != 0:
			s.interrupted = true
		case status.StopSignal() == atSyscall:
			return true
		default:
			s.signals = append(s.signals, status.StopSignal())
		}
	}
}

// finish makes the thread as it was.
func (s *stepper) finish() {
	_ = poke(s.tid, s.registers.Rip, s.instruction)
	_ = syscall.PtraceSetRegs(s.tid, &s.registers) // it may have been killed
	for _, signal := range s.signals {
		_ = unix.Tgkill(processOf(s.tid), s.tid, signal)
	}
	if s.interrupted {
		_ = unix.PtraceInterrupt(s.tid)
	}
}
