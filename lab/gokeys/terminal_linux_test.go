//go:build amd64 || arm64

package gokeys_test

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/peertest"
)

// terminal is a terminal with an interactive shell.
type terminal struct {
	t     *testing.T
	keys  *os.File
	shell *exec.Cmd
	mu    sync.Mutex
	shown bytes.Buffer
}

func newTerminal(t *testing.T, env ...string) *terminal {
	t.Helper()
	peertest.Need(t, "bash")
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { keys.Close() })
	number, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	screen, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	c := &terminal{t: t, keys: keys, shell: exec.Command("bash", "--norc", "--noprofile", "-i")}
	c.shell.Env = append(append(os.Environ(), "PS1=ready> ", "TERM=dumb"), env...)
	c.shell.Stdin, c.shell.Stdout, c.shell.Stderr = screen, screen, screen
	c.shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.shell.Process.Kill(); _ = c.shell.Wait() })
	go func() {
		b := make([]byte, 1024)
		for {
			n, err := keys.Read(b)
			c.mu.Lock()
			c.shown.Write(b[:n])
			c.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	c.shows("ready> ")
	return c
}

// types presses keys.
func (c *terminal) types(keys string) {
	c.t.Helper()
	if _, err := c.keys.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

// shows waits for a text, and forgets what is shown up to its end.
func (c *terminal) shows(text string) {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.t.Logf("the terminal shows %q", &c.shown)
		}
	}()
	peertest.Eventually(c.t, "the terminal to show "+strconv.Quote(text), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		i := strings.Index(c.shown.String(), text)
		if i < 0 {
			return false
		}
		c.shown.Next(i + len(text))
		return true
	})
}

// TestJobControl: Ctrl-Z stops a program and the tracer, fg continues both, and
// Ctrl-C ends the program with the tracer's status after it.
func TestJobControl(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, program := range map[string]string{"cat": "cat", "a shell": "sh -c 'cat; true'", "go": peer() + " copy"} {
		t.Run(name, func(t *testing.T) {
			c := newTerminal(t, "GOKEYS_TEST_LOG="+newLog(t))
			c.types(self + " " + program + "\r")
			c.shows("\n")
			for range 2 {
				c.types("hello\r")
				c.shows("hello")
				c.shows("hello") // what it copied
				c.types("\x1a")
				c.shows("Stopped")
				c.shows("ready> ")
				c.types("fg\r")
				c.shows(self)
			}
			c.types("again\r")
			c.shows("again")
			c.shows("again")
			c.types("\x03")
			c.shows("ready> ")
			c.types("echo status=$?\r")
			c.shows("status=130")
		})
	}
}
