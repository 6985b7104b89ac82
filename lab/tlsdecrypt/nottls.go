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
	is, what := r.plainOf(b, err)
	switch {
	case !first && !(unseen && c.NotTLSFrom != endpoint.Unknown):
		c.problem(r.side, err.Offset, fmt.Sprintf("no TLS from here on: %s", what))
	case c.NotTLSFrom != endpoint.Unknown:
		*c.Plain.Of(r.side) = is
		c.problemUntilTLS(r.side, err.Offset, fmt.Sprintf("the %v answered without TLS, too: %s", r.side, what))
	default:
		c.NotTLSFrom, *c.Plain.Of(r.side) = r.side, is
		c.problemUntilTLS(r.side, err.Offset, fmt.Sprintf("the %v does not speak TLS: %s", r.side, what))
	}
}

// isText reports whether the first bytes that were seen of a side are HTTP or
// text, and not the middle of a record. Certificates have text in them, but not
// this much in a row.
func isText(b []byte) bool {
	const least, most = 12, 200
	return len(b) >= 4 && httpwire.IsStart(b) || len(b) >= least && prologue.IsText(b[:min(len(b), most)])
}

// plainOf returns how bytes begin that are not TLS, and says what they are:
// text, or no record because of err.
func (r *reader) plainOf(b []byte, err *tlswire.RecordError) (is Plain, what string) {
	line, shown := prologue.FirstLine(r.side, b)
	is = Plain{HTTP: line != "" && httpwire.IsStart(b), Line: line}
	if words := bytes.Fields(b[:min(len(b), 1000)]); is.HTTP && r.side == endpoint.Client && len(words) > 1 {
		is.Target = string(words[1])
	}
	switch {
	case line == "":
		return is, err.Reason + begins(b)
	case is.HTTP:
		return is, "it sent HTTP that is not encrypted: " + line
	case strings.HasPrefix(line, "<!doctype html"), strings.HasPrefix(line, "<html"):
		return is, "it sent a web page that is not encrypted: " + line
	case shown:
		return is, "it sent text: " + line
	}
	return is, "it sent " + line
}

// begins writes out the first bytes of what is not TLS, in hexadecimal, up to
// the first that may be text: that may be a secret.
func begins(b []byte) string {
	const few = 12
	n := bytes.IndexFunc(b, func(r rune) bool { return r >= ' ' && r <= '~' })
	if n < 0 {
		n = len(b)
	}
	n = min(n, few)
	switch {
	case n == 0:
		return ""
	case n < len(b):
		return fmt.Sprintf("; it begins with % x …", b[:n])
	}
	return fmt.Sprintf("; it begins with % x", b)
}
