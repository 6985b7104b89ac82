package starttls

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"strings"

	"mtlslab.example/lab/lab/dn"
)

// server is the server's part of a protocol.
type server struct {
	begin func(t *talk) error                        // before TLS
	talk  func(t *talk, s tls.ConnectionState) error // in TLS, until the client ends it
}

// Serve returns a connection on which the server's part is spoken before the
// first byte of TLS is read. It is nil for a protocol that is not served.
func (p *Protocol) Serve(c net.Conn, _ *tls.Config) net.Conn {
	return &serving{Conn: c, protocol: p}
}

// NotSpokenError is a client that does not speak a protocol.
type NotSpokenError struct{ Protocol string }

func (e *NotSpokenError) Error() string {
	return "the client does not ask for TLS as " + e.Protocol + " has it"
}

// Talk speaks the server's part in TLS, until the client ends it.
func (p *Protocol) Talk(c *tls.Conn) error {
	return p.serve.talk(&talk{rw: c}, c.ConnectionState())
}

// serving is a connection that begins in plain text. crypto/tls reads before it
// writes, in one goroutine.
type serving struct {
	net.Conn
	protocol *Protocol
	begun    bool
}

// NetConn returns the connection below.
func (s *serving) NetConn() net.Conn { return s.Conn }

func (s *serving) Read(b []byte) (int, error) {
	if !s.begun {
		s.begun = true
		err := s.protocol.serve.begin(&talk{rw: s.Conn})
		if errors.Is(err, errTooLong) || errors.As(err, new(*UnexpectedError)) {
			err = &NotSpokenError{s.protocol.Name}
		}
		if err != nil {
			return 0, err
		}
	}
	return s.Conn.Read(b)
}

// who names a client by its certificate.
func who(s tls.ConnectionState) string {
	if len(s.PeerCertificates) == 0 {
		return "nobody"
	}
	return dn.Subject(s.PeerCertificates[0])
}

func serveSMTPBefore(t *talk) error {
	if err := t.say("220 lab ESMTP\r\n"); err != nil {
		return err
	}
	for {
		line, err := t.line()
		if err != nil {
			return err
		}
		reply := "530 5.7.0 Must issue a STARTTLS command first"
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "STARTTLS":
			return t.say("220 2.0.0 Ready to start TLS\r\n")
		case "EHLO":
			reply = "250-lab\r\n250 STARTTLS"
		case "HELO":
			reply = "250 lab"
		case "NOOP":
			reply = "250 2.0.0 OK"
		case "QUIT":
			reply = "221 2.0.0 Bye"
		}
		if err := t.say(reply + "\r\n"); err != nil {
			return err
		}
	}
}

// serveSMTP takes no mail: it says who the client is.
func serveSMTP(t *talk, s tls.ConnectionState) error {
	for {
		line, err := t.line()
		if err != nil {
			return err
		}
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO", "HELO":
			err = t.say("250 lab, hello " + who(s) + "\r\n")
		case "NOOP", "RSET":
			err = t.say("250 2.0.0 OK\r\n")
		case "QUIT":
			return t.say("221 2.0.0 Bye\r\n")
		default:
			err = t.say("502 5.5.1 This server shows TLS, and takes no mail\r\n")
		}
		if err != nil {
			return err
		}
	}
}

const (
	postgresSSL    = 80877103 // SSLRequest
	postgresGSS    = 80877104 // GSSENCRequest
	postgresCancel = 80877102
)

func servePostgresBefore(t *talk) error {
	for {
		code, _, err := t.startup()
		switch {
		case err != nil:
			return err
		case code == postgresSSL:
			return t.say("S")
		case code == postgresGSS:
			err = t.say("N")
		default:
			_ = t.say(message('E', "SFATAL\x00VFATAL\x00C28000\x00Mno encryption: this server wants TLS\x00\x00"))
			return &UnexpectedError{Said: "a start without TLS"}
		}
		if err != nil {
			return err
		}
	}
}

// startup reads a message without a type: its code, and what follows.
func (t *talk) startup() (code uint32, body []byte, err error) {
	head, err := t.bytes(8)
	if err != nil {
		return 0, nil, err
	}
	body, err = t.bytes(int(binary.BigEndian.Uint32(head)) - 8)
	return binary.BigEndian.Uint32(head[4:]), body, err
}

// message returns a message with its type and length.
func message(kind byte, body string) string {
	return string(kind) + string(binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))) + body
}

// servePostgres lets everybody log in whom TLS has let in, and answers every
// query with who the client is.
func servePostgres(t *talk, s tls.ConnectionState) error {
	code, _, err := t.startup()
	if err != nil || code == postgresCancel {
		return err
	}
	ready := message('Z', "I")
	hello := message('R', "\x00\x00\x00\x00") + message('S', "server_version\x0016.0 (lab)\x00") + message('S', "client_encoding\x00UTF8\x00") + ready
	if err := t.say(hello); err != nil {
		return err
	}
	for {
		head, err := t.bytes(5)
		if err != nil {
			return err
		}
		if _, err := t.bytes(int(binary.BigEndian.Uint32(head[1:])) - 4); err != nil || head[0] == 'X' {
			return err
		}
		switch head[0] {
		case 'Q':
			name := who(s)
			column := "client\x00" + "\x00\x00\x00\x00" + "\x00\x00" + "\x00\x00\x00\x19" + "\xff\xff" + "\xff\xff\xff\xff" + "\x00\x00" // text
			row := "\x00\x01" + string(binary.BigEndian.AppendUint32(nil, uint32(len(name)))) + name
			err = t.say(message('T', "\x00\x01"+column) + message('D', row) + message('C', "SELECT 1\x00") + ready)
		case 'S': // Sync ends a query of several messages
			err = t.say(message('E', "SERROR\x00VERROR\x00C0A000\x00Mthis server shows TLS, and answers simple queries alone\x00\x00") + ready)
		}
		if err != nil {
			return err
		}
	}
}
