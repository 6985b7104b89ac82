package tlsdecrypt

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// Progress is how far a connection came, as its messages show. Package verdict
// judges its outcome.
type Progress struct {
	// Alert is the one that ended the connection, and not in good order; nil if
	// there was none. One that answers the other side's end of the connection is
	// not its cause. It is a warning if the connection ended with that, before the
	// handshake did.
	Alert *Message
	// Succeeded reports that a handshake came to its end on both sides: before
	// the alert, if there was one.
	Succeeded bool
	// Judgements are the server's first messages after the client's Finished:
	// they show whether it accepts the client's certificate. There is more than
	// one when there was another handshake or authentication on the connection.
	Judgements []*Message
	// Answer is the first of the server's answers that refuses the client,
	// whatever it has answered before ([httpwire.Message.Refuses]); the first
	// of all, if none does; nil: there was none. A challenge is left out if the
	// same request was answered otherwise later, and so is 421 after a first
	// answer that refuses the client's certificate, or may.
	Answer *Message
	// Refusal is Answer when the server asked for a certificate and that may be
	// what it says to the one it got; nil otherwise. See [httpwire.MayRefuse].
	Refusal *Message
	// Hidden reports that there are records which could not be opened.
	Hidden bool
	// Lacking reports that bytes are missing in the capture.
	Lacking bool
	// Begins reports that no bytes are missing from ClientHello and ServerHello
	// on, whatever came before them: a capture may lack the SYN alone.
	Begins bool
}

// Progress follows the messages that can be read.
func (c *Connection) Progress() Progress {
	p := Progress{Lacking: c.lacking, Begins: c.begins()}
	var client, server, judged bool // is Finished, is Finished, has judged the client
	done := func() bool {
		return client && server && (judged || c.Version < tlswire.VersionTLS13 || !c.mayAsk())
	}
	again := func() {
		p.Succeeded = p.Succeeded || done()
		client, judged = false, false
	}
	for _, m := range c.Messages {
		p.Hidden = p.Hidden || m.Encrypted
		isError := m.Alert != nil && m.Alert.Closes(c.Version) && m.Alert.Description != tlswire.AlertCloseNotify
		if isError && p.Alert == nil {
			p.Succeeded = p.Succeeded || done()
			if !c.answersEnd(m) {
				p.Alert = m
			}
		}
		if client && !judged && m.From == endpoint.Server && !m.Encrypted {
			judged = !isError // which accepts nobody, though it may be about something else
			p.Judgements = append(p.Judgements, m)
		}
		if m.Handshake == nil {
			continue
		}
		switch m.Handshake.Body.(type) {
		case *tlswire.ClientHello:
			if client && server { // RFC 5246 section 7.4.1.2
				again()
				server = false
			}
		case *tlswire.CertificateRequest:
			if client { // RFC 9846 section 4.7.2
				again()
			}
		case *tlswire.Finished:
			client, server = client || m.From == endpoint.Client, server || m.From == endpoint.Server
		}
	}
	if p.Answer = c.answer(); p.Answer != nil && c.mayRefuse(p.Answer) {
		p.Refusal = p.Answer
	}
	p.Succeeded = p.Succeeded || p.Alert == nil && done()
	if p.Alert == nil && !p.Succeeded {
		p.Alert = c.lastWarning(p.Hidden)
	}
	return p
}

// answer returns Progress.Answer.
func (c *Connection) answer() *Message {
	var first *Message
	var settled map[*Message]bool // nil: not needed so far
	for _, m := range c.Messages {
		if !m.IsAnswer() {
			continue
		}
		if m.isChallenge() {
			if settled == nil {
				settled = c.settledChallenges()
			}
			if settled[m] {
				continue
			}
		}
		if first == nil {
			first = m
		}
		if m.HTTP.Refuses() && (c.mayRefuse(m) || !c.ClientAuth || !first.HTTP.RefusesCertificate()) {
			return m
		}
	}
	return first
}

// mayRefuse reports whether an answer may refuse the certificate that the
// server asked for.
func (c *Connection) mayRefuse(answer *Message) bool {
	return c.ClientAuth && httpwire.MayRefuse(answer.HTTP.Status)
}

// settledChallenges returns the responses 401 that are not the server's last
// word: it answers the same request otherwise later, and not by an error of its
// own. Clients that choose among
// several ways ask without a password or a token first (RFC 9110 section 11.1).
// A 401 that asks for none stands if the same request is granted later.
func (c *Connection) settledChallenges() map[*Message]bool {
	type resource struct{ method, target string }
	settled, later := map[*Message]bool{}, map[resource]*Message{}
	requests := c.requests()
	for _, m := range slices.Backward(c.Messages) {
		request := requests[m]
		if request == nil {
			continue
		}
		asked := resource{request.HTTP.Method, request.HTTP.Target}
		if !m.isChallenge() {
			later[asked] = m
		} else if last := later[asked]; last != nil {
			settled[m] = last.HTTP.Refuses() || (m.HTTP.Authenticate() != "" || m.HTTP.GRPC.Refuses()) && last.HTTP.Status < 500
		}
	}
	return settled
}

// isChallenge reports whether an answer may be about who the client is, for
// which it may ask again otherwise: 401, or UNAUTHENTICATED in gRPC.
func (m *Message) isChallenge() bool {
	return m.HTTP.Status == http.StatusUnauthorized || m.HTTP.GRPC != nil && m.HTTP.GRPC.Status == httpwire.Unauthenticated
}

// IsAnswer reports whether a message is a response of HTTP, but no interim one
// (RFC 9110 section 15.2).
func (m *Message) IsAnswer() bool { return m.HTTP != nil && !m.HTTP.Request && m.HTTP.Status >= 200 }

// Statuses returns the statuses of the server's answers, each where it first
// came.
func (c *Connection) Statuses() (all Statuses) {
	for _, m := range c.Messages {
		if m.IsAnswer() && !slices.Contains(all, m.HTTP.Status) {
			all = append(all, m.HTTP.Status)
		}
	}
	return all
}

// Statuses are those of several answers.
type Statuses []int

// String names the first few of them.
func (s Statuses) String() string {
	const few = 3
	var all []string
	for _, status := range s {
		all = append(all, strconv.Itoa(status))
	}
	return text.Few(all, few)
}

// IsRequest reports whether a message is a request of the client.
func (m *Message) IsRequest() bool {
	return m.HTTP != nil && m.HTTP.Request && m.From == endpoint.Client
}

// RequestOf returns the request that an answer is to, and its number on the
// connection; nil: that cannot be known.
func (c *Connection) RequestOf(answer *Message) (request *Message, number int) {
	request = c.requests()[answer]
	if request == nil {
		return nil, 0
	}
	for _, m := range c.Messages {
		if m.IsRequest() {
			number++
		}
		if m == request {
			break
		}
	}
	return request, number
}

// requests returns the request of each answer: the one on its stream, or, in
// HTTP/1, the one with its number. It is nil if that cannot be known.
func (c *Connection) requests() map[*Message]*Message {
	if c.lacking && !c.begins() {
		return nil
	}
	asked, of := map[uint32]*Message{}, map[*Message]*Message{}
	var requests, answers uint32
	for _, m := range c.Messages {
		if !m.IsRequest() {
			continue
		}
		requests++
		if at := cmp.Or(m.HTTP.StreamID, requests); asked[at] == nil {
			asked[at] = m
		}
	}
	for _, m := range c.Messages {
		if m.IsAnswer() {
			answers++
			of[m] = asked[cmp.Or(m.HTTP.StreamID, answers)]
		}
	}
	return of
}

// begins reports whether the first messages that were seen are ClientHello and
// the server's answer to it, and no bytes after them are missing.
func (c *Connection) begins() bool {
	answer := slices.IndexFunc(c.Messages, func(m *Message) bool { return m.From == endpoint.Server })
	if c.torn || answer <= 0 || c.Messages[0].Handshake == nil || c.Messages[answer].Handshake == nil {
		return false
	}
	return c.Messages[0].Handshake.Type == tlswire.TypeClientHello && c.Messages[answer].Handshake.Type == tlswire.TypeServerHello
}

// lastWarning returns the alert after which a side ended the connection,
// although the alert by itself does not: a warning of TLS 1.2, or user_canceled
// (RFC 5246 section 7.2, RFC 9846 section 6.1). A client may also go away
// because of a warning that the server has no such host (RFC 6066 section 3):
// then it is the client that ends the connection, and without an alert. hidden
// reports that there are messages which could not be opened.
func (c *Connection) lastWarning(hidden bool) *Message {
	var goodbye endpoint.Pair[bool]
	for _, m := range slices.Backward(c.Messages) {
		switch {
		case c.EndedBy == endpoint.Unknown:
			return nil
		case m.From == c.EndedBy.Other() && !m.Time.Before(c.EndedAt): // which may be encrypted
			continue
		case m.Alert == nil:
			return nil
		case m.Alert.Description == tlswire.AlertCloseNotify:
			*goodbye.Of(m.From) = true
			continue
		case m.Alert.Closes(c.Version):
			return nil
		case m.Alert.Description == tlswire.AlertUserCanceled && (c.lacking || hidden && (c.Version < tlswire.VersionTLS13 || m.Key.Secret != "")): // the handshake may be done: Java closes every connection so
			return nil
		case c.EndedBy == m.From, *goodbye.Of(m.From), m.Alert.Description != tlswire.AlertUnrecognizedName && m.Alert.Description != tlswire.AlertNoRenegotiation:
			return m
		}
		return nil
	}
	return nil
}

// answersEnd reports whether a message was sent after the other side had ended
// the connection, or may have been, if that is missing: OpenSSL says
// decode_error to a FIN in the handshake.
func (c *Connection) answersEnd(m *Message) bool {
	switch m.Alert.Description {
	case tlswire.AlertDecodeError, tlswire.AlertUnexpectedMessage, tlswire.AlertInternalError:
		return c.lacking && !c.begins() || c.EndedBy == m.From.Other() && !m.Time.Before(c.EndedAt)
	}
	return false
}

// mayAsk reports whether the server asked for a certificate, or may have: its
// flight was not seen whole.
func (c *Connection) mayAsk() bool {
	return c.ClientAuth || slices.ContainsFunc(c.handshakes, func(hs *handshake) bool { return !hs.serverFlightSeen() })
}

// AskedForNone reports whether the server is known not to have asked for a
// certificate.
func (c *Connection) AskedForNone() bool { return !c.ClientAuth && c.Version != 0 && c.flightsSeen() }
