//go:build unix

package exercise

import (
	"os/exec"
	"syscall"
)

// tree is a process with all that it starts: a process group.
type tree struct{}

func (*tree) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = endWithParent(&syscall.SysProcAttr{Setpgid: true})
	return cmd.Start()
}

// kill ends all processes of the tree.
func (*tree) kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // fails if they have ended
