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

// BenchmarkServer measures how long a client waits for lab server as people run
// it: it connects, has a full mutual handshake, sends one GET and reads the
// response. The peer is a net/http server without any of what the lab adds. Each
// is a process, and each in turn is called once. Each runs from a file of its
// own: processes of one file share its code in the processor's caches, and a
// server that shares it with the client is faster by 3 per cent.
//
//	go test -run '^$' -bench Server -benchtime 2000x ./lab/command
//
// x-bare is the bare server's time in terms of that of lab server, x-bare-brief
// in terms of that with --capture off --brief, both as medians over the rounds.
func BenchmarkServer(b *testing.B) {
	program := peertest.Build(b, runtime.GOOS)
	dir := b.TempDir()
	benchUp(b, program, dir) // makes the PKI
	client := benchClient(b, filepath.Join(dir, "certs"))
	quiet := benchStart(b, exec.Command(program, "server", "--dir", dir, "--capture", "off", "--brief"))
	full := benchStart(b, exec.Command(program, "server", "--dir", dir))
	bare := benchStart(b, nil, bareServerCerts+"="+filepath.Join(dir, "certs"))

	ports := []string{full, quiet, bare}
	for range 100 { // warm up
		for _, port := range ports {
			benchCall(b, port, client)
		}
	}
	times := make([][]time.Duration, len(ports))
	for round := 0; b.Loop(); round++ {
		for i := range ports {
			turn := (i + round) % len(ports)
			if round/len(ports)%2 == 1 {
				turn = len(ports) - 1 - turn
			}
			times[turn] = append(times[turn], benchCall(b, ports[turn], client))
		}
	}
	b.ReportMetric(benchMedianMS(times[0]), "ms")
	b.ReportMetric(benchMedianMS(times[2]), "ms-bare")
	b.ReportMetric(benchMedianRatio(times[2], times[0]), "x-bare")
	b.ReportMetric(benchMedianRatio(times[2], times[1]), "x-bare-brief")
}

// benchStart starts a server, or the bare one if it is nil, and returns its
// port.
func benchStart(b *testing.B, server *exec.Cmd, env ...string) (port string) {
	b.Helper()
	port = peertest.FreePort(b)
	if server == nil {
		self, err := os.Executable()
		if err != nil {
			b.Fatal(err)
		}
		server = exec.Command(self)
		env = append(env, bareServerPort+"="+port)
	} else {
		server.Args = append(server.Args, "--addr", "127.0.0.1:"+port)
	}
	out, err := os.Create(filepath.Join(b.TempDir(), "out")) // nobody reads along, which would take time
	if err != nil {
		b.Fatal(err)
	}
	server.Path = benchCopy(b, server.Path)
	server.Env, server.Stdout, server.Stderr = append(os.Environ(), env...), out, out
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
		out.Close()
	})
	if err := peertest.AwaitListener(port); err != nil {
		b.Fatal(err)
	}
	return port
}

// benchCopy copies a program.
func benchCopy(b *testing.B, program string) (copied string) {
	b.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		b.Fatal(err)
	}
	copied = filepath.Join(b.TempDir(), filepath.Base(program))
	if err := os.WriteFile(copied, data, 0o700); err != nil {
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
