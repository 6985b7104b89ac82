package verdict

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"strconv"
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Reason is why an exchange ended as it did.
type Reason struct {
	Code   Code
	Text   string  // a sentence without a full stop
	Fix    string  // what to change, where that is not what Code says
	Causes []Cause // what may be behind it, where Code leaves that open
}

// Misbehaviour is the error of a side that broke the protocol on purpose, and
// so knows why the exchange ended.
type Misbehaviour interface {
	error
	// Why returns why the exchange of a side that did so ended.
	Why(side endpoint.Side) (Code, string)
	// HungUp reports whether it was this side that ended the exchange.
	HungUp() bool
}

// Explain says why side rejected the other, from its own error.
func Explain(err error, side endpoint.Side) Reason {
	whose := "the " + side.Other().String() + "'s certificate"
	if fault, ok := chain.Explain(err, nil, side); ok {
		var revoked *chain.RevokedError
		if errors.As(err, &revoked) && !revoked.CA {
			whose += " " + revoked.Subject
		}
		return Reason{Code: fault.Code, Text: fault.Of(whose, leafIn(err)), Fix: fault.Fix}
	}
	if why, ok := explainNotTLS(err, side); ok {
		return why
	}
	// crypto/tls has no types for the rest.
	text := strings.TrimPrefix(err.Error(), "tls: ")
	for _, known := range []struct {
		part string
		code Code
		text string
	}{
		{"client didn't provide a certificate", NoClientCertificate, noClientCertificate},
		{"failed to parse certificate from", chain.Malformed, whose + " cannot be read: " + afterLast(text, "x509: ")},
		{"no certificates configured", UnrecognizedName, "the server has no certificate for the name that the client asked for"},
		{"invalid signature by the", BadSignature, badSignature(side.Other())},
		{"offered only unsupported versions", NoCommonVersion, noCommonVersion},
		{"selected unsupported protocol version", NoCommonVersion, noCommonVersion},
		{"*tls.clientHelloMsg when waiting for *tls.serverHelloMsg", SpokeNoTLS, "the server did not speak TLS as a server does, but sent a ClientHello, as an echo server does that sends back what it gets"},
		{"no renegotiation", Other, "the server wants to renegotiate, as one does that asks for a certificate for some paths alone (Apache: SSLVerifyClient in a Location), which this client does not do"},
		{"application protocol", NoCommonALPN, "the two sides have no HTTP version in common"},
		{"no cipher suite supported by both", NoCommonCipherSuite, "the two sides have no cipher suite in common"},
		{"no key exchanges supported by both", NoCommonGroup, "the two sides have no group for the key exchange in common"},
		{"signature algorithms", NoCommonSignature, "the server makes no signature with its key that the client takes: the key is of another kind, or it may not sign that way"},
	} {
		if strings.Contains(text, known.part) {
			return Reason{Code: known.code, Text: known.text}
		}
	}
	return Reason{Code: Other, Text: text}
}

// afterLast returns what follows the last place of mark in text: all of it if
// there is none.
func afterLast(text, mark string) string {
	if i := strings.LastIndex(text, mark); i >= 0 {
		return text[i+len(mark):]
	}
	return text
}

const (
	noClientCertificate = "the client sent no certificate"
	noCommonVersion     = "the two sides have no TLS version in common"
)

func badSignature(of endpoint.Side) string {
	return "the " + of.String() + " does not have the private key of its certificate: its signature is wrong"
}

// explainNotTLS knows connections on which there is no TLS to speak of.
func explainNotTLS(err error, side endpoint.Side) (Reason, bool) {
	var notTLS tls.RecordHeaderError
	var own Misbehaviour
	switch {
	case errors.As(err, &own):
		code, text := own.Why(side)
		return Reason{Code: code, Text: text}, true
	case errors.As(err, &notTLS):
		return spokeNoTLS(side.Other(), tlsdecrypt.Plain{HTTP: httpwire.IsStart(notTLS.RecordHeader[:])}, notTLS.RecordHeader[:]), true
	case isTimeout(err):
		return tooSlow(side.Other()), true
	}
	return Reason{}, false
}

// spokeNoTLS says what a side has said that does not speak TLS. start are its
// first bytes, of which there may be few.
func spokeNoTLS(who endpoint.Side, said tlsdecrypt.Plain, start []byte) Reason {
	if who == endpoint.Client && prologue.IsHeader(start) {
		return putBeforeTLS("")
	}
	if why, ok := greets(start); ok && who == endpoint.Server && !said.HTTP {
		return why
	}
	text := "the " + who.String() + " did not speak TLS"
	switch {
	case said.HTTP:
		text += ", but plain HTTP"
	case said.Echo:
		text += ", but sends back what it gets, as an echo server does"
	}
	return Reason{Code: SpokeNoTLS, Text: text}
}

func tooSlow(who endpoint.Side) Reason {
	return Reason{Code: TooSlow, Text: "the " + who.String() + " was silent for too long"}
}

// explainFromAfar explains a rejection from what arrived at the side that was
// rejected. witness is that side's view, nil if there is none.
func explainFromAfar(witness *View, v Verdict) Reason {
	by := v.RejectedBy
	var own Misbehaviour
	switch {
	case witness != nil && errors.As(witness.Err, &own): // it caused this itself
		code, text := own.Why(by.Other())
		return Reason{Code: code, Text: text}
	case v.Alert == nil:
		why := closedBy(by, witness == nil || !errors.Is(witness.Err, io.EOF))
		if by == endpoint.Client && witness != nil && witness.State == StateHandshake { // and so was asked for a certificate
			why.Text += closedAfterCertificate
		}
		return why
	}
	d := tlswire.AlertDescription(v.Alert.Code)
	if d == tlswire.AlertHandshakeFailure && by == endpoint.Server && witness.showing() == SentNothing && witness.State == StateConnected {
		return Reason{Code: Other, Text: nothingInCommon, Fix: compareOffers}
	}
	return meaning(d, by, witness.showing())
}

// What explains a client that closes after the server's certificate, and one
// that was not asked for its own.
const (
	closedAfterCertificate = ", as a browser does that fetches its certificate first and then calls again, or a program (Node, Java) that refuses the server's"
	closedUnasked          = ", as a program (Node, Java) does that refuses the server's certificate"
)

// closedBy says that a side has ended the connection without an alert: broken
// means in no good order.
func closedBy(by endpoint.Side, broken bool) Reason {
	if broken {
		return Reason{Code: Closed, Text: "the " + by.String() + " broke off the connection without an alert"}
	}
	return Reason{Code: Closed, Text: "the " + by.String() + " closed the connection during the handshake, without an alert"}
}

// RefuseInHTTP returns the reason of a refusal in HTTP, with a status. The code
// of why is its code, if that says more than that there was a refusal.
func RefuseInHTTP(status int, why Reason) *Reason {
	why.Text = "the server asked for a certificate, and refuses in HTTP with " + strconv.Itoa(status) + ": " + why.Text
	if isVague(why.Code) {
		why.Code = RefusedInHTTP
	}
	return &why
}

// leafIn returns the certificate that crypto/tls refused, if err has it.
func leafIn(err error) *x509.Certificate {
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0 {
		return verification.UnverifiedCertificates[0]
	}
	return nil
}
