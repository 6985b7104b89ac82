package exercise

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/wiretap"
)

// Limit is how long a marking may take. What it has started is killed after
// that.
const Limit = 10 * time.Second

// Result is what a marking came to.
type Result struct {
	Solved     bool
	Stale      bool     // certs.yaml was changed, and its certificates were not made
	NewCAs     []string // CAs that were made anew since the start: other keys, under the same names
	Steps      []*StepResult
	Answers    []AnswerResult
	Capture    string       // file with the exchanges; "": there is none
	Unrecorded error        // why there is none; nil: there was to be none
	Known      string       // why the repair does not count, if it is a wrong one that is known
	Trust      *chain.Trust // the CAs and CRLs of the world; nil: no exchange was made
}

// StepResult is what came of a step.
type StepResult struct {
	*Step
	Met      bool
	Missed   []string  // what is not as it should be, as it was seen
	Exchange *Exchange // nil: it did not come to that
	Stream   int       // its number in the capture; -1: there is none
	Err      error     // why not
	Findings []string  // of lab probe: cases that the server does not pass
}

// Problems says why the step is not met: what was seen, and why it did not come
// to that.
func (s *StepResult) Problems() []string {
	problems := slices.Concat(s.Missed, s.Findings)
	if s.Err != nil {
		problems = append(problems, s.Err.Error())
	}
	return problems
}

// AnswerResult is what came of a question.
type AnswerResult struct {
	*Question
	Given string // "": not answered
	Right bool
}

// Problem says why the answer is not right; "": it is.
func (a AnswerResult) Problem() string {
	switch {
	case a.Right:
		return ""
	case a.Given == "":
		return "no answer yet"
	}
	return "it is not " + a.Given
}

// ErrLate is a marking that has taken too long.
var ErrLate = errors.New("it has taken too long, and was ended")

// LateError is ErrLate, with the capture of what was said until then.
type LateError struct {
	Err     error  // ErrLate, and perhaps what was late
	Capture string // a file; "": there is none
}

func (e *LateError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *LateError) Unwrap() error { return e.Err }

// verify marks what is in dir, which it leaves alone, within a limit. The
// exchanges are recorded in file, unless that is "". Errors are ErrLate, and
// those about what the participant has written that cannot be read.
func (e *Exercise) verify(ctx context.Context, dir string, v values, file string, limit time.Duration) (*Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrLate)
	defer cancel()
	result := &Result{}
	err := inCopy(dir, func(copied string) error {
		sink, end := wiretap.Fan(), func() error { return nil }
		if file != "" {
			w, err := recordTo(file)
			if result.Unrecorded = err; err == nil {
				sink, end, result.Capture = scenario.OnWiresharkPort{Sink: w}, w.Close, file
			}
		}
		err := e.mark(ctx, copied, v, sink, result)
		if lost := end(); lost != nil {
			result.Capture, result.Unrecorded = "", lost
		}
		return relative(err, copied)
	})
	if err != nil && context.Cause(ctx) == ErrLate {
		if !errors.Is(err, ErrLate) { // it has failed for that
			err = ErrLate
		}
		err = &LateError{Err: err, Capture: result.Capture}
	}
	return result, err
}

// mark marks what is in dir, a copy.
func (e *Exercise) mark(ctx context.Context, dir string, v values, sink wiretap.Sink, result *Result) error {
	result.Stale, result.NewCAs = e.isStale(dir), v.otherCAs(e.keysOfCAs(dir))
	if len(e.Solved) > 0 {
		if err := e.makeAll(ctx, dir, v, sink, result); err != nil {
			return err
		}
	}
	if len(e.Ask) > 0 {
		given, err := readAnswers(dir)
		if err != nil {
			return err
		}
		for i := range e.Ask {
			q := &e.Ask[i]
			result.Answers = append(result.Answers, AnswerResult{q, given[q.Name], q.isRight(given[q.Name], v)})
		}
	}
	result.Solved = !slices.ContainsFunc(result.Steps, func(s *StepResult) bool { return !s.Met }) &&
		!slices.ContainsFunc(result.Answers, func(a AnswerResult) bool { return !a.Right })
	if !result.Solved {
		result.Known = e.knownWrong(dir, v)
	}
	return nil
}

// makeAll makes the steps, all of them.
func (e *Exercise) makeAll(ctx context.Context, dir string, v values, sink wiretap.Sink, result *Result) error {
	r, err := e.start(ctx, dir, v, nil, sink)
	if err != nil {
		return err
	}
	defer r.close()
	defer func() { result.Trust = r.trust() }()
	for i := range e.Solved {
		s := &StepResult{Step: &e.Solved[i], Stream: -1}
		result.Steps = append(result.Steps, s)
		if s.Probe != nil {
			s.Findings, s.Err = r.probe(ctx, s.Step)
			s.Met = s.Err == nil && len(s.Findings) == 0
		} else if s.Exchange, s.Err = r.make(ctx, s.Step); s.Err == nil {
			s.Missed = r.missed(s.Step, s.Exchange)
			s.Met = len(s.Missed) == 0
		}
		if s.Exchange != nil {
			s.Stream = r.streams.of(s.Exchange.ClientAddr)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.Err = relative(s.Err, dir)
	}
	result.Steps = append(result.Steps, r.switchedOff()...)
	return nil
}

// switchedOff returns a step that is not met for each side that verified the
// other at the start and no longer does, whoever has called.
func (r *run) switchedOff() (steps []*StepResult) {
	for _, side := range []endpoint.Side{endpoint.Server, endpoint.Client} {
		start, now := r.World.own(side), r.sides.of(side)
		if start == nil || now == nil || start.Unsure || !now.Unsure {
			continue
		}
		steps = append(steps, &StepResult{
			Stream: -1,
			Step:   &Step{Says: fmt.Sprintf("the %s verifies the %s", side, side.Other())},
			Missed: []string{fmt.Sprintf("%s: %s: verify is off", settingsFile, side)},
		})
	}
	return steps
}

// relativeError is an error about files of a copy, by their names in the
// participant's folder.
type relativeError struct {
	error
	dir string // the copy
}

func (e *relativeError) Error() string {
	return strings.ReplaceAll(e.error.Error(), e.dir+string(filepath.Separator), "")
}

// Unwrap returns the error with the names in the copy.
func (e *relativeError) Unwrap() error { return e.error }

func relative(err error, dir string) error {
	if err == nil {
		return nil
	}
	var start *StartError
	if errors.As(err, &start) {
		start.Output = ownNames().ReplaceAllString(strings.ReplaceAll(start.Output, dir+string(filepath.Separator), ""), "")
	}
	return &relativeError{err, dir}
}

// ownNames are the beginnings of the names of files in which ports were
// replaced: see withPorts.
var ownNames = text.Pattern(`\blab(-\d+)+-`)
