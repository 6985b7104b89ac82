package probe

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
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

// delayed starts a relay that holds up connections and bytes in both directions,
// and returns its port.
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
