//go:build unix

package exercise

import (
	"os/exec"
	"sync"
	"syscall"
)

// tree is a process with all that it starts: a process group.
type tree struct {
	mu   sync.Mutex
	gone bool // its number may be another's by now
}

func (*tree) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = endWithParent(&syscall.SysProcAttr{Setpgid: true})
	return cmd.Start()
}

// kill ends all processes of the tree, unless wait has.
func (t *tree) kill(cmd *exec.Cmd) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.gone {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails if they have ended
	}
}

// wait waits for the end of the process, and ends what it has started. That is
// done before Wait gives its number free: the group has the same.
func (t *tree) wait(cmd *exec.Cmd) {
	if awaitEnd(cmd.Process.Pid) == nil {
		t.kill(cmd)
	} else { // the system tells nothing: what it has started is left
		_ = cmd.Wait()
	}
	t.mu.Lock()
	t.gone = true
	t.mu.Unlock()
	_ = cmd.Wait() // how it has ended is of no interest
}
