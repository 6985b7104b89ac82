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

// benchRestart is for how many rounds each server runs.
const benchRestart = 300

// BenchmarkServer measures how long a client waits for lab server as people run
// it: it connects, has a full mutual handshake, sends one GET and reads the
// response. The peer is a net/http server without any of what the lab adds. Each
// is a process, and each in turn is called once. Each runs from a file of its
// own: processes of one file share its code in the processor's caches, and a
// server that shares it with the client is faster by 3 per cent. All start anew
// every benchRestart rounds: of two processes of one program, one is faster by 1
// to 2 per cent for all its life.
//
//	go test -run '^$' -bench 'Server$' -benchtime 6000x ./lab/command
//
// x-bare is the bare server's time in terms of that of lab server, x-bare-brief
// in terms of that with --capture off --brief, both as medians over the rounds.
func BenchmarkServer(b *testing.B) {
	program := peertest.Release(b, runtime.GOOS)
	dir := b.TempDir()
	benchUp(b, program, dir) // makes the PKI
	certs := filepath.Join(dir, "certs")
	client := benchClient(b, certs)
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	full, quiet, bare := benchCopy(b, program), benchCopy(b, program), benchCopy(b, self)
	start := func() []*benchServer {
		servers := []*benchServer{
			benchStart(b, nil, full, "server", "--dir", dir),
			benchStart(b, nil, quiet, "server", "--dir", dir, "--capture", "off", "--brief"),
			benchStart(b, []string{bareServerCerts + "=" + certs}, bare),
		}
		for range 50 { // warm up
			for _, s := range servers {
				benchCall(b, s.port, client)
			}
		}
		return servers
	}

	var servers []*benchServer
	times := make([][]time.Duration, 3)
	for round := 0; b.Loop(); round++ {
		if round%benchRestart == 0 {
			for _, s := range servers {
				s.stop()
			}
			servers = start()
		}
		for i := range servers {
			turn := (i + round) % len(servers)
			if round/len(servers)%2 == 1 {
				turn = len(servers) - 1 - turn
			}
			times[turn] = append(times[turn], benchCall(b, servers[turn].port, client))
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
// millisecond sooner than the file that Go's linker has just written. It does not
// take the program into memory, which the kernel counts as that of what is
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

// benchCall makes one connection, and returns how long it took until the
// response was read.
func benchCall(b *testing.B, port string, config *tls.Config) time.Duration {
	b.Helper()
	start := time.Now()
	conn, err := tls.Dial("tcp", "127.0.0.1:"+port, config)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		b.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		b.Fatal(response, err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func benchClient(b *testing.B, certs string) *tls.Config {
	b.Helper()
	certificate, err := certgen.Load(certs, "client")
	if err != nil {
		b.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: pool(filepath.Join(certs, "server-ca.pem")),
		ServerName: "localhost", NextProtos: []string{"http/1.1"}}
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
