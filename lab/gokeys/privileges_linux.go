//go:build amd64 || arm64

package gokeys

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Files of the kernel.
var (
	ptraceScope   = "/proc/sys/kernel/yama/ptrace_scope"
	kernelVersion = "/proc/version"
)

// obstacle says why no program can be traced here, or returns nil.
func obstacle() error {
	scope, _ := os.ReadFile(ptraceScope)
	switch strings.TrimSpace(string(scope)) {
	case "2":
		if !mayTraceAll() {
			return &SystemError{Why: "kernel.yama.ptrace_scope is 2, so that only root may trace programs: sudo lab exec -- COMMAND"}
		}
	case "3":
		return &SystemError{Why: "kernel.yama.ptrace_scope is 3, so that nobody may trace programs until the next start of the system"}
	}
	const nobody = 1<<31 - 1 // no process has that number
	switch err := request(unix.PTRACE_CONT, nobody, 0); {
	case err == unix.ESRCH:
		return nil
	case isFiltered():
		return &SystemError{"a seccomp filter, as containers have, forbids ptrace", err}
	default:
		return &SystemError{kernel() + " has no ptrace", err}
	}
}

// isFiltered reports whether a seccomp filter restricts this process
// (proc_pid_status(5)).
func isFiltered() bool {
	status, _ := os.ReadFile("/proc/self/status")
	return bytes.Contains(status, []byte("\nSeccomp:\t2\n"))
}

// kernel is what to call the kernel in an error.
func kernel() string {
	version, _ := os.ReadFile(kernelVersion)
	if bytes.HasPrefix(version, []byte("Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016")) { // what gVisor says of itself
		return "gVisor"
	}
	return "the kernel"
}

// mayTraceAll reports whether this process has CAP_SYS_PTRACE. Only then a
// program that it traces may gain privileges (ptrace(2)).
func mayTraceAll() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	err := unix.Capget(&header, &data[0])
	return err == nil && data[0].Effective&(1<<unix.CAP_SYS_PTRACE) != 0
}

// gainsPrivileges reports whether executing a file changes the user or the
// group, or gives capabilities.
func gainsPrivileges(file *os.File, stat *syscall.Stat_t) bool {
	if stat.Mode&unix.S_ISUID != 0 && int(stat.Uid) != os.Geteuid() || stat.Mode&unix.S_ISGID != 0 && int(stat.Gid) != os.Getegid() {
		return true
	}
	n, err := unix.Fgetxattr(int(file.Fd()), "security.capability", nil)
	return err == nil && n > 0 && os.Geteuid() != 0
}

// restart prepares a process that has just begun to execute a program to do so
// once more. Once it is detached, the program gains its privileges. It has what
// the kernel has put on its stack: the number of arguments, their addresses, 0,
// those of the environment, 0, and pairs (getauxval(3)).
func restart(pid int) error {
	var registers syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(pid, &registers); err != nil {
		return err
	}
	at := stackPointer(&registers)
	argv := at + 8
	count, err := peekWord(pid, at)
	if err != nil {
		return err
	}
	envp := argv + 8*(count+1)
	path, err := pathOf(pid, envp)
	if err != nil {
		return err
	}
	if err := poke(pid, programCounter(&registers), execute); err != nil {
		return err
	}
	prepareExecute(&registers, path, argv, envp)
	return syscall.PtraceSetRegs(pid, &registers)
}

// pathOf returns the address of the path that a program was executed by, which
// is in the pairs behind its environment.
func pathOf(pid int, envp uint64) (uint64, error) {
	const executedBy = 31 // AT_EXECFN
	at := envp
	next := func() (word uint64, err error) {
		word, err = peekWord(pid, at)
		at += 8
		return word, err
	}
	for {
		if word, err := next(); err != nil {
			return 0, err
		} else if word == 0 {
			break
		}
	}
	for {
		kind, err := next()
		value, err2 := next()
		switch {
		case err != nil || err2 != nil:
			return 0, errors.Join(err, err2)
		case kind == executedBy:
			return value, nil
		case kind == 0:
			return 0, os.ErrNotExist
		}
	}
}
