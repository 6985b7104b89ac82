package mirror

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/text"
)

// Command is a client that is called once for each fault.
type Command struct {
	// Args are the program and its arguments, in which {url}, {host}, {port},
	// {ca}, {cert}, {key} and {crl} stand for what each call needs.
	Args []string
	// Files are the values of {ca}, {cert}, {key} and {crl}, by their names.
	Files map[string]string
	// Timeout is how long a call may take; 0: 30 s. Where the server says nothing
	// it is 5 s at most.
	Timeout time.Duration
	// Parallel is how many calls may run at once; 0: one.
	Parallel int
}

// Where are the placeholders of which a command needs one, to call a server.
var Where = []string{"{url}", "{host}", "{port}"}

// Uses reports whether a placeholder is among the arguments.
func (c *Command) Uses(placeholder string) bool {
	return slices.ContainsFunc(c.Args, func(arg string) bool { return strings.Contains(arg, placeholder) })
}

// Placeholders are all.
var Placeholders = []string{"{url}", "{host}", "{port}", "{ca}", "{cert}", "{key}", "{crl}"}

// braced is what may be meant for a placeholder. ${x} is a shell's, and %{x} of
// curl -w.
var braced = text.Pattern(`(^|[^$%])(\{[A-Za-z_-]+\})`)

// meant is what is in words that are meant for one.
var meant = text.Pattern(`(?i)ur[il]|host|server|addr|port|ca|cert|key|crl`)

// Misspelt returns what looks like a placeholder among the arguments and is
// none, "" if there is no such thing. In a script of several words braces have
// a meaning of their own, unless only the case is wrong.
func (c *Command) Misspelt() string {
	for _, arg := range c.Args {
		isScript := strings.ContainsAny(arg, " \t\n\"'")
		for _, found := range braced().FindAllStringSubmatch(arg, -1) {
			word := found[2]
			if slices.Contains(Placeholders, word) || !meant().MatchString(word) {
				continue
			}
			if !isScript || slices.Contains(Placeholders, strings.ToLower(word)) {
				return word
			}
		}
	}
	return ""
}

// patience bounds a call to a server that says nothing.
const patience = 5 * time.Second

// settling is how long the last connections of a call may take to end, once the
// command has.
const settling = 10 * time.Second

// StartError is a command that cannot be run.
type StartError struct {
	Program string
	Err     error
}

func (e *StartError) Error() string { return fmt.Sprintf("cannot run %s: %v", e.Program, e.Err) }

// Unwrap returns the error of the operating system.
func (e *StartError) Unwrap() error { return e.Err }

// ControlError is a command that does not take a good server: that it refuses
// others means nothing.
type ControlError struct {
	Finding *probe.Finding
	Output  string // the end of what the command printed
}

func (e *ControlError) Error() string { return "the command does not accept a good server" }

// Try calls the command for the control, and if it accepts that, for each other
// fault of the server, which must be serving. each is called for every finding,
// in the order of the faults. Errors are *StartError, *ControlError and that of
// ctx.
func (c *Command) Try(ctx context.Context, s *Server, each func(*probe.Finding)) error {
	control, err := c.call(ctx, s, s.Listeners[0])
	if err != nil {
		return err
	}
	sends := control.best() != nil && control.best().Sent
	found := control.Finding(sends)
	if !control.accepts() {
		return &ControlError{Finding: found, Output: control.Output}
	}
	each(found)
	type outcome struct {
		found *probe.Finding
		err   error
	}
	rest := s.Listeners[1:]
	outcomes := make([]chan outcome, len(rest))
	room := make(chan struct{}, max(c.Parallel, 1))
	var running sync.WaitGroup
	defer running.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for i, l := range rest {
		outcomes[i] = make(chan outcome, 1)
		running.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			if l.NeedsCRL() && !c.Uses("{crl}") {
				outcomes[i] <- outcome{found: l.NotTried("the command has no {crl}, without which no client can know")}
				return
			}
			a, err := c.call(ctx, s, l)
			if err != nil {
				outcomes[i] <- outcome{err: err}
				return
			}
			outcomes[i] <- outcome{found: a.Finding(sends)}
		})
	}
	for _, next := range outcomes {
		done := <-next
		if done.err != nil {
			return done.err
		}
		each(done.found)
	}
	return nil
}

// NotTried is the finding of a fault that was left out.
func (f *Fault) NotTried(why string) *probe.Finding {
	found := f.newFinding(nil)
	found.Result, found.Judgement, found.Reason = probe.NotTried, probe.Left, why
	return found
}

// call calls the command for one listener.
func (c *Command) call(ctx context.Context, s *Server, l *Listener) (*Attempt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	if l.isSilent() {
		timeout = min(timeout, patience)
	}
	args := c.filled(l)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	program := exec.CommandContext(limited, args[0], args[1:]...)
	program.WaitDelay = time.Second // of what it has started, and what holds its output open
	alone(program)
	printed := text.Tail{Most: 2 << 10}
	program.Stdout, program.Stderr = &printed, &printed
	err := program.Run()
	a := &Attempt{Fault: l.Fault, Output: printed.String()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		a.Killed, a.Status = timeout, -1
	case err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay):
		return nil, &StartError{Program: args[0], Err: bare(err)}
	}
	if a.Killed == 0 {
		a.Status = program.ProcessState.ExitCode()
	}
	a.Visits = s.settle(ctx, l, settling)
	return a, nil
}

// bare is an error without what was called, which the caller names.
func bare(err error) error {
	var path *os.PathError
	var name *exec.Error
	switch {
	case errors.As(err, &name):
		return name.Err
	case errors.As(err, &path):
		return path.Err
	}
	return err
}

// filled returns the arguments for a listener.
func (c *Command) filled(l *Listener) []string {
	host, port := l.HostPort()
	pairs := []string{"{url}", l.URL, "{host}", host, "{port}", port}
	for name, file := range c.Files {
		pairs = append(pairs, "{"+name+"}", file)
	}
	replace := strings.NewReplacer(pairs...)
	args := make([]string, len(c.Args))
	for i, arg := range c.Args {
		args[i] = replace.Replace(arg)
	}
	return args
}
