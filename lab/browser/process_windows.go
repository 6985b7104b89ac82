package browser

import (
	"context"
	"os"
	"os/exec"
	"strconv"
)

// startGroup has nothing to do: Windows knows the children of a process.
func startGroup(*exec.Cmd, *os.File) {}

// endGroup ends a process and its children.
func endGroup(first *os.Process) error {
	return exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(first.Pid)).Run()
}

// killGroup has nothing to do: no child of a browser outlives it.
func killGroup(*os.Process) {}

// untilHangup is until ctx ends: a console that is closed ends the browser too.
func untilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}
