//go:build unix

package scenario

import (
	"os/exec"
	"syscall"
)

// withoutTerminal runs a command without a terminal, which OpenSSL would ask
// for a password.
func withoutTerminal(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
