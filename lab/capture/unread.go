package capture

import (
	"cmp"
	"fmt"
	"net/netip"
	"sort"
	"strings"
)

// Unread counts the packets of one kind in which Read has found no TCP.
type Unread struct {
	Kind    string // such as QUIC, ARP or link type 147
	Packets int
	Flows   int               // between different endpoints; 0 if they are not counted apart
	Between [2]netip.AddrPort // the endpoints of the first one; their ports are 0 where there are none
}

func (u Unread) String() string {
	text := counted(u.Packets, u.Kind+" packet")
	if u.Flows == 0 {
		return text
	}
	text += fmt.Sprintf(" between %s and %s", named(u.Between[0]), named(u.Between[1]))
	if u.Flows > 1 {
		text += fmt.Sprintf(" and %s more", counted(u.Flows-1, "pair"))
	}
	return text
}

func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// named returns an address, with its port if it has one.
func named(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// maxFlows is how many flows are counted apart.
const maxFlows = 1 << 12

// unread counts what is passed over.
type unread struct {
	packets map[protocol]int
	flows   map[flowKey]*unreadFlow
	order   []*unreadFlow // the flows, in the order of their first packets
}

type flowKey struct {
	protocol protocol // udp, whatever is in it
	ends     pair
}

type unreadFlow struct {
	protocol protocol // that it is known to be by now
	between  [2]netip.AddrPort
	packets  int
}

func newUnread() *unread {
	return &unread{packets: make(map[protocol]int), flows: make(map[flowKey]*unreadFlow)}
}

// add counts a packet.
func (u *unread) add(p protocol, from, to address) {
	if !mayHaveTLS(p) || !u.inFlow(p, p, from, to) {
		u.packets[p]++
	}
}

// datagram counts a datagram whose bytes look like protocol p, or udp if they
// look like none. Later ones of its flow may show which it is.
func (u *unread) datagram(p protocol, from, to address) {
	if !u.inFlow(udp, p, from, to) {
		u.packets[p]++
	}
}

// inFlow counts a packet of a flow, and reports false if there are too many of
// those.
func (u *unread) inFlow(outer, p protocol, from, to address) bool {
	key := flowKey{outer, pair{from, to}}
	if from.compare(&to) > 0 {
		key.ends = pair{to, from}
	}
	flow := u.flows[key]
	if flow == nil {
		if len(u.flows) == maxFlows {
			return false
		}
		flow = &unreadFlow{protocol: p, between: [2]netip.AddrPort{from.addrPort(), to.addrPort()}}
		u.flows[key] = flow
		u.order = append(u.order, flow)
	}
	if flow.protocol == udp {
		flow.protocol = p
	}
	flow.packets++
	return true
}

// mayHaveTLS reports whether there may be TLS in packets of protocol p, so that
// the report names their endpoints.
func mayHaveTLS(p protocol) bool {
	switch p {
	case quic, dtls, wireGuard, esp, ipProtocol | 108, ipProtocol | 115, ipProtocol | 132, capwapDTLS:
		return true
	}
	return false
}

// report returns the counts: first of protocols that TLS may be in, then of the
// most frequent ones.
func (u *unread) report(fragments int) []Unread {
	kinds := make(map[protocol]*Unread)
	add := func(p protocol, packets int) *Unread {
		if kinds[p] == nil {
			kinds[p] = &Unread{Kind: p.String()}
		}
		kinds[p].Packets += packets
		return kinds[p]
	}
	for _, flow := range u.order {
		if kind := add(flow.protocol, flow.packets); mayHaveTLS(flow.protocol) {
			if kind.Flows++; kind.Flows == 1 {
				kind.Between = flow.between
			}
		}
	}
	for p, packets := range u.packets {
		add(p, packets)
	}
	if fragments > 0 {
		add(fragmented, fragments)
	}
	report := make([]Unread, 0, len(kinds))
	for _, kind := range kinds {
		report = append(report, *kind)
	}
	sort.Slice(report, func(i, j int) bool {
		a, b := report[i], report[j]
		return cmp.Or(cmp.Compare(min(b.Flows, 1), min(a.Flows, 1)), cmp.Compare(b.Packets, a.Packets), strings.Compare(a.Kind, b.Kind)) < 0
	})
	return report
}

// String names a protocol that is passed over.
func (p protocol) String() string {
	if name := names[p]; name != "" {
		return name
	}
	number := uint32(p & 0xffff)
	switch p &^ 0xffff {
	case linkType:
		return fmt.Sprintf("link type %d", number)
	case etherType:
		if number < 0x600 {
			return "LLC"
		}
		return fmt.Sprintf("EtherType %#04x", number)
	case ipProtocol:
		return fmt.Sprintf("IP protocol %d", number)
	case pppProtocol:
		return fmt.Sprintf("PPP protocol %#04x", number)
	}
	return fmt.Sprintf("protocol %#x", uint32(p))
}

// names has the protocols that captures often have, and the reasons to read no
// further.
var names = map[protocol]string{
	linkType | 7:   "ARCNET",
	linkType | 143: "DOCSIS",
	linkType | 187: "Bluetooth",
	linkType | 201: "Bluetooth",
	linkType | 251: "Bluetooth LE",
	linkType | 256: "Bluetooth LE",
	linkType | 195: "IEEE 802.15.4",
	linkType | 215: "IEEE 802.15.4",
	linkType | 230: "IEEE 802.15.4",
	linkType | 220: "USB",
	linkType | 189: "USB",
	linkType | 249: "USB",
	linkType | 227: "CAN",
	linkType | 247: "InfiniBand",
	linkType | 253: "Netlink",
	linkType | 252: "exported PDU",

	etherType | 0x0806: "ARP",
	etherType | 0x8035: "RARP",
	etherType | 0x0842: "Wake-on-LAN",
	etherType | 0x2000: "CDP",
	etherType | 0x8137: "IPX",
	etherType | 0x22f3: "TRILL",
	etherType | 0x22f0: "AVTP",
	etherType | 0x8808: "Ethernet flow control",
	etherType | 0x8809: "LACP",
	etherType | 0x8863: "PPPoE discovery",
	etherType | 0x886c: "802.11 event",
	etherType | 0x888e: "EAPOL",
	etherType | 0x8892: "PROFINET",
	etherType | 0x88a4: "EtherCAT",
	etherType | 0x88cc: "LLDP",
	etherType | 0x88e1: "HomePlug",
	etherType | 0x88e5: "MACsec",
	etherType | 0x88f7: "PTP",
	etherType | 0x88fb: "PRP",
	etherType | 0x8902: "Ethernet OAM",
	etherType | 0x8906: "FCoE",
	etherType | 0x8914: "FCoE",
	etherType | 0x8915: "RoCE",
	etherType | 0x894f: "NSH",
	etherType | 0x9000: "Ethernet loopback",

	ipv4: "IPv4", ipv6: "IPv6", mpls: "MPLS", gre: "GRE", udp: "UDP", icmp4: "ICMP", icmp6: "ICMPv6",
	ipProtocol | 2:   "IGMP",
	ipProtocol | 33:  "DCCP",
	ipProtocol | 46:  "RSVP",
	esp:              "encrypted IPsec (ESP)",
	ipProtocol | 55:  "Mobile IP",
	ipProtocol | 59:  "empty IPv6",
	ipProtocol | 88:  "EIGRP",
	ipProtocol | 89:  "OSPF",
	ipProtocol | 103: "PIM",
	ipProtocol | 108: "IPComp",
	ipProtocol | 112: "VRRP",
	ipProtocol | 115: "L2TPv3",
	ipProtocol | 132: "SCTP",
	ipProtocol | 136: "UDP-Lite",

	pppProtocol | 0x2d:   "PPP (compressed TCP header)",
	pppProtocol | 0x2f:   "PPP (compressed TCP header)",
	pppProtocol | 0x3d:   "multilink PPP",
	pppProtocol | 0xfd:   "compressed PPP",
	pppProtocol | 0x53:   "encrypted PPP",
	pppProtocol | 0x8021: "PPP control",
	pppProtocol | 0x8057: "PPP control",
	pppProtocol | 0x80fd: "PPP control",
	pppProtocol | 0xc021: "PPP control",
	pppProtocol | 0xc023: "PPP control",
	pppProtocol | 0xc223: "PPP control",

	malformed:       "malformed or cut",
	nested:          "too deeply nested",
	fragmented:      "incomplete fragmented",
	anyIP:           "unknown (neither IPv4 nor IPv6)",
	llc:             "LLC",
	vxlanGPE:        "VXLAN-GPE",
	geneve:          "Geneve",
	erspan2:         "ERSPAN",
	erspan3:         "ERSPAN",
	capwap:          "CAPWAP",
	capwapDTLS:      "encrypted CAPWAP (DTLS)",
	capwapKeepAlive: "CAPWAP keep-alive",
	pseudowire:      "unknown MPLS",
	macsecEncrypted: "encrypted MACsec",
	wlanOther:       "802.11 management and control",
	wlanEncrypted:   "encrypted 802.11",
	wlanFragment:    "fragmented 802.11",
	quic:            "QUIC",
	dtls:            "DTLS",
	wireGuard:       "WireGuard",
}
