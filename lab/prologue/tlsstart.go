package prologue

import (
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// match is whether bytes are the start of something.
type match uint8

const (
	no    match = iota
	maybe       // there are too few to know
	yes
)

// startsTLS reports whether bytes of a side begin with the first record that it
// sends in TLS: a ClientHello, or a ServerHello. answers means that the other
// side has begun TLS, so that an alert may be its answer.
func startsTLS(from endpoint.Side, b []byte, answers bool) match {
	if len(b) == 0 {
		return no
	}
	hello := tlswire.TypeClientHello
	if from == endpoint.Server {
		hello = tlswire.TypeServerHello
	}
	switch {
	case b[0] == byte(tlswire.ContentTypeHandshake):
		return startsHello(b, hello)
	case b[0] == byte(tlswire.ContentTypeAlert) && answers:
		return matches(b, is(byte(tlswire.ContentTypeAlert)), is(3), upTo(4), is(0), is(2), upTo(2))
	case b[0]&0x80 != 0 && from == endpoint.Client:
		return startsHelloV2(b)
	}
	return no
}

// startsHello looks at the header of the record, and that of the handshake
// message and the version in it (RFC 9846 sections 5.1 and 4.2).
func startsHello(b []byte, hello tlswire.HandshakeType) match {
	pattern := []octet{
		is(byte(tlswire.ContentTypeHandshake)), is(3), upTo(4), upTo(0x40), anything, // type, version, length
		is(byte(hello)), is(0), anything, anything, // type, length
		is(3), upTo(4), // version
	}
	if len(b) >= tlswire.RecordHeaderLen { // a message may be spread over tiny records
		n := int(b[3])<<8 + int(b[4])
		if n == 0 {
			return no
		}
		pattern = pattern[:min(len(pattern), tlswire.RecordHeaderLen+n)]
	}
	return matches(b, pattern...)
}

// octet is what a byte may be.
type octet struct{ least, most byte }

var anything = octet{0, 0xff}

func is(b byte) octet      { return octet{b, b} }
func upTo(most byte) octet { return octet{0, most} }

// matches compares bytes with a pattern.
func matches(b []byte, pattern ...octet) match {
	for i, p := range pattern[:min(len(b), len(pattern))] {
		if b[i] < p.least || b[i] > p.most {
			return no
		}
	}
	if len(b) < len(pattern) {
		return maybe
	}
	return yes
}

// startsHelloV2 looks for a ClientHello in the form of SSL 2.0, with lengths
// that fit (RFC 5246 appendix E.2).
func startsHelloV2(b []byte) match {
	got := matches(b,
		anything, anything, is(byte(tlswire.TypeClientHello)), is(3), upTo(4), // length, type, version
		anything, anything, is(0), upTo(32), is(0), upTo(32), // lengths of cipher_specs, session_id, challenge
	)
	if got != yes {
		return got
	}
	size := int(b[0]&0x7f)<<8 + int(b[1])
	specs, id, challenge := int(b[5])<<8+int(b[6]), int(b[8]), int(b[10])
	if specs%3 != 0 || challenge < 16 || size != 9+specs+id+challenge {
		return no
	}
	return yes
}
