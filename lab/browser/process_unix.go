//go:build unix

package browser

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// startGroup makes the command the first of a process group, to which its
// children will belong. It holds the lock of its profile, so that no other run
// removes that while the browser goes on, were lab killed.
func startGroup(cmd *exec.Cmd, lock *os.File) {
	cmd.SysProcAttr = endWithParent(&syscall.SysProcAttr{Setpgid: true})
	cmd.ExtraFiles = append(cmd.ExtraFiles, lock)
}

// endGroup asks the processes of the group to end.
func endGroup(first *os.Process) error { return syscall.Kill(-first.Pid, syscall.SIGTERM) }

// killGroup ends those that are left.
func killGroup(first *os.Process) { _ = syscall.Kill(-first.Pid, syscall.SIGKILL) }

// untilHangup ends with the terminal, whose signal does not reach a process
// group that is not in its foreground.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}
