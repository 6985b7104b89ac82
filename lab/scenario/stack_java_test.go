package scenario

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

var stackJava = javaStack(&stack{
	name: "Java", needs: []string{"java", "javac"}, crl: true,
	client: "SSLSocket of the default provider (SunJSSE), with endpoint identification HTTPS",
	server: "SSLServerSocket of the default provider (SunJSSE), setNeedClientAuth(true)",
})

// javaStack lets Peer.java serve a stack: one process all of its runs.
func javaStack(s *stack, flags ...string) *stack {
	var peer javaPeer
	s.version = func(t *testing.T) string {
		peer.start(t, flags)
		return strings.Trim(strings.Fields(firstWords(t, 3, "java", "-version"))[2], `"`)
	}
	s.lines = `^(Caused by: )?[\w.$]+(Exception|Error)\b.*`
	return peer.serves(s)
}

// serves lets the process serve a stack.
func (peer *javaPeer) serves(s *stack) *stack {
	s.call = func(t *testing.T, e *end) (int, string) {
		return readAnswer(t, peer.ask(t, e))
	}
	s.serve = func(t *testing.T, e *end) (string, func(*regexp.Regexp) string) {
		answers := peer.ask(t, e)
		listening, ok := strings.CutPrefix(<-answers, "listening ")
		if !ok {
			t.Fatalf("it does not listen: %s", listening)
		}
		return "127.0.0.1:" + listening, func(*regexp.Regexp) string { _, said := readAnswer(t, answers); return said }
	}
	return s
}

// javaPeer is a process of Peer.java.
type javaPeer struct {
	stdin io.Writer

	mu      sync.Mutex
	answers map[string]chan string // by the number of what was asked
}

// start compiles it, and starts it with flags, of which the first is a class
// path.
func (p *javaPeer) start(t *testing.T, flags []string) {
	t.Helper()
	classes := t.TempDir()
	if out, err := exec.Command("javac", "-d", classes, filepath.Join("testdata", "stacks", "Peer.java")).CombinedOutput(); err != nil {
		t.Fatalf("javac: %v\n%s", err, out)
	}
	path := classes
	if len(flags) > 0 {
		path += ":" + flags[0]
		flags = flags[1:]
	}
	p.run(t, exec.Command("java", append(flags, "-cp", path, "Peer")...))
}

// run starts a program that answers as Peer.java does.
func (p *javaPeer) run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr peertest.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.stdin, p.answers = stdin, map[string]chan string{}
	var reading sync.WaitGroup
	reading.Go(func() {
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			id, answer, _ := strings.Cut(lines.Text(), " ")
			p.mu.Lock()
			answers := p.answers[id]
			p.mu.Unlock()
			if answers != nil {
				answers <- answer
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, answers := range p.answers { // nobody answers any more
			close(answers)
		}
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		reading.Wait()
		_ = cmd.Wait() // it was killed
		if t.Failed() && stderr.String() != "" {
			t.Log(stderr.String())
		}
	})
}

// ask asks for one end, and returns where the answers come.
func (p *javaPeer) ask(t *testing.T, e *end) chan string {
	answers := make(chan string, 2)
	p.mu.Lock()
	defer p.mu.Unlock()
	id := strconv.Itoa(len(p.answers))
	p.answers[id] = answers
	if _, err := fmt.Fprintf(p.stdin, "%s\t%s\n", id, strings.Join(e.peerArgs(), "\t")); err != nil {
		t.Fatal(err)
	}
	return answers
}

// readAnswer returns the status and what was said.
func readAnswer(t *testing.T, answers chan string) (status int, said string) {
	answer, ok := <-answers
	if !ok {
		t.Fatal("the process has ended without an answer")
	}
	number, said, _ := strings.Cut(answer, "\t")
	status, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return status, strings.ReplaceAll(said, "\t", "\n")
}
