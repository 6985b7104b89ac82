package lab

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Outcome is how an exchange ended.
type Outcome string

// The outcomes. An exchange is accepted when the handshake has succeeded on
// both sides, whatever HTTP status followed.
const (
	Accepted Outcome = "accepted"
	Rejected Outcome = "rejected"
)

// Exchange is one TCP connection: one handshake attempt and, if it succeeds,
// the HTTP that follows. Its JSON form is part of the command line's contract.
type Exchange struct {
	Number     int       `json:"exchange"` // counted from 1, in the order of connecting
	Time       time.Time `json:"time"`     // when the connection was made, UTC
	ClientAddr string    `json:"client_addr"`
	ServerAddr string    `json:"server_addr"`
	Verdict
	TLS        TLS     `json:"tls"`
	Server     Party   `json:"server"`
	Client     Party   `json:"client"`
	HTTP       *HTTP   `json:"http,omitempty"` // nil when no request was answered
	DurationMS float64 `json:"duration_ms"`

	// NotShown are the exchanges that ended after this one and are only counted,
	// because [Journal.Each] was too slow; nil: none.
	NotShown *Unshown `json:"not_shown,omitempty"`

	// Wire is what was said, as far as it could be read, if the journal has it
	// dissected. It belongs to whoever gets the exchange.
	Wire *tlsdecrypt.Connection `json:"-"`
	// WireLeftOut says that there is no Wire because Each was too slow.
	WireLeftOut bool `json:"-"`
}

// Verdict is what became of an exchange.
type Verdict struct {
	Outcome    Outcome       `json:"outcome"`
	RejectedBy endpoint.Side `json:"rejected_by,omitempty"`
	Reason     string        `json:"reason,omitempty"` // why, in one sentence
	Alert      *Alert        `json:"alert,omitempty"`  // nil when none was sent, or none is known
	Code       Code          `json:"code,omitempty"`   // why, for programs
	Fix        string        `json:"fix,omitempty"`    // what to change, in words
}

// TLS is what was negotiated. After a failed handshake it holds what was
// agreed on until then.
type TLS struct {
	Version     string `json:"version"`      // "TLS 1.3"
	CipherSuite string `json:"cipher_suite"` // IANA's name
	Group       string `json:"group"`        // of the key exchange, IANA's name
	ALPN        string `json:"alpn"`
	ServerName  string `json:"server_name"` // from the ClientHello's server_name
	Resumed     bool   `json:"resumed"`
}

// Party is one end of an exchange. What is unknown, since that end is another
// program's, is empty.
type Party struct {
	Certificate string  `json:"certificate"`       // subject of the one that it presented; empty for none, too
	Error       string  `json:"error"`             // that it ended with; empty for none, too
	State       State   `json:"state,omitempty"`   // how far it got, as it saw it itself
	Learned     Learned `json:"learned,omitempty"` // when it knew of the rejection
}

// State is how far one side got, and so what it believed when it was rejected,
// or rejected the other.
type State string

// The states, each beyond the one before.
const (
	StateConnected   State = "connected" // nothing was agreed on
	StateHandshake   State = "handshake under way"
	StateComplete    State = "handshake complete"
	StateRequestSent State = "handshake complete, request sent"
	StateAnswered    State = "request answered"
)

// stateOf tells how far a connection got, apart from its requests.
func stateOf(state tls.ConnectionState, answered bool) State {
	switch {
	case answered:
		return StateAnswered
	case state.HandshakeComplete:
		return StateComplete
	case state.Version != 0:
		return StateHandshake
	}
	return StateConnected
}

// Learned is when one side knew that the other had been rejected, or that it
// had been itself.
type Learned string

// A TLS 1.3 client ends its handshake before the server has looked at its
// certificate: it believes that it is in until it reads for the first time.
const (
	LearnedInHandshake Learned = "in the handshake"
	LearnedAtFirstRead Learned = "at its first read, after its handshake"
)

// HTTP is the first request of an exchange.
type HTTP struct {
	Status int `json:"status"` // of the response
}

// describeTLS reads what a connection negotiated, which is complete only after
// its handshake.
func describeTLS(state tls.ConnectionState) TLS {
	t := TLS{ALPN: state.NegotiatedProtocol, ServerName: state.ServerName, Resumed: state.DidResume}
	if state.Version != 0 {
		t.Version = tlswire.Version(state.Version).String()
	}
	if state.CipherSuite != 0 {
		t.CipherSuite = tlswire.CipherSuite(state.CipherSuite).String()
	}
	if state.CurveID != 0 {
		t.Group = tlswire.NamedGroup(state.CurveID).String()
	}
	return t
}

// subject names the first certificate of a chain, or nothing.
func subject(chain []*x509.Certificate) string {
	if len(chain) == 0 {
		return ""
	}
	return nameOf(chain[0])
}

// nameOf names whom a certificate is for: its subject or, if that is empty, the
// first of its alternative names. It is never empty.
func nameOf(c *x509.Certificate) string {
	if s := c.Subject.String(); s != "" {
		return s
	}
	for _, names := range []struct {
		kind  string
		first []string
	}{{"DNS", c.DNSNames}, {"IP", texts(c.IPAddresses)}, {"URI", texts(c.URIs)}, {"email", c.EmailAddresses}} {
		if len(names.first) > 0 {
			return "(no subject) " + names.kind + ":" + names.first[0]
		}
	}
	return "(no subject)"
}

// texts are the values as they are written.
func texts[T fmt.Stringer](values []T) (written []string) {
	for _, v := range values {
		written = append(written, v.String())
	}
	return written
}
