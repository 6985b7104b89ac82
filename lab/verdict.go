package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

// half is one side's view of an exchange.
type half struct {
	err     error  // that ended it; nil: accepted
	alert   *Alert // that this side sent or received, if it is known
	refused bool   // this side rejected the other, rather than heard of it or lost the connection
}

// newHalf sorts out what err says. version is the one agreed on, 0 for none
// yet; seen are the alerts that crossed the connection in plain text.
func newHalf(side Side, err error, version uint16, seen *alertWatch) half {
	h := half{err: err}
	if err == nil {
		return h
	}
	if code, ok := receivedAlert(err); ok {
		h.alert = newAlert(code, side.Other())
	} else if code := seen.received.Load(); code != nil && isRecordError(err) {
		// Some clients (OpenSSL, curl) send an alert about the server's TLS 1.3
		// certificate in plain text, which crypto/tls tries to decrypt.
		h.alert = newAlert(*code, side.Other())
	} else {
		h.refused = !isLoss(err)
		if code := seen.sent.Load(); code != nil {
			h.alert = newAlert(*code, side)
		} else if code, ok := alertFor(err, side, version); ok {
			h.alert = newAlert(code, side)
		}
	}
	return h
}

// judge joins what the two sides saw, either of which may be nil (another
// program's), into a verdict.
func judge(server, client *half) Verdict {
	if (server == nil || server.err == nil) && (client == nil || client.err == nil) {
		return Verdict{Outcome: Accepted}
	}
	v := Verdict{Outcome: Rejected}
	halves := map[Side]*half{ServerSide: server, ClientSide: client}
	v.RejectedBy = rejecter(server, client)
	own, other := halves[v.RejectedBy], halves[v.RejectedBy.Other()]
	for _, h := range []*half{other, own} { // what arrived counts for more than what was sent
		if v.Alert == nil && h != nil && h.alert != nil && h.alert.SentBy == v.RejectedBy {
			v.Alert = h.alert
		}
	}
	if own != nil && own.refused {
		v.Reason = explain(own.err, v.RejectedBy)
	} else {
		v.Reason = explainFromAfar(other, v)
	}
	return v
}

// rejecter finds out which side refused the other. That a client was told so
// counts for more than what it says itself: it may have failed to write first.
func rejecter(server, client *half) Side {
	switch {
	case client != nil && client.alert != nil && client.alert.SentBy == ServerSide:
		return ServerSide
	case server != nil && server.refused:
		return ServerSide
	case client != nil && client.refused:
		return ClientSide
	case server != nil && server.err != nil:
		return ClientSide // it sent an alert to the server, or went away
	}
	return ServerSide
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

// explain says in one sentence why side rejected the other, from its own error.
func explain(err error, side Side) string {
	other := string(side.Other())
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var notTLS tls.RecordHeaderError
	switch text := err.Error(); {
	case strings.Contains(text, "client didn't provide a certificate"):
		return "the client sent no certificate"
	case errors.As(err, &authority):
		return "the " + other + "'s certificate is not signed by a CA that the " + string(side) + " trusts"
	case errors.As(err, &host):
		return "the server's certificate is not for " + host.Host
	case errors.As(err, &invalid):
		return explainInvalid(invalid, other)
	case errors.As(err, &notTLS):
		return "the " + other + " did not speak TLS"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "the " + other + " was silent for too long"
	case strings.Contains(text, "offered only unsupported versions"), strings.Contains(text, "selected unsupported protocol version"):
		return "the two sides have no TLS version in common"
	case strings.Contains(text, "no application protocol"), strings.Contains(text, "unsupported application protocols"):
		return "the two sides have no HTTP version in common"
	case strings.Contains(text, "no cipher suite supported by both"):
		return "the two sides have no cipher suite in common"
	default:
		return strings.TrimPrefix(text, "tls: ")
	}
}

func explainInvalid(err x509.CertificateInvalidError, other string) string {
	whose := "the " + other + "'s certificate "
	switch err.Reason {
	case x509.Expired:
		if err.Cert != nil && err.Cert.NotBefore.After(time.Now()) {
			return whose + "is not valid yet"
		}
		return whose + "has expired"
	case x509.IncompatibleUsage:
		return whose + "is not for authenticating a " + other + " (extended key usage)"
	case x509.NotAuthorizedToSign:
		return whose + "was issued by a certificate that is not a CA"
	}
	return whose + "is not valid: " + strings.TrimPrefix(err.Error(), "x509: ")
}

// explainFromAfar says why the other side rejected, from what arrived here.
func explainFromAfar(witness *half, v Verdict) string {
	by := string(v.RejectedBy)
	if v.Alert == nil {
		if witness != nil && errors.Is(witness.err, io.EOF) {
			return "the " + by + " closed the connection during the handshake, without an alert"
		}
		return "the " + by + " broke off the connection without an alert"
	}
	return "the " + by + " sent " + v.Alert.Name + "; its own log knows why"
}

// alertFor tells which alert crypto/tls sends for an error of its own when it
// leaves encrypted and cannot be seen. ok is false where that is not certain.
func alertFor(err error, side Side, version uint16) (code uint8, ok bool) {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return alertForCertificate(verification, side), true
	}
	switch text := err.Error(); {
	case strings.Contains(text, "client didn't provide a certificate"):
		if version == tls.VersionTLS13 {
			return 116, true
		}
		return 40, true
	case strings.Contains(text, "invalid signature by the"):
		return 51, true
	}
	return 0, false
}

// alertForCertificate: a Go client says bad_certificate whatever is wrong.
func alertForCertificate(err *tls.CertificateVerificationError, side Side) uint8 {
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case side == ClientSide:
		return 42
	case errors.As(err, &authority):
		return 48
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return 45
	}
	return 42
}
