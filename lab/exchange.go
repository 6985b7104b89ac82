package lab

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// Exchange is one TCP connection: one handshake attempt and, if it succeeds,
// the HTTP that follows. Its JSON form is part of the command line's contract.
type Exchange struct {
	Number     int       `json:"exchange"` // counted from 1, in the order of connecting
	Time       time.Time `json:"time"`     // when the connection was made, UTC
	ClientAddr string    `json:"client_addr"`
	ServerAddr string    `json:"server_addr"`
	verdict.Verdict
	TLS        TLS     `json:"tls"`
	Server     Party   `json:"server"`
	Client     Party   `json:"client"`
	HTTP       *HTTP   `json:"http,omitempty"` // nil when no request was answered
	DurationMS float64 `json:"duration_ms"`    // of the connection; of one that is still open, until its verdict

	// NotShown are the exchanges that ended after this one and are only counted,
	// because [Journal.Each] was too slow; nil: none.
	NotShown *Counts `json:"not_shown,omitempty"`

	// Wire is what was said, as far as it could be read; nil if the journal does
	// not dissect. Journal.Each owns it.
	Wire  *tlsdecrypt.Connection `json:"-"`
	views views
	// WireLeftOut says that there is no Wire because Each was too slow.
	WireLeftOut bool `json:"-"`
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
	Certificate string          `json:"certificate"`       // subject of the one that it presented; empty for none, too
	Error       string          `json:"error"`             // that it ended with; empty for none, too
	State       verdict.State   `json:"state,omitempty"`   // how far it got, as it saw it
	Learned     verdict.Learned `json:"learned,omitempty"` // when it knew of the rejection
	Identity    Identity        `json:"-"`                 // of a client, as the server has verified it
}

// HTTP is how the requests of an exchange were answered.
type HTTP struct {
	Status int   `json:"status"`         // of the first response
	Also   []int `json:"also,omitempty"` // other ones, of later responses
}

// Statuses returns all of them.
func (h *HTTP) Statuses() tlsdecrypt.Statuses {
	return append(tlsdecrypt.Statuses{h.Status}, h.Also...)
}

// status returns the status of the response; 0: none.
func (h *HTTP) status() int {
	if h == nil {
		return 0
	}
	return h.Status
}

// status returns the status of the first response; 0: there was none.
func (x *Exchange) status() int { return x.HTTP.status() }

// describeTLS returns what a connection negotiated, which is complete only
// after its handshake.
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

// subject returns the subject of the first certificate of a chain, or "".
func subject(certificates []*x509.Certificate) string {
	if len(certificates) == 0 {
		return ""
	}
	return chain.Name(certificates[0])
}
