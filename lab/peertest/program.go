package peertest

import (
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Buffer is a buffer that several goroutines may use. Its zero value is empty.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p, and never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns all that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Program is a peer that runs while a test talks with it.
type Program struct {
	Stdin  io.WriteCloser
	Output Buffer // of standard output and standard error, in the order of writing

	cmd   *exec.Cmd
	read  int           // bytes of Output that Await has passed
	ended chan struct{} // closed when all output is in Output
}

// Start starts a program, whose standard input, output and error must not be
// set, and kills it when the test ends.
func Start(t testing.TB, cmd *exec.Cmd) *Program {
	t.Helper()
	p := &Program{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.Output, &p.Output
	cmd.WaitDelay = time.Second // for those that inherited its output
	var err error
	if p.Stdin, err = cmd.StdinPipe(); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = cmd.Wait(); close(p.ended) }()
	t.Cleanup(p.Kill)
	return p
}

// Kill kills the program, and waits until it is gone.
func (p *Program) Kill() {
	_ = p.cmd.Process.Kill() // fails if it has ended
	<-p.ended
}

// Say types a text. A program that has ended does not hear it.
func (p *Program) Say(text string) {
	_, _ = io.WriteString(p.Stdin, text)
}

// Await waits until the program has written a line that matches the regular
// expression, and returns what follows the match in it. The next Await looks
// from the next line on. If the program ends without it, or does not write it
// within Patience, the test fails.
func (p *Program) Await(t testing.TB, pattern string) (rest string) {
	t.Helper()
	awaited := regexp.MustCompile("(?m)" + pattern)
	whole, ended := false, false
	for deadline := time.Now().Add(Patience); ; time.Sleep(2 * time.Millisecond) {
		select {
		case <-p.ended:
			ended = true
		default:
		}
		said := p.Output.String()
		if at := awaited.FindStringIndex(said[p.read:]); at != nil {
			end := p.read + at[1]
			if rest, _, whole = strings.Cut(said[end:], "\n"); whole {
				p.read = end + len(rest) + 1
				return strings.TrimSpace(rest)
			}
		}
		if ended || time.Now().After(deadline) {
			t.Fatalf("%v: no %q in:\n%s", p.cmd, pattern, said)
		}
	}
}

// Wait waits until the program has ended by itself, with whatever status, and
// returns all its output. If it has not within Patience, the test fails.
func (p *Program) Wait(t testing.TB) string {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		t.Fatalf("%v does not end:\n%s", p.cmd, &p.Output)
	}
	return p.Output.String()
}
