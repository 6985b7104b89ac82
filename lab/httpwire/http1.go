package httpwire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// http1 is HTTP/1.1 and 1.0 (RFC 9112).
type http1 struct {
	conn           *Conn
	client, server side1
	waiting        []string // the methods of requests without a final response yet
}

// side1 is one direction. It reads lines and counts the bytes between them.
type side1 struct {
	reading part
	line    []byte // unfinished
	size    int    // bytes of lines in this head, or of this chunk's
	head    *Message
	left    int64 // bytes of the body or chunk to come
}

// part is what the next bytes of a direction are.
type part int

const (
	firstLine part = iota
	headerLine
	bodyBytes // of Content-Length
	chunkSize
	chunkBytes
	chunkEnd // the empty line after a chunk
	trailerLine
	untilClose
	tunnel // a client that said CONNECT: what follows is HTTP only if the server declines
)

func newHTTP1(c *Conn) *http1 { return &http1{conn: c} }

func (h *http1) write(fromServer bool, b []byte) error {
	s := &h.client
	if fromServer {
		s = &h.server
	}
	head := "" // how b begins, as far as it is a head
	for len(b) > 0 && !h.conn.passed {
		switch s.reading {
		case untilClose:
			s.head.take(int64(len(b)), b)
			return nil
		case tunnel:
			return nil
		case bodyBytes, chunkBytes:
			n := min(s.left, int64(len(b)))
			s.head.take(n, b[:n])
			s.left -= n
			b, head = b[n:], ""
			if s.left == 0 {
				s.bodyRead()
			}
		default:
			line, rest, whole := bytes.Cut(b, []byte("\n"))
			if s.size += len(line); s.size > maxHead {
				return fmt.Errorf("not HTTP, or a head of more than %d bytes", maxHead)
			}
			if !whole || len(s.line) > 0 {
				s.line = append(s.line, line...)
				line = s.line
			}
			if !whole {
				return h.begins(fromServer, s)
			}
			text := ""
			switch n := len(b) - len(rest); {
			case len(s.line) > 0:
				text, head = string(line), ""
			case s.reading == firstLine, s.reading == headerLine:
				if head == "" {
					head = string(b[:headLen(b)]) // its lines share the memory
				}
				text, head = head[:n-1], head[n:]
			default:
				text, head = string(line), ""
			}
			b, s.line = rest, s.line[:0]
			if err := h.readLine(fromServer, s, strings.TrimSuffix(text, "\r")); err != nil {
				return err
			}
		}
	}
	return nil
}

// headLen returns how many bytes of b are of a head that b begins with: all, if
// it does not end there.
func headLen(b []byte) int {
	const end = "\n\r\n"
	if i := bytes.Index(b, []byte(end)); i >= 0 {
		return i + len(end)
	}
	return len(b)
}

// bodyRead goes on after a body or a chunk.
func (s *side1) bodyRead() {
	if s.reading == chunkBytes {
		s.reading = chunkEnd
		return
	}
	s.reading = firstLine
}

// begins refuses what cannot become a first line before its end has come: a
// protocol that knows no lines may never send one.
func (h *http1) begins(fromServer bool, s *side1) error {
	if s.reading != firstLine || len(s.line) == 0 || s.line[0] == '\r' {
		return nil
	}
	if fromServer {
		const start = "HTTP/1."
		if n := min(len(s.line), len(start)); string(s.line[:n]) != start[:n] {
			return notALine(fromServer, s.line)
		}
		return nil
	}
	method, _, _ := bytes.Cut(s.line, []byte(" "))
	if !isMethod(string(method)) {
		return notALine(fromServer, s.line)
	}
	return nil
}

func notALine(fromServer bool, line []byte) error {
	line = line[:min(len(line), 40)]
	if fromServer {
		return fmt.Errorf("not HTTP/1: %q does not begin a response", line)
	}
	return fmt.Errorf("not HTTP/1: %q does not begin a request", line)
}

func isMethod(s string) bool { return len(s) <= maxMethod && isToken(s) }

// isToken reports whether s is a token (RFC 9110 section 5.6.2), as methods and
// the names of headers are.
func isToken(s string) bool {
	for i := range len(s) {
		if !inTokens[s[i]] {
			return false
		}
	}
	return s != ""
}

// inTokens are the characters of tokens.
var inTokens = func() (in [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		in[c] = true
	}
	return in
}()

// trim leaves out white space around a value (RFC 9110 section 5.6.3).
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func (h *http1) readLine(fromServer bool, s *side1, line string) error {
	switch s.reading {
	case firstLine:
		if line == "" { // RFC 9112 section 2.2
			return nil
		}
		m, err := parseFirstLine(fromServer, line)
		s.head, s.reading = m, headerLine
		return err
	case headerLine:
		if line != "" {
			return s.readHeader(line)
		}
		s.size = 0
		return h.headRead(fromServer, s)
	case chunkSize:
		digits, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 16, 63)
		if err != nil || n < 0 {
			return fmt.Errorf("not HTTP/1: %.40q is not the size of a chunk", line)
		}
		s.size, s.left, s.reading = 0, n, chunkBytes
		if n == 0 {
			s.reading = trailerLine
		}
	case chunkEnd:
		if line != "" {
			return errors.New("not HTTP/1: a chunk is longer than its size says")
		}
		s.reading = chunkSize
	case trailerLine:
		if line == "" {
			s.size, s.reading = 0, firstLine
		}
	}
	return nil
}

func parseFirstLine(fromServer bool, line string) (*Message, error) {
	m := &Message{Request: !fromServer, Line: line}
	if fromServer {
		version, rest, _ := strings.Cut(line, " ")
		status, _, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(status)
		if !isVersion(version) || err != nil || len(status) != 3 || n < 100 {
			return nil, notALine(fromServer, []byte(line))
		}
		m.Status = n
		return m, nil
	}
	method, rest, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(rest, " ")
	if !isMethod(method) || target == "" || !isVersion(version) {
		return nil, notALine(fromServer, []byte(line))
	}
	m.Method, m.Target = method, target
	return m, nil
}

func isVersion(s string) bool {
	return len(s) == len("HTTP/1.1") && strings.HasPrefix(s, "HTTP/1.") && s[7] >= '0' && s[7] <= '9'
}

func (s *side1) readHeader(line string) error {
	headers := s.head.Headers
	if line[0] == ' ' || line[0] == '\t' { // obs-fold, RFC 9112 section 5.2
		if len(headers) == 0 {
			return errors.New("not HTTP/1: white space before the first header")
		}
		headers[len(headers)-1].Value += " " + trim(line)
		return nil
	}
	name, value, found := strings.Cut(line, ":")
	if !found || !isToken(name) {
		return fmt.Errorf("not HTTP/1: %.40q is not a header", line)
	}
	if headers == nil {
		headers = make([]Header, 0, 4)
	}
	s.head.Headers = append(headers, Header{Name: name, Value: trim(value)})
	return nil
}

// headRead passes on a head and finds how its body ends
// (RFC 9112 section 6.3).
func (h *http1) headRead(fromServer bool, s *side1) error {
	m := s.head
	h.conn.add(m)
	var request string // the method of the request
	if fromServer {
		if len(h.waiting) > 0 {
			request = h.waiting[0]
		}
		if m.Status >= 200 && len(h.waiting) > 0 {
			h.waiting = h.waiting[1:]
		}
		if m.Status == 101 || request == "CONNECT" && m.Status/100 == 2 {
			h.conn.pass()
			return nil
		}
		if request == "CONNECT" && m.Status >= 200 {
			h.client.reading = firstLine
		}
		if m.Status < 200 || m.Status == 204 || m.Status == 304 || request == "HEAD" {
			s.reading = firstLine
			return nil
		}
	} else {
		if len(h.waiting) == maxRequests {
			return fmt.Errorf("%d requests came without a response; no more are read", maxRequests)
		}
		h.waiting = append(h.waiting, m.Method)
		if m.Method == "CONNECT" {
			s.reading = tunnel
			return nil
		}
	}
	return s.framing(fromServer)
}

// framing returns from the headers how long the body is.
func (s *side1) framing(fromServer bool) error {
	if codings := s.head.values("Transfer-Encoding"); len(codings) > 0 {
		switch {
		case strings.EqualFold(codings[len(codings)-1], "chunked"):
			s.reading = chunkSize
		case fromServer:
			s.reading = untilClose
		default:
			return fmt.Errorf("a request whose Transfer-Encoding %.40q does not say where its body ends", strings.Join(codings, ", "))
		}
		return nil
	}
	lengths := s.head.values("Content-Length")
	if len(lengths) == 0 {
		s.reading = firstLine
		if fromServer {
			s.reading = untilClose
		}
		return nil
	}
	for _, v := range lengths {
		n, err := strconv.ParseUint(v, 10, 63)
		if err != nil || v != lengths[0] {
			return fmt.Errorf("the Content-Length %.40q does not say where the body ends", strings.Join(lengths, ", "))
		}
		s.left = int64(n)
	}
	s.reading = bodyBytes
	if s.left == 0 {
		s.reading = firstLine
	}
	return nil
}

// values lists the members of all headers of a name (RFC 9110 section 5.6.1).
func (m *Message) values(name string) []string {
	var list []string
	for _, h := range m.Headers {
		if !strings.EqualFold(h.Name, name) {
			continue
		}
		for v := range strings.SplitSeq(h.Value, ",") {
			if v = trim(v); v != "" {
				list = append(list, v)
			}
		}
	}
	return list
}
