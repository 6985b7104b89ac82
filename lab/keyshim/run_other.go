//go:build !unix

package keyshim

import (
	"os"
	"syscall"
)

var handedOn = []os.Signal{os.Interrupt}

func exitStatus(p *os.ProcessState) (int, syscall.Signal) { return p.ExitCode(), 0 }

// fromTerminal is true: the console sends an interrupt to all its processes.
func fromTerminal(os.Signal) bool { return true }
