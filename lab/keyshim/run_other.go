//go:build !unix

package keyshim

import "os"

var handedOn = []os.Signal{os.Interrupt}

func exitStatus(p *os.ProcessState) int { return p.ExitCode() }

// fromTerminal is true: the console sends an interrupt to all its processes.
func fromTerminal(os.Signal) bool { return true }
