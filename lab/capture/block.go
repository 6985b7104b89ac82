package capture

import (
	"encoding/binary"

	"mtlslab.example/lab/lab/text"
)

const (
	blockTypePacket  = 6  // Enhanced Packet Block
	optComment       = 1  // opt_comment
	packetBlockFixed = 32 // bytes of an Enhanced Packet Block around packet data and options
	optionsFixed     = 8  // bytes of an option's header and of opt_endofopt
)

func padded(n int) int { return (n + 3) &^ 3 }

func packetBlockLength(p *packet) int {
	n := packetBlockFixed + padded(p.captured())
	if p.comment != "" {
		n += optionsFixed + padded(len(p.comment))
	}
	return n
}

// appendPacketBlock appends an Enhanced Packet Block (draft-ietf-opsawg-pcapng
// section 4.3). pcapgo writes one too, but wants header and payload in one
// piece: that is a second copy of every byte.
//
//	                        1                   2                   3
//	    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	 0 |                    Block Type = 0x00000006                    |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	 4 |                      Block Total Length                       |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	 8 |                       Interface ID = 0                        |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	12 |                   Timestamp (upper 32 bits)                   |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	16 |                   Timestamp (lower 32 bits)                   |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	20 |                    Captured Packet Length                     |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	24 |                    Original Packet Length                     |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	28 /               Packet Data, padded to 32 bits                  /
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	   |        opt_comment = 1        |         Option Length         |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	   /                UTF-8 text, padded to 32 bits                  /
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	   |        opt_endofopt = 0       |               0               |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	   |                      Block Total Length                       |
//	   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// All numbers are little endian. The options are there only if the packet has a
// comment.
func appendPacketBlock(b []byte, p *packet) []byte {
	length := uint32(packetBlockLength(p))
	le := binary.LittleEndian
	b = le.AppendUint32(b, blockTypePacket)
	b = le.AppendUint32(b, length)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, uint32(p.time>>32))
	b = le.AppendUint32(b, uint32(p.time))
	b = le.AppendUint32(b, uint32(p.captured()))
	b = le.AppendUint32(b, uint32(p.length))
	b = append(b, p.header[:p.headerLength]...)
	b = append(b, p.payload...)
	b = appendPadding(b, p.captured())
	if p.comment != "" {
		b = le.AppendUint16(b, optComment)
		b = le.AppendUint16(b, uint16(len(p.comment)))
		b = append(b, p.comment...)
		b = appendPadding(b, len(p.comment))
		b = le.AppendUint32(b, 0)
	}
	return le.AppendUint32(b, length)
}

// appendPadding pads a field of n bytes to 32 bits.
func appendPadding(b []byte, n int) []byte {
	return append(b, make([]byte, padded(n)-n)...)
}

// comment makes a text fit for an opt_comment: one line of UTF-8 that any
// program that prints the capture can print.
func comment(s string) string { return text.Clean(s) }

// wholeBlocks returns the number of bytes of the whole blocks that b, made of
// blocks and perhaps a part of one, begins with.
func wholeBlocks(b []byte) int {
	whole := 0
	for len(b)-whole >= 8 {
		length := int(binary.LittleEndian.Uint32(b[whole+4:]))
		if length > len(b)-whole {
			break
		}
		whole += length
	}
	return whole
}
