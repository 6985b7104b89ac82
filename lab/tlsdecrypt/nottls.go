package tlsdecrypt

import (
	"bytes"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlswire"
)

// notTLS notes that a side's bytes are not TLS from b on, and what they are
// instead.
func (r *reader) notTLS(err *tlswire.RecordError, b []byte) {
	c := r.conn
	unseen := r.headless && !r.begun // nothing of the side has been read so far
	first := !r.begun && !r.headless || unseen && c.ClientRandom == nil && (isText(b) || r.isPrologue(b))
	is := plainOf(b)
	switch {
	case !first && !(unseen && c.NotTLSFrom != endpoint.Unknown):
		c.problem(r.side, err.Offset, fmt.Sprintf("no TLS from here on: %s", is.describe(err, b)))
	case c.NotTLSFrom != endpoint.Unknown:
		*c.Plain.Of(r.side) = is
		c.problemUntilTLS(r.side, err.Offset, fmt.Sprintf("the %v answered without TLS, too: %s", r.side, is.describe(err, b)))
	default:
		c.NotTLSFrom, *c.Plain.Of(r.side) = r.side, is
		c.problemUntilTLS(r.side, err.Offset, fmt.Sprintf("the %v does not speak TLS: %s", r.side, is.describe(err, b)))
	}
}

// isText reports whether the first bytes that were seen of a side are HTTP or
// text, and not the middle of a record. Certificates have text in them, but not
// this much in a row.
func isText(b []byte) bool {
	const least, most = 12, 200
	if len(b) >= 4 && httpwire.IsStart(b) {
		return true
	}
	return len(b) >= least && !bytes.ContainsFunc(b[:min(len(b), most)], func(r rune) bool {
		return r > '~' || r < ' ' && r != '\t' && r != '\r' && r != '\n'
	})
}

// plainOf returns how bytes begin that are not TLS.
func plainOf(b []byte) Plain {
	line := b[:min(len(b), 60)]
	if end := bytes.IndexAny(line, "\r\n"); end >= 0 {
		line = line[:end]
	}
	if len(line) < 4 || bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
		return Plain{}
	}
	return Plain{HTTP: httpwire.IsStart(b), Line: prologue.Redact(string(line))}
}

// describe says what bytes are that are not TLS: their first line if they are
// text, or else why they are no record, and how they begin.
func (p Plain) describe(err *tlswire.RecordError, b []byte) string {
	start := strings.ToLower(p.Line)
	switch {
	case p.Line == "":
		return err.Reason + begins(b)
	case p.HTTP:
		return fmt.Sprintf("it sent HTTP that is not encrypted: %s", p.Line)
	case strings.HasPrefix(start, "<!doctype html"), strings.HasPrefix(start, "<html"):
		return fmt.Sprintf("it sent a web page that is not encrypted: %s", p.Line)
	}
	return fmt.Sprintf("it sent text: %s", p.Line)
}

// begins writes out the first bytes of what is not TLS, in hexadecimal and in
// ASCII.
func begins(b []byte) string {
	const few = 12
	if len(b) == 0 {
		return ""
	}
	more := ""
	if len(b) > few {
		b, more = b[:few], " …"
	}
	ascii := bytes.Clone(b)
	for i, c := range ascii {
		if c < ' ' || c > '~' {
			ascii[i] = '.'
		}
	}
	return fmt.Sprintf("; it begins with % x%s (%s)", b, more, ascii)
}
