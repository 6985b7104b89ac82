package capture

import "encoding/binary"

// udp reads a UDP header (RFC 768). What carries no packets is counted.
func (f *frames) udp(b []byte) (protocol, []byte) {
	if len(b) < 8 {
		return malformed, nil
	}
	be := binary.BigEndian
	s := &f.segment
	s.from.port, s.to.port = be.Uint16(b), be.Uint16(b[2:])
	payload := b[8:]
	if length := int(be.Uint16(b[4:])); length >= 8 && length < len(b) {
		payload = b[8:length]
	}
	for _, port := range []uint16{s.to.port, s.from.port} {
		if p, ok := carried(port, payload); ok {
			return p, payload
		}
	}
	if !s.quoted {
		f.unread.datagram(f.datagram(payload), s.from, s.to)
	}
	return taken, nil
}

// datagram guesses the protocol of a UDP payload from its bytes and ports; udp
// if they do not say.
func (f *frames) datagram(b []byte) protocol {
	const portNAT, portWireGuard = 4500, 51820
	switch {
	case isDTLS(b):
		return dtls
	case isQUIC(b):
		return quic
	case f.hasPort(portNAT) && len(b) >= 8 && binary.BigEndian.Uint32(b) != 0: // RFC 3948 section 2
		return esp
	case f.hasPort(portWireGuard) && len(b) >= 32 && b[0] >= 1 && b[0] <= 4 && b[1]|b[2]|b[3] == 0:
		return wireGuard
	}
	return udp
}

func (f *frames) hasPort(port uint16) bool {
	return f.segment.from.port == port || f.segment.to.port == port
}

// isDTLS reports whether b begins with a record of DTLS (RFC 6347 section 4.1,
// and RFC 9147 section 4: but for those of 1.3 that are encrypted, whose header
// says next to nothing).
func isDTLS(b []byte) bool {
	if len(b) < 13 || b[0] < 20 || b[0] > 26 {
		return false
	}
	be := binary.BigEndian
	version := be.Uint16(b[1:])
	return (version >= 0xfefc && version <= 0xfeff || version == 0x0100) && 13+int(be.Uint16(b[11:])) <= len(b)
}

// isQUIC reports whether b begins with a long header of QUIC
// (RFC 8999 section 5.1) of a version that is known.
func isQUIC(b []byte) bool {
	if len(b) < 7 || b[0]&0x80 == 0 {
		return false
	}
	switch version := binary.BigEndian.Uint32(b[1:]); {
	case version == 0: // Version Negotiation
	case version == 1, version == 0x6b3343cf: // RFC 9000, RFC 9369
	case version>>8 == 0xff0000, version>>8 == 0x709a50: // drafts of the two
	case version>>24 == 'Q' || version>>24 == 'T': // Google's
	case version>>8 == 0xfaceb0: // Facebook's
	case version&0x0f0f0f0f == 0x0a0a0a0a: // one that forces a negotiation
	default:
		return false
	}
	to := int(b[5])
	if to > 20 || len(b) < 7+to {
		return false
	}
	from := int(b[6+to])
	return from <= 20 && len(b) >= 7+to+from
}
