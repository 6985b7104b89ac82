package capture

import "encoding/binary"

// Ports of UDP of what carries packets.
const (
	portL2TP     = 1701
	portGTP      = 2152
	portTeredo   = 3544
	portGRE      = 4754
	portVXLAN    = 4789
	portVXLANGPE = 4790
	portCAPWAP   = 5247
	portGeneve   = 6081
	portMPLS     = 6635
	portVXLANOld = 8472 // Linux's before there was one for all; also OTV's, whose header looks the same
)

// carried returns what the payload of a UDP datagram to or from a port is by
// its first bytes, if it carries packets.
func carried(port uint16, b []byte) (protocol, bool) {
	if len(b) < 8 {
		return 0, false
	}
	switch port {
	case portL2TP:
		return l2tp, b[0]&0x80 == 0 && b[1]&15 == 2
	case portGTP:
		return gtp, b[0]&0xf0 == 0x30 && b[1] == 255
	case portTeredo:
		return teredo, b[0]>>4 == 6 || b[0] == 0 && b[1] <= 1
	case portGRE:
		return gre, b[1]&7 == 0
	case portVXLAN, portVXLANOld:
		return vxlan, b[0]&0x08 != 0
	case portVXLANGPE:
		return vxlanGPE, b[0]&0x0c == 0x0c
	case portCAPWAP:
		return capwap, b[0]>>4 == 0 && b[0] <= 1
	case portGeneve:
		return geneve, b[0]>>6 == 0
	case portMPLS:
		return mpls, true
	}
	return 0, false
}

// tunnel reads a header that is there to carry others.
func tunnel(p protocol, b []byte) (protocol, []byte) {
	be := binary.BigEndian
	switch p {
	case anyIP:
		return internet(b)
	case llc:
		return logicalLink(b)
	case ppp:
		return pointToPoint(b)
	case pppProtocol | 0x21:
		return ipv4, b
	case pppProtocol | 0x57:
		return ipv6, b
	case pppProtocol | 0x281, pppProtocol | 0x283, ipProtocol | 137:
		return mpls, b
	case gre:
		return routing(b)
	case ipProtocol | 97: // EtherIP (RFC 3378)
		return after(ethernet, b, 2)
	case vxlan:
		return after(ethernet, b, 8)
	case vxlanGPE: // draft-ietf-nvo3-vxlan-gpe
		return service(b[3], b, 8)
	case geneve: // RFC 8926 section 3.4
		return after(etherType|protocol(be.Uint16(b[2:])), b, 8+int(b[0]&0x3f)*4)
	case gtp:
		return gtpUser(b)
	case l2tp:
		return l2tpData(b)
	case teredo:
		return teredoPacket(b)
	case erspan2:
		return after(ethernet, b, 8)
	case erspan3:
		if len(b) >= 12 && b[11]&1 != 0 {
			return after(ethernet, b, 20)
		}
		return after(ethernet, b, 12)
	case wccp: // of version 2 with 4 bytes before the packet
		if len(b) > 0 && b[0]>>4 == 4 {
			return ipv4, b
		}
		return after(anyIP, b, 4)
	}
	return notRead, nil
}

// serviceHeader reads a Network Service Header (RFC 8300 section 2.2).
func serviceHeader(b []byte) (protocol, []byte) {
	if len(b) < 8 {
		return malformed, nil
	}
	return service(b[3], b, int(b[1]&0x3f)*4)
}

// service returns what is behind the first n bytes of b by the number that NSH
// and VXLAN-GPE have for it.
func service(next byte, b []byte, n int) (protocol, []byte) {
	switch next {
	case 1, 2:
		return after(anyIP, b, n)
	case 3:
		return after(ethernet, b, n)
	case 4:
		return after(etherType|0x894f, b, n)
	case 5:
		return after(mpls, b, n)
	}
	return notRead, nil
}

// internet returns the protocol of an IP packet by its version.
func internet(b []byte) (protocol, []byte) {
	switch {
	case len(b) == 0:
		return malformed, nil
	case b[0]>>4 == 4:
		return ipv4, b
	case b[0]>>4 == 6:
		return ipv6, b
	}
	return notRead, nil
}

// routing reads a GRE header (RFC 2784, RFC 2890; of version 1
// RFC 2637 section 4.1).
func routing(b []byte) (protocol, []byte) {
	if len(b) < 4 {
		return malformed, nil
	}
	const checksum, route, key, sequence, acknowledgment = 0x80, 0x40, 0x20, 0x10, 0x80
	flags, p := b[0], etherType|protocol(binary.BigEndian.Uint16(b[2:]))
	length := 4
	for _, field := range []byte{checksum | route, key, sequence} {
		if flags&field != 0 {
			length += 4
		}
	}
	switch b[1] & 7 {
	case 0:
	case 1:
		if b[1]&acknowledgment != 0 {
			length += 4
		}
	default:
		return notRead, nil
	}
	if flags&route != 0 {
		for length+4 <= len(b) {
			entry := b[length:]
			length += 4 + int(entry[3])
			if entry[3] == 0 {
				break
			}
		}
	}
	switch {
	case len(b) > length && p == etherType|0x88be && flags&sequence == 0:
		p = ethernet // ERSPAN of type I has no header
	case p == etherType|0x88be:
		p = erspan2
	case p == etherType|0x22eb:
		p = erspan3
	case p == etherType|0x883e:
		p = wccp
	case p == etherType|0x8909: // here the EtherType is in front of the metadata
		p, _ = typed(b, length)
		length += 8
	}
	return after(p, b, length)
}

// gtpUser reads the header of a GTP-U packet (3GPP TS 29.281, section 5.1).
func gtpUser(b []byte) (protocol, []byte) {
	const extension, any = 0x04, 0x07
	length := 8
	if b[0]&any != 0 {
		length = 12
	}
	if b[0]&extension != 0 && len(b) >= 12 {
		for next := b[11]; next != 0; next = b[length-1] {
			if length >= len(b) || b[length] == 0 || length+int(b[length])*4 > len(b) {
				return malformed, nil
			}
			length += int(b[length]) * 4
		}
	}
	if len(b) <= length {
		return malformed, nil
	}
	switch b = b[length:]; {
	case b[0]>>4 == 4 || b[0]>>4 == 6:
		return anyIP, b
	case b[0] == 0xff:
		return ppp, b
	}
	return ethernet, b
}

// l2tpData reads the header of an L2TP data message (RFC 2661 section 3.1).
func l2tpData(b []byte) (protocol, []byte) {
	const hasLength, sequence, offset = 0x40, 0x08, 0x02
	length := 6
	if b[0]&hasLength != 0 {
		length += 2
	}
	if b[0]&sequence != 0 {
		length += 4
	}
	if b[0]&offset != 0 {
		if len(b) < length+2 {
			return malformed, nil
		}
		length += 2 + int(binary.BigEndian.Uint16(b[length:]))
	}
	return after(ppp, b, length)
}

// teredoPacket reads what may come before the IPv6 packet
// (RFC 4380 section 5.1.1).
func teredoPacket(b []byte) (protocol, []byte) {
	if len(b) >= 4 && b[0] == 0 && b[1] == 1 { // authentication: client and value of these lengths, nonce, confirmation
		length := 4 + int(b[2]) + int(b[3]) + 9
		if len(b) < length {
			return malformed, nil
		}
		b = b[length:]
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 { // origin indication
		b = b[8:]
	}
	return ipv6, b
}

// labelled skips an MPLS label stack (RFC 3032) and guesses what follows from
// its first bytes, as no label says.
func labelled(b []byte) (protocol, []byte) {
	for {
		if len(b) < 4 {
			return malformed, nil
		}
		last := b[2]&1 != 0
		if b = b[4:]; last {
			break
		}
	}
	switch {
	case len(b) == 0:
		return malformed, nil
	case looksIP(b):
		return anyIP, b
	}
	worded := b[0]>>4 == 0 && len(b) > 4 // there may be a control word (RFC 4385 section 3)
	switch {
	case worded && carriesIP(b[4:]):
		return ethernet, b[4:]
	case carriesIP(b):
		return ethernet, b
	case worded && looksEthernet(b[4:]):
		return ethernet, b[4:]
	case looksEthernet(b):
		return ethernet, b
	case b[0]>>4 == 4 || b[0]>>4 == 6:
		return anyIP, b
	}
	return pseudowire, b
}

// looksIP reports whether b may be an IP packet: a whole one, or one with a
// valid checksum.
func looksIP(b []byte) bool {
	be := binary.BigEndian
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		header, length := int(b[0]&15)*4, int(be.Uint16(b[2:]))
		return header >= 20 && length >= header && (length <= len(b) || header <= len(b) && sum16(b[:header]) == 0xffff)
	case len(b) >= 40 && b[0]>>4 == 6:
		return 40+int(be.Uint16(b[4:])) <= len(b)
	}
	return false
}

// carriesIP reports whether b is an Ethernet frame with an IP packet in it.
func carriesIP(b []byte) bool {
	if len(b) < 14 {
		return false
	}
	kind := binary.BigEndian.Uint16(b[12:])
	return (kind == 0x0800 || kind == 0x86dd) && looksIP(b[14:])
}

// looksEthernet reports whether b may be an Ethernet frame.
func looksEthernet(b []byte) bool {
	if len(b) < 14 {
		return false
	}
	switch kind := binary.BigEndian.Uint16(b[12:]); kind {
	case 0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x9100, 0x8847, 0x8863, 0x8864, 0x8809, 0x88cc, 0x88e5, 0x8902:
		return true
	default:
		return kind < 0x600 && int(kind) <= len(b)-14
	}
}
