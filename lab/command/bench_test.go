package command_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// BenchmarkUp measures lab up --count 1 from exec to exit: with the PKI ready,
// with an empty folder, and against a Python server and client that do the
// same. They take turns, in an order that changes, so that each follows each.
//
//	go test -run '^$' -bench Up -benchtime 30x ./lab/command
//
// x-python is the time with the PKI ready in terms of Python's, and x-ready
// that of an empty folder in terms of a ready one, both as medians over the
// rounds.
func BenchmarkUp(b *testing.B) {
	python := benchPython(b)
	program := benchCopy(b, peertest.Release(b, runtime.GOOS))
	ready := b.TempDir()
	benchUp(b, program, ready) // makes the PKI
	certs := filepath.Join(ready, "certs")
	benchPair(b, python, certs) // warm up

	turns := []func() time.Duration{
		func() time.Duration { return benchUp(b, program, ready) },
		func() time.Duration { return benchUp(b, program, b.TempDir()) },
		func() time.Duration { return benchPair(b, python, certs) },
	}
	times := make([][]time.Duration, len(turns))
	for round := 0; b.Loop(); round++ {
		for i := range turns {
			turn := (i + round) % len(turns)
			if round%2 == 1 {
				turn = len(turns) - 1 - turn
			}
			times[turn] = append(times[turn], turns[turn]())
		}
	}
	b.ReportMetric(benchMedianMS(times[0]), "ms-ready")
	b.ReportMetric(benchMedianMS(times[1]), "ms-missing")
	b.ReportMetric(benchMedianMS(times[2]), "ms-python")
	b.ReportMetric(benchMedianRatio(times[0], times[2]), "x-python")
	b.ReportMetric(benchMedianRatio(times[1], times[0]), "x-ready")
}

// benchUp runs lab up in dir and returns how long it took.
func benchUp(b *testing.B, program, dir string) time.Duration {
	b.Helper()
	up := exec.Command(program, "up", "--count", "1", "--addr", "127.0.0.1:0")
	up.Dir = dir
	up.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "LAB_") || strings.HasPrefix(v, "SSLKEYLOGFILE=")
	})
	start := time.Now()
	out, err := up.CombinedOutput()
	took := time.Since(start)
	if err != nil || !strings.Contains(string(out), "1 accepted") {
		b.Fatalf("%v: %v\n%s", up, err, out)
	}
	return took
}

// benchPair starts the Python server, runs the Python client once it listens,
// and returns how long it took until the client had exited.
func benchPair(b *testing.B, python, certs string) time.Duration {
	b.Helper()
	server := exec.Command(python, filepath.Join("testdata", "peer", "server.py"), "0", certs)
	server.Stderr = os.Stderr
	stdout, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
	}()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	port, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		b.Fatalf("the Python server said %q: %v", line, err)
	}
	client := exec.Command(python, filepath.Join("testdata", "peer", "client.py"), port, certs)
	out, err := client.CombinedOutput()
	took := time.Since(start)
	if err != nil || !strings.Contains(string(out), "Hello commonName=client") {
		b.Fatalf("%v: %v\n%s", client, err, out)
	}
	return took
}

// benchPython finds the interpreter itself: python3 in PATH may be a script of
// a version manager, whose time is not Python's.
func benchPython(b *testing.B) string {
	b.Helper()
	out, err := exec.Command("python3", "-c", "import ssl, sys; print(sys.executable)").Output()
	if err != nil {
		peertest.Missing(b, "needs python3 with ssl: %v", err)
	}
	return strings.TrimSpace(string(out))
}

func benchMedianMS(times []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return float64(sorted[len(sorted)/2].Microseconds()) / 1000
}

// benchMedianRatio is the median of times in terms of those of the same rounds.
func benchMedianRatio(times, base []time.Duration) float64 {
	ratios := make([]float64, len(times))
	for i := range times {
		ratios[i] = float64(times[i]) / float64(base[i])
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}
