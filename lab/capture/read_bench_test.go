package capture_test

import (
	"bytes"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// discard is a sink that counts.
type discard struct{ connections, bytes int }

func (d *discard) Open(wiretap.Event) wiretap.Handler {
	d.connections++
	return d.handle
}

func (d *discard) handle(e wiretap.Event) { d.bytes += len(e.Data) }

// handshakes records connections with the sizes of a TLS 1.3 handshake with
// client certificates, a request and its response, and the secrets.
func handshakes(t testing.TB, connections int) []byte {
	w, m := newWriter(t, capture.Options{})
	flights := []struct {
		from   endpoint.Side
		length int
	}{
		{endpoint.Client, 1500}, {endpoint.Server, 1300}, {endpoint.Server, 900}, {endpoint.Client, 1900},
		{endpoint.Server, 1100}, {endpoint.Client, 120}, {endpoint.Server, 400}, {endpoint.Client, 24},
	}
	data := []byte(tlsRecord(application, 2000))
	secret := append(bytes.Repeat([]byte("CLIENT_RANDOM 0123456789abcdef"), 5), '\n')
	now := time.Unix(1_800_000_000, 0)
	for i := range connections {
		client := netip.AddrPortFrom(clientAddr.Addr(), uint16(1024+i%60000))
		handle := w.Open(wiretap.Event{Kind: wiretap.Open, Exchange: i + 1, Time: now, Client: client, Server: serverAddr})
		handle(wiretap.Event{Kind: wiretap.Secret, From: endpoint.Server, Data: secret})
		for _, f := range flights {
			handle(wiretap.Event{Kind: wiretap.Data, Time: now, From: f.from, Data: data[:f.length]})
		}
		handle(wiretap.Event{Kind: wiretap.HalfClose, Time: now, From: endpoint.Client})
		handle(wiretap.Event{Kind: wiretap.Close, Time: now, From: endpoint.Server})
		now = now.Add(time.Millisecond)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return m.Bytes()
}

// BenchmarkRead reads a file of 5,000 connections, 15 packets each.
func BenchmarkRead(b *testing.B) {
	const connections = 5000
	file := handshakes(b, connections)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		var d discard
		if err := capture.Read(bytes.NewReader(file), capture.ReadOptions{Sink: &d}); err != nil {
			b.Fatal(err)
		}
		if d.connections != connections {
			b.Fatalf("%d connections", d.connections)
		}
	}
	b.ReportMetric(float64(15*connections*b.N)/b.Elapsed().Seconds(), "packets/s")
}

// TestReadMemory: the memory that reading takes does not grow with the
// connections that have ended.
func TestReadMemory(t *testing.T) {
	small, large := readMemory(t, 5_000), readMemory(t, 12_000)
	if large > small+1<<20 {
		t.Errorf("after 5,000 connections %d bytes are in use, after 12,000 connections %d", small, large)
	}
}

// readMemory returns the bytes in use when a file has been read but for its
// last bytes.
func readMemory(t *testing.T, connections int) int64 {
	return heapAtEnd(t, handshakes(t, connections), &discard{})
}

// heapAtEnd returns the bytes in use when a file has been read, but has not
// ended yet.
func heapAtEnd(t *testing.T, file []byte, sink wiretap.Sink) int64 {
	var before, after runtime.MemStats
	r := &watched{Reader: bytes.NewReader(file), atEnd: func() {
		runtime.GC()
		runtime.ReadMemStats(&after)
	}}
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := capture.Read(r, capture.ReadOptions{Sink: sink}); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(file)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// watched calls atEnd before it says that it is at its end.
type watched struct {
	*bytes.Reader
	atEnd func()
}

func (r *watched) Read(p []byte) (int, error) {
	if r.Len() == 0 {
		r.atEnd()
	}
	return r.Reader.Read(p)
}
