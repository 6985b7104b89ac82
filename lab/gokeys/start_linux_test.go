//go:build amd64 || arm64

package gokeys

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKilledAtOnce: the status of a program that is killed before its first
// instruction is that of the signal.
func TestKilledAtOnce(t *testing.T) {
	trace := newTrace(Options{})
	err := trace.run(func() error {
		program := exec.Command("sleep", "60")
		if err := trace.start(program); err != nil {
			return err
		}
		trace.root = program.Process.Pid
		if err := unix.Kill(trace.root, unix.SIGKILL); err != nil {
			return err
		}
		return trace.seize()
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, by := trace.Wait(); got != 137 || by != unix.SIGKILL {
		t.Errorf("status %d by %v, not 137", got, by)
	}
}
