package lab

import (
	"context"
	"net"
	"strings"
)

// The host localhost, and every name below it, is the loopback address: that
// needs neither a hosts file nor a DNS query (RFC 6761 section 6.3).

// addresses returns 127.0.0.1 and ::1 for localhost, and otherwise addr.
func addresses(addr string) []string {
	host, port, err := net.SplitHostPort(addr)
	name := "." + strings.ToLower(strings.TrimSuffix(host, "."))
	if err != nil || !strings.HasSuffix(name, ".localhost") {
		return []string{addr}
	}
	return []string{net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)}
}

// Connect connects to HOST:PORT, to localhost without asking DNS. The error is
// that of the first address, if none answers. The caller closes the connection.
func Connect(ctx context.Context, addr string) (net.Conn, error) {
	var first error
	for _, address := range addresses(addr) {
		conn, err := (&net.Dialer{Timeout: handshakeTimeout}).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}
