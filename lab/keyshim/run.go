package keyshim

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
)

// ignored are the signals that were ignored when this process began, as under
// nohup: the program ignores them too.
var ignored = slices.DeleteFunc(slices.Clone(handedOn), func(s os.Signal) bool { return !signal.Ignored(s) })

// A Starter starts a program. wait waits for its end and returns its exit
// status, and the signal that has killed it, or 0. The status is then 128 and
// the signal's number, as in a shell.
type Starter func(program *exec.Cmd) (wait func() (status int, by syscall.Signal, err error), err error)

// Run runs a program to its end and returns what start says of that. Signals to
// lab are passed on to the program, but for those from the terminal, which it
// has received already. The error says why the program could not be started.
func Run(program *exec.Cmd, start Starter) (status int, by syscall.Signal, err error) {
	signals := make(chan os.Signal, 16)
	for _, s := range handedOn {
		if slices.Contains(ignored, s) {
			signal.Reset(s) // what is handled here is not ignored by the program
		} else {
			signal.Notify(signals, s)
		}
	}
	defer signal.Stop(signals)
	wait, err := start(program)
	if err != nil {
		return 0, 0, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		status, by, err = wait()
	}()
	for {
		select {
		case s := <-signals:
			if !fromTerminal(s) {
				_ = program.Process.Signal(s) // it may have ended
			}
		case <-ended:
			return status, by, err
		}
	}
}

// Start is a Starter of programs that are not traced.
func Start(program *exec.Cmd) (wait func() (status int, by syscall.Signal, err error), err error) {
	if err := program.Start(); err != nil {
		return nil, err
	}
	return func() (int, syscall.Signal, error) {
		err := program.Wait()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			return 0, 0, err
		}
		status, by := exitStatus(program.ProcessState)
		return status, by, nil
	}, nil
}
