package lab

import (
	"net"
	"slices"
	"testing"
)

func TestLocalhostNeedsNoDNS(t *testing.T) {
	both := []string{"127.0.0.1:8443", "[::1]:8443"}
	for addr, want := range map[string][]string{
		"localhost:8443":      both,
		"LocalHost.:8443":     both,
		"lab.localhost:8443":  both,
		"mylocalhost:8443":    {"mylocalhost:8443"},
		"localhost.test:8443": {"localhost.test:8443"},
		"127.0.0.1:8443":      {"127.0.0.1:8443"},
		":8443":               {":8443"},
		"localhost":           {"localhost"},
	} {
		if got := addresses(addr); !slices.Equal(got, want) {
			t.Errorf("%s stands for %q, not %q", addr, got, want)
		}
	}
}

// TestLocalhostIsBothLoopbacks reaches a server that listens on ::1 alone.
func TestLocalhostIsBothLoopbacks(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	conn, err := Connect(t.Context(), "localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
