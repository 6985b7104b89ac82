package prologue

import (
	"slices"
	"strconv"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// exchange is which commands of a protocol of lines have no reply yet, and
// where a side sends a message in place of lines.
type exchange struct {
	waiting []string // the commands, upper case
	literal int      // bytes that the client sends when the server says so
	within  bool     // the client's next line goes on behind a literal
}

// asksTLS stands for the command that asks for TLS.
const asksTLS = "STARTTLS"

// sent notes a command of the client's, or that it asks for TLS.
func (e *exchange) sent(line string, asks bool) {
	if asks {
		line = asksTLS
	}
	if len(e.waiting) < maxLines {
		e.waiting = append(e.waiting, strings.ToUpper(line[:min(len(line), 12)]))
	}
}

// before reports whether another command waits for its reply before that which
// asks for TLS.
func (e *exchange) before() bool { return len(e.waiting) > 0 && e.waiting[0] != asksTLS }

// answered returns the command that a reply is to; "": none is known.
func (e *exchange) answered() (command string) {
	if len(e.waiting) > 0 {
		command, e.waiting = e.waiting[0], e.waiting[1:]
	}
	return command
}

// takeLiteral returns how many bytes of a literal follow, 0 if there is none.
// whole reports that b has all of it, or that it is not waited for.
func (e *exchange) takeLiteral(l *layer, from endpoint.Side, b []byte) (n int, whole bool) {
	if from == endpoint.Server || e.literal == 0 {
		return 0, true
	}
	if n = e.literal; len(b) < n && n <= maxLine {
		return n, false
	}
	e.literal, e.within, l.body.Client = 0, true, false
	return n, true
}

// continues reports whether a line of the client's is no command, but goes on
// behind a literal.
func (e *exchange) continues() bool {
	within := e.within
	e.within = false
	return within
}

// bodyLine takes a line of mail, of an article, or of a list, which ends with a
// line that is a dot (RFC 5321 section 4.1.1.4, RFC 1939 section 3).
func (e *exchange) bodyLine(l *layer, from endpoint.Side, line string) {
	if line != "." || e.literal > 0 {
		return
	}
	*l.body.Of(from) = false
	if from == endpoint.Client {
		e.sent(".", false)
	}
}

// longLine returns how much of a line is read that has no end yet: in a body,
// all that there is of a long one.
func longLine(l *layer, from endpoint.Side, b []byte) int {
	const long = 1024
	if *l.body.Of(from) && len(b) > long {
		return len(b)
	}
	return 0
}

// counting is which of the client's lines have a reply.
type counting uint8

const (
	notCounted counting = iota // the replies have a tag, or come unasked
	eachCommand
	eachLine
)

// counted returns how the replies of the protocol are counted, which is not
// known before it is known which one it is.
func (d *lines) counted() counting {
	which := eachLine
	for _, p := range d.possible {
		switch p.name {
		case "SMTP", "FTP", "NNTP", "POP3":
		case "ManageSieve":
			which = min(which, eachCommand)
		default:
			return notCounted
		}
	}
	return which
}

// may reports whether the protocol may be the one of a name.
func (d *lines) may(name string) bool {
	return slices.ContainsFunc(d.possible, func(p *textProtocol) bool { return p.name == name })
}

// finalReply is the last line of a reply. The 1xx of FTP come before it.
var finalReply = text.Pattern(`(?i)^([1-5][0-9][0-9]( |$)|\+OK\b|-ERR\b|\+( |$)|(OK|NO|BYE)\b)`)

// answers returns the command that the server's line answers, "" if it is not
// known or not the last of its reply, and whether replies are counted.
func (d *lines) answers(l *layer, line string) (command string, counted bool) {
	if d.exchange.literal > 0 && !hasAny(line, []string{"+", "*"}) { // the server does not want it
		d.exchange.literal, l.body.Client = 0, false
	}
	if d.counted() == notCounted {
		return "", false
	}
	if !finalReply().MatchString(line) || line[0] == '1' && d.may("FTP") {
		return "", true
	}
	if len(d.exchange.waiting) == 0 && l.Refused == "" { // to a command that was not seen
		return asksTLS, true
	}
	command = d.exchange.answered()
	verb, argument, _ := strings.Cut(command, " ")
	switch {
	case verb == "DATA" && line[0] != '3':
		l.body.Client = false
	case d.may("NNTP") && hasAny(line, []string{"340", "335"}):
		l.body.Client = true
	case d.may("NNTP") && !d.may("SMTP") && nntpList().MatchString(line),
		d.may("POP3") && hasAny(line, []string{"+OK"}) && hasBody(verb, argument != ""):
		l.body.Server = true
	}
	return command, true
}

// nntpList are the replies behind which there is more (RFC 3977 section 3.2).
var nntpList = text.Pattern(`^(100|101|215|220|221|222|224|225|230|231) `)

// hasBody reports whether a command of POP3 has a reply of more than one line
// (RFC 1939 sections 5 and 7, RFC 2449 section 5).
func hasBody(verb string, argument bool) bool {
	switch verb {
	case "RETR", "TOP":
		return true
	case "LIST", "UIDL", "CAPA", "AUTH":
		return !argument
	}
	return false
}

// offers reports whether a line of a reply offers TLS.
func (d *lines) offers(line string) bool {
	words := strings.FieldsFunc(strings.ToUpper(line), func(r rune) bool { return r == ' ' || r == '-' })
	return len(words) > 0 && words[0][0] == '2' && slices.Contains(words, d.possible[0].command())
}

// literalSize is how many bytes follow a line (RFC 9051 section 4.3, RFC 5804
// section 4); with the plus, the client does not wait.
var literalSize = text.Pattern(`\{([0-9]{1,9})(\+?)\}$`)

// following returns how many bytes behind a line are no lines.
func (d *lines) following(l *layer, from endpoint.Side, line string) int {
	if d.known && d.may("SMTP") && from == endpoint.Client {
		words := strings.Fields(strings.ToUpper(line))
		switch {
		case words[0] == "DATA":
			l.body.Client = true
		case words[0] == "BDAT" && len(words) > 1: // RFC 3030 section 2
			n, _ := strconv.Atoi(words[1])
			return max(min(n, longest), 0)
		}
	}
	size := literalSize().FindStringSubmatch(line)
	if size == nil || !d.may("IMAP") && !d.may("ManageSieve") {
		return 0
	}
	n, _ := strconv.Atoi(size[1])
	if from == endpoint.Server {
		return n
	}
	d.exchange.literal, l.body.Client = n, n > 0
	return 0
}
