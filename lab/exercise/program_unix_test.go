//go:build unix

package exercise

import (
	"os/exec"
	"syscall"
	"testing"
)

// What has ended is not killed: its number may be that of somebody else's
// process by then.
func TestKillAfterTheEnd(t *testing.T) {
	var ended, others tree
	other := exec.Command("sleep", "60")
	if err := others.start(other); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command("true")
	if err := ended.start(cmd); err != nil {
		t.Fatal(err)
	}
	ended.wait(cmd)
	cmd.Process.Pid = other.Process.Pid
	ended.kill(cmd)

	if err := other.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	others.wait(other)
	if status := other.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGTERM {
		t.Errorf("the other was killed: %v", other.ProcessState)
	}
}
