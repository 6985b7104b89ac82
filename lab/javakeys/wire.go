package javakeys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A packet of JDWP: length 4, id 4, flags 1, then the command set and the
// command, one byte each, or the error code of a reply, two bytes.
const (
	headerSize = 11
	flagReply  = 0x80
	// maxPacket bounds what a JVM is believed to send at once, in bytes. The
	// largest answer here is the list of a class's methods, a few KB.
	maxPacket = 1 << 20
)

const handshake = "JDWP-Handshake"

// A command is a command set and a command of it.
type command [2]byte

// The commands that are used here. None of them changes a value of the program.
var (
	vmClassBySignature = command{1, 2}
	vmDispose          = command{1, 6}
	vmIDSizes          = command{1, 7}
	vmResume           = command{1, 9}
	typeFields         = command{2, 4}
	typeMethods        = command{2, 5}
	objectType         = command{9, 1}
	objectValues       = command{9, 2}
	stringValue        = command{10, 1}
	threadResume       = command{11, 3}
	threadFrames       = command{11, 6}
	arrayValues        = command{13, 2}
	eventSet           = command{15, 1}
	frameValues        = command{16, 1}
	eventComposite     = command{64, 100}
)

// packet is a command with its arguments, or a reply.
type packet struct {
	id      uint32
	reply   bool
	command command // unless it is a reply
	failure uint16  // of a reply: 0, or why the command failed
	data    []byte
}

func (p *packet) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(headerSize+len(p.data)))
	b = binary.BigEndian.AppendUint32(b, p.id)
	if p.reply {
		b = append(b, flagReply)
		b = binary.BigEndian.AppendUint16(b, p.failure)
	} else {
		b = append(b, 0, p.command[0], p.command[1])
	}
	return append(b, p.data...)
}

// readPacket reads one packet. Its length is checked before there is memory for
// it.
func readPacket(r io.Reader) (*packet, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(header[:])
	if length < headerSize || length > maxPacket {
		return nil, fmt.Errorf("a JDWP packet has a length of %d bytes", length)
	}
	p := &packet{id: binary.BigEndian.Uint32(header[4:]), reply: header[8]&flagReply != 0}
	if p.reply {
		p.failure = binary.BigEndian.Uint16(header[9:])
	} else {
		p.command = command(header[9:11])
	}
	p.data = make([]byte, length-headerSize)
	_, err := io.ReadFull(r, p.data)
	return p, err
}

var errShort = errors.New("a JDWP packet is too short for what it should hold")

// id is an object, a class, a method, a field, a frame or a thread of a JVM,
// from 1 to 8 bytes long: idSizes says how long each kind is.
type id uint64

type idSizes struct{ field, method, object, class, frame int }

func (s idSizes) valid() bool {
	for _, n := range []int{s.field, s.method, s.object, s.class, s.frame} {
		if n < 1 || n > 8 {
			return false
		}
	}
	return true
}

// decoder reads data from its front. After an error it returns zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b) {
		d.err = errShort
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) uint(size int) (v uint64) {
	for _, c := range d.take(size) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (d *decoder) id(size int) id { return id(d.uint(size)) }
func (d *decoder) byte() byte     { return byte(d.uint(1)) }
func (d *decoder) int() int       { return int(int32(d.uint(4))) }
func (d *decoder) string() string { return string(d.take(d.int())) }

// count reads how many items follow, of size bytes at least. More than there
// is room for is an error.
func (d *decoder) count(size int) int {
	n := d.int()
	if n < 0 || n > len(d.b)/size {
		d.err = errShort
		return 0
	}
	return n
}

func appendID(b []byte, v id, size int) []byte {
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

func appendInt(b []byte, v int) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }

func appendString(b []byte, s string) []byte { return append(appendInt(b, len(s)), s...) }
