package fault

import (
	"crypto/tls"
	"net"
)

// Fault changes what one side does on one connection. It may change config,
// which must be of that connection alone, and returns what TLS is spoken on:
// conn, or a connection whose NetConn method returns conn.
type Fault func(conn net.Conn, config *tls.Config) net.Conn

// Join returns a fault that applies all of faults, the first one nearest to the
// network; nil if there are none.
func Join(faults ...Fault) Fault {
	if len(faults) == 0 {
		return nil
	}
	return func(conn net.Conn, config *tls.Config) net.Conn {
		for _, apply := range faults {
			conn = apply(conn, config)
		}
		return conn
	}
}

// wrapper is a connection that a fault has wrapped.
type wrapper struct{ net.Conn }

// NetConn returns the connection below.
func (w wrapper) NetConn() net.Conn { return w.Conn }
