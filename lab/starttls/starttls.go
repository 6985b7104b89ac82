package starttls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/verdict"
)

// Protocol is one that can begin TLS.
type Protocol struct {
	Name string // "smtp"
	Port string // where it is spoken, as a rule

	// Logins reports whether a client logs in with the first that it says, so that
	// an answer tells who is let in.
	Logins bool

	alias string // another name; "": none
	begin func(t *talk, s Session) error
	ask   func(t *talk, s Session) (Answer, error)
	serve *server // nil: it is spoken as a client alone
}

// Session is what is said of the two sides.
type Session struct {
	Host string // of the server, for XMPP
	User string // who logs in, without a password: PostgreSQL, MySQL
}

// Answer is what a server answered in TLS.
type Answer struct {
	Text    string // its first line, or what its packet means; cleaned for a terminal
	Refusal string // why it refuses the client, cleaned, too; "": it does not
}

var protocols = []*Protocol{
	{Name: "smtp", Port: "25", begin: beginSMTP, ask: askSMTP, serve: &server{begin: serveSMTPBefore, talk: serveSMTP}},
	{Name: "imap", Port: "143", begin: beginIMAP, ask: askIMAP},
	{Name: "pop3", Port: "110", begin: beginPOP3, ask: askPOP3},
	{Name: "ftp", Port: "21", begin: beginFTP, ask: askFTP},
	{Name: "ldap", Port: "389", begin: beginLDAP, ask: askLDAP},
	{Name: "postgres", Port: "5432", Logins: true, alias: "postgresql", begin: beginPostgres, ask: askPostgres, serve: &server{begin: servePostgresBefore, talk: servePostgres}},
	{Name: "mysql", Port: "3306", Logins: true, begin: beginMySQL, ask: askMySQL},
	{Name: "xmpp", Port: "5222", begin: beginXMPP, ask: askXMPP},
}

// Names returns the names of the protocols; served, of those that a server of
// the lab speaks.
func Names(served bool) (names []string) {
	for _, p := range protocols {
		if !served || p.serve != nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// Find returns the protocol of that name, nil if there is none.
func Find(name string) *Protocol {
	for _, p := range protocols {
		if p.Name == name || p.alias != "" && name == p.alias {
			return p
		}
	}
	return nil
}

// Begin says what comes before TLS. Errors are *RefusedError, *BusyError,
// *UnexpectedError and those of the connection.
func (p *Protocol) Begin(c net.Conn, s Session) error {
	return named(p, p.begin(&talk{rw: c}, s))
}

// Ask asks something in TLS, and returns the answer. Errors are *BusyError,
// *UnexpectedError and those of the connection.
func (p *Protocol) Ask(c *tls.Conn, s Session) (Answer, error) {
	a, err := p.ask(&talk{rw: c}, s)
	return a.shown(), named(p, err)
}

// shown returns the answer as it can be printed.
func (a Answer) shown() Answer {
	return Answer{Text: text.Clean(a.Text), Refusal: text.Clean(a.Refusal)}
}

// named puts the name of the protocol into an error.
func named(p *Protocol, err error) error {
	var unexpected *UnexpectedError
	if errors.As(err, &unexpected) {
		unexpected.Protocol = p.Name
	}
	return err
}

// RefusedError is a server that refuses TLS, by what it says.
type RefusedError struct{ Said string }

func (e *RefusedError) Error() string { return text.Clean("the server refuses TLS: " + e.Said) }

// Why implements verdict.Misbehaviour.
func (e *RefusedError) Why(endpoint.Side) (verdict.Code, string) {
	return verdict.TLSRefused, e.Error()
}

// HungUp implements verdict.Misbehaviour: it is the server that refused.
func (e *RefusedError) HungUp() bool { return false }

// BusyError is a server that has no room for the client, whoever it is.
type BusyError struct{ Said string }

func (e *BusyError) Error() string { return text.Clean("the server has no room: " + e.Said) }

// UnexpectedError is a server that says what is not of the protocol.
type UnexpectedError struct{ Protocol, Said string }

func (e *UnexpectedError) Error() string {
	return text.Clean(fmt.Sprintf("the server does not speak %s: it said %q", e.Protocol, e.Said))
}

// Why implements verdict.Misbehaviour.
func (e *UnexpectedError) Why(endpoint.Side) (verdict.Code, string) {
	return verdict.SpokeNoTLS, e.Error()
}

// HungUp implements verdict.Misbehaviour.
func (e *UnexpectedError) HungUp() bool { return false }

// talk reads and writes in plain text, or in TLS.
type talk struct{ rw io.ReadWriter }

const (
	maxLine  = 4 << 10  // bytes of a line
	maxReply = 64 << 10 // bytes of a packet, or of several lines
)

var errTooLong = errors.New("the server says more than a reply may have")

// line returns the next line, without its end.
func (t *talk) line() (string, error) {
	var b []byte
	for one := make([]byte, 1); len(b) < maxLine; b = append(b, one[0]) {
		if _, err := io.ReadFull(t.rw, one); err != nil {
			return string(b), err
		}
		if one[0] == '\n' {
			return strings.TrimSuffix(string(b), "\r"), nil
		}
	}
	return "", errTooLong
}

// until returns what comes up to one of some words, which is the last of it.
func (t *talk) until(words ...string) (string, error) {
	var b strings.Builder
	for one := make([]byte, 1); b.Len() < maxReply; {
		if _, err := io.ReadFull(t.rw, one); err != nil {
			return b.String(), err
		}
		b.WriteByte(one[0])
		for _, word := range words {
			if strings.HasSuffix(b.String(), word) {
				return b.String(), nil
			}
		}
	}
	return "", errTooLong
}

// bytes returns the next n bytes.
func (t *talk) bytes(n int) ([]byte, error) {
	if n < 0 || n > maxReply {
		return nil, errTooLong
	}
	b := make([]byte, n)
	_, err := io.ReadFull(t.rw, b)
	return b, err
}

func (t *talk) say(s string) error {
	_, err := io.WriteString(t.rw, s)
	return err
}

// ask says a line, and returns the first line of the reply that reply reads.
func (t *talk) ask(s string, reply func() (string, error)) (string, error) {
	if err := t.say(s + "\r\n"); err != nil {
		return "", err
	}
	return reply()
}

// expect returns nil if a reply begins as it should, and else that TLS was
// refused.
func expect(said, want string, err error) error {
	switch {
	case err != nil:
		return err
	case !strings.HasPrefix(said, want):
		return &RefusedError{said}
	}
	return nil
}
