package capture_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
	"mtlslab.example/lab/lab/wiretap/wiretaptest"
)

// TestReadLab: what the lab has recorded of connections at the same time reads
// as the taps have seen it, with the same secrets.
func TestReadLab(t *testing.T) {
	w, m := newWriter(t, capture.Options{})
	seen, keys := newTurns(), &secretLines{} // keys gets each event last
	l := setup{tapServer: wiretap.New(w, seen, keys)}.start(t)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() { l.get(t, "/small") })
	}
	wait.Wait()
	l.stop()
	peertest.Eventually(t, "the end of all connections", func() bool { return keys.open.Load() == 0 })
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	got, lines := newTurns(), ""
	err := capture.Read(bytes.NewReader(m.Bytes()), capture.ReadOptions{Sink: got, Secrets: func(b []byte) { lines += string(b) }})
	if err != nil {
		t.Fatal(err)
	}
	got.words().same(t, seen.words())
	for line := range strings.Lines(keys.all.String()) {
		if strings.Count(lines, line) != 1 {
			t.Errorf("the secret %.60s… is there %d times", line, strings.Count(lines, line))
		}
	}
}

// words returns t without how the connections ended: who closed first and who
// followed look alike in the file.
func (t *turns) words() *turns {
	for _, b := range t.said {
		said, _, _ := strings.Cut(b.String(), "close")
		b.Reset()
		b.WriteString(said[:strings.LastIndexByte(said, '\n')])
	}
	return t
}

// secretLines is a sink that keeps the secrets and counts the open connections.
type secretLines struct {
	open atomic.Int64
	mu   sync.Mutex
	all  strings.Builder
}

func (s *secretLines) Open(wiretap.Event) wiretap.Handler {
	s.open.Add(1)
	return func(e wiretap.Event) {
		switch e.Kind {
		case wiretap.Secret:
			s.mu.Lock()
			defer s.mu.Unlock()
			s.all.Write(e.Data)
		case wiretap.Close:
			s.open.Add(-1)
		}
	}
}

// TestReadDumpcap: what dumpcap has captured of a connection reads as its ends
// have seen it.
func TestReadDumpcap(t *testing.T) {
	need(t, "dumpcap")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	seen := newTurns()
	tapped := wiretaptest.Listener(wiretap.New(seen), ln)
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	name := filepath.Join(t.TempDir(), "lo.pcapng")
	stop := startDumpcap(t, "dumpcap", "-q", "-B", "32", "-i", "lo", "-f", "tcp port "+port, "-w", name)

	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := tapped.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		size := make([]byte, 8)
		for {
			if _, err := io.ReadFull(conn, size); err != nil {
				return
			}
			n, _ := strconv.Atoi(strings.TrimSpace(string(size)))
			conn.Write(bytes.Repeat(size[7:], n))
		}
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []string{"00000001", "00001000", "00100000", "00700003"} {
		n, _ := strconv.Atoi(size)
		conn.Write([]byte(size))
		if _, err := io.CopyN(io.Discard, conn, int64(n)); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	<-served

	// The file is read while dumpcap still writes it.
	var got *turns
	peertest.Poll(func() error {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got = newTurns()
		capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: got})
		whole := len(got.said) > 0
		for _, b := range got.said {
			whole = whole && strings.HasSuffix(b.String(), "server close")
		}
		if !whole {
			return errors.New("dumpcap has not seen all yet")
		}
		return nil
	})
	stop()
	got.same(t, seen)
}

// startDumpcap runs dumpcap and returns what ends it. It skips the test if
// dumpcap may not capture.
func startDumpcap(t *testing.T, command ...string) (stop func()) {
	t.Helper()
	dumpcap := exec.Command(command[0], command[1:]...)
	var says peertest.Buffer
	dumpcap.Stderr = &says
	if err := dumpcap.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- dumpcap.Wait() }()
	t.Cleanup(func() { dumpcap.Process.Kill() })
	peertest.Eventually(t, "dumpcap to capture", func() bool {
		select {
		case err := <-ended:
			t.Skipf("dumpcap cannot capture: %v, %s", err, says.String())
		default:
		}
		return strings.Contains(says.String(), "File: ")
	})
	return func() {
		dumpcap.Process.Signal(os.Interrupt)
		<-ended
	}
}
