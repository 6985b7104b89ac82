package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/keyshim"
)

// Exit statuses of lab exec where there is none of the program's, as in a shell.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// programStatus is the exit status of a program that has ended with another
// one than 0. What there is to say, it has said itself.
type programStatus int

func (s programStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// startError is a program that could not be started.
type startError struct {
	program string // as typed
	err     error
}

func (e *startError) Error() string { return fmt.Sprintf("cannot run %s: %v", e.program, e.err) }
func (e *startError) Unwrap() error { return e.err }

func (e *startError) notFound() bool {
	return errors.Is(e.err, exec.ErrNotFound) || errors.Is(e.err, fs.ErrNotExist)
}

func (e *startError) status() int {
	if e.notFound() {
		return exitNotFound
	}
	return exitNotExecutable
}

func (p *Program) execCommand() *cli.Command {
	return &cli.Command{
		Name:        "exec",
		Usage:       "run a program with its TLS keys logged",
		ArgsUsage:   "-- COMMAND [ARGUMENT...]",
		Description: execExamples,
		Flags: []cli.Flag{
			dirFlag(),
			&cli.StringFlag{Name: "keylog", EnvVars: []string{"SSLKEYLOGFILE"}, DefaultText: "keys.log", Usage: "append the TLS secrets to `FILE`"},
		},
		Action: p.exec,
	}
}

func (p *Program) exec(c *cli.Context) error {
	args := c.Args().Slice()
	if len(args) == 0 {
		return &usageError{command: commandName(c), problem: "lab exec takes a COMMAND to run"}
	}
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return &startError{args[0], errors.Unwrap(err)}
	}
	log := c.String("keylog")
	if log == "" {
		log = folderOf(c).keylog()
	}
	if log, err = keyshim.PrepareLog(log); err != nil {
		return err
	}
	library, err := keyshim.Library(c.Context)
	p.sayObstacles(path, err)
	env := keyshim.Environment(os.Environ(), log, library)
	if p.Stdout == os.Stdout && p.Stderr == os.Stderr {
		if err := keyshim.Replace(path, args, env); !errors.Is(err, errors.ErrUnsupported) {
			return &startError{args[0], err}
		}
	}
	return p.run(&exec.Cmd{Path: path, Args: args, Env: env})
}

// run runs a program to its end, with lab's own streams.
func (p *Program) run(program *exec.Cmd) error {
	program.Stdin, program.Stdout, program.Stderr = os.Stdin, p.Stdout, p.Stderr
	status, err := keyshim.Run(program)
	switch {
	case err != nil:
		return &startError{program.Args[0], err}
	case status != 0:
		return programStatus(status)
	}
	return nil
}
