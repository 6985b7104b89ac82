//go:build unix

package capture_test

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// pair runs two ways of doing one thing by turns, so that the machine's moods
// meet both, and reports the median, of all rounds, of bare's time over
// tapped's: 1 means that the tap costs nothing. The same of processor time says
// what it would be if the machine did nothing else.
func pair(b *testing.B, rounds int, bare, tapped func(), untimed ...func()) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as main does
	var ratios, processorRatios []float64
	var took [2][]time.Duration
	for range b.N {
		for round := range rounds + 1 {
			first := rand.IntN(2) // whose turn is first: a fixed order may beat in time with the garbage collector
			var wall, processor [2]time.Duration
			for turn := range 2 {
				which := (turn + first) % 2
				start, used := time.Now(), processorTime(b)
				[]func(){bare, tapped}[which]()
				wall[which], processor[which] = time.Since(start), processorTime(b)-used
				for _, f := range untimed {
					f()
				}
			}
			if round == 0 { // warms up
				continue
			}
			ratios = append(ratios, float64(wall[0])/float64(wall[1]))
			processorRatios = append(processorRatios, float64(processor[0])/float64(processor[1]))
			for which := range wall {
				took[which] = append(took[which], wall[which])
			}
		}
	}
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(processorRatios), "cpu-ratio")
	b.ReportMetric(float64(median(took[0]).Microseconds()), "bare-µs")
	b.ReportMetric(float64(median(took[1]).Microseconds()), "tapped-µs")
	b.ReportMetric(0, "ns/op")
}

// processorTime returns what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median[T cmp.Ordered](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// benchFile returns the name of a capture, in $CAPTURE_BENCH_DIR if that is
// set.
func benchFile(b *testing.B) string {
	dir := os.Getenv("CAPTURE_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	name := filepath.Join(dir, "bench.pcapng")
	b.Cleanup(func() { os.Remove(name) })
	return name
}

func benchWriter(b *testing.B) *capture.Writer {
	w, err := capture.Create(benchFile(b), capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { w.Close() })
	return w
}

// keyLogFile is the key log of both sides of a comparison: the question is what
// the capture costs.
func keyLogFile(b *testing.B) io.Writer {
	f, err := os.Create(filepath.Join(b.TempDir(), "keys.log"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f
}

// BenchmarkHandshakes: a mutual-TLS connection for one request. The tapped side
// also writes the key log.
func BenchmarkHandshakes(b *testing.B) {
	w := benchWriter(b)
	bare := setup{}.start(b)
	tapped := setup{tapServer: wiretap.New(w), keyLog: keyLogFile(b)}.start(b)
	run := func(l *lab) {
		for range 20 {
			l.get(b, "/")
		}
	}
	for _, l := range []*lab{bare, tapped} {
		l.client.Transport.(*http.Transport).DisableKeepAlives = true
	}
	pair(b, 201, func() { run(bare) }, func() {
		run(tapped)
		w.Flush() // is on tapped's account
	})
}

// BenchmarkRequests: requests on a connection that is kept alive, another one
// for each turn.
func BenchmarkRequests(b *testing.B) {
	bare := setup{}.start(b)
	tapped := setup{tapServer: wiretap.New(benchWriter(b)), keyLog: keyLogFile(b)}.start(b)
	run := func(l *lab) func() {
		return func() {
			for range 300 {
				l.get(b, "/?bytes=100")
			}
		}
	}
	reconnect := func() {
		for _, l := range []*lab{bare, tapped} {
			l.client.CloseIdleConnections()
			l.get(b, "/")
		}
	}
	pair(b, 201, run(bare), run(tapped), reconnect)
}

const gibibyte = 1 << 30

// BenchmarkBody: 1 GiB of response body, whole and with a snaplen.
func BenchmarkBody(b *testing.B) {
	for _, o := range []capture.Options{{}, {Snaplen: 256}} {
		b.Run(fmt.Sprintf("snaplen=%d", o.Snaplen), func(b *testing.B) {
			bare := setup{}.start(b)
			get := func(l *lab) {
				response, err := l.client.Get(fmt.Sprintf("https://%s/?bytes=%d", l.addr, gibibyte))
				if err != nil {
					b.Fatal(err)
				}
				defer response.Body.Close()
				if n, err := io.Copy(io.Discard, response.Body); n != gibibyte || err != nil {
					b.Fatalf("got %d bytes, %v", n, err)
				}
			}
			name := benchFile(b)
			keys := keyLogFile(b)
			w, err := capture.Create(name, o)
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { w.Close() })
			tapped := setup{tapServer: wiretap.New(w), keyLog: keys}.start(b)
			end := int64(0)
			pair(b, 11, func() { get(bare) }, func() {
				get(tapped)
				w.Flush()
				info, err := os.Stat(name)
				if err != nil || o.Snaplen == 0 && info.Size()-end < gibibyte {
					b.Fatalf("from byte %d on the capture is not whole: %v, %v", end, info, err)
				}
				end = info.Size() // where the writer goes on, in a file that is cut meanwhile
			}, func() { os.Truncate(name, 0) })
		})
	}
}

// BenchmarkMemory: what is taken from the operating system after 1,000 and
// after 100,000 exchanges of made-up events. It fails if it grows by more than
// 20 MiB.
func BenchmarkMemory(b *testing.B) {
	for range b.N {
		w, err := capture.Create(os.DevNull, capture.Options{})
		if err != nil {
			b.Fatal(err)
		}
		few := memoryAfter(w, 0, 1000)
		many := memoryAfter(w, 1000, 100_000)
		w.Close()
		if many > few+20<<20 {
			b.Errorf("%d bytes grew to %d", few, many)
		}
		b.ReportMetric(float64(few)/(1<<20), "MiB-at-1000")
		b.ReportMetric(float64(many)/(1<<20), "MiB-at-100000")
	}
}

// memoryAfter records exchanges that look like TLS 1.2 and returns how much
// memory is taken from the operating system.
func memoryAfter(w *capture.Writer, from, to int) uint64 {
	for i := from; i < to; i++ {
		now := time.Now()
		handle := w.Open(wiretap.Event{
			Kind: wiretap.Open, Exchange: i, Time: now,
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(i)),
			Server: netip.MustParseAddrPort("127.0.0.1:8443"),
		})
		event := func(kind wiretap.Kind, from endpoint.Side, data string) {
			handle(wiretap.Event{Kind: kind, Time: now, From: from, Data: []byte(data)})
		}
		event(wiretap.Data, endpoint.Client, tlsRecord(handshake, 500))
		event(wiretap.Data, endpoint.Server, tlsRecord(handshake, 1000))
		event(wiretap.Secret, endpoint.Server, fmt.Sprintf("CLIENT_RANDOM %064x %096x\n", i, i))
		event(wiretap.Data, endpoint.Client, tlsRecord(changeCipher, 1)+tlsRecord(handshake, 40))
		event(wiretap.Data, endpoint.Server, tlsRecord(changeCipher, 1)+tlsRecord(handshake, 40))
		for _, from := range []endpoint.Side{endpoint.Client, endpoint.Server} {
			event(wiretap.Data, from, tlsRecord(application, 1000))
		}
		event(wiretap.Close, endpoint.Server, "")
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}
