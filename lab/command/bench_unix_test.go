//go:build unix

package command_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

const (
	benchConnections = 5000
	benchCopies      = 10 // of each connection, in the file that is longer
)

// BenchmarkExplain measures lab explain --list with a file of 5,000 mutual
// handshakes of TLS 1.3 and their requests, recorded by lab up, against tshark
// with the same file, and against itself with 50,000 of them. They take turns.
//
//	go test -run '^$' -bench Explain -benchtime 10x ./lab/command
//
// x-tshark is the time in terms of tshark's, x-tshark-memory the most memory in
// terms of tshark's. x-linear is the time of a connection among 50,000 in terms
// of that among 5,000, and x-flat the same of the most memory.
func BenchmarkExplain(b *testing.B) {
	peertest.Need(b, "tshark")
	program := benchCopy(b, peertest.Release(b, runtime.GOOS))
	some := benchRecord(b, program)
	many := benchRepeat(b, some, benchCopies)

	turns := []func() benchRun{
		func() benchRun { return benchExplain(b, program, some, benchConnections) },
		func() benchRun { return benchExplain(b, program, many, benchConnections*benchCopies) },
		func() benchRun { return benchProcess(b, exec.Command("tshark", "-r", some, "-Y", "http")) },
	}
	times, memory := make([][]time.Duration, len(turns)), make([]int64, len(turns))
	for round := 0; b.Loop(); round++ {
		for i := range turns {
			turn := (i + round) % len(turns)
			run := turns[turn]()
			times[turn] = append(times[turn], run.took)
			memory[turn] = max(memory[turn], run.memory)
		}
	}
	b.ReportMetric(benchMedianMS(times[0]), "ms")
	b.ReportMetric(benchMedianMS(times[2]), "ms-tshark")
	b.ReportMetric(benchMedianRatio(times[0], times[2]), "x-tshark")
	b.ReportMetric(float64(memory[0])/float64(memory[2]), "x-tshark-memory")
	b.ReportMetric(benchMedianRatio(times[1], times[0])/benchCopies, "x-linear")
	b.ReportMetric(float64(memory[1])/float64(memory[0]), "x-flat")
}

// BenchmarkFirstLadder measures how long it takes until lab explain has written
// the first ladder of a capture of about 1 GB, 160,000 mutual handshakes and
// their requests, and how long and how much memory --list takes for all of it.
//
//	go test -run '^$' -bench FirstLadder -benchtime 5x ./lab/command
func BenchmarkFirstLadder(b *testing.B) {
	program := benchCopy(b, peertest.Release(b, runtime.GOOS))
	const copies = 32
	large := benchRepeat(b, benchRecord(b, program), copies)
	var first, all []time.Duration
	var memory int64
	for b.Loop() {
		explain := exec.Command(program, "explain", "--keylog", "off", large)
		out, err := explain.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := explain.Start(); err != nil {
			b.Fatal(err)
		}
		ladder := make([]byte, len("TCP stream 0"))
		if _, err := io.ReadFull(out, ladder); err != nil || string(ladder) != "TCP stream 0" {
			b.Fatalf("%q, %v", ladder, err)
		}
		first = append(first, time.Since(start))
		_ = explain.Process.Kill()
		_ = explain.Wait() // it was killed

		list := benchExplain(b, program, large, benchConnections*copies)
		all, memory = append(all, list.took), max(memory, list.memory)
	}
	b.ReportMetric(benchMedianMS(first), "ms-first")
	b.ReportMetric(benchMedianMS(all), "ms-list")
	b.ReportMetric(float64(memory), "maxrss-list") // in the units of getrusage
}

// benchRecord records benchConnections mutual handshakes of TLS 1.3 and their
// requests.
func benchRecord(b *testing.B, program string) (file string) {
	b.Helper()
	file = filepath.Join(b.TempDir(), "some.pcapng")
	up := exec.Command(program, "up", "--count", "5000", "--interval", "0s", "--addr", "127.0.0.1:0",
		"--keylog", "off", "--capture", file, "--dir", b.TempDir())
	if out, err := up.CombinedOutput(); err != nil || !strings.Contains(string(out), "5,000 accepted") {
		b.Fatalf("%v: %v\n%.1000s", up, err, out)
	}
	return file
}

// benchRun is what a process took.
type benchRun struct {
	out       []byte
	took      time.Duration
	processor time.Duration // of all its threads
	memory    int64         // the most that was resident, in the units of getrusage
}

func benchProcess(b *testing.B, c *exec.Cmd) benchRun {
	b.Helper()
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	start := time.Now()
	if err := c.Run(); err != nil {
		b.Fatalf("%v: %v\n%.1000s", c, err, stderr.Bytes())
	}
	took := time.Since(start)
	return benchRun{out.Bytes(), took, c.ProcessState.UserTime() + c.ProcessState.SystemTime(), int64(c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)}
}

// benchExplain lists a file, in which every connection must be found with its
// request and its response.
func benchExplain(b *testing.B, program, file string, want int) benchRun {
	b.Helper()
	run := benchProcess(b, exec.Command(program, "explain", "--list", "--keylog", "off", file))
	if got := bytes.Count(run.out, []byte("GET / 200\n")); got != want {
		b.Fatalf("%d of %d connections were found in %s", got, want, file)
	}
	return run
}

// benchRepeat makes a file of what is in another, several times over. Each time
// the clients have other addresses and other client randoms, so that all
// connections and secrets are different ones.
func benchRepeat(b *testing.B, from string, copies int) (to string) {
	b.Helper()
	to = filepath.Join(b.TempDir(), "many.pcapng")
	w, err := capture.Create(to, capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for n := range copies {
		in, err := os.Open(from)
		if err != nil {
			b.Fatal(err)
		}
		copier := &benchCopier{to: w, number: byte(n), secrets: make(map[string][]string)}
		if err := capture.Read(in, capture.ReadOptions{Sink: copier, Secrets: copier.learn}); err != nil {
			b.Fatal(err)
		}
		in.Close()
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return to
}

// benchCopier is a sink that hands connections on to another, changed.
type benchCopier struct {
	to      wiretap.Sink
	number  byte
	secrets map[string][]string // lines, by client random as it was
}

func (r *benchCopier) learn(lines []byte) {
	for line := range strings.Lines(string(lines)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			random, _ := hex.DecodeString(fields[1])
			r.secrets[string(random)] = append(r.secrets[string(random)], line)
		}
	}
}

// Open implements wiretap.Sink.
func (r *benchCopier) Open(e wiretap.Event) wiretap.Handler {
	e.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, r.number, 1}), e.Client.Port())
	handle := r.to.Open(e)
	var hello []byte // the client's first bytes
	return func(e wiretap.Event) {
		const random, after = 11, 43 // where the random of a ClientHello begins in its record, and ends
		if e.Kind != wiretap.Data || e.From != endpoint.Client || len(hello) >= after {
			handle(e)
			return
		}
		hello = append(hello, e.Data...)
		if len(hello) < after {
			return
		}
		was := string(hello[random:after])
		hello[after-1] ^= r.number
		for _, line := range r.secrets[was] {
			line = strings.Replace(line, hex.EncodeToString([]byte(was)), hex.EncodeToString(hello[random:after]), 1)
			handle(wiretap.Event{Kind: wiretap.Secret, Time: e.Time, From: e.From, Data: []byte(line)})
		}
		e.Data = hello
		handle(e)
	}
}
