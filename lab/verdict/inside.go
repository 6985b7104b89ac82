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

// What a server of a database says inside TLS of the client, as the status of
// HTTP does: the handshake succeeded, and it refuses.

// insideRefusal is an error with which a server refuses a client.
type insideRefusal struct{ protocol, code, message string }

// refusedInside returns the server's refusal inside TLS, in a protocol whose
// errors are known; false: there is none.
func (w *wire) refusedInside() (insideRefusal, bool) {
	var read func(*tlsdecrypt.Message) (r insideRefusal, over bool)
	database := w.database()
	switch database {
	case "PostgreSQL":
		read = refusalOfPostgreSQL
	case "MySQL", "MariaDB":
		read = refusalOfMySQL
	default:
		return insideRefusal{}, false
	}
	for _, m := range w.Messages {
		if m.From != endpoint.Server || m.Type != tlswire.ContentTypeApplicationData || m.Encrypted || m.Handshake != nil || m.Alert != nil {
			continue
		}
		if r, over := read(m); over {
			r.protocol = database
			return r, r.code != ""
		}
	}
	return insideRefusal{}, false
}

// database returns the protocol inside TLS, if it is a database's. PostgreSQL
// may begin with TLS (ALPN "postgresql").
func (w *wire) database() string {
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
	case r.protocol != "PostgreSQL" && said("Access denied"):
		why.Fix = "compare the user and password; and for a user that must show a certificate (REQUIRE X509, SUBJECT, ISSUER), what the client shows of itself: the server says the same of both"
		if client.empty || w.AskedForNone() {
			why.Text += "; the client showed no certificate"
		}
	}
	return why
}
