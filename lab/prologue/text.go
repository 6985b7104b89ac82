package prologue

import (
	"bytes"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// textProtocol is a protocol of lines that can begin TLS. The words are in
// upper case, and are compared without regard to case.
type textProtocol struct {
	name     string
	asks     []string // how the client asks for TLS, the first as it is named
	commands string   // others of the client's, by which the protocol is known
	greets   []string // how the server's first line begins
	accepts  []string // how the server's reply to asks begins
	refuses  []string
	tagged   bool // a tag stands before each command and its reply
	xml      bool // tags in place of lines
}

var textProtocols = []*textProtocol{
	{name: "SMTP", asks: []string{"STARTTLS"}, // RFC 3207
		commands: "EHLO HELO LHLO MAIL RCPT DATA RSET VRFY AUTH",
		greets:   []string{"220 ", "220-"}, accepts: []string{"220 "}, refuses: []string{"4", "5"}},
	{name: "FTP", asks: []string{"AUTH TLS", "AUTH SSL", "AUTH TLS-C", "AUTH TLS-P"}, // RFC 4217
		commands: "USER PASS FEAT SYST ACCT PBSZ PROT PASV EPSV PORT CWD RETR LIST",
		greets:   []string{"220 ", "220-"}, accepts: []string{"234"}, refuses: []string{"4", "5"}},
	{name: "NNTP", asks: []string{"STARTTLS"}, // RFC 4642
		commands: "CAPABILITIES MODE GROUP ARTICLE AUTHINFO",
		greets:   []string{"200 ", "201 "}, accepts: []string{"382"}, refuses: []string{"4", "5"}},
	{name: "IMAP", asks: []string{"STARTTLS"}, tagged: true, // RFC 9051 section 6.2.1
		commands: "CAPABILITY LOGIN AUTHENTICATE ID SELECT NOOP EXAMINE NAMESPACE",
		greets:   []string{"* OK", "* PREAUTH", "* BYE"}, accepts: []string{"OK"}, refuses: []string{"NO", "BAD"}},
	{name: "POP3", asks: []string{"STLS"}, // RFC 2595 section 4
		commands: "CAPA USER PASS APOP STAT UIDL AUTH",
		greets:   []string{"+OK"}, accepts: []string{"+OK"}, refuses: []string{"-ERR"}},
	{name: "ManageSieve", asks: []string{"STARTTLS"}, // RFC 5804 section 2.2
		commands: "AUTHENTICATE CAPABILITY HAVESPACE PUTSCRIPT LISTSCRIPTS",
		greets:   []string{`"`}, accepts: []string{"OK"}, refuses: []string{"NO", "BYE"}},
	{name: "IRC", asks: []string{"STARTTLS"}, // IRCv3's tls extension
		commands: "CAP NICK USER PASS JOIN",
		greets:   []string{":", "NOTICE "}, accepts: []string{"670"}, refuses: []string{"691", "421", "451"}},
	{name: "XMPP", asks: []string{"<STARTTLS"}, xml: true, // RFC 6120 section 5
		commands: "<STREAM:STREAM <AUTH <IQ",
		greets:   []string{"<STREAM:"}, accepts: []string{"<PROCEED"}, refuses: []string{"<FAILURE", "<STREAM:ERROR"}},
	{name: "Redis", commands: "AUTH PING HELLO CLIENT COMMAND INFO", greets: []string{"-NOAUTH", "-WRONGPASS", "+PONG"}}, // the client speaks first; TLS has a port of its own
	{name: "SSH", commands: "SSH-2.0-", greets: []string{"SSH-"}},
}

// GreetingOf returns the protocols that a server may speak which greets with b,
// of which there may be few bytes, and the command that begins TLS there; "" if
// it is none that is known.
func GreetingOf(b []byte) (protocol, command string) {
	if isMySQL(b) {
		return "MySQL or MariaDB", "SSLRequest"
	}
	var names, commands []string
	for _, p := range textProtocols {
		if len(b) >= 4 && mayBegin(string(b), p.greets) {
			names = append(names, p.name)
			if len(p.asks) > 0 {
				commands = append(commands, p.command())
			}
		}
	}
	return strings.Join(names, " or "), strings.Join(commands, " or ")
}

func (p *textProtocol) command() string { return strings.Trim(p.asks[0], "<") }

// mayBegin reports whether a line may begin with one of starts, of whose first
// bytes there may be few.
func mayBegin(line string, starts []string) bool {
	return slices.ContainsFunc(starts, func(s string) bool {
		n := min(len(line), len(s))
		return strings.EqualFold(line[:n], s[:n])
	})
}

// hasAny reports whether a line begins with one of starts, whatever the case.
func hasAny(line string, starts []string) bool {
	return slices.ContainsFunc(starts, func(s string) bool { return len(line) >= len(s) && strings.EqualFold(line[:len(s)], s) })
}

// startsText takes what is text.
func startsText(from endpoint.Side, b []byte) (dialect, match) {
	line := b
	if n := lineLen(b); n > 0 {
		line = bytes.TrimRight(b[:n], "\r\n")
	}
	if len(line) == 0 || bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return nil, no
	}
	return &lines{possible: textProtocols, xml: line[0] == '<'}, yes
}

// lines is the state of a protocol of lines.
type lines struct {
	possible []*textProtocol // that it may be
	known    bool            // one of them it is
	xml      bool
	tag      string // of the command that asked
	withheld withheld
	exchange exchange
	read     int
}

// maxLines is how many lines are looked at.
const maxLines = 200

func (d *lines) next(l *layer, from endpoint.Side, b []byte) int {
	if n, whole := d.exchange.takeLiteral(l, from, b); !whole {
		return 0
	} else if n > 0 {
		d.withheld.add(string(b[:min(n, len(b))]), "")
		return n
	}
	n := lineLen(b)
	if d.xml {
		n = bytes.IndexByte(b, '>') + 1
	}
	if n == 0 {
		return longLine(l, from, b)
	}
	if *l.body.Of(from) {
		d.exchange.bodyLine(l, from, strings.TrimRight(string(b[:n]), "\r\n"))
		return n
	}
	if d.read++; d.read > maxLines {
		l.body.Client = l.body.Client || d.known && l.Asked == "" // which may be mail
		return -1
	}
	line := strings.TrimSpace(string(b[:n]))
	if line == "" || hasAny(line, []string{"<?xml"}) {
		return n
	}
	if from == endpoint.Server {
		d.reply(l, line)
	} else if !d.exchange.continues() {
		d.command(l, line)
	} else {
		d.withheld.add(line, notShown(line))
	}
	if d.known {
		l.Protocol = d.names()
		if len(d.possible[0].asks) > 0 {
			l.Kind = StartTLS
		}
	}
	return n + d.following(l, from, line)
}

// names returns the name of the protocol; "" if it may be more than two.
func (d *lines) names() string {
	var names []string
	for _, p := range d.possible {
		names = append(names, p.name)
	}
	if len(names) > 2 {
		return ""
	}
	return strings.Join(names, " or ")
}

// keep leaves those protocols that fit, unless none does.
func (d *lines) keep(fits func(*textProtocol) bool) bool {
	var left []*textProtocol
	for _, p := range d.possible {
		if fits(p) {
			left = append(left, p)
		}
	}
	if len(left) == 0 {
		return false
	}
	d.possible, d.known = left, true
	return true
}

// untagged returns a command or reply, and the tag before it.
func (p *textProtocol) untagged(line string) (tag, rest string) {
	if p.tagged {
		tag, rest, _ = strings.Cut(line, " ")
		return tag, rest
	}
	if strings.HasPrefix(line, ":") { // IRC: who says it
		_, line, _ = strings.Cut(line, " ")
	}
	return "", line
}

func (d *lines) command(l *layer, line string) {
	asked := d.keep(func(p *textProtocol) bool {
		tag, rest := p.untagged(line)
		fits := p.xml && hasAny(rest, p.asks) || slices.ContainsFunc(p.asks, func(asks string) bool { return strings.EqualFold(rest, asks) })
		if fits {
			d.tag = tag
		}
		return fits
	})
	if asked {
		command := d.possible[0].command()
		if len(d.possible) == 1 && !d.possible[0].xml {
			_, command = d.possible[0].untagged(line)
		}
		if d.possible[0].xml {
			line = element(line)
		}
		d.exchange.sent(command, true)
		l.ask(strings.ToUpper(command), line)
		return
	}
	verb := ""
	d.keep(func(p *textProtocol) bool {
		_, rest := p.untagged(line)
		word, argument, _ := strings.Cut(rest, " ")
		fits := slices.Contains(strings.Fields(p.commands), strings.ToUpper(word)) || p.name == "SSH" && hasAny(rest, p.greets)
		switch {
		case p.name == "Redis" && strings.EqualFold(word, "AUTH"): // with a password, or in an array
			fits = argument == "" || !isMechanism(argument)
		case p.name == "Redis":
			fits = fits || arrayOfRedis().MatchString(line)
		case strings.EqualFold(word, "AUTH"):
			fits = fits && isMechanism(argument)
		}
		if fits {
			verb = strings.ToUpper(word)
		}
		return fits
	})
	if counted := d.counted(); counted == eachLine || counted == eachCommand && verb != "" {
		d.exchange.sent(line, false)
	}
	shown := d.shown(line)
	d.withheld.add(line, shown)
	if !l.first.Client {
		l.say(endpoint.Client, shown)
	}
	l.WentOn = l.WentOn || l.Refused != "" && !IsGoodbye(line) && verb != ""
}

// IsGoodbye reports whether a client's line ends a session, in any of the
// protocols.
func IsGoodbye(line string) bool {
	first, second, _ := strings.Cut(line, " ")
	return hasAny(line, []string{"</"}) || slices.Contains(goodbyes, strings.ToUpper(first)) || strings.EqualFold(second, "LOGOUT")
}

var goodbyes = []string{"QUIT", "LOGOUT", "EXIT", "BYE"}

// arrayOfRedis is how a command of Redis begins that a program sends (RESP).
var arrayOfRedis = text.Pattern(`^\*[1-9][0-9]{0,3}$`)

// isMechanism reports whether the argument of AUTH names a mechanism of SASL
// (RFC 4422 section 3.1), or is none.
func isMechanism(argument string) bool {
	name, _, _ := strings.Cut(strings.ToUpper(argument), " ")
	return name == "" || slices.Contains(strings.Fields("PLAIN LOGIN CRAM-MD5 DIGEST-MD5 NTLM GSSAPI GSS-SPNEGO KERBEROS_V4 EXTERNAL ANONYMOUS OAUTHBEARER XOAUTH2 OTP SKEY"), name) ||
		hasAny(name, []string{"SCRAM-", "GS2-", "ECDSA-", "X-", "TLS", "SSL"})
}

// shown returns a client's line as far as it may be shown.
func (d *lines) shown(line string) string {
	for _, p := range d.possible {
		if command, shown := p.shown(line); shown {
			return command
		}
	}
	return notShown(line)
}

func (d *lines) reply(l *layer, line string) {
	line = d.withheld.leaveOut(line)
	if !l.first.Server && (l.Asked == "" || l.Agreed || d.exchange.before()) {
		d.keep(func(p *textProtocol) bool { return hasAny(line, p.greets) })
		d.hint(line)
		shown, _ := greeting(line)
		l.say(endpoint.Server, shown)
		if slices.ContainsFunc(d.possible, func(p *textProtocol) bool { return hasAny(line, p.greets) }) {
			return
		}
	}
	to, counted := d.answers(l, line)
	switch {
	case l.Agreed:
		return
	case l.Asked == "":
		if d.known && (to != "" || !counted) && d.demands(line) {
			l.demand(line)
		}
		return
	case l.Refused != "": // it answers something else
		l.Offered = l.Offered || d.offers(line)
		return
	case counted && to != asksTLS:
		return
	}
	is := func(starts func(*textProtocol) []string) func(*textProtocol) bool {
		return func(p *textProtocol) bool {
			tag, rest := p.untagged(line)
			return tag == d.tag && isReply(rest, starts(p))
		}
	}
	switch {
	case d.keep(is(func(p *textProtocol) []string { return p.accepts })):
		l.agree(line)
	case d.keep(is(func(p *textProtocol) []string { return p.refuses })), hasAny(line, []string{"* BYE", "ERROR "}):
		l.refuse(line)
	}
}

// hint looks for the name of the protocol in a greeting that two share.
func (d *lines) hint(line string) {
	line = strings.ToUpper(line)
	for _, p := range d.possible {
		if d.known && len(d.possible) > 1 && strings.Contains(line, p.name) {
			d.keep(func(other *textProtocol) bool { return other == p })
			return
		}
	}
}

// demands reports whether a reply refuses a command until there is TLS: by its
// code (RFC 3207 section 4, RFC 4954 section 6, RFC 4642 section 2.2.2, RFC
// 4217 section 6), or because it says so.
func (d *lines) demands(line string) bool {
	if !d.possible[0].refusesCommand(line) || !aboutTLS().MatchString(line) {
		return false
	}
	return hasAny(line, []string{"530", "538", "483", "522", "534"}) || demandsIt().MatchString(line)
}

// The words of a demand for TLS. A name with an @ or a dot is of a mailbox, or
// a file.
var (
	aboutTLS  = text.Pattern(`(?i)(^|[\s"'(])(STARTTLS|STLS|TLS|SSL|SSL/TLS|TLS/SSL|AUTH TLS|encrypt(ed|ion)?|\[?PRIVACYREQUIRED\]?|secure)([\s"'),;:!-]|\.?$|\.\s)`)
	demandsIt = text.Pattern(`(?i)\b(must|requires?|required|requiring|PRIVACYREQUIRED|needs?|needed|mandatory|first|only|before|without|until|unless|non-(TLS|SSL)|unencrypted|disallowed|use)\b`)
)

func (p *textProtocol) refusesCommand(line string) bool {
	_, rest := p.untagged(line)
	return isReply(rest, p.refuses)
}

// isReply reports whether a line begins with one of starts: digits of a code,
// or a whole word.
func isReply(line string, starts []string) bool {
	return slices.ContainsFunc(starts, func(s string) bool {
		if !hasAny(line, []string{s}) {
			return false
		}
		next := line[len(s):]
		return s[0] <= '9' || next == "" || next[0] < 'A'
	})
}
