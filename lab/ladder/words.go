package ladder

import (
	"fmt"
	"regexp"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// This file and the words_*.go beside it have the sentences of the ladder. They are for somebody who has
// never seen TLS: short, in the present, with the values of the connection.

// words gives the name of a message, what it is for, and whether it is bad news.
func (s *story) words(m *tlsdecrypt.Message) (name, said string, alarm bool) {
	switch {
	case m.Handshake != nil:
		name, said = m.Handshake.Name(), s.handshake(m)
	case m.Alert != nil:
		return "Alert: " + m.Alert.Description.String(), s.alert(m), m == s.verdict.Alert
	case m.HTTP != nil:
		name, said = m.HTTP.Line, httpHead(m.HTTP)
	case m.Type == tlswire.ContentTypeChangeCipherSpec:
		name, said = "ChangeCipherSpec", s.changeCipherSpec(m)
	case m.Type == tlswire.ContentTypeApplicationData:
		name, said = s.applicationData(m)
	default:
		name, said = m.Type.String(), bytesCounted(m.Length)+"."
	}
	if m.Err != nil {
		return name, said + " It does not parse: " + m.Err.Error() + ".", true
	}
	return name, said, m == s.verdict.Refusal
}

// applicationData is about what is no head of an HTTP message.
func (s *story) applicationData(m *tlsdecrypt.Message) (name, said string) {
	switch {
	case strings.HasPrefix(string(m.Data), "PRI * HTTP/2.0"):
		return "HTTP/2 preface", "HTTP/2 begins: the client greets the server and tells its settings."
	case len(m.Frames) > 0:
		return framesWords(m.Frames)
	case s.c.ALPN == "h2":
		return "HTTP/2 frames", "What keeps HTTP/2 going: settings, acknowledgements, or more of a body."
	case s.party(m.From).http:
		return "HTTP body", "More of the body."
	}
	return "application data", fmt.Sprintf("%s: %s.", bytesCounted(m.Length), excerpt(m.Data))
}

// frameWords says what frames of HTTP/2 are for (RFC 9113 6).
var frameWords = map[string]string{
	"SETTINGS":       "how the sender wants to be spoken to",
	"SETTINGS (ACK)": "the other side's settings are taken",
	"WINDOW_UPDATE":  "leave to send more",
	"DATA":           "more of a body",
	"PING":           "are you there?",
	"PING (ACK)":     "yes, still there",
	"GOAWAY":         "no new requests on this connection",
	"RST_STREAM":     "a request is given up",
}

func framesWords(frames []string) (name, said string) {
	if what := frameWords[frames[0]]; len(frames) == 1 && what != "" {
		return "HTTP/2 " + frames[0], "What keeps HTTP/2 going: " + what + "."
	}
	var words []string
	for _, f := range frames {
		if what := frameWords[f]; what != "" {
			f += ": " + what
		}
		words = append(words, f)
	}
	return "HTTP/2 frames", "What keeps HTTP/2 going. " + strings.Join(words, "; ") + "."
}

// sealed names a row of records that could not be opened.
func sealed(row []*tlsdecrypt.Message, v tlswire.Version) string {
	records := 0
	for _, m := range row {
		records += len(m.Records)
	}
	name := text.Counted(records, "encrypted record")
	t := row[0].Type
	if t == tlswire.ContentTypeApplicationData && (v == 0 || v >= tlswire.VersionTLS13) {
		return name // TLS 1.3 says so whatever is in it
	}
	return name + ": " + strings.ReplaceAll(t.String(), "_", " ")
}

// keyWords names a key: "client handshake key".
func keyWords(k tlsdecrypt.Key, from endpoint.Side) string {
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

// alert says what the sender means. Of an alert about a certificate it says whose.
func (s *story) alert(m *tlsdecrypt.Message) string {
	d := m.Alert.Description
	if d == tlswire.AlertCloseNotify {
		return fmt.Sprintf("The %s has nothing more to say.", m.From)
	}
	if m != s.verdict.Alert {
		return plain(d.Note())
	}
	side, other := endpoint.Server, &s.server
	if m.From == endpoint.Server {
		side, other = endpoint.Client, &s.client
	}
	whose := "the other side's certificate"
	if other.subject() != "" {
		whose = "the certificate of " + other.subject()
	}
	said := fmt.Sprintf("The %s breaks off: ", m.From)
	if other.empty() && d.WantsCertificate() {
		d = tlswire.AlertCertificateRequired
	}
	switch d {
	case tlswire.AlertCertificateRequired:
		said += fmt.Sprintf("it wants a %s certificate, and got none.", side)
	case tlswire.AlertBadCertificate, tlswire.AlertCertificateUnknown:
		said += fmt.Sprintf("it refuses %s, and does not tell why; its own log knows.", whose)
	case tlswire.AlertCertificateExpired:
		said += whose + " has expired or is not valid yet."
	case tlswire.AlertCertificateRevoked:
		said += whose + " was revoked."
	case tlswire.AlertUnknownCA:
		said += whose + " does not lead to an authority that it trusts."
	case tlswire.AlertProtocolVersion:
		said += s.refusedVersion(m.From)
	case tlswire.AlertUnsupportedCertificate:
		said += whose + " is not made for this purpose."
	default:
		note := plain(d.Note())
		said += strings.ToLower(note[:1]) + note[1:]
	}
	if s.late(m) {
		said += " The client was already done: to its program the connection looked fine until it read this."
	}
	return said
}

// refusedVersion is what a side says with protocol_version.
func (s *story) refusedVersion(from endpoint.Side) string {
	if s.hello == nil {
		return "it refuses the other side's version of TLS."
	}
	offered := versionsOf(s.hello)
	switch {
	case from == endpoint.Client && s.c.Version != 0:
		return fmt.Sprintf("it refuses %s, which the server chose.", s.c.Version)
	case len(offered) == 1:
		return fmt.Sprintf("it refuses %s, the only version that the client offers.", offered[0])
	}
	return fmt.Sprintf("it refuses all versions that the client offers: %s.", listed(offered))
}

// late tells the trap of TLS 1.3: a rejection after the client was done.
func (s *story) late(m *tlsdecrypt.Message) bool {
	return s.tls13() && m.From == endpoint.Server && s.client.finished && s.c.ClientAuth
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
	var said string
	if m.Request {
		said = "HTTP: the request"
		if host := header("host", ":authority"); host != "" {
			said += " to " + host
		}
		if agent := header("user-agent"); agent != "" {
			said += ", by " + agent
		}
		if m.Body > 0 {
			said += ", with " + bytesCounted(m.Body)
		}
		return said + "."
	}
	said = "HTTP: the answer"
	if m.Body > 0 {
		said += ", " + bytesCounted(m.Body)
		if kind, _, _ := strings.Cut(header("content-type"), ";"); kind != "" {
			said += " of " + kind
		}
	}
	return said + "."
}

// checked is a check in words. What holds needs no proof but in full detail.
func checked(c tlsdecrypt.Check, verbose bool) string {
	if c.Result == tlsdecrypt.Holds && c.Subject != "chain" && !verbose {
		said, _, _ := strings.Cut(c.Text, ":")
		return strings.TrimSuffix(said, ".") + "."
	}
	return text.Unicode.Cut(text.Clean(c.Text), 400)
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
		if m.From == endpoint.Server && s.server.subject() != "" {
			s.serverProven()
		}
	case *tlswire.Finished:
		s.finished(m.From)
	}
}

// refuses tells whether a side breaks off because of the other's certificate.
func (s *story) refuses(side endpoint.Side) bool {
	m := s.verdict.Alert
	return m != nil && m.From == side && (m.Alert.Description.RefusesCertificate() || m.Alert.Description == tlswire.AlertDecryptError)
}

func (s *story) serverProven() {
	if s.refuses(endpoint.Client) {
		return
	}
	switch s.server.proof {
	case tlsdecrypt.Holds:
		s.across("the client now knows that the server holds the key of %s", s.server.subject())
	case tlsdecrypt.Unknown:
		s.across("the client can now tell whether the server holds the key of %s", s.server.subject())
	}
}

func (s *story) finished(from endpoint.Side) {
	if from == endpoint.Server && s.c.CipherSuite.Info().KeyExchange == tlswire.KeyExchangeRSA && s.server.subject() != "" && !s.refuses(endpoint.Client) {
		s.across("the client now knows that the server holds the key of %s: it could read the secret", s.server.subject())
	}
	switch {
	case from == endpoint.Server && s.tls13() && !s.c.ClientAuth && s.server.shown && !s.client.finished:
		s.across("the server has not asked who the client is: this is not mutual TLS")
	case from == endpoint.Client && s.tls13() && s.client.empty():
		s.across("the client is done and may send. Only now does the server see that it has no certificate: a rejection would come after this")
	case from == endpoint.Client && s.tls13() && s.client.shown:
		s.across("the client is done and may send. Only now does the server judge its certificate: a rejection would come after this")
	case from == endpoint.Client && s.tls13(), !s.tls13() && s.client.finished && s.server.finished:
		s.across("the handshake is done: both sides have the same keys and saw the same messages")
	}
}

// nowKnowsClient is the line across when the server goes on.
func (s *story) nowKnowsClient() string {
	switch subject := s.client.subject(); {
	case subject == "":
		return "by now the server goes on without knowing who the client is"
	case s.doubted() || s.client.chain == tlsdecrypt.Fails:
		return "by now the server goes on, whatever it thinks of the certificate of " + subject
	case s.client.chain == tlsdecrypt.Holds:
		return "by now the server knows the client as " + subject
	default:
		return "by now the server goes on, and was shown " + subject
	}
}
