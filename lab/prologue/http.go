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
	within endpoint.Pair[bool] // the head of a message
}

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
	if from == endpoint.Client {
		return h.request(l, line, n)
	}
	return h.response(l, line, n)
}

func (h *http) request(l *layer, line string, n int) int {
	name, value, _ := strings.Cut(line, ":")
	switch {
	case !h.within.Client && httpwire.IsStartHTTP1([]byte(line)):
		h.within.Client = true
		method, rest, _ := strings.Cut(line, " ")
		if method == "CONNECT" {
			target, _, _ := strings.Cut(rest, " ")
			l.Protocol, l.Kind, l.Target = "HTTP CONNECT", Proxy, clean(authority(target))
			l.ask("CONNECT", httpLine(line))
		} else {
			l.say(endpoint.Client, httpLine(line))
		}
	case line == "":
		h.within.Client = false
		if l.Asked == "" {
			return -1 // no more requests are read
		}
	case strings.EqualFold(name, "Upgrade") && strings.Contains(strings.ToUpper(value), "TLS/"):
		l.Kind = StartTLS
		l.ask("Upgrade: TLS", "Upgrade: TLS")
	}
	return n
}

func (h *http) response(l *layer, line string, n int) int {
	switch {
	case !h.within.Server && strings.HasPrefix(line, "HTTP/"):
		h.within.Server = true
		status := statusOf(line)
		switch connect := l.Kind == Proxy; {
		case connect && status == 407: // RFC 9110 section 15.5.8
			l.refuseFor(NotLoggedIn, line)
		case connect && status >= 500:
			l.refuseFor(NotReachable, line)
		case connect && status >= 300, !connect && l.Asked != "" && status >= 400:
			l.refuse(line)
		case connect && status >= 200, l.Asked != "" && status == 101:
			l.agree(line)
		default:
			l.say(endpoint.Server, line)
		}
	case line == "" && h.within.Server:
		h.within.Server = false
		switch {
		case l.Agreed && l.Kind == Proxy:
			l.over = true
		case l.Asked == "":
			return -1
		}
	}
	return n
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
