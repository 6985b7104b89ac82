package ladder

import (
	"crypto/x509"
	"fmt"
	"regexp"
	"strings"
	"time"

	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// This file has the sentences of the ladder. They are for somebody who has
// never seen TLS: short, in the present, with the values of the connection.

// words gives the name of a message, what it is for, and whether it is bad news.
func (s *story) words(m *tlsdecrypt.Message) (name, text string, alarm bool) {
	switch {
	case m.Handshake != nil:
		name, text = m.Handshake.Name(), s.handshake(m)
	case m.Alert != nil:
		return "Alert: " + m.Alert.Description.String(), s.alert(m), m == s.fatal
	case m.HTTP != nil:
		name, text = m.HTTP.Line, httpHead(m.HTTP)
	case m.Type == tlswire.ContentTypeChangeCipherSpec:
		name, text = "ChangeCipherSpec", s.changeCipherSpec(m)
	case m.Type == tlswire.ContentTypeApplicationData:
		name, text = "application data", fmt.Sprintf("%s that %s not HTTP: %s.", bytesCounted(m.Length), are(m.Length), excerpt(m.Data))
	default:
		name, text = m.Type.String(), bytesCounted(m.Length)+"."
	}
	if m.Err != nil {
		return name, text + " It does not parse: " + m.Err.Error() + ".", true
	}
	return name, text, false
}

// sealed is about a row of records that could not be opened.
func (s *story) sealed(i int) (name, text string) {
	row := s.row(i)
	name = "1 encrypted record"
	if len(row) > 1 {
		name = fmt.Sprintf("%d encrypted records", len(row))
	}
	if row[0].Type != tlswire.ContentTypeApplicationData {
		name += ": " + row[0].Type.String()
	}
	return name, ""
}

// keyWords names a key: "client handshake key".
func keyWords(k tlsdecrypt.Key, from tlswire.Side) string {
	if k.Secret == "" {
		return ""
	}
	words := strings.TrimRight(k.Secret, "_0123456789")
	if stem, found := strings.CutSuffix(words, "_traffic_secret"); found {
		words = strings.ReplaceAll(stem, "_", " ") + " key"
	} else {
		words = from.String() + " key"
	}
	if k.Generation > 0 {
		words += fmt.Sprintf(" no. %d", k.Generation+1)
	}
	return words
}

func (s *story) handshake(m *tlsdecrypt.Message) string {
	p := s.party(m.From)
	switch body := bodyOf(m).(type) {
	case *tlswire.ClientHello:
		return s.clientHello(body)
	case *tlswire.ServerHello:
		if body.IsHelloRetryRequest() {
			return helloRetryRequest(body)
		}
		return s.serverHello(body)
	case *tlswire.EncryptedExtensions:
		if alpn, ok := tlswire.Lookup[*tlswire.ProtocolNameList](body.Extensions, tlswire.ExtensionALPN); ok && len(alpn.Protocols) == 1 {
			return fmt.Sprintf("Will speak %s, and answers the client's other wishes.", protocol(alpn.Protocols[0]))
		}
		return "Answers the client's other wishes, now that nobody else can read along."
	case *tlswire.CertificateRequest:
		cas, _ := tlswire.Lookup[*tlswire.CertificateAuthorities](body.Extensions, tlswire.ExtensionCertificateAuthorities)
		if cas == nil {
			return certificateRequest(nil)
		}
		return certificateRequest(cas.Authorities)
	case *tlswire.CertificateRequestTLS12:
		return certificateRequest(body.CertificateAuthorities)
	case *tlswire.Certificate:
		return certificate(p, m, len(body.Entries))
	case *tlswire.CertificateTLS12:
		return certificate(p, m, len(body.Certificates))
	case *tlswire.CertificateVerify:
		return fmt.Sprintf("Signs all that was said so far with the private key of %s%s. A certificate can be copied; its key is not shown to anybody.", p.subject, by(body.DigitallySigned))
	case *tlswire.ServerKeyExchange:
		return s.serverKeyExchange(body)
	case *tlswire.ClientKeyExchange:
		if body.KeyExchange == tlswire.KeyExchangeRSA {
			return "A secret, encrypted for the server's public key: who has the private key, now or later, can read all of this."
		}
		return "The client's half of the key agreement. From the two halves each side computes the same secret, and nobody else can."
	case *tlswire.ServerHelloDone:
		return "The server has said its part and waits for the client."
	case *tlswire.Finished:
		return "A checksum over all that was said: nobody has changed a byte on the way, and both sides have the same keys."
	case *tlswire.NewSessionTicket:
		return ticket(body.Lifetime)
	case *tlswire.NewSessionTicketTLS12:
		return ticket(body.LifetimeHint)
	case *tlswire.KeyUpdate:
		return fmt.Sprintf("From here on the %s encrypts with a new key, made from the old one.", m.From)
	case *tlswire.EndOfEarlyData:
		return "The early data ends here; the handshake goes on with its own keys."
	}
	return plain(m.Handshake.Purpose())
}

func (s *story) clientHello(hello *tlswire.ClientHello) string {
	var shares []string
	if x, ok := tlswire.Lookup[*tlswire.KeyShareClientHello](hello.Extensions, tlswire.ExtensionKeyShare); ok {
		for _, share := range x.Shares {
			shares = appendKnown(shares, share.Group.String())
		}
	}
	if s.hellos > 1 && s.c.Retried && !s.server.finished {
		return fmt.Sprintf("The same offer once more, now with the key share that was asked for: %s.", listed(shares))
	}
	versions := []string{hello.LegacyVersion.String()}
	if x, ok := tlswire.Lookup[*tlswire.SupportedVersions](hello.Extensions, tlswire.ExtensionSupportedVersions); ok {
		versions = nil
		for _, v := range x.Versions {
			versions = appendKnown(versions, v.String())
		}
	}
	suites := 0
	for _, suite := range hello.CipherSuites {
		if suite != tlswire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV && suite != tlswire.TLS_FALLBACK_SCSV && len(appendKnown(nil, suite.String())) > 0 {
			suites++
		}
	}
	var text strings.Builder
	if x, ok := tlswire.Lookup[*tlswire.ServerNameList](hello.Extensions, tlswire.ExtensionServerName); ok && len(x.Names) > 0 {
		fmt.Fprintf(&text, "Wants to talk to %q. ", short(x.Names[0].Name))
	}
	fmt.Fprintf(&text, "Offers %s, %s", listed(versions), counted(suites, "cipher suite"))
	if len(shares) > 0 {
		fmt.Fprintf(&text, " and %s for %s", plural(len(shares), "a key share", "key shares"), listed(shares))
	}
	if x, ok := tlswire.Lookup[*tlswire.ProtocolNameList](hello.Extensions, tlswire.ExtensionALPN); ok {
		var protocols []string
		for _, p := range x.Protocols {
			protocols = append(protocols, protocol(p))
		}
		fmt.Fprintf(&text, "; would speak %s", strings.Join(protocols[:min(4, len(protocols))], " or "))
	}
	text.WriteString(".")
	ticket, hasTicket := tlswire.Lookup[*tlswire.SessionTicket](hello.Extensions, tlswire.ExtensionSessionTicket)
	switch {
	case tlswire.Has(hello.Extensions, tlswire.ExtensionPreSharedKey):
		text.WriteString(" Knows the server from before: offers to take up that session again.")
	case hasTicket && len(ticket.Ticket) > 0:
		text.WriteString(" Brings a ticket of an earlier session, to take it up again.")
	}
	if tlswire.Has(hello.Extensions, tlswire.ExtensionEarlyData) {
		text.WriteString(" Sends its first data at once, before any answer.")
	}
	return text.String()
}

func helloRetryRequest(hello *tlswire.ServerHello) string {
	if x, ok := tlswire.Lookup[*tlswire.KeyShareHelloRetryRequest](hello.Extensions, tlswire.ExtensionKeyShare); ok {
		return fmt.Sprintf("Can use none of these key shares: asks for one of %s.", x.SelectedGroup)
	}
	return "Asks the client to say hello once more, with the cookie it is given here."
}

func (s *story) serverHello(hello *tlswire.ServerHello) string {
	text := fmt.Sprintf("Picks %s, %s", hello.Version(), hello.CipherSuite)
	if x, ok := tlswire.Lookup[*tlswire.KeyShareServerHello](hello.Extensions, tlswire.ExtensionKeyShare); ok {
		text += fmt.Sprintf(" and %s, and sends its own key share", x.Share.Group)
	}
	if x, ok := tlswire.Lookup[*tlswire.ProtocolNameList](hello.Extensions, tlswire.ExtensionALPN); ok && len(x.Protocols) == 1 {
		text += ". Will speak " + protocol(x.Protocols[0])
	}
	text += "."
	if s.tls13() {
		text += " All that follows is encrypted."
	}
	if s.c.Resumption != tlsdecrypt.FullHandshake {
		text += " Takes up the earlier session: no certificates this time."
	}
	return text
}

func certificateRequest(names []tlswire.DistinguishedName) string {
	if len(names) == 0 {
		return "\"Show me your certificate.\" This makes TLS mutual. The server does not say whose certificates it takes."
	}
	var cas []string
	for _, n := range names[:min(len(names), 3)] {
		cas = append(cas, short(n.String()))
	}
	if more := len(names) - len(cas); more > 0 {
		cas = append(cas, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("\"Show me a certificate that %s vouches for.\" This makes TLS mutual.", joined(cas, "or"))
}

// certificate is about a party's certificate, at the time of the message.
func certificate(p *party, m *tlsdecrypt.Message, n int) string {
	if n == 0 {
		return fmt.Sprintf("Empty: the %s has no certificate to show that would fit.", m.From)
	}
	if p.leaf == nil {
		return "A certificate that cannot be read."
	}
	text := p.subject
	if names := altNames(p.leaf); len(names) > 0 {
		text += ", for " + listed(names)
	}
	issuer := short(p.leaf.Issuer.String())
	switch {
	case issuer == "":
		issuer = "an authority without a name"
	case p.leaf.Issuer.String() == p.leaf.Subject.String():
		issuer = "itself"
	}
	text += ", vouched for by " + issuer
	switch {
	case m.Time.After(p.leaf.NotAfter):
		text += ", EXPIRED on " + p.leaf.NotAfter.UTC().Format(time.DateOnly)
	case m.Time.Before(p.leaf.NotBefore):
		text += ", NOT VALID before " + p.leaf.NotBefore.UTC().Format(time.DateOnly)
	default:
		text += ", valid until " + p.leaf.NotAfter.UTC().Format(time.DateOnly)
	}
	if n > 1 {
		text += fmt.Sprintf("; with %s above it", counted(n-1, "certificate"))
	}
	return text + "."
}

func altNames(cert *x509.Certificate) []string {
	var names []string
	for _, n := range cert.DNSNames {
		names = append(names, short(n))
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	for _, n := range cert.EmailAddresses {
		names = append(names, short(n))
	}
	for _, u := range cert.URIs {
		names = append(names, short(u.String()))
	}
	const few = 3
	if more := len(names) - few; more > 0 {
		names = append(names[:few:few], fmt.Sprintf("%d more", more))
	}
	return names
}

func (s *story) serverKeyExchange(body *tlswire.ServerKeyExchange) string {
	what := "The server's half of the key agreement"
	if body.ECDH.Curve != 0 {
		what += fmt.Sprintf(" on %s", body.ECDH.Curve)
	}
	if body.Signed == nil {
		return what + ". It is not signed."
	}
	return fmt.Sprintf("%s, signed with the private key of %s%s. A certificate can be copied; its key is not shown to anybody.", what, s.server.subject, by(*body.Signed))
}

func by(s tlswire.DigitallySigned) string {
	if s.Legacy {
		return ""
	}
	return fmt.Sprintf(" (%s)", s.Algorithm)
}

func ticket(lifetime tlswire.Seconds) string {
	if lifetime == 0 {
		return "A ticket: with it the client can come back faster, without showing certificates again."
	}
	return fmt.Sprintf("A ticket, good for %s: with it the client can come back faster, without showing certificates again.", lasting(lifetime))
}

func lasting(s tlswire.Seconds) string {
	switch {
	case s%86400 == 0:
		return counted(int(s/86400), "day")
	case s%3600 == 0:
		return counted(int(s/3600), "hour")
	case s%60 == 0:
		return counted(int(s/60), "minute")
	}
	return counted(int(s), "second")
}

func (s *story) changeCipherSpec(m *tlsdecrypt.Message) string {
	if s.tls13() || s.c.Version == 0 {
		return "Says nothing; it makes old middleboxes take this for TLS 1.2."
	}
	return fmt.Sprintf("All that the %s sends after this is encrypted.", m.From)
}

// alert says what the sender means. Of an alert about a certificate it says whose.
func (s *story) alert(m *tlsdecrypt.Message) string {
	d := m.Alert.Description
	if d == tlswire.AlertCloseNotify {
		return fmt.Sprintf("The %s has nothing more to say.", m.From)
	}
	if m != s.fatal {
		return plain(d.Note())
	}
	other := &s.server
	if m.From == tlswire.SideServer {
		other = &s.client
	}
	whose := "the other side's certificate"
	if other.subject != "" {
		whose = "the certificate of " + other.subject
	}
	text := fmt.Sprintf("The %s breaks off: ", m.From)
	switch d {
	case tlswire.AlertCertificateRequired:
		text += "it wants a client certificate, and got none."
	case tlswire.AlertBadCertificate, tlswire.AlertCertificateUnknown:
		text += fmt.Sprintf("it refuses %s, and does not tell why; its own log knows.", whose)
	case tlswire.AlertCertificateExpired:
		text += whose + " has expired or is not valid yet."
	case tlswire.AlertCertificateRevoked:
		text += whose + " was revoked."
	case tlswire.AlertUnknownCA:
		text += whose + " does not lead to an authority that it trusts."
	case tlswire.AlertUnsupportedCertificate:
		text += whose + " is not made for this purpose."
	default:
		note := plain(d.Note())
		text += strings.ToLower(note[:1]) + note[1:]
	}
	if s.late(m) {
		text += " The client was already done: to its program the connection looked fine until it read this."
	}
	return text
}

// late tells the trap of TLS 1.3: a rejection after the client was done.
func (s *story) late(m *tlsdecrypt.Message) bool {
	return s.tls13() && m.From == tlswire.SideServer && s.client.finished && s.c.ClientAuth
}

var reference = regexp.MustCompile(` \((RFC|draft)[^)]*\)\.$`)

// plain takes the RFC's section off a sentence.
func plain(s string) string { return reference.ReplaceAllString(s, ".") }

func httpHead(m *httpwire.Message) string {
	header := func(names ...string) string {
		for _, h := range m.Headers {
			for _, n := range names {
				if strings.EqualFold(h.Name, n) && h.Value != "" {
					return short(h.Value)
				}
			}
		}
		return ""
	}
	var text string
	if m.Request {
		text = "HTTP: the client's request"
		if host := header("host", ":authority"); host != "" {
			text += " to " + host
		}
		if agent := header("user-agent"); agent != "" {
			text += ", sent by " + agent
		}
		if m.Body > 0 {
			text += ", with " + bytesCounted(m.Body)
		}
		return text + "."
	}
	text = "HTTP: the server's answer"
	if m.Body > 0 {
		text += ", " + bytesCounted(m.Body)
		if kind := header("content-type"); kind != "" {
			text += " of " + kind
		}
	}
	return text + "."
}

// checked is a check in words. What holds needs no proof but in full detail.
func checked(c tlsdecrypt.Check, verbose bool) string {
	if c.Result == tlsdecrypt.Holds && c.Subject != "chain" && !verbose {
		text, _, _ := strings.Cut(c.Text, ":")
		return strings.TrimSuffix(text, ".") + "."
	}
	return c.Text
}

// turningPoint adds the line across that a message calls for.
func (s *story) turningPoint(m *tlsdecrypt.Message) {
	if m.Handshake == nil {
		return
	}
	switch body := m.Handshake.Body.(type) {
	case *tlswire.ServerHello:
		switch {
		case body.IsHelloRetryRequest():
		case s.tls13():
			s.across("both sides now have the handshake keys")
		case s.c.Resumption != tlsdecrypt.FullHandshake:
			s.across("both sides have the keys, made from the earlier session's secret")
		}
	case *tlswire.ClientKeyExchange:
		s.across("both sides now have the keys")
	case *tlswire.CertificateVerify, *tlswire.ServerKeyExchange:
		if m.From == tlswire.SideServer && s.server.subject != "" {
			s.serverProven()
		}
	case *tlswire.Finished:
		s.finished(m.From)
	}
}

func (s *story) serverProven() {
	switch s.server.proof {
	case tlsdecrypt.Holds:
		s.across("the client now knows that the server holds the key of %s", s.server.subject)
	case tlsdecrypt.Unknown:
		s.across("the client can now tell whether the server holds the key of %s", s.server.subject)
	}
}

func (s *story) finished(from tlswire.Side) {
	switch {
	case from == tlswire.SideServer && s.tls13() && !s.c.ClientAuth && s.server.shown && !s.client.finished:
		s.across("the server has not asked who the client is: this is not mutual TLS")
	case from == tlswire.SideClient && s.tls13() && s.client.shown && s.client.subject == "":
		s.across("the client is done and may send. Only now does the server see that it has no certificate: a rejection comes after this")
	case from == tlswire.SideClient && s.tls13() && s.client.shown:
		s.across("the client is done and may send. Only now does the server judge its certificate: a rejection comes after this")
	case from == tlswire.SideClient && s.tls13(), s.client.finished && s.server.finished && !s.tls13() && s.judged:
		s.across("the handshake is done: both sides have the same keys and saw the same messages")
	}
}

// nowKnowsClient is the line across when the server goes on.
func nowKnowsClient(subject string) string {
	if subject == "" {
		return "the server goes on without knowing who the client is"
	}
	return "the server now knows who the client is: " + subject
}

// title says which connection it is, and when.
func title(c *tlsdecrypt.Connection) string {
	if at := opened(c); !at.IsZero() {
		return fmt.Sprintf("Exchange %d, %s", c.Number, at.UTC().Format("2 January 2006, 15:04:05 UTC"))
	}
	return fmt.Sprintf("Exchange %d", c.Number)
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
func legend(s *story) []string {
	lines := []string{"───► anybody on the way can read it    ═══► encrypted, with the key named on it"}
	for _, it := range s.items {
		if len(it.checks) > 0 {
			return append(lines, "✓ checked here, and right    ✗ checked, and wrong    ? cannot be checked")
		}
	}
	return lines
}

// called names a party at the head of its line.
func (p party) called(role string) string {
	if p.subject == "" {
		return role
	}
	return role + " " + p.subject
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
	case "rejected":
		a := s.fatal.Alert
		return fmt.Sprintf("Rejected: the %s ended the connection with %s (alert %d).", s.fatal.From, a.Description, uint8(a.Description))
	case "accepted":
		return s.accepted()
	case "unseen":
		return "Whether the handshake succeeded cannot be seen without the keys."
	}
	return "The handshake did not come to its end."
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
		return fmt.Sprintf("The client tore the TCP connection down (RST)%s: what was on its way to it is lost.", after)
	case tlsdecrypt.ServerReset:
		return fmt.Sprintf("The server tore the TCP connection down (RST)%s: what was on its way to it is lost.", after)
	case tlsdecrypt.CutOff:
		return "What came after this was not recorded."
	}
	return "The TCP connection is still open."
}

func (s *story) accepted() string {
	switch {
	case s.c.Resumption != tlsdecrypt.FullHandshake:
		return "Accepted: client and server took up an earlier session, and know each other from then."
	case s.client.subject != "" && s.server.subject != "":
		return fmt.Sprintf("Accepted: the client knows that it talks to %s, and the server that it talks to %s.", s.server.subject, s.client.subject)
	case s.server.subject != "":
		return fmt.Sprintf("Accepted: the client knows that it talks to %s; the server does not know who the client is.", s.server.subject)
	}
	return "Accepted: both sides have the same keys."
}
