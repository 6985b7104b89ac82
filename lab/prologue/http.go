package prologue

import (
	"bytes"
	"strconv"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
)

func startsHTTP(_ endpoint.Side, b []byte) (dialect, match) {
	switch {
	case !httpwire.IsStart(b):
		return nil, no
	case len(b) < 8:
		return nil, maybe
	}
	return &http{}, yes
}

// http is HTTP/1 as far as it leads to TLS: CONNECT (RFC 9110 section 9.3.6),
// or an upgrade (RFC 2817).
type http struct {
	sides  endpoint.Pair[framing]
	isHead bool // the request is HEAD, whose response has no body
	status int

	withheld withheld // of the headers of requests
}

// framing is where a side's message is, and how long its body will be (RFC 9112
// section 6).
type framing struct {
	within  bool // its head, or the trailer behind its chunks
	chunks  bool // its body, where the size of a chunk comes next
	chunked bool
	length  int
}

// longest is the largest body that is skipped, in bytes.
const longest = 1 << 30

func (h *http) next(l *layer, from endpoint.Side, b []byte) int {
	n := lineLen(b)
	if n == 0 {
		if l.Protocol == "" && len(b) > 16 { // a line that is long: what it is, is known
			l.Protocol = "HTTP"
		}
		return 0
	}
	line := strings.TrimRight(string(b[:n]), "\r\n")
	if l.Protocol == "" {
		l.Protocol = "HTTP"
	}
	switch f := h.sides.Of(from); {
	case f.chunks:
		return f.chunk(line, n)
	case f.within && line != "":
		f.header(line)
		if name, value, _ := strings.Cut(line, ":"); from == endpoint.Client && !strings.EqualFold(name, "Host") {
			h.withheld.add(value, "")
		}
	}
	if from == endpoint.Client {
		return h.request(l, line, n)
	}
	return h.response(l, line, n)
}

// header reads a line of a head.
func (f *framing) header(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	switch {
	case strings.EqualFold(name, "Content-Length"):
		if n, err := strconv.Atoi(value); err == nil && n >= 0 && n < longest {
			f.length = n
		}
	case strings.EqualFold(name, "Transfer-Encoding"):
		f.chunked = strings.HasSuffix(strings.ToLower(value), "chunked")
	}
}

// end ends a head, which has a body or not. It returns how many bytes follow
// in which nothing is to be read.
func (f *framing) end(body bool) int {
	n := f.length
	if f.chunked {
		n = 0
	}
	*f = framing{chunks: body && f.chunked}
	if !body {
		return 0
	}
	return n
}

// chunk reads the line before a chunk, and returns the size of both (RFC 9112
// section 7.1).
func (f *framing) chunk(line string, n int) int {
	digits, _, _ := strings.Cut(line, ";")
	size, err := strconv.ParseInt(strings.TrimSpace(digits), 16, 64)
	switch {
	case err != nil || size < 0 || size > longest:
		return -1
	case size == 0:
		*f = framing{within: true}
		return n
	}
	return n + int(size) + len("\r\n")
}

func (h *http) request(l *layer, line string, n int) int {
	name, value, _ := strings.Cut(line, ":")
	switch f := &h.sides.Client; {
	case !f.within && httpwire.IsStartHTTP1([]byte(line)):
		f.within = true
		method, rest, _ := strings.Cut(line, " ")
		h.isHead = method == "HEAD"
		l.body.Client = method != "CONNECT"
		switch {
		case method == "CONNECT":
			target, _, _ := strings.Cut(rest, " ")
			l.Protocol, l.Kind, l.Target = "HTTP CONNECT", Proxy, clean(authority(target))
			l.ask("CONNECT", httpLine(line))
		case !l.first.Client || l.Asked != "":
			l.say(endpoint.Client, httpLine(line))
		}
	case !f.within && l.Asked == "" && line != "": // HTTP/2, or what follows bytes that are missing
		l.body.Client = true
		return -1
	case line == "":
		return n + f.end(true)
	case strings.EqualFold(name, "Upgrade") && f.within:
		l.body.Client = false
		if strings.Contains(strings.ToUpper(value), "TLS/") {
			l.Kind = StartTLS
			l.ask("Upgrade: TLS", "Upgrade: TLS")
		}
	}
	return n
}

func (h *http) response(l *layer, line string, n int) int {
	f := &h.sides.Server
	if at := strings.Index(line, "HTTP/1."); !f.within && at > 0 && l.Asked != "" && l.Refused == "" {
		line = line[at:] // behind a body without an end
	}
	switch {
	case !f.within && strings.HasPrefix(line, "HTTP/"):
		f.within = true
		h.status = statusOf(line)
		version, rest, _ := strings.Cut(line, " ")
		h.answer(l, version+" "+h.withheld.leaveOut(rest))
	case line == "" && f.within:
		switch {
		case l.Agreed && l.Kind == Proxy:
			l.over = true
			f.end(false)
		case h.status == 101:
			return -1
		case h.status/100 == 1, h.status == 204, h.status == 304, h.isHead:
			f.end(false)
		default:
			return n + f.end(true)
		}
	case !f.within && l.Asked == "" && line != "":
		return -1 // a body that ends with the connection
	}
	return n
}

// answer reads the first line of a response.
func (h *http) answer(l *layer, line string) {
	switch connect := l.Kind == Proxy; {
	case connect && h.status == 407: // RFC 9110 section 15.5.8
		l.refuseFor(NotLoggedIn, line)
	case connect && h.status >= 500:
		l.refuseFor(NotReachable, line)
	case connect && h.status >= 300, !connect && l.Asked != "" && h.status >= 200: // an upgrade may be ignored (RFC 9110 section 7.8)
		l.refuse(line)
	case connect && h.status >= 200, l.Asked != "" && h.status == 101:
		l.agree(line)
	case !l.first.Server || l.Asked != "":
		l.say(endpoint.Server, line)
	}
}

// statusOf returns the status code of a response's first line; 0: it has none.
func statusOf(line string) int {
	words := strings.Fields(line)
	if len(words) < 2 {
		return 0
	}
	status, err := strconv.Atoi(words[1])
	if err != nil {
		return 0
	}
	return status
}

// lineLen returns the length of the line that b begins with, its line feed
// included; 0: it has no end yet.
func lineLen(b []byte) int { return bytes.IndexByte(b, '\n') + 1 }
