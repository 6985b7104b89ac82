//go:build unix

package mirror

import (
	"os/exec"
	"syscall"
)

// alone has a program end together with those that it has started.
func alone(program *exec.Cmd) {
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGKILL) }
}
