package tlsdecrypt

import (
	"slices"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Outcome is what became of a connection.
type Outcome string

// The outcomes.
const (
	Accepted   Outcome = "accepted" // the handshake succeeded
	Rejected   Outcome = "rejected" // an alert ended it
	Broken     Outcome = "broken"   // it succeeded, and an alert ended the connection later
	Unended    Outcome = "open"     // it goes on
	Aborted    Outcome = "aborted"  // the connection ended without it
	Unreadable Outcome = "unknown"  // what would tell is encrypted
	Incomplete Outcome = "cut off"  // what would tell is not in the capture
	NotTLS     Outcome = "not TLS"  // a side began with something else
)

// Verdict is what became of a connection, as far as can be seen.
type Verdict struct {
	Outcome Outcome
	// Alert is the one that ended the connection, and not in good order; nil if there was none.
	Alert *Message
	// Judgements are the server's first messages after the client's Finished: they
	// show what it thinks of the client's certificate. There is more than one when
	// there was another handshake or authentication on the connection.
	Judgements []*Message
	// Refusal is the server's answer to the first request when it asked for a
	// certificate and that answer may be what it says to the one it got: 400, 401,
	// 403, or nginx's own 495 and 496; nil otherwise.
	Refusal *Message
}

// refusals are the HTTP status codes of servers that refuse a client.
var refusals = []int{400, 401, 403, 495, 496}

// Verdict judges by the messages that can be read.
func (c *Connection) Verdict() Verdict {
	var v Verdict
	var client, server, judged bool // is Finished, is Finished, has judged the client
	succeeded, closed, answered := false, false, false
	done := func() bool {
		return client && server && (judged || c.Version < tlswire.VersionTLS13 || !c.ClientAuth)
	}
	again := func() {
		succeeded = succeeded || done()
		client, judged = false, false
	}
	for _, m := range c.Messages {
		closed = closed || m.Encrypted
		if v.Alert == nil && m.Alert != nil && m.Alert.Closes(c.Version) && m.Alert.Description != tlswire.AlertCloseNotify {
			succeeded = succeeded || done()
			v.Alert = m
		}
		if client && !judged && m.From == endpoint.Server && !m.Encrypted {
			judged = true
			v.Judgements = append(v.Judgements, m)
		}
		if !answered && m.HTTP != nil && !m.HTTP.Request && m.HTTP.Status >= 200 {
			answered = true
			if c.ClientAuth && slices.Contains(refusals, m.HTTP.Status) {
				v.Refusal = m
			}
		}
		if m.Handshake == nil {
			continue
		}
		switch m.Handshake.Body.(type) {
		case *tlswire.ClientHello:
			if client && server { // RFC 5246 7.4.1.2
				again()
				server = false
			}
		case *tlswire.CertificateRequest:
			if client { // RFC 8446 4.6.2
				again()
			}
		case *tlswire.Finished:
			client, server = client || m.From == endpoint.Client, server || m.From == endpoint.Server
		}
	}
	switch {
	case v.Alert != nil && succeeded:
		v.Outcome = Broken
	case c.NotTLSFrom != endpoint.Unknown:
		v.Outcome = NotTLS
	case v.Alert != nil:
		v.Outcome = Rejected
	case succeeded, done():
		v.Outcome = Accepted
	case closed && c.Version != 0 && c.ClientRandom != nil:
		v.Outcome = Unreadable
	case c.End == StillOpen && !closed:
		v.Outcome = Unended
	case c.End == CutOff, c.lacking, closed:
		v.Outcome = Incomplete
	default:
		v.Outcome = Aborted
	}
	return v
}
