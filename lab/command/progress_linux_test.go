package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mtlslab.example/lab/lab/peertest"
)

// openTerminal returns both ends of a pseudo-terminal: what a program writes to
// the terminal is read from the screen.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		peertest.Missing(t, "needs a pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	raw, err := screen.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number int
	var failed error
	err = raw.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return screen, terminal
}

// readUntil reads the screen until it has shown want.
func readUntil(t *testing.T, screen *os.File, want string) {
	t.Helper()
	_ = screen.SetReadDeadline(time.Now().Add(20 * time.Second))
	var shown strings.Builder
	for buffer := make([]byte, 1024); !strings.Contains(shown.String(), want); {
		n, err := screen.Read(buffer)
		shown.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v; the screen shows %q without %q", err, shown.String(), want)
		}
	}
}

// The bar is for people who wait: it comes on a terminal, after a second, and
// goes when the work is done.
func TestProgress(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	elsewhere := newProgress(file, "making certificates")
	elsewhere.update(1, 3)
	quickScreen, quickTerminal := openTerminal(t)
	quick := newProgress(quickTerminal, "making certificates")
	quick.update(3, 3)
	quick.stop()

	screen, terminal := openTerminal(t)
	start := time.Now()
	slow := newProgress(terminal, "making certificates")
	slow.update(1, 3)
	readUntil(t, screen, "(1/3)")
	if took := time.Since(start); took < time.Second {
		t.Errorf("shown after %v", took)
	}
	slow.update(2, 3)
	readUntil(t, screen, "(2/3)")
	fmt.Fprintln(slow.above(terminal), "a result")
	readUntil(t, screen, "\ra result") // over the bar, which comes back below it
	slow.update(3, 4)
	readUntil(t, screen, "(3/4)")
	slow.stop()
	fmt.Fprint(terminal, "done")
	readUntil(t, screen, "\rdone") // over the bar, not after it

	elsewhere.stop()
	if written, err := os.ReadFile(file.Name()); err != nil || len(written) > 0 {
		t.Errorf("a file got %q, %v", written, err)
	}
	quickTerminal.Close() // from now on the screen's end is an error
	if n, _ := quickScreen.Read(make([]byte, 1024)); n > 0 {
		t.Errorf("work that was done at once showed %d bytes", n)
	}
}

// What is said after Ctrl-C does not follow the terminal's ^C on its line.
func TestCountsAfterInterrupt(t *testing.T) {
	screen, terminal := openTerminal(t)
	a := &labRun{Program: &Program{Stderr: terminal}}
	_, done := a.open(t.Context())
	defer done()
	interrupted, interrupt := context.WithCancel(t.Context())
	a.sayCounts(interrupted)
	readUntil(t, screen, "lab: 0 exchanges: 0 accepted, 0 rejected\r\n")
	interrupt()
	fmt.Fprint(terminal, "^C")
	a.sayCounts(interrupted)
	readUntil(t, screen, "^C\r\nlab: 0 exchanges")
}

// The width is the terminal's own, as it is at the time.
func TestTerminalWidth(t *testing.T) {
	_, terminal := openTerminal(t)
	p := &Program{Stdout: terminal}
	for _, columns := range []uint16{60, 97} {
		if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
			t.Fatal(err)
		}
		if got := p.stdout().Width(); got != int(columns) {
			t.Errorf("%d, not %d", got, columns)
		}
	}
}

// A terminal is not written to for each of thousands of certificates.
func TestProgressOfMany(t *testing.T) {
	var written bytes.Buffer
	p := &progress{w: &written, what: "making certificates", due: true}
	for done := range 5000 {
		p.update(done+1, 5000)
	}
	if shown := strings.Count(written.String(), "\r"); shown > 102 || !strings.HasSuffix(written.String(), "[############] (5000/5000)") {
		t.Errorf("shown %d times, at last %q", shown, written.String()[max(written.Len()-60, 0):])
	}
}
