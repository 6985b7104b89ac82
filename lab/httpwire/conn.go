package httpwire

import (
	"bytes"
	"errors"
	"fmt"
)

// The bounds on what is held of one side of a connection.
const (
	maxHead     = 1 << 16 // bytes of a head: HTTP/1's first line and headers, or HTTP/2's header block
	maxMethod   = 64
	maxRequests = 1 << 10 // HTTP/1 requests that wait for their responses
	maxStreams  = 1 << 12 // HTTP/2 streams whose bodies are counted
)

// Conn reads both directions of one connection. It holds at most one
// unfinished head a side. It is not for several goroutines at once.
type Conn struct {
	proto  protocol // nil until the first bytes show which HTTP it is
	held   []byte   // of the client, until that is known
	heads  []*Message
	frames []string // of HTTP/2, that began since the last call of Frames
	resets []Reset  // since the last call of Resets
	err    error    // why nothing more is read
	passed bool     // the rest is not HTTP, as agreed
}

// protocol is a version of HTTP. It hands each head it completes to Conn.add.
type protocol interface {
	write(fromServer bool, b []byte) error
}

// New returns a Conn for what ALPN (RFC 7301) agreed on: "http/1.1",
// "http/1.0" or "h2". With "", the first bytes decide.
func New(alpn string) *Conn {
	c := &Conn{}
	switch alpn {
	case "":
	case "http/1.1", "http/1.0":
		c.proto = newHTTP1(c)
	case "h2":
		c.proto = newHTTP2(c)
	default:
		c.err = fmt.Errorf("the two sides agreed by ALPN to speak %q, which is not HTTP", alpn)
	}
	return c
}

// Write reads the next bytes of one direction, cut anywhere, and returns the
// heads they complete. The messages stay the caller's; their Body goes on
// growing with later writes. Bytes that cannot be HTTP are an error, which is
// returned once: what follows is passed over, as it is after an Upgrade or a
// CONNECT (RFC 9110 sections 7.8 and 9.3.6).
func (c *Conn) Write(fromServer bool, b []byte) ([]*Message, error) {
	if c.passed || len(b) == 0 {
		return nil, nil
	}
	if c.err == nil && c.proto == nil {
		b = c.choose(fromServer, b)
	}
	if c.err == nil && c.proto != nil {
		c.err = c.proto.write(fromServer, b)
	}
	heads := c.heads
	c.heads = nil
	if c.err != nil {
		c.passed, c.proto, c.held = true, nil, nil
	}
	return heads, c.err
}

// Frames names the frames of HTTP/2 that have begun since it was last called
// and carry no head, each kind once (RFC 9113 section 6): "SETTINGS", "SETTINGS
// (ACK)", "DATA". One that may have an error counts once that was read:
// "RST_STREAM (CANCEL)". There are at most 16.
func (c *Conn) Frames() []string {
	frames := c.frames
	c.frames = nil
	return frames
}

// Resets returns the resets of HTTP/2 since it was last called, at most the
// first 16.
func (c *Conn) Resets() []Reset {
	resets := c.resets
	c.resets = nil
	return resets
}

func (c *Conn) add(m *Message) { c.heads = append(c.heads, m) }

// pass ends the reading without an error.
func (c *Conn) pass() { c.passed = true }

// The least that distinguishes HTTP/2's preface (RFC 9113 section 3.4) from a
// request of HTTP/1.
var prefaceStart = []byte("PRI ")

// choose detects the version of HTTP, and returns the bytes to read first. A
// server may be the first to speak: its SETTINGS frame begins with a zero.
func (c *Conn) choose(fromServer bool, b []byte) []byte {
	if fromServer {
		held := c.held
		c.held = nil
		switch b[0] {
		case 0:
			c.proto = newHTTP2(c)
		case 'H':
			c.proto = newHTTP1(c)
		default:
			c.err = errors.New("not HTTP: the server's first bytes begin neither a response nor HTTP/2's SETTINGS")
			return nil
		}
		if len(held) > 0 {
			c.err = c.proto.write(false, held)
		}
		return b
	}
	b = append(c.held, b...)
	n := min(len(b), len(prefaceStart))
	switch {
	case !bytes.Equal(b[:n], prefaceStart[:n]):
		c.proto = newHTTP1(c)
	case n == len(prefaceStart):
		c.proto = newHTTP2(c)
	default:
		c.held = b
		return nil
	}
	c.held = nil
	return b
}
