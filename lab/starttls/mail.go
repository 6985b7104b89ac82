package starttls

import (
	"strings"
)

// SMTP (RFC 5321 section 4.2, RFC 3207) and FTP (RFC 959 section 4.2, RFC
// 4217).

// reply returns the last line of a reply that may have several, of which all
// but the last have a hyphen behind their code.
func (t *talk) reply() (string, error) {
	for read, lines := 0, 0; read < maxReply; lines++ {
		line, err := t.line()
		if err != nil {
			return line, err
		}
		read += len(line) + len("\r\n")
		if len(line) < 3 || strings.Trim(line[:3], "0123456789") != "" {
			if lines > 0 { // FTP's may have any lines between
				continue
			}
			return "", &UnexpectedError{Said: line}
		}
		if len(line) == 3 || line[3] != '-' {
			return line, nil
		}
	}
	return "", errTooLong
}

func beginSMTP(t *talk, _ Session) error {
	greeting, err := t.reply()
	if err := expect(greeting, "220", err); err != nil {
		return err
	}
	said, err := t.ask("EHLO lab-probe.invalid", t.reply)
	if err := expect(said, "250", err); err != nil {
		return err
	}
	said, err = t.ask("STARTTLS", t.reply)
	return expect(said, "220", err)
}

func askSMTP(t *talk, _ Session) (Answer, error) {
	said, err := t.ask("EHLO lab-probe.invalid", t.reply)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Text: said}
	if !strings.HasPrefix(said, "250") {
		a.Refusal = said
	}
	_ = t.say("QUIT\r\n")
	return a, nil
}

func beginFTP(t *talk, _ Session) error {
	greeting, err := t.reply()
	if err := expect(greeting, "220", err); err != nil {
		return err
	}
	said, err := t.ask("AUTH TLS", t.reply)
	return expect(said, "234", err)
}

func askFTP(t *talk, _ Session) (Answer, error) {
	said, err := t.ask("PBSZ 0", t.reply)
	_ = t.say("QUIT\r\n")
	return Answer{Text: said}, err
}

// IMAP (RFC 9051 section 6.2.1).

// tagged returns the line of an IMAP reply that has the tag.
func (t *talk) tagged(tag string) func() (string, error) {
	return func() (string, error) {
		for read := 0; read < maxReply; {
			line, err := t.line()
			read += len(line) + len("\r\n")
			if err != nil || strings.HasPrefix(line, tag+" ") {
				return line, err
			}
		}
		return "", errTooLong
	}
}

func beginIMAP(t *talk, _ Session) error {
	greeting, err := t.line()
	if err == nil && !strings.HasPrefix(greeting, "* ") {
		return &UnexpectedError{Said: greeting}
	}
	if err := expect(greeting, "* OK", err); err != nil {
		return err
	}
	said, err := t.ask("a1 STARTTLS", t.tagged("a1"))
	return expect(said, "a1 OK", err)
}

func askIMAP(t *talk, _ Session) (Answer, error) {
	said, err := t.ask("a2 CAPABILITY", t.tagged("a2"))
	_ = t.say("a3 LOGOUT\r\n")
	return Answer{Text: said}, err
}

// POP3 (RFC 2595 section 4).

func beginPOP3(t *talk, _ Session) error {
	greeting, err := t.line()
	if err == nil && !strings.HasPrefix(greeting, "+OK") && !strings.HasPrefix(greeting, "-ERR") {
		return &UnexpectedError{Said: greeting}
	}
	if err := expect(greeting, "+OK", err); err != nil {
		return err
	}
	said, err := t.ask("STLS", t.line)
	return expect(said, "+OK", err)
}

func askPOP3(t *talk, _ Session) (Answer, error) {
	said, err := t.ask("NOOP", t.line) // refused before the login, but answered
	_ = t.say("QUIT\r\n")
	return Answer{Text: said}, err
}

// XMPP (RFC 6120 sections 4.2 and 5.4).

const streamEnd = "</stream:features>"

func streamHead(host string) string {
	host = strings.NewReplacer("&", "&amp;", "<", "&lt;", "'", "&apos;").Replace(host)
	return "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" + host + "' version='1.0'>"
}

func beginXMPP(t *talk, s Session) error {
	if err := t.say(streamHead(s.Host)); err != nil {
		return err
	}
	features, err := t.until(streamEnd, "</stream:stream>")
	switch {
	case err != nil && features != "" && !strings.HasPrefix(strings.TrimSpace(features), "<"):
		return &UnexpectedError{Said: features[:min(len(features), maxShown)]}
	case err != nil:
		return err
	case !strings.Contains(features, "urn:ietf:params:xml:ns:xmpp-tls"):
		return &RefusedError{"it offers no STARTTLS"}
	}
	if err := t.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"); err != nil {
		return err
	}
	said, err := t.until(">")
	return expect(strings.TrimSpace(said), "<proceed", err)
}

const maxShown = 80 // bytes of what is not of the protocol

func askXMPP(t *talk, s Session) (Answer, error) {
	if err := t.say(streamHead(s.Host)); err != nil {
		return Answer{}, err
	}
	said, err := t.until(streamEnd, "</stream:error>", "</stream:stream>")
	a := Answer{Text: "stream features"}
	if err == nil && !strings.HasSuffix(said, streamEnd) {
		a.Text, a.Refusal = "an error of the stream", "an error of the stream"
	}
	_ = t.say("</stream:stream>")
	return a, err
}
