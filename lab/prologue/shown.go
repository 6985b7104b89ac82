package prologue

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/text"
)

// What is said before TLS may hold passwords, tokens and mail, and may be read
// from the middle. So a line is shown only as far as its protocol says what it
// is, and that it has no secret. Of all others, the length is shown.

// hidden stands for what is not shown.
const hidden = "[...]"

// notShown says how long a line is that is not shown.
func notShown(line string) string { return "text, " + text.Counted(len(line), "byte") }

// FirstLine returns the first line of what a side sent that is not TLS, as far
// as it may be shown, in one line without control characters. Of a line that is
// text and may not be shown it returns the length, and shown is false; "": it
// is not text.
func FirstLine(from endpoint.Side, b []byte) (line string, shown bool) {
	if end := bytes.IndexAny(b, "\r\n"); end >= 0 {
		b = b[:end]
	}
	const least, most = 3, 1000
	if len(b) < least || !IsText(b[:min(len(b), most)]) {
		return "", false
	}
	line, shown = lineOf(from, string(b))
	return clean(line), shown
}

// lineOf returns a line of a protocol that is not known, as FirstLine does.
func lineOf(from endpoint.Side, line string) (string, bool) {
	start := strings.ToLower(line)
	switch {
	case strings.HasPrefix(start, "<!doctype html"), strings.HasPrefix(start, "<html"):
		page, _, _ := strings.Cut(start, ">")
		return page[:min(len(page), len("<!doctype html"))] + ">", true
	case httpwire.IsStart([]byte(line)):
		return httpLine(line), true
	case from == endpoint.Server:
		return greeting(line)
	case strings.HasPrefix(line, string(startOfV1)):
		return headerLine(line), true
	case slices.Contains(goodbyes, strings.ToUpper(line)):
		return line, true
	}
	for _, p := range textProtocols {
		if command, shown := p.shown(line); shown {
			return command, true
		}
	}
	return notShown(line), false
}

// shown returns a client's line without what may be a secret: its command, if
// that is in the table. Only the name of the client's host is left behind it.
func (p *textProtocol) shown(line string) (command string, shown bool) {
	if p.xml {
		return element(line), hasAny(line, strings.Fields(p.commands))
	}
	tag, rest := p.untagged(line)
	if p.name == "SSH" { // RFC 4253 section 4.2: a version, and nothing of the user's
		return line, hasAny(line, strings.Fields(p.commands))
	}
	verb, argument, _ := strings.Cut(rest, " ")
	if !slices.Contains(strings.Fields(p.commands), strings.ToUpper(verb)) {
		return notShown(line), false
	}
	if tag != "" && !plainTag().MatchString(tag) {
		tag = hidden
	}
	command = verb
	if argument != "" {
		host := hasAny(verb, []string{"EHLO", "HELO", "LHLO"}) && isHost(argument)
		if !host {
			argument = hidden
		}
		command += " " + argument
	}
	return strings.TrimSpace(tag + " " + command), true
}

// plainTag is a tag of IMAP's as clients make them.
var plainTag = text.Pattern(`^([A-Za-z]{0,5}[0-9]{1,8}|[A-Za-z.])$`)

// element returns a tag of XML without its attributes.
func element(tag string) string {
	if end := strings.IndexAny(tag, " \t\r\n/>"); end > 0 {
		tag = tag[:end]
	}
	return tag + ">"
}

// serverLines are the lines of a server that have no secret, wherever they are
// met: greetings, and how it names a protocol.
var serverLines = text.Pattern(`(?i)^(` + strings.Join([]string{
	`220[ -].*`, `20[01] .*`, // SMTP, FTP, NNTP
	`\* (OK|PREAUTH|BYE) .*`, `\+OK( .*)?`,
	`"(IMPLEMENTATION|SASL|SIEVE|STARTTLS|VERSION)".*`,
	`(:[^ ]+ )?NOTICE (\*|AUTH) .*`, // before the client has a name; later ones may be for it alone
	`SSH-[12]\.[0-9]+-.*`,
}, "|") + `)$`)

// replyCode is how replies begin of which only the code is shown.
var replyCode = text.Pattern(`^([1-5][0-9][0-9]|-ERR)([ -]|$)`)

// greeting returns a server's line without what may be a secret. Text of a
// reply other than a greeting may repeat what the client said.
func greeting(line string) (string, bool) {
	switch code := replyCode().FindStringSubmatch(line); {
	case serverLines().MatchString(line):
		return line, true
	case hasAny(line, []string{"<STREAM:"}):
		return element(line), true
	case code != nil:
		return code[1] + " " + hidden, true
	}
	return notShown(line), false
}

// withheld are the words of a client's lines that are not shown.
type withheld []string

// add takes a line that is shown as what is in shown.
func (w *withheld) add(line, shown string) {
	const most, least = 64, 4
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t'\"<>", r) }) {
		if len(*w) < most && len(word) >= least && len(word) <= maxLine && !strings.Contains(shown, word) {
			*w = append(*w, word)
		}
		if plain, err := base64.StdEncoding.DecodeString(word); err == nil && len(word) >= least { // a name and a password
			for _, part := range strings.FieldsFunc(string(plain), func(r rune) bool { return r == 0 || r == ':' }) {
				if len(*w) < most && len(part) >= least && utf8.ValidString(part) {
					*w = append(*w, part)
				}
			}
		}
	}
}

// leaveOut leaves them out of a reply, which may repeat them: "500 unknown
// command: ...".
func (w withheld) leaveOut(reply string) string {
	for _, word := range w {
		reply = strings.ReplaceAll(reply, word, hidden)
	}
	return reply
}

// httpLine returns the first line of a message of HTTP without what may be a
// secret: of a request's target it leaves the host and a plain first segment of
// the path.
func httpLine(line string) string {
	method, rest, _ := strings.Cut(line, " ")
	if strings.HasPrefix(method, "HTTP/") {
		if statusOf(line) < 100 {
			return method[:min(len(method), len("HTTP/1.1"))] + " " + hidden
		}
		return line
	}
	target, version, _ := strings.Cut(rest, " ")
	switch {
	case line == "PRI * HTTP/2.0":
		return line
	case method == "CONNECT":
		target = authority(target)
	case target != "*":
		target = resource(target)
	}
	if !strings.HasPrefix(version, "HTTP/1.") || len(version) != len("HTTP/1.1") {
		return method + " " + target
	}
	return method + " " + target + " " + version
}

// plainSegment is the first segment of a path that is a word, and no token.
var plainSegment = text.Pattern(`^/[a-z._-]{0,20}`)

// resource returns a request's target without user information, query and all
// of the path but a first segment that is a plain word (RFC 9112 section 3.2).
func resource(target string) string {
	origin := ""
	if scheme, rest, absolute := strings.Cut(target, "://"); absolute && (scheme == "http" || scheme == "https") {
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		origin, target = scheme+"://"+authority(rest[:end]), rest[end:]
	}
	segment := plainSegment().FindString(target)
	switch rest := target[len(segment):]; {
	case rest == "":
	case rest[0] == '/', rest[0] == '?':
		segment += rest[:1] + hidden
	case segment != "":
		segment = "/" + hidden
	default:
		segment = hidden
	}
	return origin + segment
}

// authority returns a host and port without the user information before them.
func authority(s string) string {
	s = s[strings.LastIndexByte(s, '@')+1:]
	if !isHost(s) {
		return hidden
	}
	return s
}

// isHost reports whether s may be a host, an address, or one of these with a
// port.
func isHost(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') && !strings.ContainsRune(".-_:[]%", r) && r < 0x80
	})
}

// headerLine returns a line of the PROXY protocol's version 1. Behind UNKNOWN
// anything may follow (proxy-protocol.txt section 2.1).
func headerLine(line string) string {
	f := strings.Fields(line)
	switch source, destination := headerAddresses(f); {
	case source != "" && destination != "":
		return strings.Join(f, " ")
	case len(f) == 2 && f[1] == "UNKNOWN":
		return "PROXY UNKNOWN"
	case len(f) > 1 && f[1] == "UNKNOWN":
		return "PROXY UNKNOWN " + hidden
	}
	return "PROXY " + hidden
}

// IsText reports whether bytes are printable ASCII, tabs and the ends of lines.
func IsText(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool {
		return r > '~' || r < ' ' && r != '\t' && r != '\r' && r != '\n'
	})
}

// IsProtocol reports whether a segment, which may be from the middle of a
// side's stream, is that of a binary protocol that is known here, or whole
// lines of text.
func IsProtocol(from endpoint.Side, segment []byte) bool {
	for _, known := range packetDialects {
		if _, got := known(from, segment); got == yes {
			return true
		}
	}
	const least = 6
	return len(segment) >= least && bytes.HasSuffix(segment, []byte("\r\n")) && IsText(segment)
}
