//go:build unix

package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/peertest"
	"mtlslab.example/lab/lab/wiretap"
)

// BenchmarkSummary measures lab explain --summary with two files of 500 MB, of
// which every tenth connection is refused, against tshark with the fields that
// are needed for the same, of one after the other. They take turns.
//
//	go test -run '^$' -bench Summary -benchtime 1x -timeout 30m ./lab/command
//
// x-faster is tshark's time in terms of that of lab, and x-processor the same
// of processor time, which other programs hardly change. x-workers is the time
// of one process with a single core for both files in terms of that of two,
// each with one core and one file. x-flat is the most memory in terms of that
// for 100 MB, and with LAB_FULL=1 x-flat-4GB the same of 4 GB.
func BenchmarkSummary(b *testing.B) {
	peertest.Need(b, "tshark")
	program := benchCopy(b, peertest.Release(b, runtime.GOOS))
	base := benchRefusals(b, program)
	first, second := benchNight(b, base, 0, 500), benchNight(b, base, 1, 500)
	small := benchNight(b, base, 0, 100)
	var lab, tshark, labProcessor, tsharkProcessor, one, two []time.Duration
	var memory int64
	for b.Loop() {
		whole := benchSummary(b, program, 0, first, second)
		lab, memory = append(lab, whole.took), max(memory, whole.memory)
		labProcessor = append(labProcessor, whole.processor)
		former, latter := benchTshark(b, first), benchTshark(b, second)
		tshark = append(tshark, former.took+latter.took)
		tsharkProcessor = append(tsharkProcessor, former.processor+latter.processor)
		one = append(one, benchSummary(b, program, 1, first, second).took)
		two = append(two, benchWorkers(b, program, first, second))
	}
	flat := float64(benchSummary(b, program, 0, small).memory)
	b.ReportMetric(benchMedianMS(lab), "ms")
	b.ReportMetric(benchMedianMS(tshark), "ms-tshark")
	b.ReportMetric(benchMedianRatio(tshark, lab), "x-faster")
	b.ReportMetric(benchMedianRatio(tsharkProcessor, labProcessor), "x-processor")
	b.ReportMetric(benchMedianRatio(one, two), "x-workers")
	b.ReportMetric(float64(memory)/flat, "x-flat")
	if os.Getenv("LAB_FULL") != "" {
		large := benchNight(b, base, 2, 4000)
		b.ReportMetric(float64(benchSummary(b, program, 0, large).memory)/flat, "x-flat-4GB")
	}
}

// benchRefusals records connections of TLS 1.3, most of which are accepted.
func benchRefusals(b *testing.B, program string) (files []string) {
	b.Helper()
	dir := b.TempDir()
	for _, kind := range [][]string{{"--count", "1800"}, {"--count", "100", "--scenario", "no-client-cert"}, {"--count", "100", "--scenario", "expired-client"}} {
		file := filepath.Join(dir, fmt.Sprint(len(files), ".pcapng"))
		up := exec.Command(program, append([]string{"up", "--interval", "0s", "--addr", "127.0.0.1:0", "--keylog", "off", "--capture", file, "--brief", "--dir", dir}, kind...)...)
		if out, err := up.CombinedOutput(); err != nil && !strings.Contains(string(out), "100 rejected") {
			b.Fatalf("%v: %v\n%.1000s", up, err, out)
		}
		files = append(files, file)
	}
	return files
}

// benchNight makes a file of about as many MB of what is in others, over and
// over: each time the clients have other addresses, and it is later.
func benchNight(b *testing.B, from []string, part, megabytes int) (to string) {
	b.Helper()
	to = filepath.Join(b.TempDir(), "night.pcapng")
	w, err := capture.Create(to, capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for round, size := 0, int64(0); size < int64(megabytes)<<20; round++ {
		night := &benchLater{to: w, round: round, by: time.Duration(part*1000+round) * time.Minute, part: byte(part)}
		for _, file := range from {
			in, err := os.Open(file)
			if err != nil {
				b.Fatal(err)
			}
			if err := capture.Read(in, capture.ReadOptions{Sink: night, Secrets: night.learn}); err != nil {
				b.Fatal(err)
			}
			in.Close()
			if info, err := os.Stat(to); err == nil {
				size = info.Size()
			}
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return to
}

// benchLater is a sink that hands connections on to another, with their
// secrets, as those of other clients at a later time.
type benchLater struct {
	to      wiretap.Sink
	round   int
	part    byte
	by      time.Duration
	secrets [][]byte // that no connection was handed on with
}

func (l *benchLater) learn(lines []byte) { l.secrets = append(l.secrets, bytes.Clone(lines)) }

// Open implements wiretap.Sink.
func (l *benchLater) Open(e wiretap.Event) wiretap.Handler {
	e.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, l.part, byte(l.round >> 8), byte(l.round)}), e.Client.Port())
	e.Time = e.Time.Add(l.by)
	handle := l.to.Open(e)
	return func(e wiretap.Event) {
		e.Time = e.Time.Add(l.by)
		for _, lines := range l.secrets {
			handle(wiretap.Event{Kind: wiretap.Secret, Time: e.Time, From: e.From, Data: lines})
		}
		l.secrets = nil
		handle(e)
	}
}

// benchSummary sums up files. cores 0 is all.
func benchSummary(b *testing.B, program string, cores int, files ...string) benchRun {
	b.Helper()
	c := exec.Command(program, append([]string{"explain", "--summary", "--json", "--keylog", "off", "--dir", b.TempDir()}, files...)...)
	if cores > 0 {
		c.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", cores))
	}
	run := benchProcess(b, c)
	var total struct {
		Summary struct {
			Connections int
			Outcomes    map[string]int
		}
	}
	lines := bytes.Split(bytes.TrimSpace(run.out), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &total); err != nil {
		b.Fatal(err)
	}
	all, outcomes := total.Summary.Connections, total.Summary.Outcomes
	if all < 10_000 || outcomes["accepted"] < all*8/10 || outcomes["accepted"]+outcomes["rejected"] != all {
		b.Fatalf("%s", lines[len(lines)-1])
	}
	return run
}

// benchWorkers sums up each file in a process of its own, on one core each.
func benchWorkers(b *testing.B, program string, files ...string) time.Duration {
	start := time.Now()
	var workers sync.WaitGroup
	for _, file := range files {
		workers.Go(func() { benchSummary(b, program, 1, file) })
	}
	workers.Wait()
	return time.Since(start)
}

func benchTshark(b *testing.B, file string) benchRun {
	b.Helper()
	args := []string{"-r", file, "-Y", "tls.alert_message or tls.handshake.type or http.response", "-T", "fields"}
	for _, field := range strings.Fields("frame.time_epoch tcp.stream ip.src tcp.srcport ip.dst tcp.dstport tls.handshake.type tls.handshake.extensions_server_name tls.alert_message.desc x509sat.uTF8String http.response.code") {
		args = append(args, "-e", field)
	}
	return benchProcess(b, exec.Command("tshark", args...))
}
