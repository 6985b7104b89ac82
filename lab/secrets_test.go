package lab

import (
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/wiretap"
)

// secretLines collects the secrets that a tap is given.
type secretLines struct {
	mu    sync.Mutex
	lines []string
}

func (s *secretLines) Open(wiretap.Event) wiretap.Handler {
	return func(e wiretap.Event) {
		if e.Kind == wiretap.Secret {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.lines = append(s.lines, string(e.Data))
		}
	}
}

// Of a client's secrets the server's tap gets the one of TLS 1.2: those of
// TLS 1.3 it has itself. A client of nobody's exchange gives it nothing.
func TestMasterSecrets(t *testing.T) {
	const client, server = "127.0.0.1:1", "127.0.0.1:8443"
	got, j := &secretLines{}, &Journal{}
	a, b := net.Pipe()
	defer a.Close()
	j.begin(endpoint.Client, client, server)
	j.tapped(client, server, wiretap.New(got).Server(b, 1))
	master := "CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48) + "\n"
	traffic := "CLIENT_TRAFFIC_SECRET_0 " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 32) + "\n"
	for _, w := range []masterSecrets{{j, client, server}, {j, "127.0.0.1:2", server}} {
		for _, line := range []string{traffic, master} {
			if n, err := w.Write([]byte(line)); n != len(line) || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
	}
	_ = b.Close()
	got.mu.Lock()
	defer got.mu.Unlock()
	if !slices.Equal(got.lines, []string{master}) {
		t.Errorf("%q", got.lines)
	}
}
