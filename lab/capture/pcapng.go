package capture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"
	"time"
)

// Block types (draft-ietf-opsawg-pcapng section 11.1) besides blockTypePacket.
const (
	blockTypeSection   = 0x0a0d0d0a // the same in both byte orders
	blockTypeInterface = 1
	blockTypeOldPacket = 2 // Packet Block: obsolete
	blockTypeSimple    = 3
	blockTypeSecrets   = 10
)

const (
	byteOrderMagic = 0x1a2b3c4d
	blockFixed     = 12         // bytes of a block around its body: type, length, length
	secretsTLS     = 0x544c534b // TLS Key Log
	maxInterfaces  = 1 << 16

	optEnd                 = 0
	optTimestampResolution = 9  // if_tsresol
	optTimestampOffset     = 14 // if_tsoffset
)

// pcapng reads blocks. pcapgo's NgReader would, but does not return the secrets
// of Decryption Secrets Blocks, nor its position in the file.
type pcapng struct {
	s          *source
	deliver    func(*frame)
	secrets    func([]byte)
	order      binary.ByteOrder // of the section
	interfaces []linkInterface  // of the section
	frame      frame
}

// linkInterface is the content of an Interface Description Block.
type linkInterface struct {
	link    uint32
	snaplen uint32
	units   uint64 // of time in a second
	offset  int64  // seconds to add
}

// readPcapng hands the packets of a pcapng file to deliver, and its secrets to
// secrets unless that is nil, until the file's end, io.EOF.
func readPcapng(s *source, deliver func(*frame), secrets func([]byte)) error {
	r := pcapng{s: s, deliver: deliver, secrets: secrets}
	for {
		offset := s.offset
		if err := r.block(); err != nil {
			if _, ok := err.(*DamagedError); ok || err == io.EOF {
				return err
			}
			return damaged(offset, err)
		}
	}
}

// block reads a block.
func (r *pcapng) block() error {
	offset := r.s.offset
	header, err := r.s.take(8)
	if err != nil {
		return err
	}
	if binary.BigEndian.Uint32(header) == blockTypeSection {
		if header, err = r.byteOrder(offset); err != nil {
			return err
		}
	}
	kind, length := r.order.Uint32(header), r.order.Uint32(header[4:])
	if length < blockFixed || length%4 != 0 {
		return damagedf(offset, "a block of %d bytes", length)
	}
	bodyLength := length - blockFixed
	if minimum(kind) == 0 {
		if err := r.s.skip(int64(bodyLength)); err != nil {
			return err
		}
		return r.trailer(offset, length, nil)
	}
	if bodyLength > maxBlock {
		return damagedf(offset, "a block of %d bytes", length)
	}
	body, err := r.s.take(int(bodyLength) + 4)
	if err != nil {
		return unexpected(err)
	}
	if err := r.trailer(offset, length, body[bodyLength:]); err != nil {
		return err
	}
	if err := r.content(kind, body[:bodyLength]); err != nil {
		return &DamagedError{offset, err}
	}
	return nil
}

// byteOrder peeks at the byte order of the section at offset. It returns the
// section's type and length, which were read.
func (r *pcapng) byteOrder(offset int64) ([]byte, error) {
	b, err := r.s.r.Peek(12)
	if err != nil {
		return nil, unexpected(err)
	}
	switch uint32(byteOrderMagic) {
	case binary.LittleEndian.Uint32(b[8:]):
		r.order = binary.LittleEndian
	case binary.BigEndian.Uint32(b[8:]):
		r.order = binary.BigEndian
	default:
		return nil, damagedf(offset, "a section of no known byte order")
	}
	return b[:8], nil
}

// bodies are the block types whose content is read, with the least number of
// bytes that it has.
var bodies = [...]int{
	blockTypeInterface: 8,
	blockTypeOldPacket: 20,
	blockTypeSimple:    4,
	blockTypePacket:    20,
	blockTypeSecrets:   8,
}

// minimum returns the bytes that a block of that type has at least between its
// lengths, or 0 if its content is not read.
func minimum(kind uint32) int {
	switch {
	case kind == blockTypeSection:
		return 16
	case kind < uint32(len(bodies)):
		return bodies[kind]
	}
	return 0
}

// trailer compares the length at the end of a block, which it takes if it is
// nil, with the one at its beginning.
func (r *pcapng) trailer(offset int64, length uint32, trailer []byte) (err error) {
	if trailer == nil {
		if trailer, err = r.s.take(4); err != nil {
			return unexpected(err)
		}
	}
	if end := r.order.Uint32(trailer); end != length {
		return damagedf(offset, "a block of %d bytes at its beginning and of %d at its end", length, end)
	}
	return nil
}

// content reads the body of a block.
func (r *pcapng) content(kind uint32, body []byte) error {
	if least := minimum(kind); len(body) < least {
		return fmt.Errorf("a block of type %d with %d bytes of content, %d are needed", kind, len(body), least)
	}
	switch kind {
	case blockTypeSection:
		if major := r.order.Uint16(body[4:]); major != 1 {
			return fmt.Errorf("a section of version %d of the pcapng format; version 1 is known", major)
		}
		r.interfaces = r.interfaces[:0]
		return nil
	case blockTypeInterface:
		return r.addInterface(body)
	case blockTypePacket:
		return r.packet(r.order.Uint32(body), body)
	case blockTypeOldPacket:
		return r.packet(uint32(r.order.Uint16(body)), body)
	case blockTypeSimple:
		return r.simplePacket(body)
	default:
		return r.decryptionSecrets(body)
	}
}

func (r *pcapng) addInterface(body []byte) error {
	if len(r.interfaces) == maxInterfaces {
		return fmt.Errorf("more than %d interfaces", maxInterfaces)
	}
	i := linkInterface{link: uint32(r.order.Uint16(body)), snaplen: r.order.Uint32(body[4:]), units: 1e6}
	var err error
	r.options(body[8:], func(code uint16, value []byte) {
		switch {
		case code == optTimestampResolution && len(value) == 1:
			i.units, err = resolution(value[0])
		case code == optTimestampOffset && len(value) == 8:
			i.offset = int64(r.order.Uint64(value))
		}
	})
	r.interfaces = append(r.interfaces, i)
	return err
}

// resolution returns the units in a second: a power of 10, or, with the highest
// bit set, of 2.
func resolution(tsresol byte) (uint64, error) {
	exponent := tsresol & 0x7f
	switch {
	case tsresol&0x80 != 0 && exponent < 64:
		return 1 << exponent, nil
	case tsresol&0x80 == 0 && exponent < 20:
		units := uint64(1)
		for range exponent {
			units *= 10
		}
		return units, nil
	}
	return 0, fmt.Errorf("times of resolution %#x", tsresol)
}

// time returns the time of a timestamp. Those past the year 2262 are not kept
// apart.
func (i *linkInterface) time(timestamp uint64) time.Time {
	seconds := min(timestamp/i.units, math.MaxInt64/uint64(time.Second))
	hi, lo := bits.Mul64(timestamp%i.units, uint64(time.Second))
	fraction, _ := bits.Div64(hi, lo, i.units)
	return time.Unix(int64(seconds)+i.offset, int64(fraction))
}

// packet reads an Enhanced Packet Block: see appendPacketBlock. The obsolete
// Packet Block differs in its first word.
func (r *pcapng) packet(number uint32, body []byte) error {
	i, err := r.linkInterface(number)
	if err != nil {
		return err
	}
	captured, rest := r.order.Uint32(body[12:]), body[20:]
	if uint64(captured) > uint64(len(rest)) {
		return fmt.Errorf("a packet of %d bytes in a block with room for %d", captured, len(rest))
	}
	f := &r.frame
	f.time = i.time(uint64(r.order.Uint32(body[4:]))<<32 | uint64(r.order.Uint32(body[8:])))
	f.link, f.data = i.link, rest[:captured]
	f.comments = f.comments[:0]
	if options := min(padded(int(captured)), len(rest)); options < len(rest) {
		r.options(rest[options:], func(code uint16, value []byte) {
			if code == optComment {
				f.comments = append(f.comments, string(value))
			}
		})
	}
	r.deliver(f)
	return nil
}

// simplePacket reads a Simple Packet Block, which has no time: that of the
// packet before it is taken.
func (r *pcapng) simplePacket(body []byte) error {
	i, err := r.linkInterface(0)
	if err != nil {
		return err
	}
	captured := r.order.Uint32(body)
	if i.snaplen > 0 {
		captured = min(captured, i.snaplen)
	}
	body = body[4:]
	f := &r.frame
	f.link, f.data, f.comments = i.link, body[:min(uint64(captured), uint64(len(body)))], f.comments[:0]
	r.deliver(f)
	return nil
}

func (r *pcapng) linkInterface(number uint32) (*linkInterface, error) {
	if uint64(number) >= uint64(len(r.interfaces)) {
		return nil, fmt.Errorf("a packet of interface %d of %d", number, len(r.interfaces))
	}
	return &r.interfaces[number], nil
}

func (r *pcapng) decryptionSecrets(body []byte) error {
	kind, length := r.order.Uint32(body), r.order.Uint32(body[4:])
	if uint64(length) > uint64(len(body)-8) {
		return fmt.Errorf("secrets of %d bytes in a block with room for %d", length, len(body)-8)
	}
	if kind == secretsTLS && r.secrets != nil {
		r.secrets(body[8 : 8+length])
	}
	return nil
}

// options hands each option to add. Options that are damaged end them: no
// packet is lost for a comment.
func (r *pcapng) options(b []byte, add func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, length := r.order.Uint16(b), int(r.order.Uint16(b[2:]))
		if b = b[4:]; code == optEnd || length > len(b) {
			return
		}
		add(code, b[:length])
		b = b[min(padded(length), len(b)):]
	}
}
