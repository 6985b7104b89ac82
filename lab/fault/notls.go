package fault

import (
	"crypto/tls"
	"io"
	"net"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// NotTLS is what a side speaks in place of TLS. The handshake of that side ends
// with a *NotTLSError.
type NotTLS string

// What can be spoken.
const (
	PlainHTTP NotTLS = "http"
	Garbage   NotTLS = "garbage" // bytes that are no TLS record
	Silence   NotTLS = "silence" // nothing, on an open connection
	HangUp    NotTLS = "hang-up" // TLS until the other side answers, then the end
)

// NotTLSError is how the handshake ends for a side that did not speak TLS. It
// is a verdict.Misbehaviour.
type NotTLSError struct {
	Spoke  NotTLS
	Answer string // the first line that came back, if it was plain HTTP
}

func (e *NotTLSError) Error() string {
	text := map[NotTLS]string{
		PlainHTTP: "sent plain HTTP", Garbage: "sent bytes that are not TLS",
		Silence: "said nothing", HangUp: "hung up during the handshake",
	}[e.Spoke]
	if e.Answer != "" {
		text += "; the answer was " + e.Answer
	}
	return text
}

// Why returns why the exchange of a side that did so ended.
func (e *NotTLSError) Why(side endpoint.Side) (verdict.Code, string) {
	who := "the " + side.String()
	switch e.Spoke {
	case PlainHTTP:
		return verdict.SpokeNoTLS, who + " did not speak TLS, but plain HTTP"
	case Garbage:
		return verdict.SpokeNoTLS, who + " did not speak TLS"
	case Silence:
		return verdict.TooSlow, who + " was silent for too long"
	}
	return verdict.Closed, who + " closed the connection during the handshake, without an alert"
}

// HungUp reports whether this side ended the exchange.
func (e *NotTLSError) HungUp() bool { return e.Spoke == HangUp }

// garbage begins with a type that no TLS record has (RFC 9846 section 5.1).
const garbage = "\x00\x01\x02\x03 this is not TLS, nor anything else that a server knows\r\n"

// badRequest is how a server answers a ClientHello that it takes for HTTP.
const badRequest = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request"

// maxAnswer bounds what is read of the other side, in bytes.
const maxAnswer = 64 << 10

// Client is the fault of a client.
func (n NotTLS) Client(conn net.Conn, config *tls.Config) net.Conn {
	switch n {
	case HangUp:
		return hangUp{wrapper{conn}}
	case PlainHTTP:
		_, port, _ := net.SplitHostPort(conn.RemoteAddr().String())
		return &speaker{wrapper: wrapper{conn}, fault: n, says: "GET / HTTP/1.1\r\nHost: " + net.JoinHostPort(config.ServerName, port) + "\r\n\r\n"}
	case Garbage:
		return &speaker{wrapper: wrapper{conn}, fault: n, says: garbage}
	}
	return &speaker{wrapper: wrapper{conn}, fault: n}
}

// Server is the fault of a server, which speaks after its client.
func (n NotTLS) Server(conn net.Conn, _ *tls.Config) net.Conn {
	switch n {
	case HangUp:
		return hangUp{wrapper{conn}}
	case PlainHTTP:
		return &speaker{wrapper: wrapper{conn}, fault: n, waits: true, says: badRequest}
	case Garbage:
		return &speaker{wrapper: wrapper{conn}, fault: n, waits: true, says: garbage}
	}
	return &speaker{wrapper: wrapper{conn}, fault: n}
}

// speaker is a connection on which something else is said than what is written
// to it.
type speaker struct {
	wrapper
	fault NotTLS
	waits bool // for the other side to speak first
	says  string
}

// Write drops what TLS says.
func (s *speaker) Write(b []byte) (int, error) { return len(b), nil }

// Read says what is to be said and reads the answer, until the other side has
// ended or a deadline is over.
func (s *speaker) Read([]byte) (int, error) {
	if s.waits {
		_, _ = s.Conn.Read(make([]byte, 16<<10))
	}
	if s.says != "" {
		_, _ = io.WriteString(s.Conn, s.says)
	}
	answer, _ := io.ReadAll(io.LimitReader(s.Conn, maxAnswer))
	return 0, &NotTLSError{Spoke: s.fault, Answer: firstLine(answer)}
}

// firstLine returns the first line of a response in plain HTTP, "" of any other
// answer.
func firstLine(answer []byte) string {
	line, _, _ := strings.Cut(string(answer), "\r\n")
	if strings.HasPrefix(line, "HTTP/") {
		return line
	}
	return ""
}

// hangUp is a connection that fails once something was read from it.
type hangUp struct{ wrapper }

func (h hangUp) Read(b []byte) (int, error) {
	if _, err := h.Conn.Read(b); err != nil {
		return 0, err
	}
	return 0, &NotTLSError{Spoke: HangUp}
}

// Write drops the alert that crypto/tls sends about the end.
func (h hangUp) Write(b []byte) (int, error) {
	if len(b) > 0 && b[0] == byte(tlswire.ContentTypeAlert) {
		return len(b), nil
	}
	return h.Conn.Write(b)
}
