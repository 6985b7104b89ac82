package ladder

import (
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// This file and the words_*.go beside it have the sentences of the ladder. They
// are for somebody who has never seen TLS: short, in the present, with the
// values of the connection.

// words gives the name of a message, what it is for, and whether it is bad
// news.
func (s *story) words(m *tlsdecrypt.Message) (name, said string, alarm bool) {
	switch {
	case m.Handshake != nil:
		name, said = m.Handshake.Name(), s.handshake(m)
	case m.Alert != nil:
		return "Alert: " + m.Alert.Description.String(), s.alert(m), m == s.progress.Alert
	case m.HTTP != nil:
		name, said = m.HTTP.Line, httpHead(m.HTTP)
	case m.Type == tlswire.ContentTypeChangeCipherSpec:
		name, said = "ChangeCipherSpec", s.changeCipherSpec(m)
	case m.Type == tlswire.ContentTypeApplicationData:
		name, said = s.applicationData(m)
	default:
		name, said = m.Type.String(), bytesCounted(m.Length)+"."
	}
	if m.HTTP != nil {
		said += resetsWords(m.Resets)
	}
	if m.Err != nil {
		return name, said + " It does not parse: " + m.Err.Error() + ".", true
	}
	return name, said, m == s.progress.Refusal || m.From == endpoint.Server && len(m.Resets) > 0
}

// applicationData is about what is no head of an HTTP message.
func (s *story) applicationData(m *tlsdecrypt.Message) (name, said string) {
	switch {
	case strings.HasPrefix(string(m.Data), "PRI * HTTP/2.0"):
		return "HTTP/2 preface", "HTTP/2 begins: the client greets the server and sends its settings."
	case len(m.Frames) > 0:
		return framesWords(m.Frames, m.Resets)
	case s.c.ALPN == "h2":
		return "HTTP/2 frames", "What keeps HTTP/2 going: settings, acknowledgements, or more of a body."
	case s.switched != "":
		return s.switched, fmt.Sprintf("%s of the protocol that HTTP was left for.", bytesCounted(m.Length))
	case s.party(m.From).http:
		return "HTTP body", "More of the body."
	}
	return "application data", fmt.Sprintf("%s: %s.", bytesCounted(m.Length), excerpt(m.Data))
}

// frameWords says what frames of HTTP/2 are for (RFC 9113 section 6).
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

// framesWords is about frames, and what they give up.
func framesWords(frames []string, resets []httpwire.Reset) (name, said string) {
	name = "HTTP/2 frames"
	if len(frames) == 1 {
		name, _, _ = strings.Cut("HTTP/2 "+frames[0], " (")
	}
	var words []string
	for _, f := range frames {
		what := frameWords[f]
		switch {
		case what != "" && len(frames) == 1:
			return "HTTP/2 " + f, "What keeps HTTP/2 going: " + what + "."
		case what != "":
			words = append(words, f+": "+what)
		case strings.HasSuffix(f, ")"): // it has an error, and is among the resets
		default:
			words = append(words, f)
		}
	}
	if len(words) > 0 {
		said = "What keeps HTTP/2 going. " + strings.Join(words, "; ") + "."
	}
	return name, strings.TrimSpace(said + resetsWords(resets))
}

// resetsWords says what is given up, and with which error, a sentence each.
func resetsWords(resets []httpwire.Reset) (said string) {
	for _, r := range resets {
		what := "GOAWAY: no new requests on this connection"
		if r.StreamID != 0 {
			what = fmt.Sprintf("RST_STREAM: the request of stream %d is given up", r.StreamID)
		}
		said += " " + what + " (" + r.Error + ")."
		switch r.Error {
		case httpwire.HTTP11Required:
			said += " It is wanted over HTTP/1.1, in which a server can ask for a certificate in mid-connection."
		case httpwire.InadequateSecurity:
			said += " TLS here does not meet what HTTP/2 asks of it."
		}
	}
	return said
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

// alert says what the sender means. Of the one that ended the connection that
// is the verdict's reason.
func (s *story) alert(m *tlsdecrypt.Message) string {
	d := m.Alert.Description
	switch {
	case d == tlswire.AlertCloseNotify:
		return fmt.Sprintf("The %s has nothing more to say.", m.From)
	case m != s.progress.Alert && !m.Alert.Closes(s.c.Version):
		return s.warning(m)
	case m != s.progress.Alert && d == tlswire.AlertBadRecordMAC && m.From == endpoint.Server && s.progress.Alert != nil && s.sentOpen(s.progress.Alert):
		return "The server cannot decrypt the client's alert, which is not encrypted."
	case m != s.progress.Alert:
		return plain(d.Note())
	case s.verdict.How == verdict.NotTLS && s.verdict.Code == verdict.Closed:
		return "The server's answer to a client that has gone without a ClientHello."
	}
	said := fmt.Sprintf("The %s breaks off: %s.", m.From, s.why(m))
	if s.sentOpen(m) {
		said += " It is not encrypted, as OpenSSL sends it in TLS 1.3: a server in Go calls it \"tls: bad record MAC\"."
	}
	if s.late(m) {
		said += " The client was already done: to its program the connection looked fine until it read this."
	}
	return said
}

// sentOpen reports whether the client has sent an alert unencrypted in TLS 1.3,
// after ServerHello: OpenSSL's does so when it refuses the server's certificate.
// The log of the server may name a record that cannot be decrypted.
func (s *story) sentOpen(m *tlsdecrypt.Message) bool {
	return s.c.Version >= tlswire.VersionTLS13 && m.From == endpoint.Client && m.Key == (tlsdecrypt.Key{}) &&
		slices.ContainsFunc(s.c.Messages, func(m *tlsdecrypt.Message) bool {
			if m.Handshake == nil {
				return false
			}
			hello, ok := m.Body().(*tlswire.ServerHello)
			return ok && !hello.IsHelloRetryRequest()
		})
}

// warning says what an alert means after which the connection may go on.
func (s *story) warning(m *tlsdecrypt.Message) string {
	if m.Alert.Description == tlswire.AlertUnrecognizedName && m.From == endpoint.Server {
		name := "of no name"
		if s.c.ServerName != "" {
			name = fmt.Sprintf("named %q", short(s.c.ServerName))
		}
		return fmt.Sprintf("A warning: the server has no host %s. It goes on with the certificate of another, and leaves it to the client whether to go on.", name)
	}
	return "A warning, after which the connection may go on: " + m.Alert.Description.Clause() + "."
}

// why is why a side ended the connection with an alert, as a clause.
func (s *story) why(m *tlsdecrypt.Message) string {
	if a := s.verdict.Alert; s.verdict.Reason == "" || a == nil || a.SentBy != m.From {
		return m.Alert.Description.Clause()
	}
	return strings.TrimPrefix(s.verdict.Reason, fmt.Sprintf("the %s sent %s: ", m.From, m.Alert.Description))
}

// late reports whether the rejection came after the client had finished: the
// trap of TLS 1.3.
func (s *story) late(m *tlsdecrypt.Message) bool {
	return s.tls13() && m.From == endpoint.Server && s.client.finished && s.c.ClientAuth
}

// plain takes the RFC's section off a sentence, or the draft's.
func plain(s string) string {
	at := max(strings.LastIndex(s, " (RFC"), strings.LastIndex(s, " (draft"))
	if at < 0 {
		return s
	}
	if section, ends := strings.CutSuffix(s[at:], ")."); !ends || strings.Contains(section, ")") {
		return s
	}
	return s[:at] + "."
}

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
		return said + "." + claimed(m)
	}
	said = "HTTP: the answer"
	if m.Body > 0 {
		said += ", " + bytesCounted(m.Body)
		if kind, _, _ := strings.Cut(header("content-type"), ";"); kind != "" {
			said += " of " + kind
		}
	}
	return said + "." + grpcWords(m.GRPC)
}

// grpcWords says how a call of gRPC ended, in a sentence.
func grpcWords(g *httpwire.GRPC) string {
	if g == nil {
		return ""
	}
	said := fmt.Sprintf(" gRPC: %s (%d)", g.Name(), g.Status)
	if g.Message != "" {
		said += ", " + short(g.Message)
	}
	return said + "."
}

// claimed says in which headers a request says itself who the client is.
func claimed(m *httpwire.Message) string {
	var headers []string
	for _, h := range m.IdentityHeaders() {
		headers = append(headers, short(h.Name)+": "+short(h.Value))
	}
	if len(headers) == 0 {
		return ""
	}
	return fmt.Sprintf(" It says itself who the client is (%s): that proves nothing, unless it comes from a proxy that the server trusts.", text.JoinedFew(headers, 3, "and"))
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
	if s.ended { // nobody learns from what comes too late
		return
	}
	if m.Handshake == nil {
		return
	}
	switch body := m.Handshake.Body.(type) {
	case *tlswire.ServerHello:
		switch {
		case body.IsHelloRetryRequest():
		case s.tls13() && s.leaves():
			s.across("the server now has the handshake keys, and the client could have them")
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

// leaves reports whether the client has gone in the handshake, without a word.
// What came before that it may not have read.
func (s *story) leaves() bool { return s.isBrokenOff() && s.c.EndedBy == endpoint.Client }

// refuses reports whether a side breaks off because of the other's certificate.
func (s *story) refuses(side endpoint.Side) bool {
	m := s.progress.Alert
	return m != nil && m.From == side && (m.Alert.Description.RefusesCertificate() || m.Alert.Description == tlswire.AlertDecryptError)
}

func (s *story) serverProven() {
	if s.refuses(endpoint.Client) {
		return
	}
	switch {
	case s.leaves() && s.server.proof == tlsdecrypt.Holds:
		s.across("by now the client could know that the server holds the key of %s", s.server.subject())
	case s.server.proof == tlsdecrypt.Holds:
		s.across("the client now knows that the server holds the key of %s", s.server.subject())
	case s.server.proof == tlsdecrypt.Unknown:
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
	case from == endpoint.Client && s.tls13() && s.client.shown && s.ahead:
		s.across("the client is done and may send. The server has judged its certificate already: it went on before this")
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
	case s.client.chain == tlsdecrypt.Holds && s.ofOthers:
		return "by now the server goes on, and can know the client as " + subject
	case s.client.chain == tlsdecrypt.Holds:
		return "by now the server knows the client as " + subject
	default:
		return "by now the server goes on, and was shown " + subject
	}
}
