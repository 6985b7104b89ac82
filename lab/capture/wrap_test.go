package capture_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// encapsulation is a way in which IP packets are carried.
type encapsulation struct {
	name string
	link uint32
	wrap func(ip []byte) []byte // a frame of that link type
	only string                 // why tshark 4.0 does not read it
}

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func u16(n int) []byte { return bigEndian.AppendUint16(nil, uint16(n)) }

func isSix(ip []byte) bool { return ip[0]>>4 == 6 }

// kindOf returns the EtherType of an IP packet.
func kindOf(ip []byte) int {
	if isSix(ip) {
		return 0x86dd
	}
	return 0x0800
}

var (
	// Addresses with 4 and 6 in the first half byte, as an IP packet has it,
	// and with 0, as a control word has it.
	macs    = []byte{0x46, 0, 0, 0, 0, 2, 0x62, 0, 0, 0, 0, 1}
	lowMACs = []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
)

func ether(kind int, payload []byte) []byte { return cat(macs, u16(kind), payload) }

func etherIP(ip []byte) []byte { return ether(kindOf(ip), ip) }

// over4 makes an IPv4 packet between the ends of a tunnel.
func over4(protocol byte, payload []byte) []byte {
	h := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 198, 51, 100, 1, 198, 51, 100, 2}
	bigEndian.PutUint16(h[2:], uint16(len(h)+len(payload)))
	return cat(h, payload)
}

// over6 makes an IPv6 packet between the ends of a tunnel, with extension
// headers and what they say comes next.
func over6(next byte, payload []byte) []byte {
	h := make([]byte, 40)
	h[0], h[6], h[7], h[8], h[23], h[24], h[39] = 0x60, next, 64, 0x20, 1, 0x20, 2
	bigEndian.PutUint16(h[4:], uint16(len(payload)))
	return cat(h, payload)
}

func datagram(port int, payload []byte) []byte {
	return cat(u16(50000+port%1000), u16(port), u16(8+len(payload)), u16(0), payload) // tshark remembers ports
}

// overUDP makes a frame with a datagram to a port.
func overUDP(port int, payload []byte) []byte { return etherIP(over4(17, datagram(port, payload))) }

func snap(ip []byte) []byte { return cat([]byte{0xaa, 0xaa, 3, 0, 0, 0}, u16(kindOf(ip)), ip) }

func pppFrame(ip []byte) []byte {
	if isSix(ip) {
		return cat([]byte{0xff, 3, 0, 0x57}, ip)
	}
	return cat([]byte{0xff, 3, 0, 0x21}, ip)
}

// dot11 makes an 802.11 data frame that goes to an access point.
func dot11(subtype byte, extra, body []byte) []byte {
	h := make([]byte, 24)
	h[0], h[1] = 0x08|subtype<<4, 1
	copy(h[4:], lowMACs)
	h[22] = 0x20
	return cat(h, extra, body)
}

func swapFC(frame []byte) []byte {
	frame[0], frame[1] = frame[1], frame[0]
	frame[22], frame[23] = frame[23], frame[22]
	return frame
}

// capwap puts a frame behind a CAPWAP header.
func capwap(native bool, frame []byte) []byte {
	h := []byte{0, 2 << 3, 1 << 1, 0, 0, 0, 0, 0}
	if native {
		h[2] |= 1
	}
	return cat(h, frame)
}

func sgt(kind int) []byte { return cat([]byte{1, 1, 0, 1, 0, 7}, u16(kind)) }

func mplsLabels(labels ...uint32) (stack []byte) {
	for i, label := range labels {
		entry := label<<12 | 64
		if i == len(labels)-1 {
			entry |= 1 << 8
		}
		stack = bigEndian.AppendUint32(stack, entry)
	}
	return stack
}

func nflog(order binary.AppendByteOrder, ip []byte) []byte {
	family := byte(2)
	if isSix(ip) {
		family = 10
	}
	attribute := func(kind uint16, value []byte) []byte {
		b := order.AppendUint16(nil, uint16(4+len(value)))
		b = append(order.AppendUint16(b, kind), value...)
		return append(b, make([]byte, -len(b)&3)...)
	}
	return cat([]byte{family, 0, 0, 0}, attribute(1, []byte{8, 0, 1, 0}), attribute(10, []byte("in\x00")), attribute(9, ip))
}

func pktap(link uint32, frame []byte) []byte {
	h := make([]byte, 108)
	littleEndian.PutUint32(h, 108)
	littleEndian.PutUint32(h[4:], 1)
	littleEndian.PutUint32(h[8:], link)
	copy(h[12:], "en0")
	return cat(h, frame)
}

// radiotap has a time, flags and a rate.
func radiotap(flags byte, frame []byte) []byte {
	return cat([]byte{0, 0, 18, 0, 7, 0, 0, 0}, make([]byte, 8), []byte{flags, 2}, frame)
}

const greKey, greSequence, greChecksum = 0x20, 0x10, 0x80

func greHeader(flags byte, kind int, fields int) []byte {
	return cat([]byte{flags, 0}, u16(kind), make([]byte, 4*fields))
}

// encapsulations are those that capture.Read reads.
var encapsulations = []encapsulation{
	{"Ethernet", 1, etherIP, ""},
	{"Ethernet, padded and with a checksum", 1, func(ip []byte) []byte {
		return cat(etherIP(ip), make([]byte, max(0, 46-len(ip))), []byte{1, 2, 3, 4})
	}, ""},
	{"802.1Q", 1, func(ip []byte) []byte { return ether(0x8100, cat(u16(7), u16(kindOf(ip)), ip)) }, ""},
	{"802.1ad", 1, func(ip []byte) []byte {
		return ether(0x88a8, cat(u16(7), u16(0x8100), u16(8), u16(kindOf(ip)), ip))
	}, ""},
	{"802.1ad, 0x9100", 1, func(ip []byte) []byte {
		return ether(0x9100, cat(u16(7), u16(0x8100), u16(8), u16(kindOf(ip)), ip))
	}, ""},
	{"802.1ad, 0x9200", 1, func(ip []byte) []byte {
		return ether(0x9200, cat(u16(7), u16(0x8100), u16(8), u16(kindOf(ip)), ip))
	}, "it does not know 0x9200"},
	{"four tags", 1, func(ip []byte) []byte {
		return ether(0x88a8, cat(u16(7), u16(0x88a8), u16(8), u16(0x9100), u16(7), u16(0x8100), u16(8), u16(kindOf(ip)), ip))
	}, ""},
	{"SNAP", 1, func(ip []byte) []byte { return ether(len(snap(ip)), snap(ip)) }, ""},
	{"802.1Q and SNAP", 1, func(ip []byte) []byte { return ether(0x8100, cat(u16(7), u16(len(snap(ip))), snap(ip))) }, ""},
	{"MAC in MAC", 1, func(ip []byte) []byte { return ether(0x88e7, cat(make([]byte, 4), etherIP(ip))) }, ""},
	{"HSR", 1, func(ip []byte) []byte { return ether(0x892f, cat(u16(len(ip)+6), u16(1), u16(kindOf(ip)), ip)) }, ""},
	{"VN-Tag", 1, func(ip []byte) []byte { return ether(0x8926, cat(make([]byte, 4), u16(kindOf(ip)), ip)) }, ""},
	{"MACsec without encryption", 1, func(ip []byte) []byte {
		return ether(0x88e5, cat([]byte{0x20, 0}, make([]byte, 12), u16(kindOf(ip)), ip, make([]byte, 16)))
	}, ""},
	{"Cisco metadata", 1, func(ip []byte) []byte { return ether(0x8909, cat(sgt(kindOf(ip)), ip)) }, ""},
	{"802.1Q and Cisco metadata", 1, func(ip []byte) []byte {
		return ether(0x8100, cat(u16(7), u16(0x8909), sgt(kindOf(ip)), ip))
	}, ""},
	{"PPPoE", 1, func(ip []byte) []byte {
		ppp := pppFrame(ip)[2:]
		return ether(0x8864, cat([]byte{0x11, 0, 0, 1}, u16(len(ppp)), ppp, make([]byte, 5)))
	}, ""},
	{"MPLS", 1, func(ip []byte) []byte { return ether(0x8847, cat(mplsLabels(100), ip)) }, ""},
	{"MPLS, three labels", 1, func(ip []byte) []byte { return ether(0x8847, cat(mplsLabels(100, 200, 300), ip)) }, ""},
	{"MPLS pseudowire", 1, func(ip []byte) []byte {
		return ether(0x8847, cat(mplsLabels(100, 200), lowMACs, u16(kindOf(ip)), ip))
	}, "it wants to be told what a label carries"},
	{"MPLS pseudowire with a control word", 1, func(ip []byte) []byte {
		return ether(0x8847, cat(mplsLabels(100, 200), make([]byte, 4), etherIP(ip)))
	}, "it wants to be told what a label carries"},
	{"MPLS pseudowire, addresses that look like IP", 1, func(ip []byte) []byte {
		return ether(0x8847, cat(mplsLabels(100, 200), etherIP(ip)))
	}, "it takes them for IP"},
	{"IP in IP", 1, func(ip []byte) []byte {
		return etherIP(over4(map[bool]byte{false: 4, true: 41}[isSix(ip)], ip))
	}, ""},
	{"IP in IPv6", 1, func(ip []byte) []byte {
		return etherIP(over6(60, cat([]byte{map[bool]byte{false: 4, true: 41}[isSix(ip)], 0, 1, 4, 0, 0, 0, 0}, ip)))
	}, ""},
	{"AH", 1, func(ip []byte) []byte {
		return etherIP(over4(51, cat([]byte{map[bool]byte{false: 4, true: 41}[isSix(ip)], 4}, make([]byte, 22), ip)))
	}, ""},
	{"EtherIP", 1, func(ip []byte) []byte { return etherIP(over4(97, cat([]byte{0x30, 0}, etherIP(ip)))) }, ""},
	{"MPLS in IP", 1, func(ip []byte) []byte { return etherIP(over4(137, cat(mplsLabels(100), ip))) }, ""},
	{"GRE", 1, func(ip []byte) []byte { return etherIP(over4(47, cat(greHeader(0, kindOf(ip), 0), ip))) }, ""},
	{"GRE with a checksum", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(greChecksum, kindOf(ip), 1), ip)))
	}, ""},
	{"GRE with all fields, over IPv6", 1, func(ip []byte) []byte {
		return etherIP(over6(47, cat(greHeader(greChecksum|greKey|greSequence, kindOf(ip), 3), ip)))
	}, ""},
	{"GRE with a route", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(0x40, kindOf(ip), 1), u16(0x800), []byte{0, 4, 1, 2, 3, 4}, make([]byte, 4), ip)))
	}, ""},
	{"GRE with Ethernet", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(0, 0x6558, 0), etherIP(ip))))
	}, ""},
	{"NVGRE", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(greKey, 0x6558, 1), etherIP(ip))))
	}, ""},
	{"GRE with MPLS", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(0, 0x8847, 0), mplsLabels(100), ip)))
	}, ""},
	{"GRE with Cisco metadata", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(0, 0x8909, 0), u16(kindOf(ip)), sgt(0)[:6], ip)))
	}, ""},
	{"PPTP", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat([]byte{0x30, 0x81, 0x88, 0x0b}, u16(len(pppFrame(ip))), u16(1), make([]byte, 8), pppFrame(ip))))
	}, ""},
	{"ERSPAN of type I", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(0, 0x88be, 0), etherIP(ip))))
	}, ""},
	{"ERSPAN of type II", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(greSequence, 0x88be, 1), []byte{0x10, 7}, make([]byte, 6), etherIP(ip))))
	}, ""},
	{"ERSPAN of type III", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(greSequence, 0x22eb, 1), []byte{0x20, 7}, make([]byte, 10), etherIP(ip))))
	}, ""},
	{"WCCP", 1, func(ip []byte) []byte {
		return etherIP(over4(47, cat(greHeader(0, 0x883e, 0), make([]byte, 4), ip)))
	}, "it expects no IPv6 there"},
	{"VXLAN", 1, func(ip []byte) []byte { return overUDP(4789, cat([]byte{8, 0, 0, 0, 0, 0, 7, 0}, etherIP(ip))) }, ""},
	{"VXLAN over IPv6, with a VLAN", 1, func(ip []byte) []byte {
		inner := ether(0x8100, cat(u16(7), u16(kindOf(ip)), ip))
		return ether(0x8100, cat(u16(7), u16(0x86dd), over6(17, datagram(4789, cat([]byte{8, 0, 0, 0, 0, 0, 7, 0}, inner)))))
	}, ""},
	{"VXLAN with a group policy", 1, func(ip []byte) []byte {
		return overUDP(4789, cat([]byte{0x88, 0, 0, 9, 0, 0, 7, 0}, etherIP(ip)))
	}, ""},
	{"VXLAN on Linux's port", 1, func(ip []byte) []byte {
		return overUDP(8472, cat([]byte{8, 0, 0, 0, 0, 0, 7, 0}, etherIP(ip)))
	}, "it does not know the port"},
	{"NSH", 1, func(ip []byte) []byte {
		return ether(0x894f, cat([]byte{0, 6, 1, 3, 0, 0, 7, 255}, make([]byte, 16), etherIP(ip)))
	}, ""},
	{"NSH in VXLAN-GPE", 1, func(ip []byte) []byte {
		return overUDP(4790, cat([]byte{0x0c, 0, 0, 4, 0, 0, 7, 0}, []byte{0, 2, 2, map[bool]byte{false: 1, true: 2}[isSix(ip)], 0, 0, 7, 255}, ip))
	}, ""},
	{"VXLAN-GPE", 1, func(ip []byte) []byte {
		return overUDP(4790, cat([]byte{0x0c, 0, 0, map[bool]byte{false: 1, true: 2}[isSix(ip)], 0, 0, 7, 0}, ip))
	}, ""},
	{"Geneve", 1, func(ip []byte) []byte {
		return overUDP(6081, cat([]byte{0, 0, 0x65, 0x58, 0, 0, 7, 0}, etherIP(ip)))
	}, ""},
	{"Geneve with options and IP", 1, func(ip []byte) []byte {
		return overUDP(6081, cat([]byte{3, 0}, u16(kindOf(ip)), []byte{0, 0, 7, 0}, []byte{1, 8, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8}, ip))
	}, ""},
	{"GTP-U", 1, func(ip []byte) []byte {
		return overUDP(2152, cat([]byte{0x30, 255}, u16(len(ip)), []byte{0, 0, 0, 7}, ip))
	}, ""},
	{"GTP-U with a sequence number", 1, func(ip []byte) []byte {
		return overUDP(2152, cat([]byte{0x32, 255}, u16(len(ip)+4), []byte{0, 0, 0, 7, 0, 1, 0, 0}, ip))
	}, ""},
	{"GTP-U with an extension header", 1, func(ip []byte) []byte {
		return overUDP(2152, cat([]byte{0x34, 255}, u16(len(ip)+8), []byte{0, 0, 0, 7, 0, 0, 0, 0x85, 1, 0, 9, 0}, ip))
	}, ""},
	{"L2TP", 1, func(ip []byte) []byte {
		return overUDP(1701, cat([]byte{0x40, 2}, u16(8+len(pppFrame(ip))), []byte{0, 1, 0, 2}, pppFrame(ip)))
	}, ""},
	{"L2TP with all fields", 1, func(ip []byte) []byte {
		return overUDP(1701, cat([]byte{0x4a, 2}, u16(16+len(pppFrame(ip))), []byte{0, 1, 0, 2, 0, 3, 0, 4, 0, 2, 9, 9}, pppFrame(ip)))
	}, ""},
	{"MPLS in UDP", 1, func(ip []byte) []byte { return overUDP(6635, cat(mplsLabels(100), ip)) }, ""},
	{"GRE in UDP", 1, func(ip []byte) []byte { return overUDP(4754, cat(greHeader(0, kindOf(ip), 0), ip)) }, ""},
	{"Teredo", 1, func(ip []byte) []byte { return overUDP(3544, inSix(ip)) }, ""},
	{"Teredo with its headers", 1, func(ip []byte) []byte {
		return overUDP(3544, cat([]byte{0, 1, 0, 0}, make([]byte, 9), []byte{0, 0, 1, 2, 3, 4, 5, 6}, inSix(ip)))
	}, ""},
	{"CAPWAP with 802.3", 1, func(ip []byte) []byte { return overUDP(5247, capwap(false, etherIP(ip))) }, ""},
	{"CAPWAP with 802.11", 1, func(ip []byte) []byte {
		return overUDP(5247, capwap(true, swapFC(dot11(0, nil, snap(ip)))))
	}, ""},
	{"CAPWAP with 802.11 as in the RFC", 1, func(ip []byte) []byte {
		return overUDP(5247, capwap(true, dot11(8, make([]byte, 2), snap(ip))))
	}, "it takes the frame control to be swapped"},
	{"VXLAN in MPLS in GRE", 1, func(ip []byte) []byte {
		vxlan := over4(17, datagram(4789, cat([]byte{8, 0, 0, 0, 0, 0, 7, 0}, etherIP(ip))))
		return etherIP(over4(47, cat(greHeader(0, 0x8847, 0), mplsLabels(100), vxlan)))
	}, ""},

	{"BSD loopback", 0, func(ip []byte) []byte {
		return cat(map[bool][]byte{false: {2, 0, 0, 0}, true: {30, 0, 0, 0}}[isSix(ip)], ip)
	}, ""},
	{"BSD loopback, big endian", 0, func(ip []byte) []byte {
		return cat(map[bool][]byte{false: {0, 0, 0, 2}, true: {0, 0, 0, 30}}[isSix(ip)], ip)
	}, ""},
	{"OpenBSD loopback", 108, func(ip []byte) []byte {
		return cat(map[bool][]byte{false: {0, 0, 0, 2}, true: {0, 0, 0, 24}}[isSix(ip)], ip)
	}, ""},
	{"raw IP", 101, bytes.Clone, ""},
	{"PPP", 9, pppFrame, ""},
	{"PPP, serial", 50, pppFrame, ""},
	{"PPP, serial, compressed", 50, func(ip []byte) []byte { return pppFrame(ip)[3:] }, ""},
	{"PPP, serial, with Cisco HDLC", 50, func(ip []byte) []byte { return cat([]byte{0x0f, 0}, u16(kindOf(ip)), ip) }, ""},
	{"PPP with a direction", 204, func(ip []byte) []byte { return cat([]byte{1}, pppFrame(ip)) }, ""},
	{"PPP of pppd", 166, func(ip []byte) []byte { return cat([]byte{1}, pppFrame(ip)[1:]) }, "it takes the byte for one more"},
	{"Cisco HDLC", 104, func(ip []byte) []byte { return cat([]byte{0x0f, 0}, u16(kindOf(ip)), ip) }, ""},
	{"SLIP", 8, func(ip []byte) []byte { return cat(make([]byte, 16), ip) }, "it does not know the link type"},
	{"Frame Relay", 107, func(ip []byte) []byte {
		return cat([]byte{0x18, 0x41, 3, map[bool]byte{false: 0xcc, true: 0x8e}[isSix(ip)]}, ip)
	}, "it wants to be told how frames are encapsulated"},
	{"Token Ring", 6, func(ip []byte) []byte {
		return cat([]byte{0x10, 0x40}, lowMACs[:6], []byte{0x82, 0, 0, 0, 0, 1}, []byte{6, 0, 0, 1, 0, 2}, snap(ip))
	}, ""},
	{"IP over IEEE 1394", 138, func(ip []byte) []byte { return cat(make([]byte, 16), u16(kindOf(ip)), ip) }, ""},
	{"netANALYZER", 240, func(ip []byte) []byte { return cat(make([]byte, 4), etherIP(ip), make([]byte, 4)) }, "it wants a version in the header"},
	{"Ethernet with its preamble", 274, func(ip []byte) []byte {
		return cat([]byte{0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5}, etherIP(ip), littleEndian.AppendUint32(nil, crc32.ChecksumIEEE(etherIP(ip))))
	}, ""},
	{"FDDI", 10, func(ip []byte) []byte { return cat([]byte{0x50}, lowMACs, snap(ip)) }, ""},
	{"ATM, RFC 1483", 100, snap, ""},
	{"MPLS as link type", 219, func(ip []byte) []byte { return cat(mplsLabels(100), ip) }, "it does not know the link type"},
	{"Linux cooked", 113, func(ip []byte) []byte { return cat(make([]byte, 14), u16(kindOf(ip)), ip) }, ""},
	{"Linux cooked, a VLAN", 113, func(ip []byte) []byte {
		return cat(make([]byte, 14), u16(0x8100), u16(7), u16(kindOf(ip)), ip)
	}, ""},
	{"Linux cooked 2", 276, func(ip []byte) []byte { return cat(u16(kindOf(ip)), make([]byte, 18), ip) }, ""},
	{"NFLOG", 239, func(ip []byte) []byte { return nflog(littleEndian, ip) }, ""},
	{"PKTAP with Ethernet", 258, func(ip []byte) []byte { return pktap(1, etherIP(ip)) }, ""},
	{"PKTAP with raw IP", 258, func(ip []byte) []byte { return pktap(12, ip) }, ""},
	{"pflog", 117, func(ip []byte) []byte {
		h := make([]byte, 64)
		h[0], h[1] = 61, map[bool]byte{false: 2, true: 24}[isSix(ip)]
		return cat(h, ip)
	}, ""},
	{"enc", 109, func(ip []byte) []byte {
		return cat(map[bool][]byte{false: {0, 0, 0, 2}, true: {0, 0, 0, 24}}[isSix(ip)], make([]byte, 8), ip)
	}, ""},
	{"802.11", 105, func(ip []byte) []byte { return dot11(0, nil, snap(ip)) }, ""},
	{"802.11, QoS", 105, func(ip []byte) []byte { return dot11(8, make([]byte, 2), snap(ip)) }, ""},
	{"802.11 with four addresses", 105, func(ip []byte) []byte {
		frame := dot11(0, make([]byte, 6), snap(ip))
		frame[1] |= 2
		return frame
	}, ""},
	{"802.11 with HT control", 105, func(ip []byte) []byte {
		frame := dot11(8, make([]byte, 6), snap(ip))
		frame[1] |= 0x80
		return frame
	}, ""},
	{"802.11, aggregated", 105, func(ip []byte) []byte {
		inner := cat(lowMACs, u16(len(snap(ip))), snap(ip))
		return dot11(8, []byte{0x80, 0}, inner)
	}, ""},
	{"radiotap", 127, func(ip []byte) []byte { return radiotap(0, dot11(8, make([]byte, 2), snap(ip))) }, ""},
	{"radiotap with a checksum", 127, func(ip []byte) []byte {
		return radiotap(0x10, cat(dot11(0, nil, snap(ip)), make([]byte, 4)))
	}, ""},
	{"radiotap, padded", 127, func(ip []byte) []byte { return radiotap(0x20, dot11(8, make([]byte, 4), snap(ip))) }, ""},
	{"PPI", 192, func(ip []byte) []byte { return cat([]byte{0, 0, 8, 0, 105, 0, 0, 0}, dot11(0, nil, snap(ip))) }, ""},
	{"Prism", 119, func(ip []byte) []byte {
		h := make([]byte, 144)
		littleEndian.PutUint32(h, 0x44)
		littleEndian.PutUint32(h[4:], 144)
		return cat(h, dot11(0, nil, snap(ip)))
	}, ""},
	{"AVS", 163, func(ip []byte) []byte {
		return cat([]byte{0x80, 0x21, 0x10, 1, 0, 0, 0, 64}, make([]byte, 56), dot11(0, nil, snap(ip)))
	}, ""},
}

// inSix returns an IPv6 packet, as Teredo carries no other.
func inSix(ip []byte) []byte {
	if isSix(ip) {
		return ip
	}
	return over6(4, ip)
}
