package capture_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/capture"
)

var (
	// quicInitial begins as an Initial packet of QUIC version 1 does, quicShort
	// as a later one.
	quicInitial = cat([]byte{0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0}, make([]byte, 40))
	quicShort   = append([]byte{0x40}, make([]byte, 40)...)
	// dtlsHello is a record of DTLS 1.2, and dtls13 one of 1.3 that is encrypted.
	dtlsHello = cat([]byte{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20}, make([]byte, 20))
	dtls13    = append([]byte{0x2e}, make([]byte, 40)...)
)

// notRead returns what Read says of frames in which there is no TCP.
func notRead(t *testing.T, link uint32, frames ...[]byte) []string {
	t.Helper()
	var packets []raw
	for _, frame := range frames {
		packets = append(packets, raw{data: frame})
	}
	var unread []string
	err := capture.Read(bytes.NewReader(pcapFile(littleEndian, 0xa1b2c3d4, link, packets)), capture.ReadOptions{
		Sink: &discard{}, Unread: func(u capture.Unread) { unread = append(unread, u.String()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return unread
}

// TestUnread: what is passed over has a name, and is counted.
func TestUnread(t *testing.T) {
	inIP := func(protocol byte) []byte { return etherIP(over4(protocol, make([]byte, 40))) }
	encrypted := dot11(0, nil, make([]byte, 40))
	encrypted[1] |= 0x40
	fragment := dot11(0, nil, make([]byte, 40))
	fragment[1] |= 0x04
	var deep []byte
	for range 100 {
		deep = over4(4, deep)
	}
	half := over4(6, make([]byte, 16))
	half[6] = 0x20
	sealed := cat([]byte{0x2c, 0}, make([]byte, 40))
	for _, c := range []struct {
		link  uint32
		frame []byte
		want  string
	}{
		{1, ether(0x806, make([]byte, 28)), "ARP"},
		{1, ether(0x88cc, make([]byte, 28)), "LLDP"},
		{1, ether(0x88e5, sealed), "encrypted MACsec"},
		{1, ether(0x1234, make([]byte, 28)), "EtherType 0x1234"},
		{1, ether(38, append([]byte{0x42, 0x42, 3}, make([]byte, 35)...)), "LLC"},
		{1, ether(38, append([]byte{0xaa, 0xaa, 3, 0, 0, 12, 0x20, 0}, make([]byte, 30)...)), "LLC"},
		{1, ether(0x8864, []byte{0x11, 0, 0, 1, 0, 4, 0xc0, 0x21, 1, 1}), "PPP control"},
		{1, ether(0x8847, cat(mplsLabels(7), []byte{0x10, 0, 0, 0x21, 1, 2, 3, 4})), "unknown MPLS"},
		{1, inIP(50), "encrypted IPsec (ESP) between 198.51.100.1 and 198.51.100.2"},
		{1, inIP(132), "SCTP between 198.51.100.1 and 198.51.100.2"},
		{1, inIP(89), "OSPF"},
		{1, inIP(200), "IP protocol 200"},
		{1, inIP(1), "ICMP"},
		{1, etherIP(over6(58, make([]byte, 8))), "ICMPv6"},
		{1, etherIP(over4(47, cat(greHeader(0, 0x6007, 0), make([]byte, 8)))), "EtherType 0x6007"},
		{1, overUDP(53, make([]byte, 40)), "UDP"},
		{1, overUDP(443, quicInitial), "QUIC between 198.51.100.1:50443 and 198.51.100.2:443"},
		{1, overUDP(4433, dtlsHello), "DTLS between 198.51.100.1:50433 and 198.51.100.2:4433"},
		{1, overUDP(4500, make([]byte, 40)), "UDP"},
		{1, overUDP(4500, cat([]byte{1, 2, 3, 4}, make([]byte, 40))), "encrypted IPsec (ESP) between 198.51.100.1:50500 and 198.51.100.2:4500"},
		{1, overUDP(51820, cat([]byte{4, 0, 0, 0}, make([]byte, 60))), "WireGuard between 198.51.100.1:50820 and 198.51.100.2:51820"},
		{1, overUDP(4789, cat([]byte{8, 0, 0, 0, 0, 0, 7, 0}, ether(0x806, nil))), "ARP"},
		{1, overUDP(5247, cat([]byte{1, 0, 0, 0}, dtlsHello)), "encrypted CAPWAP (DTLS) between 198.51.100.1:50247 and 198.51.100.2:5247"},
		{1, etherIP(deep), "too deeply nested"},
		{1, etherIP(half), "incomplete fragmented"},
		{1, etherIP(over4(6, make([]byte, 8))), "malformed or cut"},
		{1, macs, "malformed or cut"},
		{105, encrypted, "encrypted 802.11"},
		{105, fragment, "fragmented 802.11"},
		{127, radiotap(0, append([]byte{0x80, 0}, make([]byte, 40)...)), "802.11 management and control"},
		{189, []byte{1}, "USB"},
		{147, []byte{1}, "link type 147"},
		{0, []byte{16, 0, 0, 0, 1, 2, 3}, "unknown (neither IPv4 nor IPv6)"},
	} {
		one, between, _ := cutBetween(c.want)
		want := []string{fmt.Sprintf("2 %s packets%s", one, between)}
		if got := notRead(t, c.link, c.frame, c.frame); !slices.Equal(got, want) {
			t.Errorf("%x: %q, want %q", c.frame, got, want)
		}
	}
}

// TestUnreadFlows: packets that do not say what they are count as what others
// of their flow are, and what TLS may be in comes first.
func TestUnreadFlows(t *testing.T) {
	answer := func(port int, payload []byte) []byte {
		d := datagram(port, payload)
		d[0], d[1], d[2], d[3] = d[2], d[3], d[0], d[1]
		ip := over4(17, d)
		ip[15], ip[19] = ip[19], ip[15]
		return etherIP(ip)
	}
	arp := ether(0x806, make([]byte, 28))
	got := notRead(t, 1, arp, arp, arp, arp,
		overUDP(443, quicShort), answer(443, quicInitial), overUDP(443, quicShort), answer(443, quicShort),
		overUDP(4433, dtlsHello), answer(4433, dtls13), overUDP(4434, dtlsHello),
		overUDP(53, make([]byte, 20)), overUDP(123, make([]byte, 48)))
	want := []string{
		"4 QUIC packets between 198.51.100.1:50443 and 198.51.100.2:443",
		"3 DTLS packets between 198.51.100.1:50433 and 198.51.100.2:4433 and 1 pair more",
		"4 ARP packets", "2 UDP packets",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// cutBetween splits the name of a kind of packets from their endpoints.
func cutBetween(text string) (kind, between string, found bool) {
	kind, between, found = strings.Cut(text, " between ")
	if found {
		between = " between " + between
	}
	return kind, between, found
}
