package lab

import (
	"errors"
	"net"
	"reflect"
	"sync/atomic"

	"mtlslab.example/lab/lab/tlswire"
)

// Alert is a TLS alert that ended a connection (RFC 8446 section 6).
type Alert struct {
	Code    uint8  `json:"code"`
	Name    string `json:"name"`
	SentBy  Side   `json:"sent_by"`
	Arrived *bool  `json:"arrived,omitempty"` // at the other side; nil when that side is another program's
}

func newAlert(code uint8, sentBy Side) *Alert {
	return &Alert{Code: code, Name: tlswire.AlertDescription(code).String(), SentBy: sentBy}
}

// receivedAlert returns the alert that err says the peer sent. crypto/tls wraps
// it as a number of an unexported type in a net.OpError "remote error".
func receivedAlert(err error) (code uint8, ok bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0, false
	}
	v := reflect.ValueOf(op.Err)
	if v.Kind() != reflect.Uint8 {
		return 0, false
	}
	return uint8(v.Uint()), true
}

// alertWatch remembers the last alerts that crossed a connection in plain text:
// all of TLS 1.2's handshake, and those from before there were keys.
type alertWatch struct{ sent, received atomic.Pointer[uint8] }

// sending looks at what is written, which is one record or several.
func (a *alertWatch) sending(b []byte) { watch(&a.sent, b) }

// receiving looks at what was read. An alert is the last that a peer sends.
func (a *alertWatch) receiving(b []byte) { watch(&a.received, b) }

// watch takes b's end for an alert if it is the record of one: type 21, version,
// length 2, level, description.
func watch(last *atomic.Pointer[uint8], b []byte) {
	if len(b) < 7 {
		return
	}
	if b = b[len(b)-7:]; b[0] == 21 && b[1] == 3 && b[3] == 0 && b[4] == 2 {
		code := b[6]
		last.Store(&code)
	}
}
