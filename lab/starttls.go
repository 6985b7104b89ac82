package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"mtlslab.example/lab/lab/starttls"
)

// StartTLS has the client speak a protocol that begins in plain text, in place
// of HTTP.
func (o *ClientOptions) StartTLS(p *starttls.Protocol, s starttls.Session) {
	o.Begin = func(c net.Conn) error { return p.Begin(c, s) }
	o.Ask = func(c *tls.Conn) (*Response, error) {
		a, err := p.Ask(c, s)
		if err != nil {
			return nil, err
		}
		return &Response{Proto: p.Name, Body: []byte(a.Text + "\n"), Refusal: a.Refusal}, nil
	}
}

// startTLS has every connection begin in plain text.
func (s *Settings) startTLS() {
	if s.StartTLS == nil {
		return
	}
	wrap := s.Wrap
	s.ALPN = []string{}
	s.Wrap = func(c net.Conn, config *tls.Config) net.Conn {
		c = s.StartTLS.Serve(c, config)
		if wrap != nil {
			c = wrap(c, config)
		}
		return c
	}
}

// talkTimeout bounds a conversation with a client that was let in.
const talkTimeout = 60 * time.Second

// talk answers by another protocol than HTTP until ctx ends.
func (s *Server) talk(ctx context.Context, p *starttls.Protocol, timeout time.Duration) error {
	var all sync.WaitGroup
	defer all.Wait()
	stop := context.AfterFunc(ctx, func() {
		ends := time.Now().Add(shutdownTimeout)
		s.listener.ends.Store(&ends)
		s.listener.Close()
	})
	defer stop()
	for {
		accepted, err := s.listener.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // of one connection, or of all descriptors in use
			time.Sleep(10 * time.Millisecond)
			continue
		}
		c := accepted.(*tls.Conn)
		all.Go(func() {
			defer c.Close()
			over := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now().Add(shutdownTimeout)) })
			defer over()
			_ = c.SetDeadline(time.Now().Add(timeout))
			if c.HandshakeContext(ctx) == nil {
				_ = c.SetDeadline(time.Now().Add(talkTimeout))
				if ctx.Err() != nil { // this has undone the deadline of the shutdown
					_ = c.SetDeadline(time.Now().Add(shutdownTimeout))
				}
				_ = p.Talk(c) // how it ends is the client's business
			}
		})
	}
}
