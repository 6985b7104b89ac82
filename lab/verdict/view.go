package verdict

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"reflect"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// View is one side's view of an exchange, by what its own program knows.
type View struct {
	Err     error   // that ended it; nil: accepted
	Alert   *Alert  // that this side received, or was seen to send; nil: none is known
	Refused bool    // this side rejected the other, rather than hear of it or lose the connection
	State   State   // how far it got
	InHTTP  *Reason // why the server refused the client in HTTP; nil: it did not
	Showing Showing // what this side has sent of itself

	// Of a client.
	WantsMutual bool  // it was to show a certificate
	Unasked     bool  // it was accepted in a full handshake, and the server has not asked for one
	Unanswered  error // why it has no whole answer, although it was accepted; see TakeUnanswered

	// Of a server.
	Takes   *tlswire.Offer // what it could have agreed on; nil: not known
	NoHello bool           // no whole ClientHello has come from the client
	Silent  bool           // not a byte has
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

// StateOf returns how far a connection got, apart from its requests.
func StateOf(state tls.ConnectionState, answered bool) State {
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

// IsPastHandshake reports whether a side has completed its handshake.
func (s State) IsPastHandshake() bool { return s != StateConnected && s != StateHandshake }

// CutShort is an answer that has begun, and that did not come whole.
type CutShort struct{ Err error }

func (e *CutShort) Error() string { return e.Err.Error() }

// Unwrap returns why it is not whole.
func (e *CutShort) Unwrap() error { return e.Err }

// TakeUnanswered makes of an error of a client that has completed its handshake
// what it has to say of the answer to its request, if that is not about TLS: it
// has refused nobody then, and the server has taken it.
func (v *View) TakeUnanswered() {
	begun := errors.As(v.Err, new(*CutShort))
	if (v.Refused || begun) && v.Alert == nil && !isRecordError(v.Err) && !isTimeout(v.Err) && !errors.As(v.Err, new(Misbehaviour)) {
		*v = View{Unanswered: v.Err, State: v.State, Showing: v.Showing}
	}
}

// IsCertain reports whether a client knows for certain what became of its
// handshake: that the connection was lost behind it may have any reason, and so
// may an alert once the server of TLS 1.2 has sent its Finished.
func (v *View) IsCertain(version tlswire.Version) bool {
	switch {
	case v.Err == nil, v.Refused:
		return true
	case v.State.IsPastHandshake() && (v.Alert == nil || version < tlswire.VersionTLS13):
		return false
	}
	return true
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

// Learned returns when this side knew of the rejection; "" if there was none.
func (v *View) Learned() Learned {
	switch {
	case v.Err == nil:
		return ""
	case v.State == StateComplete || v.State == StateRequestSent:
		return LearnedAtFirstRead
	}
	return LearnedInHandshake
}

// Seen are the last alerts that crossed a connection in plain text; nil: none.
type Seen struct{ Sent, Received *tlswire.AlertDescription }

// NewView sorts out the error with which crypto/tls, or a [Misbehaviour], ended
// an exchange. The caller adds State and what follows it.
func NewView(side endpoint.Side, err error, seen Seen) View {
	v := View{Err: err, State: StateConnected}
	if err == nil {
		return v
	}
	var own Misbehaviour
	if errors.As(err, &own) {
		v.Refused = own.HungUp()
		if seen.Received != nil {
			v.Alert = newAlert(*seen.Received, side.Other())
		}
		return v
	}
	if alert, ok := ReceivedAlert(err); ok {
		v.Alert = newAlert(alert, side.Other())
	} else if seen.Received != nil && isRecordError(err) {
		// Some clients (OpenSSL, curl) send an alert about the server's TLS 1.3
		// certificate in plain text, which crypto/tls tries to decrypt.
		v.Alert = newAlert(*seen.Received, side.Other())
	} else {
		v.Refused = !isLoss(err)
		if seen.Sent != nil {
			v.Alert = newAlert(*seen.Sent, side)
		}
	}
	return v
}

// ReceivedAlert returns the alert that err says the peer sent. crypto/tls wraps
// it as a number of an unexported type in a net.OpError "remote error".
func ReceivedAlert(err error) (d tlswire.AlertDescription, ok bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0, false
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 {
		return 0, false
	}
	return tlswire.AlertDescription(v.Uint()), true
}

// showing returns what a side has shown; nil is another program's.
func (v *View) showing() Showing {
	if v == nil {
		return MayHaveSent
	}
	return v.Showing
}

// isLeftUnsaid reports whether a server has lost a client before a whole
// ClientHello.
func (v *View) isLeftUnsaid() bool {
	return v != nil && v.NoHello && isLoss(v.Err) && !errors.As(v.Err, new(Misbehaviour))
}

// isRecordError reports whether crypto/tls could not make sense of a record.
func isRecordError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "local error"
}

// isLoss reports whether the connection ended without an alert.
func isLoss(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &op) && (op.Op == "read" || op.Op == "write") && !isTimeout(err)
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
