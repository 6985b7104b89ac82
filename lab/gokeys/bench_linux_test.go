//go:build amd64 || arm64

package gokeys_test

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkHandshakes and BenchmarkRequests have a client do the same by turns
// with the tracer and without.
//
//	go test -run '^$' -bench . -benchtime 11x ./lab/gokeys
//
// x-rate is what it does in a second with the tracer in terms of that without:
// handshakes, or requests on an open connection. x-cpu is the processor time
// that client and server take without, in terms of that of client, tracer and
// server with it: it tells more on a machine that others use, too. Both are
// medians over the rounds.
func BenchmarkHandshakes(b *testing.B) {
	compare(b, "-n", "1000", "-mutual")
}

func BenchmarkHandshakesOf64(b *testing.B) {
	compare(b, "-n", "30", "-goroutines", "64", "-mutual")
}

func BenchmarkRequests(b *testing.B) {
	compare(b, "-requests", "20000")
}

func compare(b *testing.B, flags ...string) {
	server, log := newReference(b), newLog(b)
	args := append(append([]string{peer()}, flags...), "call", server.address)
	measure := func(cmd *exec.Cmd) (took, cpu float64) {
		before := ownTime(b)
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		took, err = strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			b.Fatal(err)
		}
		return took, float64(ownTime(b) - before + cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime())
	}
	var rates, cpuRates []float64
	for round := 0; b.Loop(); round++ {
		var took, cpu [2]float64 // without, with
		for i := range 2 {
			turn := (i + round) % 2
			took[turn], cpu[turn] = measure([]*exec.Cmd{exec.Command(args[0], args[1:]...), traced(b, log, args...)}[turn])
		}
		rates, cpuRates = append(rates, took[0]/took[1]), append(cpuRates, cpu[0]/cpu[1])
	}
	slices.Sort(rates)
	slices.Sort(cpuRates)
	b.ReportMetric(rates[len(rates)/2], "x-rate")
	b.ReportMetric(cpuRates[len(cpuRates)/2], "x-cpu")
}

// ownTime returns the processor time of this process, which has the server.
func ownTime(b *testing.B) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkProcesses starts many programs that are not written in Go.
func BenchmarkProcesses(b *testing.B) {
	log, script := newLog(b), "for i in 1 2 3 4 5 6 7 8 9 10; do for j in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done; done"
	var with, without []float64
	for b.Loop() {
		for _, cmd := range []*exec.Cmd{exec.Command("sh", "-c", script), traced(b, log, "sh", "-c", script)} {
			if err := cmd.Run(); err != nil {
				b.Fatal(err)
			}
			took := float64(cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime())
			if len(with) < len(without) {
				with = append(with, took)
			} else {
				without = append(without, took)
			}
		}
	}
	slices.Sort(with)
	slices.Sort(without)
	b.ReportMetric(without[len(without)/2]/with[len(with)/2], "x-rate")
}
