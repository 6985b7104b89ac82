package httpwire

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// maxTable bounds the dynamic table of HPACK. A peer that allows more than
// HTTP/2's 4,096 bytes, as browsers do, says so in its SETTINGS.
const maxTable = 1 << 20

// http2conn is HTTP/2 (RFC 9113).
type http2conn struct {
	conn           *Conn
	client, server side2
}

// side2 is one direction. Frames that may hold headers are held until they are
// whole; of others only the lengths are read.
type side2 struct {
	preface int    // bytes of the client's preface still to come
	started bool   // the SETTINGS that come first were there
	frame   []byte // unfinished: the header or, for headers, all of it
	skip    int64  // bytes of a frame to be passed over
	hpack   *hpack.Decoder
	block   block
	bodies  map[uint32]*Message // by stream, while they may grow
}

// block is a header block that is being read.
type block struct {
	open    bool
	stream  uint32 // of its frames
	message uint32 // stream of the message: another one when it is promised (RFC 9113 section 8.4)
	end     bool   // END_STREAM
	size    int    // bytes on the wire
	fields  []hpack.HeaderField
	length  int // of the fields
}

func newHTTP2(c *Conn) *http2conn {
	h := &http2conn{conn: c}
	h.client.preface = len(http2.ClientPreface)
	for _, s := range []*side2{&h.client, &h.server} {
		s.hpack = hpack.NewDecoder(4096, s.emit)
		s.hpack.SetAllowedMaxDynamicTableSize(maxTable)
		s.hpack.SetMaxStringLength(maxHead)
		s.bodies = map[uint32]*Message{}
	}
	return h
}

// emit takes a field of the block. A small block can name long fields of the
// dynamic table many times over: what is beyond the bound is left out.
func (s *side2) emit(f hpack.HeaderField) {
	if s.block.length += int(f.Size()); s.block.length <= maxHead {
		s.block.fields = append(s.block.fields, f)
	}
}

func (h *http2conn) write(fromServer bool, b []byte) error {
	s := &h.client
	if fromServer {
		s = &h.server
	}
	if n := min(s.preface, len(b)); n > 0 {
		at := len(http2.ClientPreface) - s.preface
		if string(b[:n]) != http2.ClientPreface[at:at+n] {
			return errors.New("not HTTP/2: the client's bytes do not begin with the preface of RFC 9113 section 3.4")
		}
		s.preface -= n
		b = b[n:]
	}
	for len(b) > 0 {
		if n := min(s.skip, int64(len(b))); n > 0 {
			s.skip -= n
			b = b[n:]
			continue
		}
		b = s.fill(b, frameHeaderLen)
		if len(s.frame) < frameHeaderLen {
			return nil
		}
		f := frameHeader(s.frame)
		wanted, err := h.frameStarted(s, f)
		if err != nil {
			return err
		}
		b = s.fill(b, frameHeaderLen+wanted)
		if len(s.frame) < frameHeaderLen+wanted {
			return nil
		}
		if err := h.frameRead(s, f, s.frame); err != nil {
			return err
		}
		s.skip = int64(f.Length) - int64(wanted)
		s.frame = s.frame[:0]
	}
	return nil
}

// fill moves bytes of b to the unfinished frame until that has n.
func (s *side2) fill(b []byte, n int) []byte {
	n = min(max(0, n-len(s.frame)), len(b))
	s.frame = append(s.frame, b[:n]...)
	return b[n:]
}

// frameStarted judges a frame by its header, and says how many bytes of its
// payload are wanted to read it.
func (h *http2conn) frameStarted(s *side2, f http2.FrameHeader) (int, error) {
	if !s.started && (f.Type != http2.FrameSettings || f.StreamID != 0) {
		return 0, errors.New("not HTTP/2: the first frame is not SETTINGS (RFC 9113 section 3.4)")
	}
	s.started = true
	if s.block.open != (f.Type == http2.FrameContinuation) || s.block.open && f.StreamID != s.block.stream {
		return 0, errors.New("not HTTP/2: a header block and its CONTINUATION frames do not follow each other (RFC 9113 section 6.10)")
	}
	switch f.Type {
	case http2.FrameRSTStream:
		return min(4, int(f.Length)), nil
	case http2.FrameGoAway:
		return min(8, int(f.Length)), nil
	}
	h.note(f, "")
	switch f.Type {
	case http2.FrameHeaders, http2.FrameContinuation, http2.FramePushPromise:
		if s.block.size+int(f.Length) > maxHead {
			return 0, fmt.Errorf("a header block of more than %d bytes", maxHead)
		}
		return int(f.Length), nil
	case http2.FrameData:
		wanted := 0
		if f.Flags.Has(http2.FlagDataPadded) {
			wanted = 1
		}
		if m := s.bodies[f.StreamID]; m != nil {
			wanted += m.room()
		}
		return min(wanted, int(f.Length)), nil
	}
	return 0, nil
}

// few bounds what Conn.Frames and Conn.Resets have.
const few = 16

// note adds a frame to those that Conn.Frames names, with the error that it
// has, if it has one.
func (h *http2conn) note(f http2.FrameHeader, problem string) {
	name := f.Type.String()
	switch {
	case problem != "":
		name += " (" + problem + ")"
	case f.Type == http2.FrameHeaders, f.Type == http2.FrameContinuation, f.Type == http2.FramePushPromise:
		return
	case f.Type == http2.FrameSettings && f.Flags.Has(http2.FlagSettingsAck), f.Type == http2.FramePing && f.Flags.Has(http2.FlagPingAck):
		name += " (ACK)"
	}
	if len(h.conn.frames) < few && !slices.Contains(h.conn.frames, name) {
		h.conn.frames = append(h.conn.frames, name)
	}
}

// frameRead handles a frame: its header and the payload that was wanted.
func (h *http2conn) frameRead(s *side2, f http2.FrameHeader, b []byte) error {
	switch f.Type {
	case http2.FrameData:
		m := s.bodies[f.StreamID]
		if m == nil {
			return nil
		}
		n, payload := int64(f.Length), b[frameHeaderLen:]
		if f.Flags.Has(http2.FlagDataPadded) && len(payload) > 0 { // RFC 9113 section 6.1
			n, payload = max(0, n-1-int64(payload[0])), payload[1:]
		}
		m.take(n, payload[:min(n, int64(len(payload)))])
		if f.Flags.Has(http2.FlagDataEndStream) {
			delete(s.bodies, f.StreamID)
		}
	case http2.FrameRSTStream, http2.FrameGoAway:
		if f.Type == http2.FrameRSTStream {
			delete(h.client.bodies, f.StreamID)
			delete(h.server.bodies, f.StreamID)
		}
		r, failed := newReset(f, b[frameHeaderLen:])
		if !failed {
			r.Error = ""
		} else if len(h.conn.resets) < few {
			h.conn.resets = append(h.conn.resets, r)
		}
		h.note(f, r.Error)
	case http2.FrameHeaders, http2.FrameContinuation, http2.FramePushPromise:
		return h.readBlock(s, f, b[frameHeaderLen:])
	}
	return nil
}

// readBlock reads a frame of a header block, and the message when it ends.
func (h *http2conn) readBlock(s *side2, f http2.FrameHeader, payload []byte) error {
	fragment, message, err := headerFragment(f, payload)
	if err != nil {
		return fmt.Errorf("not HTTP/2: %w (RFC 9113 section 6)", err)
	}
	if f.Type != http2.FrameContinuation {
		s.block = block{stream: f.StreamID, message: message, end: f.Type == http2.FrameHeaders && f.Flags.Has(http2.FlagHeadersEndStream)}
	}
	ended := f.Flags.Has(http2.FlagHeadersEndHeaders) // the same bit in all three
	s.block.open = !ended
	s.block.size += frameHeaderLen + len(payload)
	if _, err := s.hpack.Write(fragment); err != nil {
		return fmt.Errorf("not HTTP/2: its headers cannot be decompressed: %w", err)
	}
	if !ended {
		return nil
	}
	if err := s.hpack.Close(); err != nil {
		return fmt.Errorf("not HTTP/2: its headers cannot be decompressed: %w", err)
	}
	h.blockRead(s)
	return nil
}

// blockRead makes a message of a block. Trailers (RFC 9113 section 8.1) make
// none, but may say how a call of gRPC ended.
func (h *http2conn) blockRead(s *side2) {
	m := &Message{StreamID: s.block.message}
	for _, f := range s.block.fields {
		m.Headers = append(m.Headers, Header{f.Name, f.Value})
		switch f.Name {
		case ":method":
			m.Request, m.Method = true, f.Value
		case ":path":
			m.Target = f.Value
		case ":authority":
			if m.Target == "" {
				m.Target = f.Value // of CONNECT, which has no path
			}
		case ":status":
			m.Status, _ = strconv.Atoi(f.Value)
		}
	}
	switch {
	case m.Request:
		m.Line = m.Method + " " + m.Target + " HTTP/2"
	case m.Status != 0:
		m.Line = fmt.Sprintf("HTTP/2 %d", m.Status)
	}
	if answer := s.bodies[m.StreamID]; m.Line == "" && answer != nil && !answer.Request {
		answer.GRPC = cmp.Or(grpcOf(m.Headers), answer.GRPC)
	}
	if m.Line != "" {
		if !m.Request {
			m.GRPC = grpcOf(m.Headers)
		}
		h.conn.add(m)
		if len(s.bodies) < maxStreams {
			s.bodies[m.StreamID] = m
		}
	}
	if s.block.end {
		delete(s.bodies, m.StreamID)
	}
	s.block = block{}
}
