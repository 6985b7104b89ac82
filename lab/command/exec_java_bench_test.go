//go:build unix

package command_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// BenchmarkExecJava has Java programs do the same by turns under lab exec and
// without. With those of lab/gokeys, for Go programs:
//
//	go test -run '^$' -bench 'Handshakes|Requests|ExecJava' -benchtime 5x ./lab/gokeys ./lab/command
//
// x-rate is what they do in a second under lab exec in terms of that without,
// and ms-more how much longer it takes, the medians over the rounds: a start with
// one handshake, from the start of the process to its end; handshakes of one
// thread and of 64; requests to a server on an open connection. All rounds
// together take about a minute on two idle processors.
func BenchmarkExecJava(b *testing.B) {
	l := newJavaLab(b)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) // lab's own does more
	pair, err := tls.LoadX509KeyPair(l.path("certs/server.pem"), l.path("certs/server-key.pem"))
	if err != nil {
		b.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	client := func(times, threads int) []string {
		return []string{"java", "-Xmx256m", "-cp", l.dir, "Peer", "client.p12", "socket", port, "TLSv1.3", strconv.Itoa(times), strconv.Itoa(threads)}
	}
	said := regexp.MustCompile(`done in (\d+) us`)
	run := func(b *testing.B, cmd *exec.Cmd) (took, whole time.Duration) {
		began := time.Now()
		out, err := cmd.CombinedOutput()
		whole = time.Since(began)
		done := said.FindSubmatch(out)
		if err != nil || done == nil {
			b.Fatalf("%v\n%s", err, out)
		}
		us, _ := strconv.Atoi(string(done[1]))
		return time.Duration(us) * time.Microsecond, whole
	}
	b.Run("start", func(b *testing.B) {
		l.compare(b, client(1, 1), func(cmd *exec.Cmd) time.Duration { _, whole := run(b, cmd); return whole })
	})
	for name, threads := range map[string]int{"handshakes": 1, "handshakes of 64": 64} {
		b.Run(name, func(b *testing.B) {
			l.compare(b, client(500, threads), func(cmd *exec.Cmd) time.Duration { took, _ := run(b, cmd); return took })
		})
	}
	b.Run("requests", func(b *testing.B) {
		own, err := tls.LoadX509KeyPair(l.path("certs/client.pem"), l.path("certs/client-key.pem"))
		if err != nil {
			b.Fatal(err)
		}
		client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}}}
		get := func(port string, long time.Duration) (each time.Duration) {
			began := time.Now()
			for times := time.Duration(1); ; times++ {
				response, err := client.Get("https://127.0.0.1:" + port + "/")
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if took := time.Since(began); took >= long {
					return took / times
				}
			}
		}
		var ports [2]string // of the server without, and with
		for i := range ports {
			ports[i] = peertest.FreePort(b)
			args := []string{"java", "-Xmx256m", "-Dsun.net.httpserver.nodelay=true", "-cp", l.dir, "Peer", "server.p12", "server", ports[i], "TLSv1.3", "0", "0"}
			cmd := l.command(b, "requests", args...)
			if i == 0 {
				cmd = exec.Command(args[0], args[1:]...)
				cmd.Dir = l.dir
			}
			server := peertest.Start(b, cmd)
			defer func() {
				_ = cmd.Process.Signal(syscall.SIGTERM) // lab takes SIGINT for the terminal's
				server.Wait(b)
			}()
			if err := peertest.AwaitListener(ports[i]); err != nil {
				b.Fatal(err)
			}
			get(ports[i], 3*time.Second) // the JVM compiles it meanwhile
		}
		byTurns(b, func(i int) time.Duration { return get(ports[i], 500*time.Millisecond) })
	})
}

// compare measures a program by turns under lab exec and without.
func (l javaLab) compare(b *testing.B, args []string, measure func(*exec.Cmd) time.Duration) {
	b.Helper()
	name := strings.ReplaceAll(b.Name(), "/", "-")
	byTurns(b, func(i int) time.Duration {
		if i == 1 {
			return measure(l.command(b, name, args...))
		}
		plain := exec.Command(args[0], args[1:]...)
		plain.Dir = l.dir
		return measure(plain)
	})
}

// byTurns measures two things by turns, 0 without lab and 1 with it.
func byTurns(b *testing.B, measure func(int) time.Duration) {
	b.Helper()
	var rates, more []float64
	for round := 0; b.Loop(); round++ {
		var took [2]time.Duration
		for i := range 2 {
			turn := (i + round) % 2
			took[turn] = measure(turn)
		}
		rates = append(rates, float64(took[0])/float64(took[1]))
		more = append(more, float64(took[1]-took[0])/float64(time.Millisecond))
	}
	slices.Sort(rates)
	slices.Sort(more)
	b.ReportMetric(rates[len(rates)/2], "x-rate")
	b.ReportMetric(more[len(more)/2], "ms-more")
}
