package fault

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"

	"mtlslab.example/lab/lab/tlswire"
)

// Offer has a client offer suites in place of the cipher suites of crypto/tls,
// repeated as often as is needed to fill their place.
//
// The handshake cannot succeed, since the two sides have then seen different
// messages: it is for suites that crypto/tls does not have, and that the server
// refuses before that matters.
func Offer(suites []uint16) Fault {
	return func(conn net.Conn, _ *tls.Config) net.Conn { return offer{wrapper{conn}, suites} }
}

type offer struct {
	wrapper
	suites []uint16
}

// Write passes on whole records, as crypto/tls writes them.
func (o offer) Write(b []byte) (int, error) { return o.Conn.Write(offering(o.suites, b)) }

// offering returns a ClientHello with suites in it. Anything else is returned
// as it is.
func offering(suites []uint16, record []byte) []byte {
	const sessionID = tlswire.RecordHeaderLen + tlswire.HandshakeHeaderLen + 2 + 32 // after version and random (RFC 9846 section 4.2.2)
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
