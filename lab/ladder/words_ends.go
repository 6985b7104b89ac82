package ladder

import (
	"fmt"
	"strings"
	"time"

	"mtlslab.example/lab/lab/tlsdecrypt"
)

// What stands above and below a ladder.

// title says which connection it is, and when.
func title(c *tlsdecrypt.Connection, stream bool) string {
	which := fmt.Sprintf("Exchange %d", c.Number)
	if stream {
		which = fmt.Sprintf("TCP stream %d", c.Number)
	}
	if at := opened(c); !at.IsZero() {
		which += at.UTC().Format(", 2 January 2006, 15:04:05 UTC")
	}
	return which
}

// opened is the time that all others are counted from.
func opened(c *tlsdecrypt.Connection) time.Time {
	if c.Opened.IsZero() && len(c.Messages) > 0 {
		return c.Messages[0].Time
	}
	return c.Opened
}

// agreed says what the two sides agreed on.
func agreed(c *tlsdecrypt.Connection) string {
	if c.Version == 0 {
		return "No version of TLS was agreed on."
	}
	parts := []string{c.Version.String(), c.CipherSuite.String()}
	if c.Group != 0 {
		parts = append(parts, c.Group.String())
	}
	if c.ALPN != "" {
		parts = append(parts, protocol(c.ALPN))
	}
	switch {
	case c.Resumption != tlsdecrypt.FullHandshake:
		parts = append(parts, fmt.Sprintf("an earlier session resumed (%s)", c.Resumption))
	case c.ClientAuth:
		parts = append(parts, "mutual")
	}
	return strings.Join(parts, ", ")
}

// legend says how to read the drawing.
func legend(s *story, verbose bool) []string {
	lines := []string{"───► anybody on the way can read it    ═══► encrypted, with the key named on it"}
	for _, it := range s.items {
		if len(it.checks) > 0 {
			lines = append(lines, "✓: checked, and right    ✗: checked, and wrong    ?: cannot be checked")
			break
		}
	}
	if verbose {
		lines = append(lines, "Inside a message: offset, first bytes, name and value of each field, its purpose")
	}
	return lines
}

// called names a party at the head of its line.
func (p party) called(role string) string {
	if p.subject() == "" {
		return role
	}
	return role + " " + p.subject()
}

// ending says in a few paragraphs how the connection ended.
func (s *story) ending() []string {
	paragraphs := []string{s.verdict(), s.closing()}
	if n := s.c.Omitted; n > 0 {
		paragraphs = append(paragraphs, fmt.Sprintf("%s of application data %s not shown.", counted(n, "further message"), are(int64(n))))
	}
	for _, comment := range s.c.Comments {
		paragraphs = append(paragraphs, "The lab says: "+comment)
	}
	return paragraphs
}

// verdict is the outcome in a sentence.
func (s *story) verdict() string {
	switch s.outcome() {
	case rejected:
		return "Rejected: " + s.breaking()
	case broken:
		return "Broken off after the handshake had succeeded: " + s.breaking()
	case accepted:
		return s.success()
	case unknown:
		return "Whether the handshake succeeded cannot be seen: what would tell is encrypted."
	case unended:
		return "The handshake is not done yet."
	}
	return "The handshake did not come to its end."
}

func (s *story) breaking() string {
	d := s.fatal.Alert.Description
	return fmt.Sprintf("the %s ended the connection with %s (alert %d).", s.fatal.From, d, uint8(d))
}

// closing says how the TCP connection ended.
func (s *story) closing() string {
	c := s.c
	after := ""
	if !c.Ended.IsZero() && !c.Opened.IsZero() {
		after = " after " + since(c.Ended.Sub(c.Opened))
	}
	switch c.End {
	case tlsdecrypt.Closed:
		return fmt.Sprintf("Both sides closed the TCP connection in good order (FIN)%s.", after)
	case tlsdecrypt.ClientReset:
		return fmt.Sprintf("The client tore the TCP connection down (RST)%s: what the server had not read by then may be lost.", after)
	case tlsdecrypt.ServerReset:
		return fmt.Sprintf("The server tore the TCP connection down (RST)%s: what the client had not read by then may be lost.", after)
	case tlsdecrypt.CutOff:
		return "What came after this was not recorded."
	}
	return "The TCP connection is still open."
}

func (s *story) success() string {
	switch {
	case s.c.Resumption != tlsdecrypt.FullHandshake:
		return "Accepted: client and server took up an earlier session, and know each other from then."
	case s.client.subject() != "" && s.server.subject() != "":
		return fmt.Sprintf("Accepted: the client knows that it talks to %s, and the server that it talks to %s.", s.server.subject(), s.client.subject())
	case s.server.subject() != "":
		return fmt.Sprintf("Accepted: the client knows that it talks to %s; the server does not know who the client is.", s.server.subject())
	}
	return "Accepted: both sides have the same keys."
}
