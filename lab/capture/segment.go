package capture

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"mtlslab.example/lab/lab/endpoint"
)

const (
	maxSegment  = 32 << 10 // bytes of payload; IPv4 would allow 65,495
	ackEvery    = 64 << 10 // bytes received after which a side acknowledges if it has nothing to send
	windowScale = 7        // RFC 7323 section 2.2: a window of 8 MiB
	hopLimit    = 64
	protocolTCP = 6 // in IP headers

	ip4Header = 20 // bytes
	ip6Header = 40
	tcpHeader = 20                        // without options
	maxHeader = ip6Header + tcpHeader + 8 // with SYN's options
)

// packet is a frame of link type LINKTYPE_RAW: an IP header, a TCP header and a
// payload.
type packet struct {
	time         int64 // nanoseconds since 1970
	header       [maxHeader]byte
	headerLength int
	payload      []byte // as much as is captured of it; borrowed
	length       int    // of the whole frame in bytes, captured or not
	comment      string // opt_comment
	from         endpoint.Side
	mayEnd       bool // it may be the last of its side: it ends in a possible alert, or is FIN or RST
}

// captured returns the number of bytes of the frame that are recorded.
func (p *packet) captured() int { return p.headerLength + len(p.payload) }

// The control bits of a TCP header (RFC 9293 section 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// segmenter makes the packets of one connection: TCP (RFC 9293) without loss,
// between two ends that agree.
type segmenter struct {
	deliver func(*packet)
	time    int64 // of the packets to come, nanoseconds since 1970
	ends    endpoint.Pair[end]
	reset   bool
	packet  packet // the one being delivered
}

// end is one end of a connection.
type end struct {
	header    [ip6Header + tcpHeader]byte // IP and TCP headers of a segment without options; stamp fills in what differs
	ip        int                         // bytes of the IP header
	tcp       int                         // bytes of both
	pseudo    uint16                      // sum of the pseudo-header's addresses and protocol
	id        uint16                      // identification of its last IPv4 packet
	next      uint32                      // SND.NXT: sequence number of the next byte it sends, modulo 2^32
	acked     uint32                      // the last acknowledgement number it sent
	finished  bool                        // it has sent FIN
	connected bool                        // its acknowledgement numbers mean something
	scaled    bool                        // its window is 8 MiB: that in a SYN is 64 KiB (RFC 7323 section 2.2)
}

// newSegmenter returns the segmenter of a connection between two TCP endpoints,
// which begins with isn's sequence numbers. Addresses of mixed families are
// written as IPv6; an invalid one as the unspecified one.
func newSegmenter(client, server netip.AddrPort, isn endpoint.Pair[uint32], deliver func(*packet)) *segmenter {
	from, to := client.Addr().Unmap(), server.Addr().Unmap()
	is4 := !from.Is6() && !to.Is6()
	s := &segmenter{deliver: deliver}
	s.ends.Client = newEnd(from, to, client.Port(), server.Port(), is4)
	s.ends.Server = newEnd(to, from, server.Port(), client.Port(), is4)
	s.ends.Client.next, s.ends.Server.next = isn.Client, isn.Server
	return s
}

func newEnd(from, to netip.Addr, fromPort, toPort uint16, is4 bool) end {
	e := end{id: uint16(rand.Uint32())}
	be := binary.BigEndian
	addresses, size := 8, 16 // where they are in the IP header, and the bytes of one
	if is4 {
		addresses, size, e.ip = 12, 4, ip4Header
		e.header[0] = 4<<4 | ip4Header/4 // version and length in words
		e.header[6] = 1 << 6             // don't fragment
		e.header[8], e.header[9] = hopLimit, protocolTCP
	} else {
		e.ip = ip6Header
		be.PutUint32(e.header[:], 6<<28|rand.Uint32()&0xfffff) // version and flow label
		e.header[6], e.header[7] = protocolTCP, hopLimit
	}
	e.tcp = e.ip + tcpHeader
	be.PutUint16(e.header[e.ip+14:], 0xffff) // window
	for i, a := range []netip.Addr{from, to} {
		if a.IsValid() {
			mapped := a.As16()
			copy(e.header[addresses+i*size:], mapped[16-size:])
		}
	}
	be.PutUint16(e.header[e.ip:], fromPort)
	be.PutUint16(e.header[e.ip+2:], toPort)
	e.pseudo = sum(sum16(e.header[addresses:e.ip]), protocolTCP)
	return e
}

// synOptions are what a SYN offers (RFC 9293 section 3.7.1, and
// RFC 7323 section 2.2), padded to 32 bits.
var synOptions = []byte{
	2, 4, 65495 >> 8, 65495 & 0xff, // maximum segment size
	1, // no operation
	3, 3, windowScale,
}

// open makes the three-way handshake. The first packet carries note.
func (s *segmenter) open(note string) {
	client, server := &s.ends.Client, &s.ends.Server
	s.packet.comment = note
	s.send(endpoint.Client, flagSYN, nil, 0, false)
	client.next++

	server.connected = true
	s.send(endpoint.Server, flagSYN, nil, 0, false)
	server.next++

	client.connected = true
	s.send(endpoint.Client, 0, nil, 0, false)
}

// data makes the segments of p, of which keep bytes of each are captured at
// most; a negative keep captures all. mayEnd marks the last segment. What
// follows a FIN or RST is ignored: no connection carries it.
func (s *segmenter) data(from endpoint.Side, p []byte, keep int, mayEnd bool) {
	sender, receiver := s.ends.Of(from), s.ends.Of(from.Other())
	for len(p) > 0 && !sender.finished && !s.reset {
		segment := p[:min(len(p), maxSegment)]
		p = p[len(segment):]
		captured := segment
		if keep >= 0 && keep < len(segment) {
			captured = segment[:keep]
		}
		flags := byte(0)
		if len(p) == 0 {
			flags = flagPSH
		}
		s.send(from, flags, captured, len(segment), mayEnd && len(p) == 0)
		sender.next += uint32(len(segment))
		unacknowledged := sender.next - receiver.acked
		if unacknowledged >= ackEvery || !receiver.scaled && unacknowledged >= ackEvery/4 {
			s.send(from.Other(), 0, nil, 0, false)
		}
	}
}

// fin makes a FIN, unless from has sent one or the connection is reset, and its
// acknowledgement.
func (s *segmenter) fin(from endpoint.Side) {
	e := s.ends.Of(from)
	if e.finished || s.reset {
		return
	}
	e.finished = true
	s.send(from, flagFIN, nil, 0, true)
	e.next++
	s.send(from.Other(), 0, nil, 0, false)
}

// rst makes an RST, unless the connection is reset.
func (s *segmenter) rst(from endpoint.Side) {
	if s.reset {
		return
	}
	s.reset = true
	s.send(from, flagRST, nil, 0, true)
}

// send delivers a segment with these flags, and ACK where that can be. Its
// payload has length bytes, of which payload is captured.
func (s *segmenter) send(from endpoint.Side, flags byte, payload []byte, length int, mayEnd bool) {
	e, p := s.ends.Of(from), &s.packet
	if e.connected {
		flags |= flagACK
		e.acked = s.ends.Of(from.Other()).next
	}
	e.scaled = flags&flagSYN == 0
	p.headerLength = e.stamp(&p.header, flags, payload, length)
	p.time, p.from, p.mayEnd = s.time, from, mayEnd
	p.payload, p.length = payload, p.headerLength+length
	s.deliver(p)
	p.comment = ""
}

// stamp writes the headers of e's next segment and returns their length. They
// are e.header with the fields filled in that differ. A payload that is not
// captured whole gets no TCP checksum, because nobody could verify it.
func (e *end) stamp(header *[maxHeader]byte, flags byte, payload []byte, length int) int {
	n := copy(header[:], e.header[:e.tcp])
	if flags&flagSYN != 0 {
		n += copy(header[n:], synOptions)
	}
	be := binary.BigEndian
	ip, tcp := header[:e.ip], header[e.ip:n]

	be.PutUint32(tcp[4:], e.next)
	be.PutUint32(tcp[8:], e.acked)
	tcp[12] = byte(len(tcp)/4) << 4
	tcp[13] = flags
	if len(payload) == length {
		be.PutUint16(tcp[16:], ^sum(e.pseudo, uint16(len(tcp)+length), sum16(tcp), sum16(payload)))
	}
	if len(ip) == ip4Header {
		e.id++
		be.PutUint16(ip[2:], uint16(n+length))
		be.PutUint16(ip[4:], e.id)
		be.PutUint16(ip[10:], ^sum16(ip))
	} else {
		be.PutUint16(ip[4:], uint16(len(tcp)+length))
	}
	return n
}

// sum returns the one's complement sum of 16-bit words (RFC 1071).
func sum(words ...uint16) uint16 {
	total := uint32(0)
	for _, w := range words {
		total += uint32(w)
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}

// sum16 returns the one's complement sum of p's 16-bit big-endian words, the
// last one padded with zero (RFC 1071). It adds eight bytes at a time and swaps
// the bytes of the result (section 2, B): most of the
// cost of a recorded byte.
func sum16(p []byte) uint16 {
	var sum, carry uint64
	le := binary.LittleEndian
	for len(p) >= 64 {
		sum, carry = bits.Add64(sum, le.Uint64(p), carry)
		sum, carry = bits.Add64(sum, le.Uint64(p[8:]), carry)
		sum, carry = bits.Add64(sum, le.Uint64(p[16:]), carry)
		sum, carry = bits.Add64(sum, le.Uint64(p[24:]), carry)
		sum, carry = bits.Add64(sum, le.Uint64(p[32:]), carry)
		sum, carry = bits.Add64(sum, le.Uint64(p[40:]), carry)
		sum, carry = bits.Add64(sum, le.Uint64(p[48:]), carry)
		sum, carry = bits.Add64(sum, le.Uint64(p[56:]), carry)
		p = p[64:]
	}
	for len(p) > 0 {
		var word [8]byte
		p = p[copy(word[:], p):]
		sum, carry = bits.Add64(sum, le.Uint64(word[:]), carry)
	}
	for carry > 0 {
		sum, carry = bits.Add64(sum, 0, carry)
	}
	sum = sum>>32 + sum&0xffffffff
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return bits.ReverseBytes16(uint16(sum))
}
