//go:build unix

package browser

import (
	"os"
	"os/exec"
	"syscall"
)

// startGroup makes the command the first of a process group, to which its
// children will belong.
func startGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// endGroup asks the processes of the group to end.
func endGroup(first *os.Process) error { return syscall.Kill(-first.Pid, syscall.SIGTERM) }

// killGroup ends those that are left.
func killGroup(first *os.Process) { _ = syscall.Kill(-first.Pid, syscall.SIGKILL) }
