package lab

import (
	"errors"
	"net"
	"reflect"
	"sync/atomic"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Alert is a TLS alert that ended a connection (RFC 8446 section 6).
type Alert struct {
	Code    uint8         `json:"code"`
	Name    string        `json:"name"`
	SentBy  endpoint.Side `json:"sent_by"`
	Arrived *bool         `json:"arrived,omitempty"` // at the other side; nil when that side is another program's
}

func newAlert(d tlswire.AlertDescription, sentBy endpoint.Side) *Alert {
	return &Alert{Code: uint8(d), Name: d.String(), SentBy: sentBy}
}

// receivedAlert returns the alert that err says the peer sent. crypto/tls wraps
// it as a number of an unexported type in a net.OpError "remote error".
func receivedAlert(err error) (d tlswire.AlertDescription, ok bool) {
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

// alertWatch remembers the last alerts that crossed a connection in plain text:
// all of TLS 1.2's handshake, and those from before there were keys.
type alertWatch struct {
	sent, received atomic.Pointer[tlswire.AlertDescription]
	spoke          atomic.Bool // something of the handshake was sent
}

// sending looks at what is written, which is one record or several.
func (a *alertWatch) sending(b []byte) {
	watch(&a.sent, b)
	if len(b) > 0 && b[0] == byte(tlswire.ContentTypeHandshake) {
		a.spoke.Store(true)
	}
}

// receiving looks at what was read. An alert is the last that a peer sends.
func (a *alertWatch) receiving(b []byte) { watch(&a.received, b) }

// watch takes b's end for an alert if it is the record of one: type, version,
// length 2, level, description.
func watch(last *atomic.Pointer[tlswire.AlertDescription], b []byte) {
	const size = tlswire.RecordHeaderLen + 2
	if len(b) < size {
		return
	}
	if b = b[len(b)-size:]; b[0] == byte(tlswire.ContentTypeAlert) && b[1] == 3 && b[3] == 0 && b[4] == 2 {
		d := tlswire.AlertDescription(b[6])
		last.Store(&d)
	}
}
