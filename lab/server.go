package lab

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// shutdownTimeout is how long requests that are being answered, and rejected
// connections that are being drained, may take when the server stops.
const shutdownTimeout = drainTimeout

// Server is an HTTP server that asks every client for a certificate.
type Server struct {
	listener *listener
	http     *http.Server
	busy     busy
	settings Settings
}

// Listen makes a server that listens on addr.
func Listen(ctx context.Context, addr string, s Settings) (*Server, error) {
	l, err := Bind(ctx, addr)
	if err != nil {
		return nil, err
	}
	return NewServer(l, s)
}

// Bind listens on addr, for NewServer. localhost is 127.0.0.1. TCP keep-alive
// is off: the server's timeouts end a connection earlier.
func Bind(ctx context.Context, addr string) (net.Listener, error) {
	return (&net.ListenConfig{KeepAlive: -1}).Listen(ctx, "tcp", addresses(addr)[0])
}

// NewServer loads the credentials and returns a server that accepts from l. It
// closes l if it fails. Serve answers, and closes l when it ends.
func NewServer(l net.Listener, s Settings) (*Server, error) {
	s.startTLS()
	// One ticket key for the server's life, so that sessions survive a change of
	// the files; VerifyConnection checks the client of a resumed session again.
	var ticketKey [32]byte
	_, _ = rand.Read(ticketKey[:]) // never fails
	w := &wallet{Credentials: s.Credentials, crl: s.CRL, configure: func(own *identity) *tls.Config {
		c := s.config()
		c.Certificates = own.certificates
		c.ClientCAs, c.ClientAuth = own.trust, tls.RequireAndVerifyClientCert
		c.VerifyConnection = s.verifier(own.revoked)
		if s.TrustSessions {
			c.VerifyConnection = unlessResumed(c.VerifyConnection)
		}
		if s.Unasking {
			c.ClientAuth, c.VerifyConnection = tls.NoClientCert, nil
		}
		if s.RefuseInHTTP {
			c.ClientAuth, c.VerifyConnection = tls.RequestClientCert, nil
		}
		if s.HTTP2 && s.ALPN == nil {
			c.NextProtos = []string{"h2", "http/1.1"}
		}
		// The connections have clones of c, which must decrypt each other's tickets.
		c.SetSessionTicketKeys([][32]byte{ticketKey})
		return c
	}}
	if _, _, err := w.current(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	handler := s.Handler
	if handler == nil {
		handler = Pages()
	}
	handler, err := admit(s.Allow, handler)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if s.StrictHost {
		handler = strictHost(w.current, handler)
	}
	if s.RefuseInHTTP {
		handler = refuseInHTTP(s.verifyClient, handler)
	}
	server := &Server{
		settings: s,
		listener: &listener{Listener: l, config: w.current, journal: s.Journal, tap: s.Tap, wrap: s.Wrap},
		http: &http.Server{
			Handler:           noteFirst(handler),
			ReadHeaderTimeout: s.timeout(), // and of the handshake
			ReadTimeout:       30 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       60 * time.Second,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          log.New(io.Discard, "", 0), // the journal reports errors
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, connKey{}, c)
			},
		},
	}
	server.http.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateIdle { // a response is sent
			serverConnOf(c).answer()
		}
		server.busy.see(c, state) // last: a server that stops waits for the report
	}
	return server, nil
}

// Addr is the address that was bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers until ctx ends. Then it lets no connection in any more, ends
// those that are in a handshake or a request, and within half a second closes
// what is still open.
func (s *Server) Serve(ctx context.Context) error {
	if s.settings.StartTLS != nil {
		return s.talk(ctx, s.settings.StartTLS, s.settings.timeout())
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		ends := time.Now().Add(shutdownTimeout)
		s.listener.ends.Store(&ends)
		grace, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		// Shutdown would drop requests that have not been read to their end.
		s.http.SetKeepAlivesEnabled(false) // first: who sees that nobody is let in any more gets an answer that is the last
		_ = s.listener.Close()             // Shutdown does it again
		s.busy.wait(grace)
		if s.http.Shutdown(grace) != nil {
			s.http.Close()
		}
	})
	defer stop()
	err := s.http.Serve(s.listener)
	if ctx.Err() == nil {
		return err
	}
	<-stopped
	return nil
}

// busy counts the connections in which something is under way: a handshake, or
// a request.
type busy struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

// see is http.Server.ConnState.
func (b *busy) see(c net.Conn, state http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conns == nil {
		b.conns = map[net.Conn]bool{}
	}
	if delete(b.conns, c); state == http.StateNew || state == http.StateActive {
		b.conns[c] = true
	}
}

// wait waits until there are none, or ctx ends.
func (b *busy) wait(ctx context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		b.mu.Lock()
		left := len(b.conns)
		b.mu.Unlock()
		if left == 0 || ctx.Err() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
