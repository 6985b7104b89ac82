package command

import (
	"errors"
	"os"
	"syscall"
)

// Interrupts are the signals that end lab in an orderly way.
var Interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM}

var leavings []os.Signal // see system_unix.go

// Die does nothing: a program of Windows does not end by a signal.
func Die() {}

const errAddrInUse = syscall.Errno(10048) // WSAEADDRINUSE

// systemHints are what to do about errors of the system.
var systemHints = map[syscall.Errno]string{
	39:   makeRoom,       // ERROR_HANDLE_DISK_FULL
	112:  makeRoom,       // ERROR_DISK_FULL
	1295: makeRoom,       // ERROR_DISK_QUOTA_EXCEEDED
	19:   writeElsewhere, // ERROR_WRITE_PROTECT
	32:   endOther,       // ERROR_SHARING_VIOLATION
	33:   endOther,       // ERROR_LOCK_VIOLATION
	206:  shorterName,    // ERROR_FILENAME_EXCED_RANGE
}

const endOther = "another program has it open: close it there, and try again"

// isClosedPipe reports whether err is that of a pipe whose reader has gone:
// ERROR_BROKEN_PIPE, ERROR_NO_DATA or ERROR_PIPE_NOT_CONNECTED.
func isClosedPipe(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, syscall.Errno(232)) || errors.Is(err, syscall.Errno(233))
}
