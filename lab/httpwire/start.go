package httpwire

import (
	"bytes"
	"strings"
)

// IsStart reports whether the first bytes of a side, as many as there are,
// begin like a message of HTTP/1 (RFC 9112 section 2.1) or like HTTP/2's
// preface (RFC 9113 section 3.4). No bytes are no start.
func IsStart(b []byte) bool { return IsStartHTTP1(b) || bytes.HasPrefix(b, prefaceLine) }

// prefaceLine is how the preface of HTTP/2 begins.
var prefaceLine = []byte("PRI * HTTP/2.0\r\n")

// IsStartHTTP1 does the same for HTTP/1 alone.
func IsStartHTTP1(b []byte) bool {
	for _, start := range []string{"GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ", "HTTP/1."} {
		if n := min(len(start), len(b)); n > 0 && strings.HasPrefix(start, string(b[:n])) {
			return true
		}
	}
	return false
}
