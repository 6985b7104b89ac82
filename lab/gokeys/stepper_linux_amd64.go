package gokeys

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// stepper has a stopped thread make system calls.
type stepper struct {
	tid         int
	instruction uint64 // SYSCALL
	registers   syscall.PtraceRegs
	signals     []syscall.Signal // that came meanwhile
	interrupted bool
	failed      bool
}

func newStepper(tid int, instruction uint64) *stepper {
	s := &stepper{tid: tid, instruction: instruction}
	s.failed = syscall.PtraceGetRegs(tid, &s.registers) != nil
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
	r.Rip, r.Rax, r.Orig_rax = s.instruction, number, none
	for i, to := range []*uint64{&r.Rdi, &r.Rsi, &r.Rdx, &r.R10, &r.R8, &r.R9} {
		if *to = 0; i < len(arguments) {
			*to = arguments[i]
		}
	}
	if syscall.PtraceSetRegs(s.tid, &r) != nil || !s.step() || !s.step() || syscall.PtraceGetRegs(s.tid, &r) != nil {
		s.failed = true
		return none
	}
	return r.Rax
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
	_ = syscall.PtraceSetRegs(s.tid, &s.registers) // it may have been killed
	if found := tgid.FindSubmatch(statusOf(s.tid)); found != nil {
		var pid int
		_, _ = fmt.Sscan(string(found[1]), &pid)
		for _, signal := range s.signals {
			_ = unix.Tgkill(pid, s.tid, signal)
		}
	}
	if s.interrupted {
		_ = unix.PtraceInterrupt(s.tid)
	}
}
