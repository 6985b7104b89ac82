package lab

import (
	"sync/atomic"

	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

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

// seen returns what was seen.
func (a *alertWatch) seen() verdict.Seen {
	return verdict.Seen{Sent: a.sent.Load(), Received: a.received.Load()}
}
