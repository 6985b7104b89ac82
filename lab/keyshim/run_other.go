//go:build !unix

package keyshim

import (
	"errors"
	"os"
)

var handedOn = []os.Signal{os.Interrupt}

// Replace fails: there is no way to put another program in the place of this process.
func Replace(path string, args, env []string) error { return errors.ErrUnsupported }

func exitStatus(p *os.ProcessState) int { return p.ExitCode() }

// fromTerminal is true: the console sends an interrupt to all its processes.
func fromTerminal(os.Signal) bool { return true }
