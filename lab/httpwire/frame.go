package httpwire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/net/http2"
)

// frameHeaderLen is the length of the header before each frame
// (RFC 9113 section 4.1).
const frameHeaderLen = 9

// frameHeader reads the header of a frame (RFC 9113 section 4.1).
//
//	+--------+------+-------+----------------+
//	| length | type | flags | R, stream      |
//	|   3    |  1   |   1   | 4              |
//	+--------+------+-------+----------------+
func frameHeader(b []byte) http2.FrameHeader {
	return http2.FrameHeader{
		Length:   binary.BigEndian.Uint32(b) >> 8,
		Type:     http2.FrameType(b[3]),
		Flags:    http2.Flags(b[4]),
		StreamID: streamID(b[5:]),
	}
}

func streamID(b []byte) uint32 { return binary.BigEndian.Uint32(b) & (1<<31 - 1) }

// headerFragment returns the part of a header block that the payload of a
// HEADERS, PUSH_PROMISE or CONTINUATION frame has, and the stream of the
// message, which is not the frame's when it is promised (RFC 9113 sections 6.2,
// 6.6 and 6.10).
func headerFragment(f http2.FrameHeader, payload []byte) (part []byte, message uint32, err error) {
	if f.StreamID == 0 {
		return nil, 0, fmt.Errorf("%v of no stream", f.Type)
	}
	before, padding := 0, 0
	if f.Type != http2.FrameContinuation && f.Flags.Has(http2.FlagHeadersPadded) {
		before++
		if len(payload) > 0 {
			padding = int(payload[0])
		}
	}
	at := before // of the promised stream
	switch {
	case f.Type == http2.FramePushPromise:
		before += 4
	case f.Type == http2.FrameHeaders && f.Flags.Has(http2.FlagHeadersPriority):
		before += 5
	}
	if before+padding > len(payload) {
		return nil, 0, errors.New("a " + f.Type.String() + " frame is too short for its flags")
	}
	message = f.StreamID
	if f.Type == http2.FramePushPromise {
		message = streamID(payload[at:])
	}
	return payload[before : len(payload)-padding], message, nil
}
