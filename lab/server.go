package lab

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"mtlslab.example/lab/lab/wiretap"
)

// shutdownTimeout is what requests that are being answered get when the server
// stops, and rejected connections that are being drained.
const shutdownTimeout = drainTimeout

// Settings are what a server and a client have in common.
type Settings struct {
	Credentials
	Version uint16       // the only TLS version spoken, such as tls.VersionTLS12; 0: 1.2 and 1.3
	HTTP2   bool         // else HTTP/1.1
	KeyLog  io.Writer    // gets the secrets of every connection (RFC 9850); nil: nobody
	Journal *Journal     // is told of every exchange; must not be nil
	Tap     *wiretap.Tap // sees the bytes of every exchange; nil: nobody does
}

// config is the part of the TLS configuration that both sides share.
func (s Settings) config() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, KeyLogWriter: s.KeyLog, NextProtos: []string{"http/1.1"}}
	if s.Version != 0 {
		c.MinVersion, c.MaxVersion = s.Version, s.Version
	}
	if s.HTTP2 {
		c.NextProtos = []string{"h2"}
	}
	return c
}

// Server is an HTTP server that asks every client for a certificate.
type Server struct {
	listener *listener
	http     *http.Server
}

// Listen binds addr, from which on clients can connect, and loads the
// credentials. The server answers once Serve is called; one of Serve and Close
// must be.
func Listen(ctx context.Context, addr string, s Settings) (*Server, error) {
	w := &wallet{Credentials: s.Credentials, configure: func(own *tls.Certificate, trust *x509.CertPool) *tls.Config {
		c := s.config()
		c.Certificates = []tls.Certificate{*own}
		c.ClientCAs, c.ClientAuth = trust, tls.RequireAndVerifyClientCert
		if s.HTTP2 {
			c.NextProtos = []string{"h2", "http/1.1"}
		}
		// The connections have clones of c, which must know each other's tickets.
		var ticketKey [32]byte
		_, _ = rand.Read(ticketKey[:]) // never fails
		c.SetSessionTicketKeys([][32]byte{ticketKey})
		return c
	}}
	if _, _, err := w.current(); err != nil {
		return nil, err
	}
	// No TCP keep-alive: the timeouts below end a connection before its probes would.
	l, err := (&net.ListenConfig{KeepAlive: -1}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Server{
		listener: &listener{Listener: l, config: w.current, journal: s.Journal, tap: s.Tap},
		http: &http.Server{
			Handler:           told(pages()),
			ReadHeaderTimeout: handshakeTimeout, // and of the handshake
			ReadTimeout:       30 * time.Second,
			WriteTimeout:      30 * time.Second,
			IdleTimeout:       60 * time.Second,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          log.New(io.Discard, "", 0), // the journal tells it
			ConnContext: func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, connKey{}, c)
			},
		},
	}, nil
}

// Addr is the address that was bound.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Serve answers until ctx ends, then within half a second closes what is open.
func (s *Server) Serve(ctx context.Context) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		s.listener.stopping.Store(true)
		grace, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if s.http.Shutdown(grace) != nil {
			s.http.Close()
		}
	})
	defer stop()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-stopped
	return nil
}

// Close frees the address of a server that does not serve.
func (s *Server) Close() error { return s.listener.Close() }
