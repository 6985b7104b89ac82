package command

import (
	"os"
	"syscall"
)

// Interrupts are the signals that end lab in an orderly way.
var Interrupts = []os.Signal{os.Interrupt, syscall.SIGTERM}

const errAddrInUse = syscall.Errno(10048) // WSAEADDRINUSE
