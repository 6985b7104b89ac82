//go:build amd64 || arm64

package gokeys_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"mtlslab.example/lab/lab/gokeys"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/peertest"
)

// TestBackground: a program that outlives the one that was started goes on,
// without the tracer: also where it has stored secrets itself. It can be
// attached to later.
func TestBackground(t *testing.T) {
	t.Parallel()
	log, file := newLog(t), filepath.Join(t.TempDir(), "out")
	out := run(t, log, "sh", "-c", peer()+" serve >"+file+" 2>&1 & echo $!; while ! grep -q : "+file+"; do sleep 0.01; done; "+peer()+" -n 3 call $(cat "+file+")")
	var pid int
	if _, err := fmt.Sscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	address, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(logged(t, log)); got != 3*tls13Lines { // each once: both sides have the same
		t.Errorf("%d secrets", got)
	}
	handshake := func(r *reference) {
		t.Helper()
		c, err := tls.Dial("tcp", strings.TrimSpace(string(address)), &tls.Config{InsecureSkipVerify: true, KeyLogWriter: r})
		if err != nil {
			t.Fatalf("it does not go on: %v", err)
		}
		c.Close()
	}
	handshake(&reference{})
	if runtime.GOARCH == "amd64" && bytes.Contains(ringIn(t, pid), []byte("_TRAFFIC_")) {
		t.Error("the program goes on storing secrets, or they were not wiped")
	}
	for range 2 {
		log, r := newLog(t), &reference{}
		keys, err := keylog.Open(log, nil)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := gokeys.Attach(t.Context(), pid, gokeys.Options{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		handshake(r)
		handshake(r)
		trace.Detach()
		trace.Wait()
		keys.Close()
		wantSame(t, log, r, 2*tls13Lines)
		handshake(&reference{})
	}
}

// ringIn returns the memory where a program stores its secrets.
func ringIn(t *testing.T, pid int) []byte {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^[0-9a-f]+-([0-9a-f]+) r-xp 00000000 00:00 0 *\n[0-9a-f]+-([0-9a-f]+) rw-p`).FindSubmatch(maps)
	if found == nil {
		t.Fatalf("no such code: %s", maps)
	}
	var start, end int64
	if _, err := fmt.Sscanf(string(found[1])+" "+string(found[2]), "%x %x", &start, &end); err != nil {
		t.Fatal(err)
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	slots := make([]byte, end-start)
	if _, err := memory.ReadAt(slots, start); err != nil {
		t.Fatal(err)
	}
	return slots
}

func TestAttach(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(peer(), "serve")
	address := serving(t, cmd)
	handshake := func(r *reference) {
		t.Helper()
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: r})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	handshake(&reference{})
	log := newLog(t)
	keys, err := keylog.Open(log, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	trace, err := gokeys.Attach(t.Context(), cmd.Process.Pid, gokeys.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	r := &reference{}
	for range 10 {
		handshake(r)
	}
	var system *gokeys.SystemError
	if _, err := gokeys.Attach(t.Context(), cmd.Process.Pid, gokeys.Options{Keys: keys}); !errors.As(err, &system) || !strings.Contains(err.Error(), "traced already") {
		t.Errorf("a second time: %v", err)
	}
	trace.Detach()
	trace.Wait()
	wantSame(t, log, r, 10*tls13Lines)
	for range 3 {
		handshake(&reference{}) // it runs on
	}
	wantSame(t, log, r, 10*tls13Lines)

	other := exec.Command("sleep", "60")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	var program *gokeys.ProgramError
	if _, err := gokeys.Attach(t.Context(), other.Process.Pid, gokeys.Options{Keys: keys}); !errors.As(err, &program) {
		t.Errorf("a program without crypto/tls: %v", err)
	}
	for _, pid := range []int{os.Getpid(), os.Getppid()} { // go test: it would be killed with this process
		if _, err := gokeys.Attach(t.Context(), pid, gokeys.Options{Keys: keys}); !errors.As(err, &system) || !strings.Contains(err.Error(), "has started this one") {
			t.Errorf("an ancestor: %v", err)
		}
	}
	if _, err := gokeys.Attach(t.Context(), 1<<22+1, gokeys.Options{Keys: keys}); !errors.As(err, &system) {
		t.Errorf("no process: %v", err)
	}
}

// TestAttachUnderLoad attaches to a program and lets go of it again and again,
// while its threads come and go and it is in handshakes. It runs on, and from
// each time that lab was attached there are keys.
func TestAttachUnderLoad(t *testing.T) {
	t.Parallel()
	rounds := 30
	if peertest.Full() {
		rounds = 300
	}
	server := newReference(t)
	// The shell waits for the program, which the tracer's process must not do.
	shell := exec.Command("sh", "-c", peer()+" -churn 4 -goroutines 4 -forever call "+server.address+" & echo $!; wait $!; echo status $?")
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	shell.Stderr = &said
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	peertest.Eventually(t, "the shell to execute the program", func() bool {
		path, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		return path == peer()
	})
	ended := make(chan string, 1)
	go func() {
		rest, _ := io.ReadAll(out)
		_ = shell.Wait()
		ended <- string(rest) + said.String()
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		<-ended
	})
	for round := range rounds {
		log := newLog(t)
		keys, err := keylog.Open(log, nil)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := gokeys.Attach(t.Context(), pid, gokeys.Options{Keys: keys, Cannot: func(err error) { t.Error(err) }})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := peertest.Poll(func() error {
			if lines := logged(t, log); len(lines) < tls13Lines {
				return fmt.Errorf("%d secrets in round %d", len(lines), round)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		trace.Detach()
		trace.Wait()
		keys.Close()
		select {
		case how := <-ended:
			ended <- how
			t.Fatalf("round %d: the program has ended: %s", round, how)
		default:
		}
	}
	before := len(server.sorted())
	if err := peertest.Poll(func() error {
		if len(server.sorted()) < before+10*tls13Lines {
			return errors.New("the program does not go on")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}
