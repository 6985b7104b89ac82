package command

import (
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/gokeys"
	"mtlslab.example/lab/lab/keylog"
)

// attachError is a process that cannot be attached to.
type attachError struct {
	pid int
	err error
}

func (e *attachError) Error() string {
	if errors.Is(e.err, errors.ErrUnsupported) {
		return "--attach is for Linux on amd64 and arm64"
	}
	return fmt.Sprintf("cannot attach to process %d: %v", e.pid, e.err)
}

func (e *attachError) Unwrap() error { return e.err }

func (e *attachError) hint() string { return otherEnd }

// attach logs the keys of a Go program that runs already, until it ends or the
// user interrupts lab.
func (p *Program) attach(c *cli.Context) error {
	pid := c.Int("attach")
	problem := ""
	switch {
	case c.Args().Present():
		problem = "--attach takes no COMMAND: the program runs already"
	case pid <= 0:
		problem = "--attach takes the PID of a process, such as pgrep prints"
	case c.IsSet("capture") || c.IsSet("tap") || explainFlag(c).set || c.String("keylog") == "off":
		problem = "--attach logs keys, and records nothing: tcpdump -w FILE does, and lab explain FILE --keylog keys.log opens that"
	}
	if problem != "" {
		return &usageError{command: commandName(c), problem: problem}
	}
	log, _, err := prepareLog(c)
	if err != nil {
		return err
	}
	ended := false
	keys, err := keylog.Open(log, func(err error) { ended = true; p.results.lose(); p.sayUnwritten(keyLogEnded(err)) })
	if err != nil {
		return err
	}
	defer keys.Close()
	before := sizeOf(log)
	ctx, restore := signal.NotifyContext(c.Context, leavings...)
	defer restore()
	// A second Ctrl-C would end lab, and the program with it, before its
	// breakpoints are gone. lab ends by itself soon.
	signal.Notify(make(chan os.Signal, 1), Interrupts...)
	trace, err := gokeys.Attach(ctx, pid, gokeys.Options{Keys: keys, Cannot: func(err error) { p.say("%v; %s", err, otherEnd) }})
	if err != nil {
		return &attachError{pid, err}
	}
	p.say("the keys of process %d go to %s, for connections that begin from now on; those that were open before cannot be decrypted. Ctrl-C leaves the program running", pid, log)
	trace.Wait()
	if !ended && sizeOf(log) <= before {
		p.say("no TLS secrets came: no connection began meanwhile")
	}
	return nil
}
