package capture

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"mtlslab.example/lab/lab/wiretap"
)

const (
	maxSegment  = 32 << 10 // bytes of payload; IPv4 would allow 65,495
	ackEvery    = 64 << 10 // bytes received after which a side acknowledges if it has nothing to send
	windowScale = 7        // RFC 7323, section 2.2: a window of 8 MiB
	hopLimit    = 64
	maxHeader   = 40 + 20 + 8 // bytes of an IPv6 header and a TCP header with SYN's options
)

// packet is a frame of link type LINKTYPE_RAW: an IP header, a TCP header and a payload.
type packet struct {
	time         int64 // nanoseconds since 1970
	header       [maxHeader]byte
	headerLength int
	payload      []byte // as much as is captured of it; borrowed
	length       int    // of the whole frame in bytes, captured or not
	comment      string // opt_comment
	from         wiretap.Side
	lastWords    bool // from may have nothing to say after it: it ends in a possible alert, or is FIN or RST
}

// captured returns the number of bytes of the frame that are recorded.
func (p *packet) captured() int { return p.headerLength + len(p.payload) }

// segmenter makes the packets of one connection: TCP (RFC 9293) without loss, between two ends that agree.
type segmenter struct {
	deliver func(*packet)
	time    int64  // of the packets to come, nanoseconds since 1970
	ends    [2]end // by wiretap.Side
	reset   bool
	buffer  gopacket.SerializeBuffer
	packet  packet // the one being delivered
}

// end is one end of a connection.
type end struct {
	tcp       layers.TCP
	ip4       layers.IPv4
	ip6       layers.IPv6
	pseudo    uint32 // sum of the pseudo-header's addresses and protocol
	next      uint32 // SND.NXT: sequence number of the next byte it sends, modulo 2^32
	acked     uint32 // the last acknowledgement number it sent
	finished  bool   // it has sent FIN
	connected bool   // its acknowledgement numbers mean something
}

// newSegmenter returns the segmenter of a connection between two TCP endpoints, which begins with isn's sequence
// numbers. Addresses of mixed families are written as IPv6; an invalid one as the unspecified one.
func newSegmenter(client, server netip.AddrPort, isn [2]uint32, deliver func(*packet)) *segmenter {
	s := &segmenter{deliver: deliver, buffer: gopacket.NewSerializeBufferExpectedSize(maxHeader, 0)}
	from, to := client.Addr().Unmap(), server.Addr().Unmap()
	is4 := !from.Is6() && !to.Is6()
	s.ends[wiretap.Client] = newEnd(from, to, client.Port(), server.Port(), is4)
	s.ends[wiretap.Server] = newEnd(to, from, server.Port(), client.Port(), is4)
	for side := range s.ends {
		s.ends[side].next = isn[side]
	}
	return s
}

func newEnd(from, to netip.Addr, fromPort, toPort uint16, is4 bool) end {
	e := end{tcp: layers.TCP{SrcPort: layers.TCPPort(fromPort), DstPort: layers.TCPPort(toPort), Window: 0xffff}}
	src, dst := address(from, is4), address(to, is4)
	if is4 {
		e.ip4 = layers.IPv4{
			Version: 4, IHL: 5, Id: uint16(rand.Uint32()), Flags: layers.IPv4DontFragment, TTL: hopLimit,
			Protocol: layers.IPProtocolTCP, SrcIP: src, DstIP: dst,
		}
	} else {
		e.ip6 = layers.IPv6{
			Version: 6, FlowLabel: rand.Uint32() & 0xfffff, HopLimit: hopLimit,
			NextHeader: layers.IPProtocolTCP, SrcIP: src, DstIP: dst,
		}
	}
	e.pseudo = gopacket.ComputeChecksum(dst, gopacket.ComputeChecksum(src, uint32(layers.IPProtocolTCP)))
	return e
}

// address returns a's 4 or 16 bytes.
func address(a netip.Addr, is4 bool) []byte {
	switch {
	case is4 && !a.Is4():
		return netip.IPv4Unspecified().AsSlice()
	case is4:
		return a.AsSlice()
	case !a.IsValid():
		return netip.IPv6Unspecified().AsSlice()
	}
	b := a.As16()
	return b[:]
}

// synOptions are what a SYN offers (RFC 9293, section 3.7.1, and RFC 7323, section 2.2), padded to 32 bits.
var synOptions = []layers.TCPOption{
	{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: binary.BigEndian.AppendUint16(nil, 65495)},
	{OptionType: layers.TCPOptionKindNop, OptionLength: 1},
	{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{windowScale}},
}

// open makes the three-way handshake. The first packet carries note.
func (s *segmenter) open(note string) {
	client, server := &s.ends[wiretap.Client], &s.ends[wiretap.Server]
	client.tcp.Options, server.tcp.Options = synOptions, synOptions

	client.tcp.SYN = true
	s.packet.comment = note
	s.send(wiretap.Client, nil, 0, false)
	client.tcp.SYN = false
	client.next++

	server.tcp.SYN, server.connected = true, true
	s.send(wiretap.Server, nil, 0, false)
	server.tcp.SYN = false
	server.next++

	client.tcp.Options, server.tcp.Options = nil, nil
	client.connected = true
	s.send(wiretap.Client, nil, 0, false)
}

// data makes the segments of p, of which keep bytes of each are captured at most; a negative keep captures all.
// lastWords marks the last segment. What follows a FIN or RST is ignored: no connection carries it.
func (s *segmenter) data(from wiretap.Side, p []byte, keep int, lastWords bool) {
	sender, receiver := &s.ends[from], &s.ends[from.Peer()]
	for len(p) > 0 && !sender.finished && !s.reset {
		segment := p[:min(len(p), maxSegment)]
		p = p[len(segment):]
		captured := segment
		if keep >= 0 && keep < len(segment) {
			captured = segment[:keep]
		}
		sender.tcp.PSH = len(p) == 0
		s.send(from, captured, len(segment), lastWords && len(p) == 0)
		sender.tcp.PSH = false
		sender.next += uint32(len(segment))
		if sender.next-receiver.acked >= ackEvery {
			s.send(from.Peer(), nil, 0, false)
		}
	}
}

// fin makes a FIN, unless from has sent one or the connection is reset, and its acknowledgement.
func (s *segmenter) fin(from wiretap.Side) {
	e := &s.ends[from]
	if e.finished || s.reset {
		return
	}
	e.finished = true
	e.tcp.FIN = true
	s.send(from, nil, 0, true)
	e.tcp.FIN = false
	e.next++
	s.send(from.Peer(), nil, 0, false)
}

// rst makes an RST, unless the connection is reset.
func (s *segmenter) rst(from wiretap.Side) {
	if s.reset {
		return
	}
	s.reset = true
	s.ends[from].tcp.RST = true
	s.send(from, nil, 0, true)
}

// send delivers a segment whose payload has length bytes, of which payload is captured.
func (s *segmenter) send(from wiretap.Side, payload []byte, length int, lastWords bool) {
	e, p := &s.ends[from], &s.packet
	e.tcp.Seq = e.next
	if e.connected {
		e.acked = s.ends[from.Peer()].next
		e.tcp.ACK, e.tcp.Ack = true, e.acked
	}
	header, err := s.serialize(e, payload, length)
	if err != nil {
		return // only addresses of wrong length fail, and newEnd makes none
	}
	p.headerLength = copy(p.header[:], header)
	p.time, p.from, p.lastWords = s.time, from, lastWords
	p.payload, p.length = payload, p.headerLength+length
	s.deliver(p)
	p.comment = ""
}

// serialize returns the headers of a segment, valid until the next call. A payload that is not captured whole gets
// no TCP checksum, because nobody could verify it.
func (s *segmenter) serialize(e *end, payload []byte, length int) ([]byte, error) {
	e.tcp.DataOffset = 5
	if len(e.tcp.Options) > 0 {
		e.tcp.DataOffset = 7
	}
	if err := s.buffer.Clear(); err != nil {
		return nil, err
	}
	if err := e.tcp.SerializeTo(s.buffer, gopacket.SerializeOptions{}); err != nil {
		return nil, err
	}
	tcp := s.buffer.Bytes()
	if len(payload) == length {
		sum := gopacket.ComputeChecksum(tcp, e.pseudo+uint32(len(tcp)+length)+uint32(sum16(payload)))
		binary.BigEndian.PutUint16(tcp[16:], gopacket.FoldChecksum(sum))
	}
	if e.ip4.Version != 0 {
		e.ip4.Id++
		e.ip4.Length = uint16(20 + len(tcp) + length)
		err := e.ip4.SerializeTo(s.buffer, gopacket.SerializeOptions{ComputeChecksums: true})
		return s.buffer.Bytes(), err
	}
	e.ip6.Length = uint16(len(tcp) + length)
	err := e.ip6.SerializeTo(s.buffer, gopacket.SerializeOptions{})
	return s.buffer.Bytes(), err
}

// sum16 returns the one's complement sum of p's 16-bit big-endian words, the last one padded with zero (RFC 1071). It
// adds eight bytes at a time and swaps the bytes of the result (section 2, B), six times as fast as
// gopacket.ComputeChecksum, which was a third of the cost of a recorded byte.
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
