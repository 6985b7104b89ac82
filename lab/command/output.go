package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"golang.org/x/term"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/text"
)

// This file is the only way to stdout and stderr: what is printed is cleaned on
// it, and what cannot be written is noticed.

// output is stdout or stderr of one run. It remembers the first error of a
// write, after which nothing more is written, and reports it once.
type output struct {
	w      io.Writer
	failed func(error)

	writing sync.Mutex // held while w takes what it is given, which may be for ever

	mu   sync.Mutex // guards the fields below
	err  error
	lost bool // something else that was to be written
}

func (o *output) Write(data []byte) (int, error) {
	o.writing.Lock()
	defer o.writing.Unlock()
	if err := o.error(); err != nil {
		return 0, err
	}
	n, err := o.w.Write(data)
	if err != nil {
		o.mu.Lock()
		o.err = err
		o.mu.Unlock()
		o.failed(err)
	}
	return n, err
}

// lose notes that a file of the run could not be written, which was said.
func (o *output) lose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost = true
}

// hasLost reports whether lose was called.
func (o *output) hasLost() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// error returns the first error of a write.
func (o *output) error() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// unwritableError is a stdout that takes no more.
type unwritableError struct{ err error }

func (e *unwritableError) Error() string { return "cannot write to stdout: " + bare(e.err).Error() }
func (e *unwritableError) Unwrap() error { return e.err }

// bare is an error without the name of the file it is about.
func bare(err error) error {
	if path, ok := err.(*os.PathError); ok {
		return path.Err
	}
	return err
}

// exitClosedPipe is the exit status, as in a shell, of a program that SIGPIPE
// has ended.
const exitClosedPipe = 128 + int(syscall.SIGPIPE)

// open readies stdout and stderr. The context ends when stdout, or a pipe that
// stderr is, takes no more. close undoes it.
func (p *Program) open(ctx context.Context) (_ context.Context, close func()) {
	ctx, stop := context.WithCancel(ctx)
	p.results = &output{w: p.Stdout, failed: func(error) { stop() }}
	p.talk = &output{w: p.Stderr, failed: func(err error) {
		if isClosedPipe(err) {
			stop()
		}
	}}
	if inASCII() {
		p.charset = text.ASCII
	}
	// Without this a closed pipe would end the program in the middle of what it
	// does: with a browser open, a key log to be removed, or a capture half
	// written.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	return ctx, func() { signal.Stop(broken); stop() }
}

// unwritten returns the exit status and the message for output that could not
// be written; ok is false if all was written.
func (p *Program) unwritten() (status int, say error, ok bool) {
	err := p.results.error()
	switch {
	case err != nil && isClosedPipe(err), isClosedPipe(p.talk.error()):
		return exitClosedPipe, nil, true
	case err != nil:
		return exitFailed, &unwritableError{err}, true
	}
	return 0, nil, false
}

// stdout prints results.
func (p *Program) stdout() text.Printer { return p.printer(p.results, p.Stdout) }

// stderr prints talk.
func (p *Program) stderr() text.Printer { return p.printer(p.talk, p.Stderr) }

func (p *Program) printer(o *output, w io.Writer) text.Printer {
	return text.Printer{W: o, Columns: p.columns(w), Charset: p.charset}
}

// columns returns the width of the terminal that w is, or 0.
func (p *Program) columns(w io.Writer) int {
	if p.Columns > 0 {
		return p.Columns
	}
	if !isTerminal(w) {
		return 0
	}
	columns, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// isTerminal reports whether a person watches w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// encoded returns v as JSON, on a line of its own.
func (p *Program) encoded(v any) []byte {
	var b buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
	return p.charset.JSON(b)
}

type buffer []byte

func (b *buffer) Write(data []byte) (int, error) {
	*b = append(*b, data...)
	return len(data), nil
}

// printJSON writes v on a line of its own.
func (p *Program) printJSON(v any) { _, _ = p.results.Write(p.encoded(v)) }

// say writes one paragraph of talk and, below it, the commands that format may
// end with, a line each, whole, so that they can be copied.
func (p *Program) say(format string, args ...any) {
	for i, arg := range args {
		args[i] = cleaned{p.charset, arg}
	}
	paragraph, commands, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	p.writeTalk(paragraph)
	for line := range strings.Lines(commands) {
		p.writeCommand(strings.TrimSuffix(line, "\n"))
	}
}

// writeCommand writes a command to copy, on a line of its own.
func (p *Program) writeCommand(line string) {
	p.stderr().Line(strings.SplitAfter(line, " ")...)
}

// writeTalk writes a paragraph of talk that is clean.
func (p *Program) writeTalk(said string) {
	const lead = "lab: "
	p.stderr().Paragraph(lead, len(lead), strings.SplitAfter(said, " ")...)
}

// printError writes an error, the line of the manifest that it is about, and
// a hint. Where no terminal is, a program may look for the error, so that it
// stays whole.
func (p *Program) printError(err error) {
	said := "error: " + p.charset.Clean(strings.ReplaceAll(err.Error(), "\n", "; "))
	if p.stderr().Columns > 0 {
		p.writeTalk(said)
	} else {
		p.stderr().Line("lab: ", said)
	}
	var manifest *yamldoc.Error
	if errors.As(err, &manifest) && manifest.Source != "" {
		p.printSource(manifest)
	}
	p.sayHint(err)
}

// sayUnwritten says that a file is not written any more, and what to do. What
// the file is about goes on.
func (p *Program) sayUnwritten(err error) {
	p.say("%v", err)
	p.sayHint(err)
}

// sayHint says what to do about an error.
func (p *Program) sayHint(err error) {
	if h := hint(err); h != "" {
		p.writeTalk("hint: " + p.charset.Clean(inShell(h)))
		for _, command := range hintCommands(err) {
			p.writeCommand("  " + command)
		}
	}
}

// printSource writes the line of a manifest that is wrong, or as much of it as
// fits, and points at the place.
func (p *Program) printSource(e *yamldoc.Error) {
	const margin = "%6s | "
	before, after := e.Source, ""
	if at := e.Column - 1; at < utf8.RuneCountInString(before) {
		runes := []rune(before)
		before, after = string(runes[:at]), string(runes[at:])
	}
	before, after = p.charset.Clean(before), p.charset.Clean(after)
	room := p.stderr().Width() - len(fmt.Sprintf(margin, ""))
	for text.Width(before) > room*3/4 { // the place is in sight
		_, rest := text.Split(before, room/4)
		before = p.charset.Clean("…") + rest
	}
	p.stderr().Line(fmt.Sprintf(margin, strconv.Itoa(e.Line)), p.charset.Cut(before+after, room))
	p.stderr().Line(fmt.Sprintf(margin, ""), text.Pad("", text.Width(before)), "^")
}

// cleaned is a value that is clean when it is formatted.
type cleaned struct {
	text.Charset
	value any
}

func (c cleaned) Format(f fmt.State, verb rune) {
	_, _ = io.WriteString(f, c.Clean(fmt.Sprintf(fmt.FormatString(f, verb), c.value)))
}
