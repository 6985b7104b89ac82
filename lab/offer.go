package lab

import (
	"bytes"
	"encoding/binary"

	"mtlslab.example/lab/lab/tlswire"
)

// offering returns what a client writes with suites in place of the cipher
// suites that crypto/tls offers, as many times as are needed to fill their
// place. Anything but a ClientHello is left as it is.
//
// The handshake cannot succeed, since the two sides have then seen different
// messages: it is for suites that crypto/tls does not have, and that the server
// refuses before that matters.
func offering(suites []uint16, record []byte) []byte {
	const sessionID = tlswire.RecordHeaderLen + tlswire.HandshakeHeaderLen + 2 + 32 // after version and random (RFC 8446 section 4.1.2)
	if len(record) <= sessionID || record[0] != byte(tlswire.ContentTypeHandshake) || record[tlswire.RecordHeaderLen] != byte(tlswire.TypeClientHello) {
		return record
	}
	start := sessionID + 1 + int(record[sessionID])
	if len(record) < start+2 {
		return record
	}
	end := start + 2 + int(binary.BigEndian.Uint16(record[start:]))
	if len(record) < end {
		return record
	}
	changed := bytes.Clone(record)
	for i, at := 0, start+2; at+1 < end; i, at = i+1, at+2 {
		binary.BigEndian.PutUint16(changed[at:], suites[i%len(suites)])
	}
	return changed
}
