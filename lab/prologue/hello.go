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
		return matches(b, []byte{byte(tlswire.ContentTypeAlert), 3, 4, 0, 2, 2}, 2, 5)
	case b[0]&0x80 != 0 && from == endpoint.Client:
		return startsHelloV2(b)
	}
	return no
}

// startsHello looks at the header of the record, and that of the handshake
// message and the version in it (RFC 9846 sections 5.1 and 4.2).
func startsHello(b []byte, hello tlswire.HandshakeType) match {
	pattern := []byte{byte(tlswire.ContentTypeHandshake), 3, 4, 0x40, 0xff, byte(hello), 0, 0xff, 0xff, 3, 4}
	if len(b) >= tlswire.RecordHeaderLen { // a message may be spread over tiny records
		n := int(b[3])<<8 + int(b[4])
		if n == 0 {
			return no
		}
		pattern = pattern[:min(len(pattern), tlswire.RecordHeaderLen+n)]
	}
	return matches(b, pattern, 2, 3, 4, 7, 8, 10)
}

// matches compares bytes with a pattern. At the places in most, it has the
// largest value that fits.
func matches(b, pattern []byte, most ...int) match {
	for i := range min(len(b), len(pattern)) {
		bound := false
		for _, place := range most {
			bound = bound || place == i
		}
		if b[i] > pattern[i] || b[i] < pattern[i] && !bound {
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
	if got := matches(b, []byte{0xff, 0xff, byte(tlswire.TypeClientHello), 3, 4, 0xff, 0xff, 0, 32, 0, 32}, 0, 1, 4, 5, 6, 8, 10); got != yes {
		return got
	}
	size := int(b[0]&0x7f)<<8 + int(b[1])
	specs, id, challenge := int(b[5])<<8+int(b[6]), int(b[8]), int(b[10])
	if specs%3 != 0 || challenge < 16 || size != 9+specs+id+challenge {
		return no
	}
	return yes
}
