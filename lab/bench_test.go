package lab

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/wiretap"
)

const (
	benchSlice   = 200 // handshakes in a row with one server
	benchWorkers = 4   // clients at a time, enough to keep two cores busy
	benchRequest = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
)

// BenchmarkHandshakes compares the lab's server, key log on, with a bare
// net/http server that has the same TLS settings and no key log. The same
// client calls both in turn: connect, full handshake, one GET, close. Rates
// include what the client costs, which is on the same cores.
//
//	go test -run '^$' -bench Handshakes -benchtime 60x ./lab
//
// x-bare is the median over the rounds of the lab's rate in terms of the bare
// server's in the same round.
func BenchmarkHandshakes(b *testing.B) {
	dir := benchPKI(b)
	client := benchClientConfig(b, dir)
	ours, bare := benchLabServer(b, dir, nil), benchBareServer(b, dir)
	benchPair(b, client, ours, bare)
}

// BenchmarkDissect compares the lab's server with capture and dissection, as
// lab up has them, with the same server that only captures.
//
//	go test -run '^$' -bench Dissect -benchtime 60x ./lab
func BenchmarkDissect(b *testing.B) {
	dir := benchPKI(b)
	client := benchClientConfig(b, dir)
	var reported atomic.Int64
	recorded := func(dissect bool) string {
		return benchLabServer(b, dir, func(s *Settings) {
			w, err := capture.Create(filepath.Join(b.TempDir(), "lab.pcapng"), capture.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { w.Close() })
			if !dissect {
				s.Tap = wiretap.New(w)
				return
			}
			s.Journal.Each = func(x *Exchange) {
				if x.Wire != nil && len(x.Wire.Messages) > 10 {
					reported.Add(1)
				}
			}
			d := s.Journal.Dissect()
			b.Cleanup(d.Close)
			s.Tap = wiretap.New(w, d)
		})
	}
	benchPair(b, client, recorded(true), recorded(false))
	if want := int64(b.N+1) * benchSlice; reported.Load() < want*99/100 {
		b.Errorf("%d of %d exchanges were reported with their Wire", reported.Load(), want)
	}
}

// benchPair calls two servers in turn, and reports their rates and the median
// of the ratio between them.
func benchPair(b *testing.B, client *tls.Config, ours, bare string) {
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as main does
	benchHandshakes(b, ours, client)                  // warm up
	benchHandshakes(b, bare, client)

	var ourRates, bareRates, ratios []float64
	for round := 0; b.Loop(); round++ {
		var our, their float64
		if round%2 == 0 {
			our, their = benchHandshakes(b, ours, client), benchHandshakes(b, bare, client)
		} else {
			their, our = benchHandshakes(b, bare, client), benchHandshakes(b, ours, client)
		}
		ourRates, bareRates, ratios = append(ourRates, our), append(bareRates, their), append(ratios, our/their)
	}
	b.ReportMetric(benchMedian(ourRates), "handshakes/s")
	b.ReportMetric(benchMedian(bareRates), "handshakes/s-bare")
	b.ReportMetric(benchMedian(ratios), "x-bare")
}

// benchHandshakes returns the rate at which the server at addr got through one
// slice of handshakes.
func benchHandshakes(b *testing.B, addr string, config *tls.Config) float64 {
	b.Helper()
	start := time.Now()
	var workers sync.WaitGroup
	for range benchWorkers {
		workers.Go(func() {
			for range benchSlice / benchWorkers {
				if err := benchCall(addr, config); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	took := time.Since(start)
	if b.Failed() {
		b.FailNow()
	}
	return benchSlice / took.Seconds()
}

// benchCall makes one connection and reads the response to one GET.
func benchCall(addr string, config *tls.Config) error {
	conn, err := tls.Dial("tcp", addr, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, benchRequest); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if state := conn.ConnectionState(); response.StatusCode != http.StatusOK || state.DidResume {
		return fmt.Errorf("status %s, resumed %t", response.Status, state.DidResume)
	}
	return nil
}

func benchLabServer(b *testing.B, dir string, change func(*Settings)) (addr string) {
	b.Helper()
	keys, err := keylog.Open(filepath.Join(b.TempDir(), "keys.log"), func(err error) { b.Error(err) })
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	settings := Settings{
		Credentials: Credentials{Dir: dir, Certificate: "server", Trust: "client-ca"},
		KeyLog:      keys,
		Journal:     &Journal{Each: func(*Exchange) {}},
	}
	if change != nil {
		change(&settings)
	}
	s, err := Listen(ctx, "127.0.0.1:0", settings)
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		keys.Close()
	})
	return s.Addr().String()
}

func benchBareServer(b *testing.B, dir string) (addr string) {
	b.Helper()
	certificate, err := certgen.Load(dir, "server")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "Hello\n")
		}),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate},
			ClientCAs:    benchPool(b, dir, "client-ca"),
			ClientAuth:   tls.RequireAndVerifyClientCert,
			MinVersion:   tls.VersionTLS12,
			NextProtos:   []string{"http/1.1"},
		},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.ServeTLS(l, "", "") }()
	b.Cleanup(func() {
		s.Close()
		<-ended
	})
	return l.Addr().String()
}

func benchClientConfig(b *testing.B, dir string) *tls.Config {
	b.Helper()
	certificate, err := certgen.Load(dir, "client")
	if err != nil {
		b.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		RootCAs:      benchPool(b, dir, "server-ca"),
		ServerName:   "localhost",
		NextProtos:   []string{"http/1.1"},
	}
}

func benchPool(b *testing.B, dir, name string) *x509.CertPool {
	b.Helper()
	certificates, err := certgen.LoadCertificates(dir, name)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificates[0])
	return pool
}

// benchPKI makes the certificates of the default manifest.
func benchPKI(b *testing.B) (dir string) {
	b.Helper()
	m, err := certgen.Read(filepath.Join("..", "certs.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	dir = filepath.Join(b.TempDir(), "certs")
	if _, err := certgen.Generate(context.Background(), m, dir, certgen.Options{}); err != nil {
		b.Fatal(err)
	}
	return dir
}

func benchMedian(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
