package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// Instead is what a side speaks in place of TLS.
type Instead string

// What can be spoken.
const (
	InsteadHTTP    Instead = "http"    // plain HTTP
	InsteadGarbage Instead = "garbage" // bytes that are no TLS record
	InsteadSilence Instead = "silence" // nothing, on an open connection
	InsteadHangUp  Instead = "hang-up" // TLS until the first answer of the other side, then the end
)

// InsteadError is how an exchange ended for a side that did not speak TLS.
type InsteadError struct {
	Spoke  Instead
	Answer string // the first line that came back, if it was text
}

func (e *InsteadError) Error() string {
	text := map[Instead]string{
		InsteadHTTP: "sent plain HTTP", InsteadGarbage: "sent bytes that are not TLS",
		InsteadSilence: "said nothing", InsteadHangUp: "hung up during the handshake",
	}[e.Spoke]
	if e.Answer != "" {
		text += "; the answer was " + e.Answer
	}
	return text
}

// Why returns why the exchange of a side that did so ended.
func (e *InsteadError) Why(side endpoint.Side) (verdict.Code, string) {
	who := "the " + side.String()
	switch e.Spoke {
	case InsteadHTTP:
		return verdict.SpokeNoTLS, who + " did not speak TLS, but plain HTTP"
	case InsteadGarbage:
		return verdict.SpokeNoTLS, who + " did not speak TLS"
	case InsteadSilence:
		return verdict.TooSlow, who + " was silent for too long"
	}
	return verdict.Closed, who + " closed the connection during the handshake, without an alert"
}

// HungUp reports whether it was this side that ended the exchange.
func (e *InsteadError) HungUp() bool { return e.Spoke == InsteadHangUp }

// garbage begins with a type that no TLS record has (RFC 8446 section 5.1).
var garbage = []byte("\x00\x01\x02\x03 this is not TLS, nor anything else that a server knows\r\n")

// perform speaks on c as side and returns what came of it.
func (i Instead) perform(ctx context.Context, side endpoint.Side, c net.Conn, config *tls.Config, host string) error {
	switch i {
	case InsteadHTTP:
		if side == endpoint.Server {
			awaitFirst(c)
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request")
		} else {
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		}
	case InsteadGarbage:
		if side == endpoint.Server {
			awaitFirst(c)
		}
		_, _ = c.Write(garbage)
	case InsteadHangUp:
		quitter := &hangUp{Conn: c}
		conn := tls.Client(quitter, config)
		if side == endpoint.Server {
			conn = tls.Server(quitter, config)
		}
		_ = conn.HandshakeContext(ctx) // ends with the first answer
		return &InsteadError{Spoke: i}
	}
	answer, _ := io.ReadAll(io.LimitReader(c, 64<<10))
	return &InsteadError{Spoke: i, Answer: firstLine(answer)}
}

// awaitFirst waits for the other side to speak.
func awaitFirst(c net.Conn) { _, _ = c.Read(make([]byte, 16<<10)) }

// firstLine is the first line of an answer in text, and nothing of any other.
func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\r\n")
	if strings.HasPrefix(line, "HTTP/") {
		return line
	}
	return ""
}

// hangUp is a connection that ends when something was read from it.
type hangUp struct {
	net.Conn
}

var errHungUp = errors.New("hung up")

func (h *hangUp) Read(b []byte) (int, error) {
	if _, err := h.Conn.Read(b); err != nil {
		return 0, err
	}
	return 0, errHungUp
}

// Write drops the alert that crypto/tls sends about the end.
func (h *hangUp) Write(b []byte) (int, error) {
	if len(b) > 0 && b[0] == byte(tlswire.ContentTypeAlert) {
		return len(b), nil
	}
	return h.Conn.Write(b)
}

// speakInstead is run for a client that does not speak TLS.
func (x *clientExchange) speakInstead(ctx context.Context, config *tls.Config, url *url.URL) error {
	defer limit(ctx, x.Conn, x.settings.timeout())()
	err := x.settings.Instead.perform(ctx, endpoint.Client, x, withSecrets(config, x.Conn), url.Host)
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	x.tell(verdict.NewView(endpoint.Client, err, x.alerts.seen()), tls.ConnectionState{}, nil)
	return err
}

// limit has reads and writes of c fail after timeout, or as soon as ctx ends.
// stop ends that, and is false if ctx has ended before.
func limit(ctx context.Context, c net.Conn, timeout time.Duration) (stop func() bool) {
	_ = c.SetDeadline(time.Now().Add(timeout))
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(0, 1)) })
}

// serveInstead is Serve for a server that does not speak TLS.
func (s *Server) serveInstead(ctx context.Context) error {
	var open sync.WaitGroup
	defer open.Wait()
	defer s.listener.Close()
	defer context.AfterFunc(ctx, func() { s.listener.Close() })()
	for {
		raw, err := s.listener.Listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		config, own, err := s.listener.config()
		if err != nil {
			return errors.Join(err, raw.Close())
		}
		c := s.listener.open(raw)
		c.own = own
		open.Go(func() { c.speakInstead(ctx, s.instead, config, s.http.ReadHeaderTimeout) })
	}
}

// speakInstead carries out one exchange of a server that does not speak TLS.
func (c *serverConn) speakInstead(ctx context.Context, what Instead, config *tls.Config, timeout time.Duration) {
	defer c.member.leave()
	stop := limit(ctx, c.Conn, timeout)
	err := what.perform(ctx, endpoint.Server, c, withSecrets(config, c.Conn), "")
	if !stop() { // the lab ends, and this is nobody's verdict
		c.listener.journal.forget(c.client, c.server)
		c.Conn.Close()
		return
	}
	c.finish(err, tls.ConnectionState{}, nil)
	_ = c.drain()
}
