package verdict

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// wire is what the messages of a connection show, for its verdict.
type wire struct {
	*tlsdecrypt.Connection
	tlsdecrypt.Progress

	exchanged

	shown                endpoint.Pair[certificate]
	finished             endpoint.Pair[bool] // it sent Finished, or what must be it
	data                 endpoint.Pair[bool] // it sent application data
	answered             bool                // ServerHello was seen
	leaver               endpoint.Side       // it was the first to say goodbye after the handshake
	again                bool                // there was more of handshakes after the first
	refusesRenegotiation endpoint.Side       // it sent no_renegotiation
	offersPSK            bool                // in ClientHello
	requestedAfter       bool                // the last CertificateRequest came after a handshake
	sent                 bool                // the server sent records of application data after its Finished of TLS 1.2
	early                bool                // the client may have sent early data
	last                 *tlsdecrypt.Message // the last one; nil: nobody said anything
	spoke                time.Time           // when the client sent its ClientHello
	inTime               bool                // the server said something before the client ended the connection
}

// exchanged is what the two sides offered, chose, asked for and warned of.
type exchanged struct {
	hello     *tlswire.ClientHello  // the last one; nil: none was seen
	choice    *tlswire.ServerHello  // the last one, which may be a HelloRetryRequest; nil: none was seen
	retried   bool                  // there was a HelloRetryRequest
	request   tlswire.Body          // the last CertificateRequest; nil: none was seen
	asksLater bool                  // the server may have asked for a certificate after the first handshake
	goodbyes  endpoint.Pair[bool]   // it sent close_notify
	over      bool                  // the alert that ended the connection was seen
	warnings  []*tlsdecrypt.Message // alerts before that
}

// takeHello keeps what a message offers, chooses or asks for.
func (w *wire) takeHello(m *tlsdecrypt.Message) {
	if m.Alert != nil {
		w.takeAlert(m)
	}
	if m.Handshake == nil {
		return
	}
	switch body := m.Body().(type) {
	case *tlswire.ClientHello:
		w.hello = body
	case *tlswire.ServerHello:
		w.choice = body
		w.retried = w.retried || body.IsHelloRetryRequest()
	case *tlswire.HelloRequest:
		w.asksLater = true
	case *tlswire.CertificateRequest, *tlswire.CertificateRequestTLS12:
		w.request = body
	}
}

func (w *wire) takeAlert(m *tlsdecrypt.Message) {
	switch d := m.Alert.Description; {
	case d == tlswire.AlertCloseNotify:
		*w.goodbyes.Of(m.From) = true
	case m == w.Alert:
		w.over = true
	case !w.over:
		w.warnings = append(w.warnings, m)
		if d == tlswire.AlertNoRenegotiation {
			w.refusesRenegotiation = m.From
		}
	}
}

// certificate is what a side showed of itself.
type certificate struct {
	seen      bool // there was a Certificate that can be read
	empty     bool // there was no certificate in it
	bare      bool // it is a public key alone (RFC 7250)
	leaf      *x509.Certificate
	ders      [][]byte          // it, and what was sent along
	faults    []*chain.Fault    // of its chain, that are proven, as they were found
	doubts    []*chain.Fault    // that it may have, if the other side minds
	chain     tlsdecrypt.Result // of its check; "": there was none
	good      bool              // it holds under the CAs that the other side is known to trust
	signature tlsdecrypt.Result // with its key
	at        time.Time
}

// read takes the messages of a connection.
func (w *wire) read(c *tlsdecrypt.Connection) {
	w.Connection, w.Progress = c, c.Progress()
	w.Lacking = w.Lacking && !w.Begins // before that there is nothing to judge by
	for _, m := range c.Messages {
		w.take(m)
	}
	w.Succeeded = w.Succeeded || w.Alert == nil && w.Lacking && w.answersRequest()
	if w.leaver = cmp.Or(w.leaver, c.EndedBy); c.End == tlsdecrypt.EndedBetween {
		w.leaver = endpoint.Unknown
	}
}

// isData reports whether a message is application data, and nothing else that
// TLS 1.3 sends as that, as far as it can be read.
func isData(m *tlsdecrypt.Message) bool {
	return m.Type == tlswire.ContentTypeApplicationData && m.Handshake == nil && m.Alert == nil
}

func (w *wire) take(m *tlsdecrypt.Message) {
	w.last = m
	w.takeHello(m)
	w.inTime = w.inTime || m.From == endpoint.Server && !w.afterEnd(m)
	hidden := m.Encrypted && w.Version >= tlswire.VersionTLS13 // which may be an alert
	if isData(m) && !hidden {
		falseStart := m.From == endpoint.Client && w.Version < tlswire.VersionTLS13 // RFC 7918: it does not wait for the server's Finished
		*w.data.Of(m.From) = *w.data.Of(m.From) || w.finished.Client && (w.finished.Server || falseStart) || m.Key.Secret == "client_early_traffic_secret"
	}
	w.sent = w.sent || m.From == endpoint.Server && m.Type == tlswire.ContentTypeApplicationData && w.finished.Server && w.Version < tlswire.VersionTLS13
	if m.Encrypted && m.Type == tlswire.ContentTypeHandshake && w.Version < tlswire.VersionTLS13 {
		w.again = w.again || *w.finished.Of(m.From)
		*w.finished.Of(m.From) = true
	}
	if w.leaver == endpoint.Unknown && !w.afterEnd(m) && m.Type == tlswire.ContentTypeAlert && w.finished.Client && w.finished.Server {
		w.leaver = m.From
	}
	if m.Handshake == nil {
		return
	}
	shown := w.shown.Of(m.From)
	if w.afterEnd(m) {
		shown = &certificate{} // the other side has ended the connection without it
	}
	switch body := m.Body().(type) {
	case *tlswire.ClientHello:
		if w.spoke.IsZero() {
			w.spoke = m.Time
		}
		w.again = w.finished.Client && w.finished.Server
		_, w.offersPSK = tlswire.Lookup[*tlswire.OfferedPSKs](body.Extensions, tlswire.ExtensionPreSharedKey)
		w.early = w.early || slices.ContainsFunc(body.Extensions, func(e tlswire.Extension) bool { return e.Type == tlswire.ExtensionEarlyData })
	case *tlswire.ServerHello:
		w.answered = w.answered || !body.IsHelloRetryRequest()
	case *tlswire.CertificateRequest, *tlswire.CertificateRequestTLS12:
		w.requestedAfter = w.finished.Client && w.finished.Server
	case *tlswire.Certificate:
		shown.take(m, body.Chain(), body.CertificateType == tlswire.CertificateTypeRawPublicKey)
	case *tlswire.CertificateTLS12:
		shown.take(m, body.Certificates, false)
	case *tlswire.RawPublicKeyTLS12:
		shown.take(m, [][]byte{body.PublicKeyInfo}, true)
	case *tlswire.CertificateVerify, *tlswire.ServerKeyExchange:
		if check := m.CheckOf("signature"); check != nil {
			shown.signature = check.Result
		}
	case *tlswire.Finished:
		*w.finished.Of(m.From) = true
	}
}

func (c *certificate) take(m *tlsdecrypt.Message, ders [][]byte, bare bool) {
	*c = certificate{seen: true, empty: len(ders) == 0, bare: bare, ders: ders, at: m.Time}
	for _, check := range m.Checks {
		if check.Subject != "chain" {
			continue
		}
		c.chain, c.good = check.Result, check.Good
		switch {
		case check.Fault == nil:
		case check.Result == tlsdecrypt.Fails:
			c.faults = append(c.faults, check.Fault)
		default:
			c.doubts = append(c.doubts, check.Fault)
		}
	}
	if len(ders) > 0 && !bare {
		c.leaf, _ = tlswire.ParseCertificate(ders[0])
	}
}

// judgeWire returns the verdict that the wire alone allows.
func judgeWire(c *tlsdecrypt.Connection) Verdict {
	var w wire
	w.read(c)
	return w.judge()
}

// judge returns the verdict on a connection that was read.
func (w *wire) judge() Verdict {
	if v, ok := w.beforeTLS(); ok {
		return v
	}
	if w.NotTLSFrom != endpoint.Unknown && !w.Succeeded {
		return w.notTLS()
	}
	if m := w.Alert; m != nil && !w.answersEnd(m) {
		v := Verdict{Outcome: Rejected, RejectedBy: m.From, Alert: newAlert(m.Alert.Description, m.From)}
		v.because(w.why(m.From))
		v.Offers = w.offers(m.From)
		if w.Succeeded {
			v.Outcome, v.RejectedBy = Broken, endpoint.Unknown
			v.Reason += w.askedAfter(v.Alert.SentBy)
		}
		return v
	}
	switch {
	case w.Version == tlswire.VersionSSL20:
		return Verdict{Outcome: Unknown, Reason: w.Unreadable()}
	case w.Succeeded:
		v := Verdict{Outcome: Accepted}
		w.addRefusal(&v)
		v.settled = v.Reason == ""
		w.noteNames(&v)
		w.noteRequest(&v)
		w.noteClaims(&v)
		w.noteWarning(&v)
		w.noteUnasked(&v)
		return v
	case w.Hidden && w.Unreadable() != "" && (w.finished.Client && w.finished.Server || w.Version >= tlswire.VersionTLS13):
		return Verdict{Outcome: Unknown, Reason: w.Unreadable()}
	case w.data.Client && w.data.Server:
		v := Verdict{Outcome: Accepted, How: Probably, Reason: "after both Finished application data went both ways", Confirm: withKeys}
		w.reserve(&v)
		w.noteUnasked(&v)
		return v
	case w.serverWentOn():
		v := Verdict{Outcome: Accepted, How: Probably, Confirm: w.fixOfCapture(), Reason: "the server sent application data after its Finished, for which it had waited for the client's"}
		w.reserve(&v)
		return v
	case w.Hidden && w.Version != 0 && w.ClientRandom != nil:
		v := w.hidden()
		w.noteUnasked(&v)
		return v
	case w.End == tlsdecrypt.StillOpen && !w.Hidden:
		return Verdict{Outcome: Open, Reason: "the handshake is not done yet"}
	case w.End == tlsdecrypt.EndedBetween && !w.Hidden:
		return Verdict{Outcome: Unknown, Reason: "something between the two ended the connection before the handshake was done"}
	case w.isUnanswered():
		return w.unanswered()
	case w.isUnjudged():
		return Verdict{Outcome: Unknown, How: CutOff, Reason: "the client's handshake is complete, and whether the server accepted it is not in the capture", Fix: w.fixOfCapture()}
	case w.Late && w.Version == 0 && w.ClientRandom == nil && w.Hidden:
		return Verdict{Outcome: Unknown, How: CutOff, Reason: "the handshake was before the capture began", Fix: w.fixOfCapture()}
	case w.Late && len(w.Messages) == 0 && len(w.Problems) > 0:
		return Verdict{Outcome: Unknown, Reason: "the connection was open when the capture began, and no TLS record begins in what was seen of it"}
	case w.End == tlsdecrypt.CutOff, w.Lacking, w.Hidden, w.EndedBy == endpoint.Unknown:
		return Verdict{Outcome: Unknown, How: CutOff, Reason: w.oneDirection("how the handshake ended is not in the capture"), Fix: w.fixOfCapture()}
	}
	return w.aborted()
}

// isUnanswered reports whether a client of TLS 1.3 sent application data after
// its Finished, and closed before the server had said anything.
func (w *wire) isUnanswered() bool {
	return w.Version >= tlswire.VersionTLS13 && w.finished.Server && w.data.Client && !w.data.Server && w.EndedBy == endpoint.Client && !w.Hidden && !w.Lacking
}

// unanswered is the verdict on it. A server that refuses the client does so at
// once; one of a protocol that has no answers, as syslog, says nothing.
func (w *wire) unanswered() Verdict {
	i := slices.IndexFunc(w.Messages, func(m *tlsdecrypt.Message) bool { return m.From == endpoint.Client && isData(m) })
	waited := w.EndedAt.Sub(w.Messages[i].Time)
	v := Verdict{Outcome: Accepted, How: Probably, Confirm: "see in the server's log what became of it",
		Reason: fmt.Sprintf("the client's handshake is complete, and for %v the server took what the client sent, and said nothing: to refuse the client it would have ended the connection; a protocol without answers, such as syslog, looks like this", waited.Round(10*time.Millisecond))}
	if waited < patience {
		v = Verdict{Outcome: Unknown, Reason: "the client's handshake is complete; it sent application data, and closed before the server had said anything, so that whether the server takes the client is not known"}
	}
	w.reserve(&v)
	return v
}

// isUnjudged reports whether a client of TLS 1.3 that had completed its
// handshake left, and what the server made of it was not seen.
func (w *wire) isUnjudged() bool {
	return w.Version >= tlswire.VersionTLS13 && w.finished.Client && w.finished.Server && w.EndedBy == endpoint.Client && w.End != tlsdecrypt.Closed
}
