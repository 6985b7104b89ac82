package keyshim

import (
	"os/exec"
	"syscall"

	"mtlslab.example/lab/lab/gokeys"
)

// Traced returns a Starter of programs that are traced for the secrets of those
// that are written in Go. Where programs cannot be traced, it is Start.
func Traced(o gokeys.Options) Starter {
	if !gokeys.Supported {
		return Start
	}
	return func(program *exec.Cmd) (wait func() (status int, by syscall.Signal, err error), err error) {
		trace, err := gokeys.Start(program, o)
		if err != nil {
			return nil, err
		}
		return func() (int, syscall.Signal, error) {
			status, by := trace.Wait()
			_ = program.Wait() // its process is gone; but what copies its streams may not be
			return status, by, nil
		}, nil
	}
}
