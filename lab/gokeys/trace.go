package gokeys

import (
	"net/netip"

	"mtlslab.example/lab/lab/keylog"
)

// Options are what a Trace does with what it finds.
type Options struct {
	// Keys gets each secret within a tenth of a second, and before Wait returns;
	// but of programs that know $SSLKEYLOGFILE, and may log to the same file by
	// themselves, only what is not there a moment later.
	Keys *keylog.Writer
	// Secret is called, unless it is nil, with the client random of each secret,
	// from any goroutine.
	Secret func(random []byte)
	// Relay stands in for the servers that Go programs with crypto/tls connect
	// to, unless it is nil.
	Relay Relay
	// Cannot is called, once for each, with a *ProgramError or *SystemError:
	// whose keys cannot be had, and why; or with a *ConnectionError. It must not
	// call the Trace.
	Cannot func(error)
}

// Relay is what the TCP connections of programs go through.
type Relay interface {
	// Reach connects to a server, and calls connect with the address of a
	// listener on IPv4 that passes a connection of the client with the address
	// that connect returns on to it. The thread that connects waits meanwhile.
	// If this is not done, the program connects by itself. An error says why;
	// there is none if the server cannot be reached, which the program shall
	// see.
	Reach(server netip.AddrPort, connect func(listener netip.AddrPort) (client netip.AddrPort, err error)) (done bool, err error)
	// Server returns the server that a listener stands for.
	Server(listener netip.AddrPort) (server netip.AddrPort, ok bool)
}
