package httpwire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// preface is what the client begins with (RFC 9113 section 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// frameHeaderLen is the length of the header before each frame
// (RFC 9113 section 4.1).
const frameHeaderLen = 9

// frameType is the type of a frame (RFC 9113 section 6, RFC 9218 section 7.1).
type frameType uint8

const (
	frameData           frameType = 0x0
	frameHeaders        frameType = 0x1
	framePriority       frameType = 0x2
	frameRSTStream      frameType = 0x3
	frameSettings       frameType = 0x4
	framePushPromise    frameType = 0x5
	framePing           frameType = 0x6
	frameGoAway         frameType = 0x7
	frameWindowUpdate   frameType = 0x8
	frameContinuation   frameType = 0x9
	framePriorityUpdate frameType = 0x10
)

var frameNames = map[frameType]string{
	frameData: "DATA", frameHeaders: "HEADERS", framePriority: "PRIORITY", frameRSTStream: "RST_STREAM",
	frameSettings: "SETTINGS", framePushPromise: "PUSH_PROMISE", framePing: "PING", frameGoAway: "GOAWAY",
	frameWindowUpdate: "WINDOW_UPDATE", frameContinuation: "CONTINUATION", framePriorityUpdate: "PRIORITY_UPDATE",
}

// String returns the name of the RFCs.
func (t frameType) String() string {
	if name, known := frameNames[t]; known {
		return name
	}
	return fmt.Sprintf("UNKNOWN_FRAME_TYPE_%d", uint8(t))
}

// Flags, which mean something in frames of some types only.
const (
	flagAck        = 0x1  // SETTINGS, PING
	flagEndStream  = 0x1  // DATA, HEADERS
	flagEndHeaders = 0x4  // HEADERS, PUSH_PROMISE, CONTINUATION
	flagPadded     = 0x8  // DATA, HEADERS, PUSH_PROMISE
	flagPriority   = 0x20 // HEADERS
)

// frame is the header of a frame (RFC 9113 section 4.1).
//
//	+--------+------+-------+----------------+
//	| length | type | flags | R, stream      |
//	|   3    |  1   |   1   | 4              |
//	+--------+------+-------+----------------+
type frame struct {
	length int // of the payload
	kind   frameType
	flags  uint8
	stream uint32
}

func frameHeader(b []byte) frame {
	return frame{
		length: int(binary.BigEndian.Uint32(b) >> 8),
		kind:   frameType(b[3]),
		flags:  b[4],
		stream: streamID(b[5:]),
	}
}

func streamID(b []byte) uint32 { return binary.BigEndian.Uint32(b) & (1<<31 - 1) }

func (f frame) has(flag uint8) bool { return f.flags&flag != 0 }

// fragment returns the part of a header block that the payload of a HEADERS,
// PUSH_PROMISE or CONTINUATION frame has, and the stream of the message, which
// is not the frame's when it is promised (RFC 9113 sections 6.2, 6.6 and 6.10).
func (f frame) fragment(payload []byte) (part []byte, message uint32, err error) {
	if f.stream == 0 {
		return nil, 0, fmt.Errorf("%v of no stream", f.kind)
	}
	before, padding := 0, 0
	if f.kind != frameContinuation && f.has(flagPadded) {
		before++
		if len(payload) > 0 {
			padding = int(payload[0])
		}
	}
	at := before // of the promised stream
	switch {
	case f.kind == framePushPromise:
		before += 4
	case f.kind == frameHeaders && f.has(flagPriority):
		before += 5
	}
	if before+padding > len(payload) {
		return nil, 0, errors.New("a " + f.kind.String() + " frame is too short for its flags")
	}
	message = f.stream
	if f.kind == framePushPromise {
		message = streamID(payload[at:])
	}
	return payload[before : len(payload)-padding], message, nil
}
