//go:build unix

package command

import (
	"errors"
	"os"
	"syscall"
)

// Interrupts are the signals that end lab in an orderly way.
var Interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM}

const errAddrInUse = syscall.EADDRINUSE

// isClosedPipe reports whether err is that of a pipe whose reader has gone.
func isClosedPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
