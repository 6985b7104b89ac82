package capture

import (
	"encoding/binary"
	"time"
)

// maxHeaders is how many nested headers of a frame are read.
const maxHeaders = 64

// segment is a TCP segment of a capture file. Its slices are borrowed.
type segment struct {
	time          time.Time
	from, to      address
	seq, ack      uint32
	syn, fin, rst bool
	acks          bool   // ack means something
	quoted        bool   // an ICMP error quotes it
	payload       []byte // as much of it as was captured
	length        int    // of the payload, in bytes
	comments      []string
}

// address is an IP address, as IPv6, and a port.
type address struct {
	addr [16]byte
	port uint16
}

// frames finds TCP segments in frames, whatever they are wrapped in.
//
// The headers are taken apart here and not by gopacket's layers: those know no
// CAPWAP, Cisco metadata, Teredo or NFLOG, guess what MPLS carries, take the
// last bytes of each 802.11 frame for its checksum, give up a TCP header that
// was cut within its options, and do not say what they stop at.
type frames struct {
	deliver   func(*segment)
	unread    *unread
	fragments fragments

	segment segment // its endpoints are those of the innermost header so far
	cut     int     // bytes of the innermost IP packet that were not captured
	depth   int     // headers so far
}

func newFrames(deliver func(*segment)) *frames {
	return &frames{deliver: deliver, unread: newUnread()}
}

// frame delivers the segments in a frame.
func (f *frames) frame(p *frame) {
	s := &f.segment
	s.time, s.comments, s.quoted = p.time, p.comments, false
	s.from, s.to = address{}, address{}
	f.cut, f.depth = 0, 0
	f.decode(linkType|protocol(p.link), p.data)
}

// decode takes b apart, whose first header is of protocol p.
func (f *frames) decode(p protocol, b []byte) {
	for ; f.depth < maxHeaders; f.depth++ {
		next, rest := f.header(p, b)
		switch next {
		case taken:
			return
		case notRead:
			f.pass(p)
			return
		case malformed:
			f.pass(malformed)
			return
		}
		p, b = next, rest
	}
	f.pass(nested)
}

// pass counts a packet that ends in protocol p, unless it is one that was
// counted as the ICMP error that quotes it.
func (f *frames) pass(p protocol) {
	if !f.segment.quoted {
		f.unread.add(p, f.segment.from, f.segment.to)
	}
}

// header reads the first header of b, which is of protocol p, and returns what
// follows it: taken if nothing of it has to be read, notRead if p is not known.
func (f *frames) header(p protocol, b []byte) (protocol, []byte) {
	switch p {
	case ethernet, etherType | 0x6558:
		return typed(b, 12)
	case ipv4, ipProtocol | 4:
		return f.ip4(b)
	case ipv6, ipProtocol | 41:
		return f.ip6(b)
	case tcp:
		return f.tcp(b)
	case udp:
		return f.udp(b)
	case icmp4, icmp6:
		return f.icmp(p, b)
	case ipProtocol, ipProtocol | 43, ipProtocol | 60, ipProtocol | 135, ipProtocol | 139, ipProtocol | 140:
		return extension(b, 1, 8)
	case ipProtocol | 51: // AH
		return extension(b, 2, 4)
	case ipProtocol | 44:
		return f.fragment6(b)
	case wlan, wlanPadded:
		return f.wlan(b, p == wlanPadded)
	case wlanInCAPWAP:
		return f.nativeWLAN(b)
	case capwap:
		return f.capwap(b)
	}
	switch p &^ 0xffff {
	case linkType:
		return link(uint32(p&0xffff), b)
	case etherType:
		return ether(p&0xffff, b)
	}
	return tunnel(p, b)
}

// ip4 reads an IPv4 header (RFC 791).
func (f *frames) ip4(b []byte) (protocol, []byte) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return malformed, nil
	}
	be := binary.BigEndian
	header, length := int(b[0]&15)*4, int(be.Uint16(b[2:]))
	if length == 0 {
		length = len(b) // the sender's network card was to cut it into segments
	}
	if header < 20 || length < header || len(b) < header {
		return malformed, nil
	}
	f.cut = max(length-len(b), 0)
	s := &f.segment
	s.from, s.to = address{addr: mapped(b[12:16])}, address{addr: mapped(b[16:20])}
	p, payload := ipProtocol|protocol(b[9]), b[header:min(length, len(b))]
	place := be.Uint16(b[6:])
	if place&0x3fff == 0 {
		return p, payload
	}
	return f.fragment(p, uint32(be.Uint16(b[4:])), int(place&0x1fff)*8, place&0x2000 != 0, payload)
}

// mapped returns an IPv4 address as IPv6 (RFC 4291 section 2.5.5.2).
func mapped(ip4 []byte) [16]byte {
	a := [16]byte{10: 0xff, 11: 0xff}
	copy(a[12:], ip4)
	return a
}

// ip6 reads an IPv6 header (RFC 8200 section 3).
func (f *frames) ip6(b []byte) (protocol, []byte) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return malformed, nil
	}
	length := 40 + int(binary.BigEndian.Uint16(b[4:]))
	if length == 40 {
		length = len(b) // a jumbogram, or one that the network card was to cut
	}
	f.cut = max(length-len(b), 0)
	s := &f.segment
	s.from, s.to = address{addr: [16]byte(b[8:24])}, address{addr: [16]byte(b[24:40])}
	return ipProtocol | protocol(b[6]), b[40:min(length, len(b))]
}

// extension reads a header that has its length in its second byte, in units, of
// which it counts more than it says: an IPv6 extension header
// (RFC 8200 section 4), or AH (RFC 4302 section 2).
func extension(b []byte, more, unit int) (protocol, []byte) {
	if len(b) < 2 {
		return malformed, nil
	}
	return after(ipProtocol|protocol(b[0]), b, (int(b[1])+more)*unit)
}

// fragment6 reads an IPv6 fragment header (RFC 8200 section 4.5).
func (f *frames) fragment6(b []byte) (protocol, []byte) {
	if len(b) < 8 {
		return malformed, nil
	}
	be := binary.BigEndian
	p, place := ipProtocol|protocol(b[0]), be.Uint16(b[2:])
	if place&^6 == 0 {
		return p, b[8:]
	}
	return f.fragment(p, be.Uint32(b[4:]), int(place&^7), place&1 != 0, b[8:])
}

// fragment keeps a fragment of a packet and decodes the packet that it
// completes. Of a packet whose first fragment was not captured whole, that is
// all that can be read.
func (f *frames) fragment(p protocol, id uint32, offset int, more bool, payload []byte) (protocol, []byte) {
	if f.cut > 0 || f.segment.quoted {
		if offset == 0 {
			return p, payload
		}
		return fragmented, nil
	}
	key := fragmentKey{f.segment.from.addr, f.segment.to.addr, id, p}
	whole := f.fragments.add(key, fragment{offset, payload}, more, f.segment.time)
	if whole == nil {
		return taken, nil
	}
	return p, whole
}

// icmp reads an ICMP message (RFC 792, RFC 4443). An error quotes the packet
// that it is about.
func (f *frames) icmp(p protocol, b []byte) (protocol, []byte) {
	f.pass(p)
	if f.segment.quoted || len(b) < 8 {
		return taken, nil
	}
	f.segment.quoted = true
	switch kind := b[0]; {
	case p == icmp4 && (kind >= 3 && kind <= 5 || kind == 11 || kind == 12), p == icmp6 && kind >= 1 && kind <= 4:
		return anyIP, b[8:]
	}
	return taken, nil
}

// tcp delivers a segment (RFC 9293 section 3.1). If it was cut when it was
// captured, or quoted, its length field says how long it was; all that is
// needed is in the first 16 bytes.
func (f *frames) tcp(b []byte) (protocol, []byte) {
	if len(b) < 16 {
		return malformed, nil
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > len(b)+f.cut {
		return malformed, nil
	}
	be := binary.BigEndian
	s := &f.segment
	s.from.port, s.to.port = be.Uint16(b), be.Uint16(b[2:])
	s.seq, s.ack = be.Uint32(b[4:]), be.Uint32(b[8:])
	flags := b[13]
	s.syn, s.fin, s.rst, s.acks = flags&flagSYN != 0, flags&flagFIN != 0, flags&flagRST != 0, flags&flagACK != 0
	s.payload = b[min(header, len(b)):]
	s.length = len(b) + f.cut - header
	f.deliver(s)
	return taken, nil
}

// after returns b without its first n bytes.
func after(p protocol, b []byte, n int) (protocol, []byte) {
	if len(b) < n {
		return malformed, nil
	}
	return p, b[n:]
}
