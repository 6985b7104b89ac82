package ladder

import (
	"encoding/hex"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// shownBytes is how many bytes of a field are written out.
const shownBytes = 8

// fields opens a message: a line for each field with its offset in the
// message, its first bytes, its name and value, and what it is for beneath.
func (p *page) fields(m *tlsdecrypt.Message) {
	p.records(m)
	switch {
	case m.Handshake != nil:
		p.tree(m.Handshake.Fields(), m.Handshake.Raw, 0)
	case m.Alert != nil:
		p.tree(m.Alert.Fields(), m.Alert.Marshal(), 0)
	case m.HTTP != nil:
		for _, h := range m.HTTP.Headers {
			p.open(dim, "", h.Name+": "+h.Value, 0)
		}
	}
}

// records says where in its sender's stream of bytes a message is.
func (p *page) records(m *tlsdecrypt.Message) {
	const few = 3
	for _, r := range m.Records[:min(few, len(m.Records))] {
		p.open(dim, "", fmt.Sprintf("record at byte %s of the %s's stream, %s", grouped(r.Offset), m.From, bytesCounted(int64(r.Length))), 0)
	}
	if more := len(m.Records) - few; more > 0 {
		p.open(dim, "", counted(more, "more record"), 0)
	}
}

func (p *page) tree(fields []tlswire.Field, raw []byte, depth int) {
	for _, f := range fields {
		value := f.Name
		if f.Value != "" {
			value += ": " + f.Value
		}
		p.open(normal, p.bytesOf(f, raw), value, depth)
		if f.Note != "" {
			p.open(dim, "", f.Note, depth+1)
		}
		p.tree(f.Fields, raw, depth+1)
	}
}

// bytesOf is a field's offset and first bytes.
func (p *page) bytesOf(f tlswire.Field, raw []byte) string {
	if f.Offset < 0 || f.Length < 0 || f.Offset+f.Length > len(raw) {
		return fmt.Sprintf("%5d", f.Offset)
	}
	b := raw[f.Offset : f.Offset+f.Length]
	dots := ""
	if len(b) > shownBytes {
		b, dots = b[:shownBytes], "…"
	}
	return fmt.Sprintf("%5d  %s%s", f.Offset, hex.EncodeToString(b), dots)
}

// open writes a line of a message's inside. The server's vertical line makes room for it.
func (p *page) open(s style, bytes, text string, depth int) {
	const column = 5 + 2 + 2*shownBytes + 3 + 2
	depth = min(depth, 8)
	indent := column + 2*depth
	for i, line := range fold(p.words(text), p.Width-leftMargin-2-indent) {
		lead := strings.Repeat(" ", indent)
		if i == 0 {
			bytes = p.words(bytes)
			lead = bytes + strings.Repeat(" ", max(indent-width(bytes), 1))
		}
		p.line(span{normal, strings.Repeat(" ", leftMargin)}, span{clientColor, p.glyphs("│")}, span{dim, " " + lead}, span{s, line})
	}
}
