package command_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/peertest"
)

// bareServerPort in the environment makes the test binary a net/http server at
// that port, with the certificates of the folder in bareServerCerts.
const (
	bareServerPort  = "LAB_BENCH_PORT"
	bareServerCerts = "LAB_BENCH_CERTS"
)

// benchRounds is for how many rounds each server runs.
const benchRounds = 300

// BenchmarkServer measures how long a client waits for lab server as people run
// it: it connects, has a full mutual handshake, sends one GET and reads the
// response. The peer is a net/http server without any of what the lab adds, in
// a program of the same size: this one. Each is a process, and each in turn is
// called once. Each runs from a file of its own: processes of one file share
// its code in the processor's caches. The client is a program of its own, as
// curl is, and calls benchRounds times without a word to this one, which would
// want a processor of the two. A server that shared the client's program would
// be faster by 1 per cent: the processor learns branches by address, and both
// would have the same ones. All servers start anew for each iteration: of two
// processes of one program, one is faster by 1 to 2 per cent for all its life.
//
//	go test -run '^$' -bench 'Server$' -benchtime 20x ./lab/command
//
// x-bare is the bare server's time in terms of that of lab server, x-bare-brief
// in terms of that with --capture off --brief, both as medians over the rounds.
func BenchmarkServer(b *testing.B) {
	program := peertest.Release(b, runtime.GOOS)
	dir := b.TempDir()
	benchUp(b, program, dir) // makes the PKI
	certs := filepath.Join(dir, "certs")
	client := benchClient(b, certs)
	defer client.stop()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	full, quiet, bare := benchCopy(b, program), benchCopy(b, program), benchCopy(b, self)

	times := make([][]time.Duration, 3)
	for b.Loop() {
		servers := []*benchServer{
			benchStart(b, nil, full, "server", "--dir", dir),
			benchStart(b, nil, quiet, "server", "--dir", dir, "--capture", "off", "--brief"),
			benchStart(b, []string{bareServerCerts + "=" + certs}, bare),
		}
		var turns []int
		var ports []string
		for round := range benchRounds {
			for i := range servers {
				turn := (i + round) % len(servers)
				if round/len(servers)%2 == 1 {
					turn = len(servers) - 1 - turn
				}
				turns, ports = append(turns, turn), append(ports, servers[turn].port)
			}
		}
		client.call(ports[:50*len(servers)]) // warm up
		for i, took := range client.call(ports) {
			times[turns[i]] = append(times[turns[i]], took)
		}
		for _, s := range servers {
			s.stop()
		}
	}
	b.ReportMetric(benchMedianMS(times[0]), "ms")
	b.ReportMetric(benchMedianMS(times[2]), "ms-bare")
	b.ReportMetric(benchMedianRatio(times[2], times[0]), "x-bare")
	b.ReportMetric(benchMedianRatio(times[2], times[1]), "x-bare-brief")
}

// benchServer is a server that runs until stop, or the end of the benchmark.
type benchServer struct {
	port string
	stop func()
}

// benchStart starts a program that is a server: lab's, or the bare one if there
// are no args.
func benchStart(b *testing.B, env []string, program string, args ...string) *benchServer {
	b.Helper()
	port := peertest.FreePort(b)
	if len(args) == 0 {
		env = append(env, bareServerPort+"="+port)
	} else {
		args = append(args, "--addr", "127.0.0.1:"+port)
	}
	out, err := os.Create(filepath.Join(b.TempDir(), "out")) // nobody reads along, which would take time
	if err != nil {
		b.Fatal(err)
	}
	server := exec.Command(program, args...)
	server.Env, server.Stdout, server.Stderr = append(os.Environ(), env...), out, out
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
		out.Close()
	})
	b.Cleanup(stop)
	if err := peertest.AwaitListener(port); err != nil {
		b.Fatal(err)
	}
	return &benchServer{port, stop}
}

// benchCopy copies a program: an installed one is a copy, too, and starts a
// millisecond sooner than the file that Go's linker has just written. It does
// not take the program into memory, which the kernel counts as that of what is
// started next.
func benchCopy(b *testing.B, program string) (copied string) {
	b.Helper()
	from, err := os.Open(program)
	if err != nil {
		b.Fatal(err)
	}
	defer from.Close()
	copied = filepath.Join(b.TempDir(), filepath.Base(program))
	to, err := os.OpenFile(copied, os.O_WRONLY|os.O_CREATE, 0o700)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		b.Fatal(err)
	}
	if err := to.Close(); err != nil {
		b.Fatal(err)
	}
	return copied
}

// benchCaller is a client that runs until stop.
type benchCaller struct {
	call func(ports []string) []time.Duration // until each response was read
	stop func()
}

// benchClient starts the client.
func benchClient(b *testing.B, certs string) *benchCaller {
	b.Helper()
	program := filepath.Join(b.TempDir(), "wait")
	if out, err := exec.Command("go", "build", "-o", program, filepath.Join("testdata", "peer", "wait.go")).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	client := exec.Command(program, certs)
	ports, err := client.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := client.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	client.Stderr = os.Stderr
	if err := client.Start(); err != nil {
		b.Fatal(err)
	}
	times := bufio.NewReader(out)
	return &benchCaller{
		call: func(to []string) []time.Duration {
			b.Helper()
			fmt.Fprintln(ports, strings.Join(to, " ")) // Fscan sees it if that fails
			took := make([]time.Duration, len(to))
			for i := range took {
				if _, err := fmt.Fscan(times, &took[i]); err != nil {
					b.Fatal(err)
				}
			}
			return took
		},
		stop: func() {
			ports.Close()
			_ = client.Wait() // call has seen what went wrong
		},
	}
}

// bareServer serves until it is killed.
func bareServer(port, certs string) {
	certificate, err := certgen.Load(certs, "server")
	if err != nil {
		log.Fatal(err)
	}
	s := &http.Server{
		Addr:    "127.0.0.1:" + port,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Hello") }),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, ClientCAs: pool(filepath.Join(certs, "client-ca.pem")),
			ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	log.Fatal(s.ListenAndServeTLS("", ""))
}

// pool has the certificates of a PEM file.
func pool(file string) *x509.CertPool {
	data, err := os.ReadFile(file)
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(data)
	return pool
}
