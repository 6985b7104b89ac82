package ladder

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// What stands above and below a ladder.

// Name says which connection it is. A TCP stream is counted from 0, and an
// exchange of the lab from 1: of what is both, each number is named.
func (o Options) Name(c *tlsdecrypt.Connection) string {
	if o.Title != "" {
		return o.Title
	}
	if !o.Stream {
		return fmt.Sprintf("Exchange %d", c.Number)
	}
	which := fmt.Sprintf("TCP stream %d", c.Number)
	if n, ok := exchange(c); ok {
		which += fmt.Sprintf(" (exchange %d of the lab)", n)
	}
	return which
}

// title says which connection it is, and when.
func (o Options) title(c *tlsdecrypt.Connection) string {
	which := o.Name(c)
	if at := opened(c); !at.IsZero() {
		which += at.UTC().Format(", 2 January 2006, 15:04:05 UTC")
	}
	return which
}

// note returns what is to be said under a message.
func (o Options) note(m *tlsdecrypt.Message) string {
	if o.Note == nil || m == nil {
		return ""
	}
	return o.Note(m)
}

// exchange is the number that the lab gave the connection, as a comment of the
// capture has it.
func exchange(c *tlsdecrypt.Connection) (number int, ok bool) {
	for _, comment := range c.Comments {
		if number, ok := capture.ParseExchange(comment); ok {
			return number, true
		}
	}
	return 0, false
}

// opened is the time that all others are counted from.
func opened(c *tlsdecrypt.Connection) time.Time {
	if c.Opened.IsZero() && len(c.Messages) > 0 {
		return c.Messages[0].Time
	}
	return c.Opened
}

// agreed says what the two sides agreed on.
func (s *story) agreed() string {
	c := s.c
	if c.Version == 0 {
		return s.versionless()
	}
	if c.Version == tlswire.VersionSSL20 {
		return c.Version.String()
	}
	parts := []string{c.Version.String(), c.CipherSuite.String()}
	if c.Group != 0 {
		parts = append(parts, c.Group.String())
	}
	if c.ALPN != "" {
		parts = append(parts, protocol(c.ALPN))
	}
	switch {
	case s.c.ByGivenKey() && (s.tls13() || !s.failed()):
		parts = append(parts, "by a key that both sides were given (PSK)")
	case c.Resumption == tlsdecrypt.ByPSK:
		parts = append(parts, "an earlier session resumed (ticket)")
	case c.Resumption != tlsdecrypt.FullHandshake:
		parts = append(parts, fmt.Sprintf("an earlier session resumed (%s)", c.Resumption))
	case s.client.empty(), s.unasked():
		parts = append(parts, "not mutual")
	case c.ClientAuth && s.client.shown && (s.failed() || s.refusedAfter()):
		parts = append(parts, "client certificate shown")
	case c.ClientAuth && s.client.shown:
		parts = append(parts, "mutual")
	}
	if s.c.Resumption != tlsdecrypt.FullHandshake && s.client.subject() != "" { // it was asked after the handshake
		parts = append(parts, "client certificate shown")
	}
	if before := s.afterPrologue(); before != "" {
		parts = append(parts, "after "+before)
	}
	return strings.Join(parts, ", ")
}

// refusedAfter reports whether the server refused the client's certificate after
// the handshake.
func (s *story) refusedAfter() bool {
	v := s.verdict
	return v.Outcome == verdict.Broken && v.Alert != nil && v.Alert.SentBy == endpoint.Server && tlswire.AlertDescription(v.Alert.Code).RefusesCertificate()
}

// unasked reports whether the server never asked for a certificate: without
// keys, another handshake may be hidden in which it did.
func (s *story) unasked() bool {
	return s.c.AskedForNone() && !s.again && (!s.progress.Hidden || s.verdict.Mutual != nil && !*s.verdict.Mutual)
}

// versionless says why there is no version.
func (s *story) versionless() string {
	first := slices.IndexFunc(s.c.Messages, func(m *tlsdecrypt.Message) bool { return m.Encrypted })
	encrypted := first >= 0
	switch {
	case s.silent():
		return "Nobody said anything."
	case s.verdict.How == verdict.NotTLS && s.c.Prologue.Name() != "" && s.verdict.Code != verdict.SpokeNoTLS:
		return "No TLS: it did not come to that."
	case s.verdict.How == verdict.NotTLS && s.c.NotTLSFrom == endpoint.Server:
		return "No TLS: the server answered with something else."
	case s.verdict.How == verdict.NotTLS && s.verdict.Code == verdict.Closed:
		return "No TLS: there was no ClientHello."
	case s.verdict.How == verdict.NotTLS:
		return "No TLS: the client began with something else."
	case s.verdict.Outcome == verdict.Open:
		return "No version of TLS is agreed on yet."
	case s.verdict.How != verdict.CutOff && !s.missesServerHello():
		return "No version of TLS was agreed on."
	case s.hello == nil && encrypted && !s.c.Late && s.c.Messages[first].Type == tlswire.ContentTypeHandshake:
		return "The version cannot be seen: bytes of the handshake are missing."
	case s.hello == nil && encrypted:
		return "The version cannot be seen: the handshake came before the capture began."
	case encrypted || s.c.End != tlsdecrypt.CutOff:
		return "The version cannot be seen: ServerHello is not in the capture."
	}
	return "The version cannot be seen: the capture ends before ServerHello."
}

// missesServerHello reports whether a version was or may have been agreed on in
// bytes that the capture lacks: the server did not answer with an alert alone.
func (s *story) missesServerHello() bool {
	if !s.progress.Lacking {
		return false
	}
	for _, m := range s.c.Messages {
		if m.Encrypted || m.Alert == nil && m.Type != tlswire.ContentTypeHandshake ||
			m.Handshake != nil && m.Handshake.Type != tlswire.TypeClientHello && m.Handshake.Type != tlswire.TypeServerHello {
			return true
		}
	}
	return !slices.ContainsFunc(s.c.Messages, func(m *tlsdecrypt.Message) bool { return m.From == endpoint.Server })
}

// silent reports whether a connection ended without a message.
func (s *story) silent() bool {
	return s.verdict.Code == verdict.Closed && len(s.c.Messages) == 0 && len(s.c.Problems) == 0
}

// legend says how to read the drawing.
func legend(s *story, o Options) [][]string {
	encrypted := "═══► encrypted, with the key named on it"
	if o.Width < text.Usual {
		encrypted = "═══► encrypted, the key named where there is room"
	}
	since := "time: since the connection was made"
	if s.c.NoSYN {
		since = "time: since its first packet here"
	}
	lines := [][]string{{"───► anybody on the way can read it", encrypted}, {since, "size: bytes of the TLS records"}}
	for _, it := range s.items {
		if len(it.checks) > 0 {
			lines = append(lines, []string{"✓: checked, and right", "✗: checked, and wrong", "?: not known"})
			break
		}
	}
	if o.Verbose {
		lines = append(lines, []string{"Inside a message: offset, first bytes, name and value of each field, its purpose"})
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
	paragraphs := []string{s.outcome()}
	if s.verdict.Fix != "" && !s.below {
		paragraphs = append(paragraphs, "Fix: "+s.verdict.Fix+".")
	}
	if s.verdict.Confirm != "" && !s.below {
		paragraphs = append(paragraphs, "To be sure: "+s.verdict.Confirm+".")
	}
	paragraphs = append(append(paragraphs, s.closing()), s.advice()...)
	if n := s.c.Omitted; n > 0 {
		paragraphs = append(paragraphs, fmt.Sprintf("%s of application data %s not shown.", text.Counted(n, "further message"), are(int64(n))))
	}
	for _, comment := range s.c.Comments {
		if _, ok := capture.ParseExchange(comment); ok {
			continue // the title has it
		}
		paragraphs = append(paragraphs, "The lab says: "+strings.TrimSuffix(comment, ".")+".")
	}
	return paragraphs
}

// outcome is the verdict in a few sentences.
func (s *story) outcome() string {
	v := s.verdict
	switch v.Outcome {
	case verdict.Rejected:
		return s.rejected()
	case verdict.Broken:
		return s.broken()
	case verdict.Accepted:
		if v.How == verdict.Probably {
			return "The handshake very probably succeeded: " + v.Reason + "."
		}
		return s.success()
	case verdict.Open:
		return "The handshake is not done yet."
	}
	switch v.How {
	case verdict.CutOff:
		return text.Sentence(v.Reason)
	case verdict.NotTLS:
		return "There was no handshake: " + v.Reason + "."
	}
	return "Whether the handshake succeeded cannot be seen: " + v.Reason + "."
}

// rejected says which side rejected the other, and why.
func (s *story) rejected() string {
	v := s.verdict
	said := fmt.Sprintf("Rejected by the %s", v.RejectedBy)
	if v.How == verdict.Probably {
		said = fmt.Sprintf("Very probably rejected by the %s", v.RejectedBy)
	}
	if v.Reason != "" {
		said += ": " + v.Reason
	}
	said += "."
	if s.breaksOff() && !v.NamesAlert() {
		said += " The" + strings.TrimPrefix(s.breaking(), "the")
	}
	return said
}

// broken says why a side ended the connection after the handshake.
func (s *story) broken() string {
	const after = "Broken off after the handshake had succeeded"
	why, byAlert := s.verdict.OfAlert()
	switch {
	case s.progress.Alert == nil || s.verdict.Reason == "":
		return after + ": " + s.breaking()
	case byAlert:
		return fmt.Sprintf("%s: %s That is, %s.", after, s.breaking(), why)
	}
	return after + ": " + s.verdict.Reason + "."
}

// breaksOff reports whether the alert of the verdict was seen.
func (s *story) breaksOff() bool { return s.progress.Alert != nil && s.verdict.Alert != nil }

func (s *story) breaking() string {
	m := s.progress.Alert
	if m == nil {
		return s.verdict.Reason + "."
	}
	return fmt.Sprintf("the %s ended the connection with %s (alert %d).", m.From, m.Alert.Description, uint8(m.Alert.Description))
}

// fewCauses is how many possible causes are listed, unless all are wanted.
const fewCauses = 3

// advice says what may be behind it, and where to see the same.
func (s *story) advice() (paragraphs []string) {
	v := s.verdict
	if s.below {
		return offered(v.Offers)
	}
	if len(v.Causes) > 0 {
		paragraphs = append(paragraphs, "Possible causes, the likeliest first, and how to tell them apart:")
		most := fewCauses
		if s.verbose {
			most = len(v.Causes)
		}
		for i, cause := range v.Causes[:min(len(v.Causes), most)] {
			paragraphs = append(paragraphs, fmt.Sprintf("%d. %s: %s.", i+1, cause.Text, cause.Tell))
		}
		if more := len(v.Causes) - most; more > 0 {
			them := "them"
			if more == 1 {
				them = "it"
			}
			paragraphs = append(paragraphs, fmt.Sprintf("%s less likely: %s lists %s.", text.Counted(more, "more cause"), cmp.Or(s.more, "--verbose"), them))
		}
	}
	paragraphs = append(paragraphs, offered(v.Offers)...)
	if s.scenario != "" {
		paragraphs = append(paragraphs, "A scenario with the same fault: lab scenario run "+s.scenario)
	}
	return paragraphs
}

func (s *story) success() string {
	switch {
	case s.verdict.NeverAsked():
		return s.accepted() + " Not mutual: the server never asked for a certificate."
	case s.verdict.Reason != "":
		return "The handshake succeeded; " + s.verdict.Reason + "."
	case s.progress.Refusal != nil:
		return s.refusal()
	}
	return s.accepted()
}

// accepted says what the two sides know of each other.
func (s *story) accepted() string {
	switch {
	case s.c.ByGivenKey():
		return "Accepted: client and server have shown each other that they have the key that both were given."
	case s.c.Resumption != tlsdecrypt.FullHandshake && s.client.subject() != "" && s.client.chain != tlsdecrypt.Fails:
		return fmt.Sprintf("Accepted: client and server took up an earlier session; the server asked for a certificate after the handshake, and %s.", s.client.known("client"))
	case s.c.Resumption != tlsdecrypt.FullHandshake && s.client.subject() == "":
		return "Accepted: client and server took up an earlier session. Who they are was settled then, and is not shown again."
	case s.client.chain == tlsdecrypt.Fails && s.server.chain == tlsdecrypt.Fails:
		return "Accepted, although the certificates of both sides fail the checks here: client and server check less, or trust other CAs."
	case s.client.chain == tlsdecrypt.Fails:
		return "Accepted, although the client's certificate fails the checks here: the server checks less, or trusts other CAs."
	case s.server.chain == tlsdecrypt.Fails:
		return "Accepted, although the server's certificate fails the checks here: the client checks less, or trusts other CAs."
	case s.client.subject() == "" && s.server.subject() == "":
		return "Accepted: both sides have the same keys."
	case s.client.chain == tlsdecrypt.Holds && s.server.chain == tlsdecrypt.Holds:
		return fmt.Sprintf("Accepted: the client knows that it talks to %s, and the server that it talks to %s.", s.server.subject(), s.client.subject())
	}
	client := s.client.known("client")
	if s.progress.Lacking && !s.client.shown && s.c.ClientAuth {
		client = "asked for a certificate, and what the client showed is not in the capture"
	}
	return fmt.Sprintf("Accepted: the client %s; the server %s.", s.server.known("server"), client)
}

// known is what the other side has learned of a party.
func (p party) known(role string) string {
	switch {
	case p.subject() == "":
		return "does not know who the " + role + " is"
	case p.chain == tlsdecrypt.Holds:
		return "knows that it talks to " + p.subject()
	}
	return "was shown " + p.subject()
}

// refusal says with what the server answered, which may be a refusal.
func (s *story) refusal() string {
	status := s.progress.Refusal.HTTP.Status
	said := strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	return "The handshake succeeded; the server answered with " + said + "."
}

// doubted reports whether the response is how a server refuses a certificate.
func (s *story) doubted() bool {
	m := s.progress.Refusal
	return m != nil && m.HTTP.RefusesCertificate()
}
