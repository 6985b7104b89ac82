//go:build unix

package command

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Interrupts are the signals that end lab in an orderly way.
var Interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM}

// leavings are further signals that end lab exec --attach in an orderly way:
// the program must not die with lab, as of a terminal that is closed.
var leavings = []os.Signal{syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGALRM, syscall.SIGUSR1, syscall.SIGUSR2}

// Die ends this process by SIGINT, unless it ignores that.
func Die() {
	signal.Reset(os.Interrupt)
	_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
	time.Sleep(time.Second) // another thread may get it
}

const errAddrInUse = syscall.EADDRINUSE

// systemHints are what to do about errors of the system.
var systemHints = map[syscall.Errno]string{
	syscall.ENOSPC:       makeRoom + "; df -h shows how full each is",
	syscall.EDQUOT:       makeRoom + "; quota -s shows how much you may have",
	syscall.EROFS:        writeElsewhere,
	syscall.EMFILE:       "ulimit -Hn shows how many files a process may have open; an administrator can raise it",
	syscall.ENFILE:       "all processes together have as many files open as the system allows: end some",
	syscall.ENAMETOOLONG: shorterName,
}

// isClosedPipe reports whether err is that of a pipe whose reader has gone.
func isClosedPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
