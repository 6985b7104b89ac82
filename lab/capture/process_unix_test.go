//go:build unix

package capture_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/wiretap"
)

// TestMain runs this program as a lab, when a test has started it as one.
func TestMain(m *testing.M) {
	if name := os.Getenv("CAPTURE_CHILD"); name != "" {
		os.Exit(child(name))
	}
	os.Exit(m.Run())
}

// child records exchanges to the file of that name until it is killed or has
// made $CAPTURE_COUNT of them. It says on stderr on which port it listens, the
// number of each finished exchange when it is in the file, and what ends the
// recording.
func child(name string) int {
	count := 1 << 30
	fmt.Sscan(os.Getenv("CAPTURE_COUNT"), &count)
	w, err := capture.Create(name, capture.Options{Notice: func(err error) { fmt.Fprintln(os.Stderr, "notice", err) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	t := &childTest{}
	l := setup{tapServer: wiretap.New(w)}.start(t)
	l.client.Transport.(*http.Transport).DisableKeepAlives = true
	_, port, _ := net.SplitHostPort(l.addr)
	fmt.Fprintln(os.Stderr, "port", port)
	for n := 1; n <= count; n++ {
		l.get(t, "/status/200")
		peertest.Eventually(t, "the end of an exchange", func() bool { return l.ended.Load() >= int64(n) })
		w.Flush() // as lab does before it reports an exchange
		fmt.Fprintln(os.Stderr, "finished", n)
	}
	w.Close()
	return 0
}

// childTest is what start and get need of a test.
type childTest struct{ testing.TB }

func (*childTest) Helper()              {}
func (*childTest) Cleanup(func())       {}
func (*childTest) Fatal(args ...any)    { fmt.Fprintln(os.Stderr, args...); os.Exit(1) }
func (*childTest) Skipf(string, ...any) {}

func childCommand(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), "CAPTURE_CHILD="+name)
	return c
}

// TestKill: whatever was finished before kill -9 is in the file.
func TestKill(t *testing.T) {
	need(t, "tshark")
	name := filepath.Join(t.TempDir(), "lab.pcapng")
	c := childCommand(t, name)
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var port string
	finished := 0
	for lines := bufio.NewScanner(stderr); finished < 25 && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "port %s", &port)
		fmt.Sscanf(lines.Text(), "finished %d", &finished)
		file, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		blocks(t, file)
	}
	c.Process.Kill()
	c.Wait()
	frames := dissect(t, name, "-d", "tcp.port=="+port+",tls")
	sound(t, frames)
	if got := len(all(frames, "http.response.code")); finished != 25 || got < finished {
		t.Errorf("%d exchanges are there of %d", got, finished)
	}
}

// TestClosedStdout: the reader of standard output goes; the lab goes on.
func TestClosedStdout(t *testing.T) {
	if testing.Short() {
		t.Skip("runs another program")
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := childCommand(t, "-")
	c.Env = append(c.Env, "CAPTURE_COUNT=20")
	c.Stdout = w
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := io.ReadFull(r, make([]byte, 2000)); err != nil {
		t.Error(err)
	}
	r.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("the lab ended with %v", err)
	}
	if got := stderr.String(); strings.Count(got, "notice") != 1 || !strings.Contains(got, "recording to standard output ends: ") ||
		!strings.Contains(got, "broken pipe") || !strings.Contains(got, "finished 20") {
		t.Errorf("it says %s", got)
	}
}

func TestStdout(t *testing.T) {
	if testing.Short() {
		t.Skip("runs another program")
	}
	c := childCommand(t, "-")
	c.Env = append(c.Env, "CAPTURE_COUNT=3")
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(outline(t, out), "D"); got != 3 {
		t.Errorf("%d connections are there, want 3", got)
	}
}

func TestDevFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full")
	}
	var failure *capture.WriteError
	if _, err := capture.Create("/dev/full", capture.Options{}); !errors.As(err, &failure) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Create says %v", err)
	}
}

func mkfifo(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Skipf("no FIFO: %v", err)
	}
	return name
}

// TestFIFO: the reader may come after the lab, and gets everything.
func TestFIFO(t *testing.T) {
	name := mkfifo(t)
	w, err := capture.Create(name, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := play(w)
	s.client("hello")
	file := make(chan []byte)
	go func() {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		}
		file <- b
	}()
	s.close()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if streams, err := conversation(<-file); err != nil || string(streams.Client.data) != "hello" {
		t.Errorf("read %q, %v", streams.Client.data, err)
	}
}

// TestFIFOReaderGoes: the recording ends, the lab goes on.
func TestFIFOReaderGoes(t *testing.T) {
	name := mkfifo(t)
	reader, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	notices := 0
	w, err := capture.Create(name, capture.Options{Notice: func(error) { notices++ }})
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	for range 3 {
		play(w).close()
	}
	if err := w.Close(); !errors.Is(err, syscall.EPIPE) || notices != 1 {
		t.Errorf("Close says %v after %d notices", err, notices)
	}
}

// TestFIFOWithoutReader: Close does not wait for ever.
func TestFIFOWithoutReader(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 2 seconds")
	}
	t.Parallel()
	w, err := capture.Create(mkfifo(t), capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	go play(w).close()
	start := time.Now()
	if err := w.Close(); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("Close says %v after %v", err, time.Since(start))
	}
}

// TestFIFOOfSomebodyElse: whoever has put a FIFO there gets no secrets.
func TestFIFOOfSomebodyElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to have files of others")
	}
	name := filepath.Join(t.TempDir(), "lab.pcapng")
	if err := errors.Join(syscall.Mkfifo(name, 0o666), os.Chown(name, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var unsafe *private.UnsafeError
	if _, err := capture.Create(name, capture.Options{}); !errors.As(err, &unsafe) {
		t.Errorf("got %v", err)
	}
	if n, _ := reader.Read(make([]byte, 1)); n > 0 {
		t.Error("something was written")
	}
}
