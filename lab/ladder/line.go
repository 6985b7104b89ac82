package ladder

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// The widths of the columns of a line.
const (
	outcomeWidth = 8
	subjectWidth = 12
	versionWidth = 3
	groupWidth   = 14
)

// Heading names the columns of [Line].
func Heading() string {
	return row("#", "outcome", "client", "TLS", "key agreement", "what came of it", "server")
}

// Line tells of a connection in one line of at most 80 columns, without a line
// feed: number, outcome, the client's certificate, version, group, the first
// request with its status or the alert with who sent it, and, where there is
// room, the server's name or port. The lines of many connections have their
// columns below each other.
func Line(c *tlsdecrypt.Connection) string {
	s := sum(c)
	subject := s.client.subject()
	if subject == "" && c.Resumption != tlsdecrypt.FullHandshake {
		subject = "(resumed)"
	}
	version, group, server := "", "", c.ServerName
	if c.Version != 0 {
		version = strings.TrimSuffix(strings.TrimPrefix(c.Version.String(), "TLS "), " 3.0") // SSL 3.0 is the only SSL that is read
	}
	if c.Group != 0 {
		group = c.Group.String()
	}
	if server == "" && c.Server.IsValid() {
		server = c.Server.String()
	}
	return row(strconv.Itoa(c.Number), string(s.verdict.Outcome), subject, version, group, s.result(), server)
}

// row lays out a line.
func row(number, outcome, subject, version, group, result, server string) string {
	column := func(text string, n int) string {
		if text == "" {
			text = "-"
		}
		text = cut(clean(text, false), n, false)
		return text + strings.Repeat(" ", n-width(text))
	}
	line := fmt.Sprintf("%4s  %s  %s  %s  %s  ", number, column(outcome, outcomeWidth), column(subject, subjectWidth), column(version, versionWidth), column(group, groupWidth))
	line += strings.TrimRight(column(result, minWidth-width(line)), " ")
	server = clean(server, false)
	if gap := minWidth - width(line) - width(server); gap >= 2 && server != "" {
		line += strings.Repeat(" ", gap) + server
	}
	return line
}

// result is what came of a connection, for the end of a line.
func (s *story) result() string {
	if m := s.verdict.Alert; m != nil && s.verdict.Outcome != tlsdecrypt.NotTLS {
		return fmt.Sprintf("%s: %s", m.From, m.Alert.Description)
	}
	text := ""
	for _, m := range s.c.Messages {
		switch {
		case m.HTTP == nil:
		case m.HTTP.Request && text == "":
			text = m.HTTP.Method + " " + m.HTTP.Target
		case !m.HTTP.Request && m.HTTP.Status >= 200:
			status := fmt.Sprintf(" %d", m.HTTP.Status)
			return cut(clean(text, false), 28-len(status), false) + status
		}
	}
	if text == "" && len(s.c.Problems) > 0 {
		text, _, _ = strings.Cut(s.c.Problems[0].Text, ":")
	}
	return text
}

// Kind is the same for connections that went the same way: version, suite,
// group, resumption, what each side said and whether it was right. Who draws
// many connections in full only when there is something new compares these.
// How messages of the two sides interleave is chance, and so is how often
// tickets, data and the like repeat: neither counts.
func Kind(c *tlsdecrypt.Connection) string {
	said := map[tlswire.Side][]string{}
	for _, m := range c.Messages {
		what := kindOf(m)
		if what != "" && !slices.Contains(said[m.From], what) {
			said[m.From] = append(said[m.From], what)
		}
	}
	parts := []string{c.Version.String(), c.CipherSuite.String(), c.Group.String(), c.ALPN, string(c.Resumption),
		strings.Join(said[tlswire.SideClient], " "), strings.Join(said[tlswire.SideServer], " ")}
	for _, p := range c.Problems {
		short, _, _ := strings.Cut(p.Text, ":")
		parts = append(parts, short)
	}
	return strings.Join(parts, "; ")
}

// kindOf names what a message says, for Kind. Which side is the first to close
// is chance, too.
func kindOf(m *tlsdecrypt.Message) string {
	var what string
	switch {
	case m.Handshake != nil:
		what = m.Handshake.Name()
		if isEmptyCertificate(m.Handshake) {
			what += "(empty)"
		}
	case m.Alert != nil:
		if m.Alert.Description == tlswire.AlertCloseNotify {
			return ""
		}
		what = m.Alert.Description.String()
	case m.HTTP != nil && m.HTTP.Request:
		what = "request"
	case m.HTTP != nil:
		what = fmt.Sprint(m.HTTP.Status)
	case m.Encrypted:
		what = "encrypted"
	default:
		what = m.Type.String()
	}
	for _, c := range m.Checks {
		if c.Result != tlsdecrypt.Holds {
			what += fmt.Sprintf(" (%s %s)", c.Subject, c.Result)
		}
	}
	return what
}

func isEmptyCertificate(h *tlswire.Handshake) bool {
	switch body := h.Body.(type) {
	case *tlswire.Certificate:
		return len(body.Entries) == 0
	case *tlswire.CertificateTLS12:
		return len(body.Certificates) == 0
	}
	return false
}
