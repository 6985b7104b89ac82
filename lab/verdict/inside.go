package verdict

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// What a server of a database or of mail says inside TLS of the client, as the
// status of HTTP does: the handshake succeeded, and it refuses.

// insideRefusal is an error with which a server refuses a client.
type insideRefusal struct{ protocol, code, message string }

// refusedInside returns the server's refusal inside TLS, in a protocol whose
// errors are known; false: there is none.
func (w *wire) refusedInside() (insideRefusal, bool) {
	var read func(*tlsdecrypt.Message) (r insideRefusal, over bool)
	protocol := w.insideTLS()
	switch protocol {
	case "PostgreSQL":
		read = refusalOfPostgreSQL
	case "MySQL", "MariaDB":
		read = refusalOfMySQL
	case "SMTP", "IMAP", "POP3":
		read = refusalOfMail
	default:
		return insideRefusal{}, false
	}
	for _, m := range w.Messages {
		if m.From != endpoint.Server || m.Type != tlswire.ContentTypeApplicationData || m.Encrypted || m.Handshake != nil || m.Alert != nil {
			continue
		}
		if r, over := read(m); over {
			r.protocol = protocol
			return r, r.code != ""
		}
	}
	return insideRefusal{}, false
}

// insideTLS returns the protocol inside TLS, if it is known. PostgreSQL may
// begin with TLS (ALPN "postgresql").
func (w *wire) insideTLS() string {
	if w.ALPN == "postgresql" {
		return "PostgreSQL"
	}
	return w.within()
}

// refusalOfPostgreSQL reads the server's messages up to its error, or up to
// where it is ready for queries: an error after that is about a query
// (PostgreSQL's manual, "Message Formats"). over is false if neither is there.
func refusalOfPostgreSQL(m *tlsdecrypt.Message) (r insideRefusal, over bool) {
	const header = 5
	for b := m.Data; len(b) >= header; {
		size := int(binary.BigEndian.Uint32(b[1:])) + 1
		switch b[0] {
		case 'R':
			over = over || bytes.HasPrefix(b[header:], make([]byte, 4)) // AuthenticationOk
		case 'Z':
			return insideRefusal{}, true
		case 'E':
			fields := map[byte]string{}
			for field := range bytes.SplitSeq(b[header:min(max(size, header), len(b))], []byte{0}) {
				if len(field) > 1 {
					fields[field[0]] = string(field[1:])
				}
			}
			return insideRefusal{code: fields['C'], message: fields['M']}, true
		}
		if size < header || size > len(b) {
			break
		}
		b = b[size:]
	}
	return insideRefusal{}, over
}

// refusalOfMySQL reads the server's packets up to the one that ends the
// authentication: an error, or OK (MySQL's "Connection Phase").
func refusalOfMySQL(m *tlsdecrypt.Message) (r insideRefusal, over bool) {
	const header, state = 4, 6 // the size and a number; '#' and SQLSTATE
	const more, otherWay, failure = 0x01, 0xfe, 0xff
	for b := m.Data; len(b) > header; {
		size := header + (int(b[0]) | int(b[1])<<8 | int(b[2])<<16)
		packet := b[header:min(size, len(b))]
		switch {
		case len(packet) > 0 && (packet[0] == more || packet[0] == otherWay):
		case len(packet) < 3 || packet[0] != failure:
			return insideRefusal{}, true
		default:
			code, said := binary.LittleEndian.Uint16(packet[1:]), packet[3:]
			if len(said) >= state && said[0] == '#' {
				said = said[state:]
			}
			return insideRefusal{code: fmt.Sprint(code), message: string(said)}, true
		}
		b = b[min(size, len(b)):]
	}
	return insideRefusal{}, false
}

// mailRefusal matches a line with which a server of SMTP (RFC 5321 section 4.2),
// IMAP (RFC 9051 section 7.1) or POP3 (RFC 1939 section 3) refuses for the sake
// of a certificate: its code, and what it says.
var mailRefusal = text.Pattern(`(?im)^([45]\d\d|\S+ (?:NO|BAD|BYE)|-ERR)[ -]([^\r\n]*\bcertificate\b[^\r\n]*)`)

// refusalOfMail reads the server's lines. over is false where none refuses.
func refusalOfMail(m *tlsdecrypt.Message) (r insideRefusal, over bool) {
	line := mailRefusal().FindSubmatch(m.Data)
	if line == nil {
		return insideRefusal{}, false
	}
	return insideRefusal{code: string(line[1]), message: string(line[2])}, true
}

// isOfMail reports whether the server is one of mail.
func (r insideRefusal) isOfMail() bool {
	return r.protocol == "SMTP" || r.protocol == "IMAP" || r.protocol == "POP3"
}

// why is what such a refusal means.
func (w *wire) whyInside(r insideRefusal) Reason {
	said := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(r.message, part) {
				return true
			}
		}
		return false
	}
	client := &w.shown.Client
	why := Reason{Code: RefusedInside, Text: fmt.Sprintf("the server refuses in %s (%s): %s", r.protocol, text.Clean(r.code), text.Clean(r.message))}
	switch {
	case r.protocol == "PostgreSQL" && said("valid client certificate"):
		why.Code, why.Fix = NoClientCertificate, "give the client a certificate and its key, of a CA that the server trusts (psql: sslcert, sslkey)"
	case r.protocol == "PostgreSQL" && said("certificate authentication failed"):
		why.Code, why.Fix = NotAuthorised, "connect as the user that the certificate names, or map the one to the other in pg_ident.conf (map= in pg_hba.conf)"
		if client.leaf != nil {
			why.Text += "; the client's certificate is of " + chain.Name(client.leaf)
		}
	case r.protocol == "PostgreSQL" && said("pg_hba.conf"):
		why.Code, why.Fix = NotAuthorised, "add a line to pg_hba.conf for this address, user and database (hostssl DATABASE USER ADDRESS cert)"
	case r.isOfMail() && client.empty:
		why.Code, why.Fix = NoClientCertificate, "give the client a certificate and its key, of a CA that the server trusts"
	case r.isOfMail():
		why.Fix = "use a certificate that is valid, not revoked, and of a CA that the server trusts; its log says what is wrong with this one"
	case r.protocol != "PostgreSQL" && said("Access denied"):
		why.Fix = "compare the user and password; and for a user that must show a certificate (REQUIRE X509, SUBJECT, ISSUER), what the client shows of itself: the server says the same of both"
		if client.empty || w.AskedForNone() {
			why.Text += "; the client showed no certificate"
		}
	}
	return why
}
