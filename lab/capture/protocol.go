package capture

import (
	"bytes"
	"encoding/binary"
)

// protocol says what a header is of: a number in its lower 16 bits, and whose
// number that is.
type protocol uint32

const (
	linkType    protocol = iota << 16 // LINKTYPE_ numbers of the tcpdump group
	etherType                         // of IEEE; below 1536 it is the length of what follows
	ipProtocol                        // of IANA
	pppProtocol                       // of IANA: PPP DLL Protocol Numbers
	own                               // of this package
)

const (
	ethernet = linkType | 1
	wlan     = linkType | 105
	ipv4     = etherType | 0x0800
	ipv6     = etherType | 0x86dd
	mpls     = etherType | 0x8847 // unicast
	icmp4    = ipProtocol | 1
	tcp      = ipProtocol | protocolTCP
	udp      = ipProtocol | 17
	gre      = ipProtocol | 47
	esp      = ipProtocol | 50
	icmp6    = ipProtocol | 58
)

const (
	// What header returns when there is nothing to return.
	taken     = own | iota // nothing is left to be looked at
	notRead                // the header itself was not looked at
	malformed              // cut short, or not what it should be

	nested     // deeper than maxHeaders
	fragmented // a fragment of an IP packet whose other parts are not there
	anyIP      // IPv4 or IPv6
	ppp
	llc
	vxlan
	vxlanGPE
	geneve
	gtp
	l2tp
	teredo
	capwap
	capwapDTLS
	capwapKeepAlive
	erspan2
	erspan3
	wccp
	pseudowire
	macsecEncrypted
	wlanPadded    // 802.11 whose header is padded to 32 bits
	wlanInCAPWAP  // 802.11 whose frame control may be swapped
	wlanOther     // 802.11 without data
	wlanEncrypted // 802.11 with data that is encrypted
	wlanFragment
	quic
	dtls
	wireGuard
)

// link reads what a frame of a link type begins with.
func link(number uint32, b []byte) (protocol, []byte) {
	switch number {
	case 0, 108: // BSD loopback: a number of the address family, which each system chooses for itself
		return after(anyIP, b, 4)
	case 12, 14, 101, 228, 229: // raw IP; 12 and 14 are DLT_RAW of some systems
		return anyIP, b
	case 8: // SLIP
		return after(anyIP, b, 16)
	case 9, 50: // PPP, and PPP or Cisco HDLC on a serial line
		if len(b) > 0 && (b[0] == 0x0f || b[0] == 0x8f) {
			return typed(b, 2)
		}
		return ppp, b
	case 51: // PPPoE
		return pppoe(b)
	case 104: // Cisco HDLC
		return typed(b, 2)
	case 166, 204: // PPP after a byte for the direction
		return after(ppp, b, 1)
	case 205: // Cisco HDLC, likewise
		return typed(b, 3)
	case 107: // Frame Relay
		return frameRelay(b)
	case 6: // Token Ring
		return tokenRing(b)
	case 10: // FDDI
		return after(llc, b, 13)
	case 100: // RFC 1483
		return llc, b
	case 109: // OpenBSD's enc
		return after(anyIP, b, 12)
	case 113: // Linux cooked
		return cooked(b, 2, 14, 16)
	case 276: // Linux cooked, version 2
		return cooked(b, 8, 0, 20)
	case 117: // pflog: the header's length without its padding
		if len(b) > 0 {
			return after(anyIP, b, (int(b[0])+3)&^3)
		}
	case 119: // Prism or AVS
		return prism(b)
	case 163: // AVS
		return avs(b)
	case 127:
		return radiotap(b)
	case 192: // PPI
		if len(b) >= 8 {
			return after(linkType|protocol(b[4])|protocol(b[5])<<8, b, int(binary.LittleEndian.Uint16(b[2:])))
		}
	case 138: // IP over IEEE 1394, as Apple has it
		return typed(b, 16)
	case 219:
		return mpls, b
	case 239:
		return nflog(b)
	case 240, 241: // netANALYZER, and with the preamble
		return after(ethernet, b, 4+8*int(number-240))
	case 274: // Ethernet with its preamble
		return after(ethernet, b, 8)
	case 149, 258: // PKTAP; 149 is its number on Apple's systems
		return pktap(b)
	default:
		return notRead, nil
	}
	return malformed, nil
}

// typed reads the EtherType at an offset, which is followed by what it names.
func typed(b []byte, at int) (protocol, []byte) {
	if len(b) < at+2 {
		return malformed, nil
	}
	return etherType | protocol(binary.BigEndian.Uint16(b[at:])), b[at+2:]
}

// ether reads what an EtherType stands before.
func ether(number protocol, b []byte) (protocol, []byte) {
	switch number {
	case 0x8100, 0x88a8, 0x9100, 0x9200, 0x9300: // tags of IEEE 802.1Q, of 802.1ad, and of switches that came before it
		return typed(b, 2)
	case 0x8926, 0x892f: // VN-Tag, HSR
		return typed(b, 4)
	case 0x8909, 0x893f: // Cisco metadata, 802.1BR's E-Tag
		return typed(b, 6)
	case 0x88e7: // 802.1ah: MAC in MAC
		return after(ethernet, b, 4)
	case 0x88e5:
		return macsec(b)
	case 0x8847, 0x8848:
		return labelled(b)
	case 0x8864:
		return pppoe(b)
	case 0x880b:
		return ppp, b
	case 0x894f:
		return serviceHeader(b)
	}
	if number < 0x600 && number > 0 {
		return llc, b[:min(int(number), len(b))]
	}
	return notRead, nil
}

// cooked reads the header of a Linux cooked capture: the device's type and the
// protocol are at these offsets.
func cooked(b []byte, device, at, length int) (protocol, []byte) {
	if len(b) < length {
		return malformed, nil
	}
	p, _ := typed(b, at)
	switch kind := binary.BigEndian.Uint16(b[device:]); {
	case kind == 801:
		p = wlan
	case kind == 803:
		p = linkType | 127
	case p == etherType|4:
		p = llc
	}
	return p, b[length:]
}

// logicalLink reads the header of IEEE 802.2, and SNAP's behind it.
func logicalLink(b []byte) (protocol, []byte) {
	if len(b) < 3 {
		return malformed, nil
	}
	switch {
	case bytes.HasPrefix(b, []byte{0xaa, 0xaa, 3, 0, 0, 0}), bytes.HasPrefix(b, []byte{0xaa, 0xaa, 3, 0, 0, 0xf8}):
		return typed(b, 6)
	case bytes.HasPrefix(b, []byte{6, 6, 3}):
		return anyIP, b[3:]
	}
	return notRead, nil
}

// tokenRing passes over the header of IEEE 802.5, which may have routing
// information.
func tokenRing(b []byte) (protocol, []byte) {
	length := 14
	if len(b) > 14 && b[8]&0x80 != 0 {
		length += int(b[14] & 0x1f)
	}
	return after(llc, b, length)
}

// pointToPoint reads the header of a PPP frame (RFC 1661 section 2, and
// RFC 1662 section 3.1), whose fields may be compressed.
func pointToPoint(b []byte) (protocol, []byte) {
	b = bytes.TrimPrefix(b, []byte{0xff})
	b = bytes.TrimPrefix(b, []byte{3})
	switch {
	case len(b) > 0 && b[0]&1 == 1:
		return pppProtocol | protocol(b[0]), b[1:]
	case len(b) > 1:
		return pppProtocol | protocol(binary.BigEndian.Uint16(b)), b[2:]
	}
	return malformed, nil
}

// pppoe reads the header of RFC 2516 section 4.
func pppoe(b []byte) (protocol, []byte) {
	if len(b) < 6 || b[0] != 0x11 {
		return malformed, nil
	}
	return ppp, b[6:min(6+int(binary.BigEndian.Uint16(b[4:])), len(b))]
}

// frameRelay reads the header of RFC 2427 section 3.
func frameRelay(b []byte) (protocol, []byte) {
	if len(b) < 4 || b[1]&1 == 0 || b[2] != 3 {
		return notRead, nil
	}
	switch b = b[3:]; {
	case b[0] == 0xcc || b[0] == 0x8e:
		return anyIP, b[1:]
	case bytes.HasPrefix(b, []byte{0, 0x80, 0, 0, 0}):
		return typed(b, 5)
	case bytes.HasPrefix(b, []byte{0x80, 0, 0, 0}):
		return typed(b, 4)
	}
	return notRead, nil
}

// macsec reads the SecTAG of IEEE 802.1AE, if what is behind it is not
// encrypted.
func macsec(b []byte) (protocol, []byte) {
	if len(b) < 6 {
		return malformed, nil
	}
	const sci, encrypted, changed = 0x20, 0x08, 0x04
	switch {
	case b[0]&(encrypted|changed) != 0:
		return macsecEncrypted, nil
	case b[0]&sci != 0:
		return typed(b, 14)
	}
	return typed(b, 6)
}

// nflog reads the header of LINKTYPE_NFLOG: attributes, one of which is the
// packet. Their numbers are in the byte order of the host that made the file.
func nflog(b []byte) (protocol, []byte) {
	const packet = 9
	if len(b) < 4 {
		return malformed, nil
	}
	for b = b[4:]; len(b) >= 4; {
		var order binary.ByteOrder = binary.LittleEndian
		if length := int(order.Uint16(b)); length > len(b) || order.Uint16(b[2:]) > 0xff {
			order = binary.BigEndian
		}
		length := int(order.Uint16(b))
		if length < 4 {
			return malformed, nil
		}
		if order.Uint16(b[2:])&0x7fff == packet {
			return anyIP, b[4:min(length, len(b))]
		}
		b = b[min(padded(length), len(b)):]
	}
	return malformed, nil
}

// pktap reads the header of LINKTYPE_PKTAP, which has its length and the link
// type of what is behind it.
func pktap(b []byte) (protocol, []byte) {
	le := binary.LittleEndian
	if len(b) < 12 {
		return malformed, nil
	}
	length, number := le.Uint32(b), le.Uint32(b[8:])
	if length < 12 || length > uint32(len(b)) || number > 0xffff {
		return malformed, nil
	}
	return linkType | protocol(number), b[length:]
}
