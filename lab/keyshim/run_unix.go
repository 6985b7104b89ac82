//go:build unix

package keyshim

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

var handedOn = []os.Signal{
	syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
}

func exitStatus(p *os.ProcessState) (status int, by syscall.Signal) {
	if wait, ok := p.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return 128 + int(wait.Signal()), wait.Signal()
	}
	return p.ExitCode(), 0
}

// fromTerminal reports whether a signal came from the keys of a terminal. The
// terminal sends it to all processes of the group in its foreground.
func fromTerminal(s os.Signal) bool {
	if s != syscall.SIGINT && s != syscall.SIGQUIT {
		return false
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
