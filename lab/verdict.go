package lab

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// half is one side's view of an exchange.
type half struct {
	err     error   // that ended it; nil: accepted
	alert   *Alert  // that this side sent or received, if it is known
	refused bool    // this side rejected the other, rather than heard of it or lost the connection
	got     State   // how far it got
	inHTTP  *reason // why the server refused the client in HTTP; nil: it did not
	none    bool    // this side was asked for a certificate, and sent none
}

// learned tells when this side knew of the rejection.
func (h *half) learned() Learned {
	switch {
	case h.err == nil:
		return ""
	case h.got == StateComplete || h.got == StateRequestSent:
		return LearnedAtFirstRead
	}
	return LearnedInHandshake
}

// newHalf sorts out what err says. version is the one agreed on, 0 for none
// yet; seen are the alerts that crossed the connection in plain text.
func newHalf(side endpoint.Side, err error, version uint16, seen *alertWatch) half {
	h := half{err: err, got: StateConnected}
	if err == nil {
		return h
	}
	var instead *InsteadError
	if errors.As(err, &instead) {
		h.refused = instead.Spoke == InsteadHangUp
		if alert := seen.received.Load(); alert != nil {
			h.alert = newAlert(*alert, side.Other())
		}
		return h
	}
	if alert, ok := receivedAlert(err); ok {
		h.alert = newAlert(alert, side.Other())
	} else if alert := seen.received.Load(); alert != nil && isRecordError(err) {
		// Some clients (OpenSSL, curl) send an alert about the server's TLS 1.3
		// certificate in plain text, which crypto/tls tries to decrypt.
		h.alert = newAlert(*alert, side.Other())
	} else {
		h.refused = !isLoss(err)
		if alert := seen.sent.Load(); alert != nil {
			h.alert = newAlert(*alert, side)
		} else if alert, ok := alertFor(err, side, version); ok {
			h.alert = newAlert(alert, side)
		}
	}
	return h
}

// judge joins what the two sides saw, either of which may be nil (another
// program's), into a verdict.
func judge(server, client *half) Verdict {
	if (server == nil || server.err == nil) && (client == nil || client.err == nil) {
		return accepted(server, client)
	}
	v := Verdict{Outcome: Rejected}
	halves := map[endpoint.Side]*half{endpoint.Server: server, endpoint.Client: client}
	v.RejectedBy = rejecter(server, client)
	own, other := halves[v.RejectedBy], halves[v.RejectedBy.Other()]
	for _, h := range []*half{other, own} { // what arrived counts for more than what was sent
		if v.Alert == nil && h != nil && h.alert != nil && h.alert.SentBy == v.RejectedBy {
			alert := *h.alert
			v.Alert = &alert
			if other != nil {
				arrived := h == other
				alert.Arrived = &arrived
			}
		}
	}
	var why reason
	if own != nil && own.refused {
		why = explain(own.err, v.RejectedBy)
	} else {
		why = explainFromAfar(other, v)
	}
	v.explained(why, v.RejectedBy)
	return v
}

// accepted is the verdict on a handshake that both sides were content with. A
// server knows better than its client why it refuses in HTTP.
func accepted(server, client *half) Verdict {
	v := Verdict{Outcome: Accepted}
	for _, h := range []*half{server, client} {
		if h != nil && h.inHTTP != nil {
			v.explained(*h.inHTTP, endpoint.Server)
			return v
		}
	}
	return v
}

// explained gives the verdict its reason. by is the side that refused.
func (v *Verdict) explained(why reason, by endpoint.Side) {
	v.Code, v.Reason, v.Fix = why.code, why.text, why.fix(by)
}

// admission adds what became of an accepted client's request: it was not
// allowed, or there was none.
func (v *Verdict) admission(http *HTTP) {
	switch {
	case v.Outcome != Accepted || v.Code != "":
	case http == nil:
		v.Reason = "handshake complete, then the client closed without a request: one that compares the host name afterwards (curl) and refuses looks like this; a browser's spare connection and a health check too"
	case http.Status == 403:
		v.explained(reason{NotAuthorised, "the client was authenticated, but is not allowed what it asked for: the server answered 403"}, endpoint.Server)
	}
}

// witness puts the alert that was seen on the wire in the place of one that was
// concluded from the sides' errors. c may be nil.
func (v *Verdict) witness(c *tlsdecrypt.Connection) {
	if c == nil || v.Outcome != Rejected {
		return
	}
	for _, m := range c.Messages {
		if m.Alert == nil || m.Alert.Level == tlswire.AlertWarning || m.From.String() != v.RejectedBy.String() {
			continue
		}
		seen := newAlert(m.Alert.Description, v.RejectedBy)
		if v.Alert != nil {
			seen.Arrived = v.Alert.Arrived
		}
		v.Alert = seen
	}
}

// rejecter finds out which side refused the other. That a client was told so
// counts for more than what it says itself: it may have failed to write first.
func rejecter(server, client *half) endpoint.Side {
	switch {
	case client != nil && client.alert != nil && client.alert.SentBy == endpoint.Server:
		return endpoint.Server
	case server != nil && server.refused:
		return endpoint.Server
	case client != nil && client.refused:
		return endpoint.Client
	case server != nil && server.err != nil:
		return endpoint.Client // it sent an alert to the server, or went away
	}
	return endpoint.Server
}

// isRecordError tells whether crypto/tls could not make sense of a record.
func isRecordError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "local error"
}

// isLoss tells whether the connection went away without a word of TLS.
func isLoss(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &op) && (op.Op == "read" || op.Op == "write") && !errors.Is(err, os.ErrDeadlineExceeded)
}

// alertFor tells which alert crypto/tls sends for an error of its own when it
// leaves encrypted and cannot be seen. ok is false where that is not certain.
func alertFor(err error, side endpoint.Side, version uint16) (alert tlswire.AlertDescription, ok bool) {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return alertForCertificate(verification, side), true
	}
	if _, own := explainOwnCheck(err, side); own {
		return tlswire.AlertBadCertificate, true // whatever VerifyConnection returns
	}
	switch text := err.Error(); {
	case strings.Contains(text, "client didn't provide a certificate"):
		if version == tls.VersionTLS13 {
			return tlswire.AlertCertificateRequired, true
		}
		return tlswire.AlertHandshakeFailure, true
	case strings.Contains(text, "invalid signature by the"):
		return tlswire.AlertDecryptError, true
	}
	return 0, false
}

// alertForCertificate: a Go client says bad_certificate whatever is wrong.
func alertForCertificate(err *tls.CertificateVerificationError, side endpoint.Side) tlswire.AlertDescription {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case side == endpoint.Client:
		return tlswire.AlertBadCertificate
	case errors.As(err, &authority):
		return tlswire.AlertUnknownCA
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return tlswire.AlertCertificateExpired
	}
	return tlswire.AlertBadCertificate
}
