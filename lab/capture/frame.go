package capture

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/ip4defrag"
	"github.com/gopacket/gopacket/ip6defrag"
	"github.com/gopacket/gopacket/layers"
)

// Link types (the LINKTYPE_ registry) that have several numbers.
const (
	linkRawDLT     = 12 // DLT_RAW of most systems, where files should say 101
	linkRawOpenBSD = 14
	linkRaw        = 101
)

// maxFragments bounds the fragments that wait for others, in bytes. Past it all of them are forgotten.
const maxFragments = 16 << 20

// segment is a TCP segment of a capture file. Its slices are borrowed.
type segment struct {
	time          time.Time
	from, to      endpoint
	seq, ack      uint32
	syn, fin, rst bool
	acks          bool   // ack means something
	payload       []byte // as much of it as was captured
	length        int    // of the payload, in bytes
	comments      []string
}

// endpoint is an IP address, as IPv6, and a port.
type endpoint struct {
	addr [16]byte
	port uint16
}

// frames finds TCP segments in frames.
type frames struct {
	deliver func(*segment)
	foreign map[uint32]int // frames of link types that are not known
	segment segment

	eth       layers.Ethernet
	vlan      layers.Dot1Q
	cooked    layers.LinuxSLL
	cooked2   layers.LinuxSLL2
	ip4       layers.IPv4
	ip6       layers.IPv6
	extension layers.IPv6ExtensionSkipper
	fragment  layers.IPv6Fragment
	tcp       layers.TCP

	ip        gopacket.LayerType // of ip4 and ip6, the one that was decoded last
	known     gopacket.DecodingLayerContainer
	decoders  map[gopacket.LayerType]gopacket.DecodingLayerFunc
	decoded   []gopacket.LayerType
	defrag4   *ip4defrag.IPv4Defragmenter
	defrag6   *ip6defrag.IPv6Defragmenter
	fragments int // bytes that wait in both
}

func newFrames(deliver func(*segment)) *frames {
	f := &frames{
		deliver:  deliver,
		foreign:  make(map[uint32]int),
		decoders: make(map[gopacket.LayerType]gopacket.DecodingLayerFunc),
	}
	f.forgetFragments()
	f.known = gopacket.DecodingLayerArray(nil)
	for _, l := range []gopacket.DecodingLayer{
		&f.eth, &f.vlan, &f.cooked, &f.cooked2, &f.ip4, &f.ip6,
		&f.extension, &f.fragment, // in this order: the first would pass over a fragment header
		&f.tcp,
	} {
		f.known = f.known.Put(l)
	}
	return f
}

// frame delivers the segment in a frame, if there is one.
func (f *frames) frame(p *frame) {
	first, data := payload(p.link, p.data)
	if first == gopacket.LayerTypeZero {
		f.foreign[p.link]++
		return
	}
	f.segment.time, f.segment.comments = p.time, p.comments
	f.decode(first, data)
}

// payload returns what is in a frame of a link type, with the type of its first header: LayerTypeZero if the link type is
// not known.
func payload(link uint32, b []byte) (gopacket.LayerType, []byte) {
	switch link {
	case uint32(layers.LinkTypeEthernet):
		return layers.LayerTypeEthernet, b
	case uint32(layers.LinkTypeLinuxSLL):
		return layers.LayerTypeLinuxSLL, b
	case uint32(layers.LinkTypeLinuxSLL2):
		return layers.LayerTypeLinuxSLL2, b
	case uint32(layers.LinkTypeNull), uint32(layers.LinkTypeLoop):
		return ipPayload(b[min(4, len(b)):]) // behind a number of the address family, which each system chooses for itself
	case uint32(layers.LinkTypePPP):
		return ipPayload(pppPayload(b))
	case linkRaw, linkRawDLT, linkRawOpenBSD, uint32(layers.LinkTypeIPv4), uint32(layers.LinkTypeIPv6):
		return ipPayload(b)
	}
	return gopacket.LayerTypeZero, nil
}

// ipPayload returns an IP packet with the type of its header.
func ipPayload(b []byte) (gopacket.LayerType, []byte) {
	if len(b) > 0 && b[0]>>4 == 6 {
		return layers.LayerTypeIPv6, b
	}
	return layers.LayerTypeIPv4, b
}

// pppPayload returns the IP packet in a PPP frame (RFC 1661, section 2, and RFC 1662, section 3.1), nil if it is none.
func pppPayload(b []byte) []byte {
	b = bytes.TrimPrefix(b, []byte{0xff, 3})
	b = bytes.TrimPrefix(b, []byte{0}) // the protocol may be compressed
	if len(b) > 0 && (b[0] == 0x21 || b[0] == 0x57) {
		return b[1:]
	}
	return nil
}

// decode takes data apart from layer first on. What ends in no TCP segment, or does not parse, is passed over.
func (f *frames) decode(first gopacket.LayerType, data []byte) {
	decode, ok := f.decoders[first]
	if !ok {
		decode = f.known.LayersDecoder(first, gopacket.NilDecodeFeedback)
		f.decoders[first] = decode
	}
	f.decoded = f.decoded[:0]
	decode(data, &f.decoded)
	for _, l := range f.decoded {
		switch l {
		case layers.LayerTypeIPv4, layers.LayerTypeIPv6:
			f.ip = l
		case layers.LayerTypeTCP:
			f.found()
			return
		}
	}
	if len(f.decoded) == 0 {
		return
	}
	switch f.decoded[len(f.decoded)-1] {
	case layers.LayerTypeIPv4:
		if f.ip4.NextLayerType() == gopacket.LayerTypeFragment {
			f.fragment4()
		}
	case layers.LayerTypeIPv6Fragment:
		f.fragment6()
	}
}

// found delivers the segment that was decoded. A packet whose length says that it is longer than what there is was cut
// when it was captured.
func (f *frames) found() {
	s := &f.segment
	cut := 0
	switch f.ip {
	case layers.LayerTypeIPv4:
		s.from.addr, s.to.addr = mapped(f.ip4.SrcIP), mapped(f.ip4.DstIP)
		cut = int(f.ip4.Length) - len(f.ip4.Contents) - len(f.ip4.Payload)
	case layers.LayerTypeIPv6:
		s.from.addr, s.to.addr = [16]byte(f.ip6.SrcIP), [16]byte(f.ip6.DstIP)
		cut = int(f.ip6.Length) - len(f.ip6.Payload)
		if f.ip6.HopByHop != nil {
			cut -= f.ip6.HopByHop.ActualLength
		}
	}
	s.from.port, s.to.port = uint16(f.tcp.SrcPort), uint16(f.tcp.DstPort)
	s.seq, s.ack, s.acks = f.tcp.Seq, f.tcp.Ack, f.tcp.ACK
	s.syn, s.fin, s.rst = f.tcp.SYN, f.tcp.FIN, f.tcp.RST
	s.payload = f.tcp.Payload
	s.length = len(s.payload) + max(cut, 0)
	f.deliver(s)
}

// mapped returns an IPv4 address as IPv6 (RFC 4291, section 2.5.5.2).
func mapped(ip4 []byte) [16]byte {
	a := [16]byte{10: 0xff, 11: 0xff}
	copy(a[12:], ip4)
	return a
}

// fragment4 keeps the fragment that was decoded and delivers the segment that it completes.
func (f *frames) fragment4() {
	kept := &layers.IPv4{}
	packet := slices.Concat(f.ip4.Contents, f.ip4.Payload)
	if kept.DecodeFromBytes(packet, gopacket.NilDecodeFeedback) != nil {
		return
	}
	f.keepFragment(len(packet))
	whole, err := f.defrag4.DefragIPv4WithTimestamp(kept, f.segment.time)
	if err != nil || whole == nil {
		return
	}
	f.ip4 = *whole
	f.ip4.Contents = nil
	f.ip4.Length = uint16(len(whole.Payload))
	f.whole(whole.NextLayerType(), whole.Payload)
}

// fragment6 is fragment4 for IPv6.
func (f *frames) fragment6() {
	ip, fragment := f.ip6, f.fragment
	ip.SrcIP, ip.DstIP = slices.Clone(ip.SrcIP), slices.Clone(ip.DstIP)
	fragment.Payload = slices.Clone(fragment.Payload)
	f.keepFragment(len(fragment.Payload))
	whole := f.defrag6.DefragIPv6(&ip, &fragment)
	if whole == nil {
		return
	}
	f.ip6 = *whole
	f.ip6.Length = uint16(len(whole.Payload))
	f.whole(whole.NextLayerType(), whole.Payload)
}

// keepFragment counts a fragment of size bytes.
func (f *frames) keepFragment(size int) {
	if f.fragments += size; f.fragments > maxFragments {
		f.forgetFragments()
	}
}

func (f *frames) forgetFragments() {
	f.defrag4, f.defrag6, f.fragments = ip4defrag.NewIPv4Defragmenter(), ip6defrag.NewIPv6Defragmenter(), 0
}

// whole delivers the segment in the payload, which begins with a header of type first, of a packet that was put together.
func (f *frames) whole(first gopacket.LayerType, payload []byte) {
	f.fragments = max(f.fragments-len(payload), 0)
	if first == layers.LayerTypeTCP || layers.LayerClassIPv6Extension.Contains(first) {
		f.decode(first, payload)
	}
}

// notice says how many frames were of a link type that is not known.
func (f *frames) notice(say func(string)) {
	for _, link := range slices.Sorted(maps.Keys(f.foreign)) {
		say(fmt.Sprintf("packets passed over, of link type %d, in which TCP is not looked for: %d", link, f.foreign[link]))
	}
}
