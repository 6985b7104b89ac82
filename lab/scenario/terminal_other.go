//go:build !unix

package scenario

import "os/exec"

// withoutTerminal runs a command without a terminal, where there is a way.
func withoutTerminal(*exec.Cmd) {}
