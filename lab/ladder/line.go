package ladder

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// The widths of the columns of a line. The server's, and at the end what came
// of the connection, share the rest.
const (
	numberWidth  = 4
	outcomeWidth = 9
	subjectWidth = 12
	versionWidth = 3
	groupWidth   = 14
	resultWidth  = 29 // of "server: no_client_certificate" and most others
)

// Heading names the columns of [Line].
func Heading(o Options) string {
	return o.row("   #", "outcome", "client", "TLS", "key agreement", "server", "by whom: why; or request")
}

// Line describes a connection in one line of at most o.Width columns, without a
// line feed: number, outcome, the client's certificate, version, the server's
// name or address, and the first request with its status or who rejected the
// other, the code of the reason and the number of the alert. From 96 columns up
// there is the group, too; under 80 there is no version. The lines of many
// connections have their columns below each other.
func Line(c *tlsdecrypt.Connection, v *verdict.Verdict, o Options) string {
	var s story
	s.sum(c, v)
	subject := s.client.subject()
	switch {
	case subject != "":
	case c.ByGivenKey():
		subject = "(PSK)"
	case c.Resumption != tlsdecrypt.FullHandshake:
		subject = "(resumed)"
	}
	version, group, server := "", "", c.ServerName
	if c.Version != 0 {
		version, _, _ = strings.Cut(strings.TrimPrefix(c.Version.String(), "TLS "), " ") // of SSL, 3.0 alone is read
		if n := c.Version.Draft(); n > 0 {
			version = fmt.Sprintf("d%d", n) // a draft of TLS 1.3
		}
	}
	if c.Group != 0 {
		group = c.Group.String()
	}
	if server == "" && c.Server.IsValid() {
		server = c.Server.String()
	}
	return o.row(fmt.Sprintf("%*d", numberWidth, c.Number), outcomeOf(s.verdict), subject, version, group, server, s.results()...)
}

// brief shortens a name to n columns. A distinguished name that is too long
// begins with its common name: an emailAddress or a UID, which company CAs put
// before it, says less.
func (o Options) brief(name string, n int) string {
	if i := strings.Index(name, ",CN="); i > 0 && name[i-1] != '\\' && text.Width(name) > n {
		name = o.charset().Clean("…") + name[i+1:]
	}
	return o.charset().Cut(name, n)
}

// row lays out a line. Of the results it takes the first that fits, or the
// last.
func (o Options) row(number, outcome, subject, version, group, server string, results ...string) string {
	rest := o.width()
	line := make([]byte, 0, 128)
	column := func(said string, n int) {
		if said == "" {
			said = "-"
		}
		said = o.brief(o.charset().Clean(said), n)
		line = append(line, said...)
		for range max(n-text.Width(said), 0) + 2 {
			line = append(line, ' ')
		}
		rest -= n + 2
	}
	column(number, max(numberWidth, len(number)))
	column(outcome, outcomeWidth)
	if o.width() < text.Usual {
		column(subject, subjectWidth-3)
	} else {
		column(subject, subjectWidth)
		column(version, versionWidth)
	}
	if o.width() >= 96 {
		column(group, groupWidth)
	}
	column(server, min(max(rest-2-resultWidth, 10), 24))
	for len(results) > 1 && text.Width(results[0]) > rest {
		results = results[1:]
	}
	column(results[0], rest)
	return strings.TrimRight(string(line), " ")
}

// results returns the outcome of a connection, for the end of a line: behind
// the protocol before TLS, or in a capture of lab probe behind what was tried,
// and alone, or that alone, where there is no room for both.
func (s *story) results() []string {
	before, after := s.c.Prologue.Name(), s.resultOfTLS()
	if tried := s.tried(); tried != "" {
		return []string{tried + ": " + cmp.Or(after, s.afterPrologue()), tried}
	}
	switch {
	case s.verdict.Code == verdict.ProxyHeader, after != "" && after == s.verdict.Reason:
		return []string{after}
	case before == "" || after == "":
		return []string{cmp.Or(after, s.afterPrologue())}
	}
	return []string{before + ": " + after, after}
}

// tried returns the case that lab probe made the connection for, "" for any
// other connection.
func (s *story) tried() string {
	for _, comment := range s.c.Comments {
		if note, ok := strings.CutPrefix(comment, capture.ProbePrefix); ok {
			note, _, _ = strings.Cut(note, ", which ")
			name, _, _ := strings.Cut(note, " in TLS ")
			return name
		}
	}
	return ""
}

func (s *story) resultOfTLS() string {
	if why := reasonOf(s.verdict); why != "" {
		if s.verdict.IsDenied() && s.progress.Answer != nil {
			whole := fmt.Sprintf("%s, %d", why, s.progress.Answer.HTTP.Status)
			switch g := s.progress.Answer.HTTP.GRPC; {
			case g.Refuses():
				whole = fmt.Sprintf("%s, gRPC %d", why, g.Status)
			case s.progress.Answer.HTTP.Status < 400: // another request was refused, without an answer
				whole = why
			}
			if len(whole) <= resultWidth {
				return whole
			}
		}
		return why
	}
	said := ""
	for _, m := range s.c.Messages {
		switch {
		case m.HTTP == nil:
		case m.HTTP.Request && said == "":
			said = m.HTTP.Method + " " + m.HTTP.Target
		case m.IsAnswer():
			statuses := fmt.Sprintf(" %v", s.c.Statuses())
			return strings.TrimLeft(text.Unicode.Cut(text.Clean(said), resultWidth-1-len(statuses))+statuses, " ") // there may be no request
		}
	}
	if said == "" && s.verdict.How == verdict.NotTLS {
		return s.verdict.Reason
	}
	if said == "" && len(s.c.Problems) > 0 {
		first := s.c.Problems[0]
		for _, p := range s.c.Problems { // that explains the rest
			if strings.HasPrefix(p.Text, "one direction alone") {
				first = p
			}
		}
		said, _, _ = strings.Cut(first.Text, ":")
	}
	return said
}

// reasonOf returns which side ended a connection, and why, in short: the code,
// or the alert where the code says less, with ? where that is not known; "" if
// none did.
func reasonOf(v *verdict.Verdict) string {
	by := v.RejectedBy
	switch {
	case by != endpoint.Unknown:
	case v.Alert != nil:
		by = v.Alert.SentBy
	case v.IsDenied(), v.Code == verdict.NotAsked:
		by = endpoint.Server
	}
	switch {
	case by == endpoint.Unknown && v.Doubt != nil:
		if whole := fmt.Sprintf("%s: %s?", v.Doubt.By, v.Doubt.Code); len(whole) <= resultWidth {
			return whole
		}
		return string(v.Doubt.Code) + "?"
	case by == endpoint.Unknown && v.How == verdict.NotTLS:
		return string(v.Code)
	case by == endpoint.Unknown:
		return ""
	case v.Alert == nil:
		return fmt.Sprintf("%s: %s", by, v.Code)
	case v.IsVague() || v.Code == verdict.Other:
		return fmt.Sprintf("%s: %s", by, v.Alert.Name)
	}
	why := fmt.Sprintf("%s: %s", by, v.Code)
	if whole := fmt.Sprintf("%s (%d)", why, v.Alert.Code); len(whole) <= resultWidth {
		return whole
	}
	return why
}

// outcomeOf returns the outcome in a word, with ? if it is only very probable.
func outcomeOf(v *verdict.Verdict) string {
	switch {
	case v.How == verdict.Probably:
		return string(v.Outcome) + "?"
	case v.Outcome == verdict.Unknown && v.How != "":
		return string(v.How)
	}
	return v.OutcomeWord()
}

// Kind returns a string that is the same for connections that went the same
// way: version, suite, group, resumption, what each side said and whether it
// was right. Who draws many connections in full only when there is something
// new compares these. How messages of the two sides interleave is chance, and
// so is how often tickets, data and the like repeat: neither counts.
func Kind(c *tlsdecrypt.Connection) string {
	var said endpoint.Pair[[]string]
	for _, m := range c.Messages {
		what := kindOf(m)
		if what != "" && !slices.Contains(*said.Of(m.From), what) {
			*said.Of(m.From) = append(*said.Of(m.From), what)
		}
	}
	parts := []string{c.Version.String(), c.CipherSuite.String(), c.Group.String(), c.ALPN, string(c.Resumption),
		strings.Join(said.Client, " "), strings.Join(said.Server, " ")}
	if c.Prologue != nil {
		parts = append(parts, c.Prologue.Name())
	}
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
