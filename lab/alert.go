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
// one: type, version, length 2, level, description. close_notify is not stored:
// it ends a connection in good order.
func storeAlert(last *atomic.Pointer[tlswire.AlertDescription], b []byte) {
	const size = tlswire.RecordHeaderLen + 2
	for len(b) >= size {
		record := b[len(b)-size:]
		if record[0] != byte(tlswire.ContentTypeAlert) || record[1] != 3 || record[3] != 0 || record[4] != 2 {
			return
		}
		if d := tlswire.AlertDescription(record[6]); d != tlswire.AlertCloseNotify {
			last.Store(&d)
			return
		}
		b = b[:len(b)-size]
	}
}

// seen returns the alerts for a verdict.
func (a *plainAlerts) seen() verdict.Seen {
	return verdict.Seen{Sent: a.sent.Load(), Received: a.received.Load()}
}
