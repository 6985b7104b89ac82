package lab

import (
	"sync/atomic"

	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// plainAlerts remembers the last alerts that crossed a connection unencrypted:
// those of a TLS 1.2 handshake, and those sent before there were keys.
type plainAlerts struct {
	sent, received atomic.Pointer[tlswire.AlertDescription]
	spoke          atomic.Bool // a handshake record was sent
}

// sending inspects what is written: one record or several.
func (a *plainAlerts) sending(b []byte) {
	storeAlert(&a.sent, b)
	if len(b) > 0 && b[0] == byte(tlswire.ContentTypeHandshake) {
		a.spoke.Store(true)
	}
}

// receiving inspects what was read. An alert is the last that a peer sends.
func (a *plainAlerts) receiving(b []byte) { storeAlert(&a.received, b) }

// storeAlert stores the alert that b ends with, if it ends with the record of
// one: type, version, length 2, level, description.
func storeAlert(last *atomic.Pointer[tlswire.AlertDescription], b []byte) {
	const size = tlswire.RecordHeaderLen + 2
	if len(b) < size {
		return
	}
	if b = b[len(b)-size:]; b[0] == byte(tlswire.ContentTypeAlert) && b[1] == 3 && b[3] == 0 && b[4] == 2 {
		d := tlswire.AlertDescription(b[6])
		last.Store(&d)
	}
}

// seen returns the alerts for a verdict.
func (a *plainAlerts) seen() verdict.Seen {
	return verdict.Seen{Sent: a.sent.Load(), Received: a.received.Load()}
}
