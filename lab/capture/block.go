package capture

import (
	"encoding/binary"

	"mtlslab.example/lab/lab/text"
)

const (
	blockTypePacket   = 6   // Enhanced Packet Block
	optComment        = 1   // opt_comment
	optName           = 2   // if_name
	optDescription    = 3   // if_description
	optApplication    = 4   // shb_userappl
	linkTypeRaw       = 101 // LINKTYPE_RAW
	sectionFixed      = 24  // bytes of a Section Header Block before its options
	secretsBlockFixed = 20  // bytes of a Decryption Secrets Block around the secrets
	packetBlockFixed  = 32  // bytes of an Enhanced Packet Block around packet data and options
	optionsFixed      = 8   // bytes of an option's header and of opt_endofopt
)

func padded(n int) int { return (n + 3) &^ 3 }

// appendSection appends the Section Header Block of a recording
// (draft-ietf-opsawg-pcapng section 4.1). Its first option is the name of the
// lab: see IsOwn.
func appendSection(b []byte) []byte {
	le, start := binary.LittleEndian, len(b)
	b = le.AppendUint32(b, blockTypeSection)
	b = le.AppendUint32(b, 0) // its length, see endBlock
	b = le.AppendUint32(b, byteOrderMagic)
	b = append(b, 1, 0, 0, 0)          // version 1.0
	b = le.AppendUint64(b, ^uint64(0)) // the length of the section is not known
	b = appendOption(b, optApplication, application)
	b = appendOption(b, optComment, sectionComment)
	return endBlock(le.AppendUint32(b, optEnd), start)
}

const sectionComment = "TLS connections as the lab's own sockets saw them. The IP and TCP headers were synthesised in user space: " +
	"addresses, ports, bytes, their order and their times are real; sequence numbers, acknowledgements and " +
	"segment boundaries are not. THIS FILE CONTAINS THE KEYS that decrypt it: share it only where you would share those."

// appendInterface appends the Interface Description Block of the one interface
// of a recording (draft-ietf-opsawg-pcapng section 4.2). It has no SnapLen: a
// handshake is longer than Options.Snaplen.
func appendInterface(b []byte) []byte {
	le, start := binary.LittleEndian, len(b)
	b = le.AppendUint32(b, blockTypeInterface)
	b = le.AppendUint32(b, 0) // its length, see endBlock
	b = le.AppendUint32(b, linkTypeRaw)
	b = le.AppendUint32(b, 0) // SnapLen
	b = appendOption(b, optName, "lab")
	b = appendOption(b, optDescription, "user-space tap of the lab's connections, frames synthesised")
	b = appendOption(b, optTimestampResolution, "\x09") // nanoseconds
	return endBlock(le.AppendUint32(b, optEnd), start)
}

func secretsBlockLength(lines []byte) int { return secretsBlockFixed + padded(len(lines)) }

// appendSecretsBlock appends a Decryption Secrets Block with lines of a key log
// (draft-ietf-opsawg-pcapng section 4.7).
func appendSecretsBlock(b, lines []byte) []byte {
	le, start := binary.LittleEndian, len(b)
	b = le.AppendUint32(b, blockTypeSecrets)
	b = le.AppendUint32(b, 0) // its length, see endBlock
	b = le.AppendUint32(b, secretsTLS)
	b = le.AppendUint32(b, uint32(len(lines)))
	b = append(b, lines...)
	return endBlock(appendPadding(b, len(lines)), start)
}

// appendOption appends an option of a block
// (draft-ietf-opsawg-pcapng section 3.5).
func appendOption(b []byte, code uint16, value string) []byte {
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return appendPadding(append(b, value...), len(value))
}

// endBlock ends the block that begins at start with its length, and puts that
// at its beginning too.
func endBlock(b []byte, start int) []byte {
	le, length := binary.LittleEndian, uint32(len(b)-start+4)
	le.PutUint32(b[start+4:], length)
	return le.AppendUint32(b, length)
}

func packetBlockLength(p *packet) int {
	n := packetBlockFixed + padded(p.captured())
	if p.comment != "" {
		n += optionsFixed + padded(len(p.comment))
	}
	return n
}

// appendPacketBlock appends an Enhanced Packet Block (draft-ietf-opsawg-pcapng
// section 4.3).
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
		b = appendOption(b, optComment, p.comment)
		b = le.AppendUint32(b, optEnd)
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
