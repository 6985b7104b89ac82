//go:build unix

package javakeys

import (
	"os"
	"os/exec"
	"syscall"
)

// guardOptions has a shell empty a file of options as soon as this process has
// ended, even if it is killed: the shell then reads the end of a pipe that
// nobody else has. It is in a session of its own, so that no signal from the
// terminal ends it. end ends and awaits the shell.
func guardOptions(file string) (end func(), err error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	shell := exec.Command("/bin/sh", "-c", `read -r _; : >"$0"`, file)
	shell.Stdin, shell.Dir, shell.Env = in, "/", []string{}
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := shell.Start(); err != nil {
		out.Close()
		return nil, err
	}
	return func() {
		out.Close()
		_ = shell.Wait()
	}, nil
}
