package probe

import (
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/peertest"
)

// BenchmarkServer probes a server of Go's in full, near and 50 ms away.
func BenchmarkServer(b *testing.B) {
	p := newPKI(b)
	port := p.goServer(b, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.pool("client-ca")}, nil)
	for name, port := range map[string]string{"near": port, "50 ms away": delayed(b, port, 25*time.Millisecond)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				o := p.options(port)
				o.Skip = []string{}
				r, err := Server(b.Context(), o)
				if err != nil || r.Error != "" || r.Count(Unknown) > 0 {
					b.Fatal(err, r.Error)
				}
				b.ReportMetric(float64(r.Connections), "connections")
			}
		})
	}
}

// BenchmarkOptionalNoCA has lab probe and testssl look at nginx that asks for a
// certificate and takes any, each in full. "ways in" are the cases that are
// found wrong; testssl has none, and "mentions" counts the lines in which it
// speaks of client certificates.
func BenchmarkOptionalNoCA(b *testing.B) {
	p := newPKI(b)
	port := p.nginx(b, "ssl_verify_client optional_no_ca; ssl_client_certificate "+p.file("client-ca.pem")+";")
	b.Run("lab probe", func(b *testing.B) {
		for b.Loop() {
			o := p.options(port)
			o.Skip, o.Revoked = []string{}, nil
			r, err := Server(b.Context(), o)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(r.having(Wrong))), "ways-in")
		}
	})
	b.Run("testssl", func(b *testing.B) {
		peertest.Need(b, "testssl")
		for b.Loop() {
			cmd := exec.Command("testssl", "--quiet", "--color", "0", "--warnings", "off", "--server-defaults", "localhost:"+port)
			out, err := cmd.CombinedOutput()
			if len(out) == 0 {
				b.Fatal(err)
			}
			mentions := 0
			for line := range strings.Lines(strings.ToLower(string(out))) {
				if strings.Contains(line, "client auth") || strings.Contains(line, "client cert") {
					mentions++
				}
			}
			b.ReportMetric(float64(mentions), "mentions")
		}
	})
}

// delayed starts a relay that holds up connections and bytes in both
// directions, and returns its port.
func delayed(t testing.TB, target string, by time.Duration) (port string) {
	type piece struct {
		at   time.Time
		data []byte
	}
	pass := func(to, from net.Conn) {
		pieces := make(chan piece, 1000)
		go func() {
			defer close(pieces)
			for {
				b := make([]byte, 16<<10)
				n, err := from.Read(b)
				if n > 0 {
					pieces <- piece{time.Now().Add(by), b[:n]}
				}
				if err != nil {
					pieces <- piece{at: time.Now().Add(by)}
					return
				}
			}
		}()
		for p := range pieces {
			time.Sleep(time.Until(p.at))
			if p.data == nil {
				_ = to.(*net.TCPConn).CloseWrite()
			} else if _, err := to.Write(p.data); err != nil {
				_, _ = io.Copy(io.Discard, from)
			}
		}
	}
	return listen(t, func(client net.Conn) {
		time.Sleep(2 * by) // of SYN and SYN/ACK
		server, err := net.Dial("tcp", "127.0.0.1:"+target)
		if err != nil {
			client.Close()
			return
		}
		done := make(chan bool)
		go func() { pass(client, server); done <- true }()
		pass(server, client)
		<-done
		client.Close()
		server.Close()
	})
}
