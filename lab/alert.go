package lab

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"sync/atomic"
)

// Alert is a TLS alert that ended a connection (RFC 8446 section 6).
type Alert struct {
	Code   uint8  `json:"code"`
	Name   string `json:"name"`
	SentBy Side   `json:"sent_by"`
}

// alertNames are the descriptions in IANA's TLS Alerts registry.
var alertNames = map[uint8]string{
	0:   "close_notify",
	10:  "unexpected_message",
	20:  "bad_record_mac",
	21:  "decryption_failed",
	22:  "record_overflow",
	30:  "decompression_failure",
	40:  "handshake_failure",
	41:  "no_certificate",
	42:  "bad_certificate",
	43:  "unsupported_certificate",
	44:  "certificate_revoked",
	45:  "certificate_expired",
	46:  "certificate_unknown",
	47:  "illegal_parameter",
	48:  "unknown_ca",
	49:  "access_denied",
	50:  "decode_error",
	51:  "decrypt_error",
	60:  "export_restriction",
	70:  "protocol_version",
	71:  "insufficient_security",
	80:  "internal_error",
	86:  "inappropriate_fallback",
	90:  "user_canceled",
	100: "no_renegotiation",
	109: "missing_extension",
	110: "unsupported_extension",
	111: "certificate_unobtainable",
	112: "unrecognized_name",
	113: "bad_certificate_status_response",
	114: "bad_certificate_hash_value",
	115: "unknown_psk_identity",
	116: "certificate_required",
	117: "general_error",
	120: "no_application_protocol",
	121: "ech_required",
}

func newAlert(code uint8, sentBy Side) *Alert {
	name, known := alertNames[code]
	if !known {
		name = fmt.Sprintf("alert(%d)", code)
	}
	return &Alert{Code: code, Name: name, SentBy: sentBy}
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
