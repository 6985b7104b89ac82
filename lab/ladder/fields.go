package ladder

import (
	"encoding/hex"
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// fields opens a message: a line for each field, with its offset in the margin,
// its first bytes, its name and value, and beneath them what it is for.
func (p *page) fields(m *tlsdecrypt.Message) {
	const few = 3
	for i, r := range m.Records {
		if i == few {
			p.open(dim, "", "", text.Counted(len(m.Records)-few, "more record"), 0)
			break
		}
		p.open(dim, "", "", fmt.Sprintf("A record of %s, from byte %s of what the %s sent.", bytesCounted(int64(r.Length)), text.Grouped(r.Offset), m.From), 0)
	}
	switch {
	case m.Handshake != nil:
		p.tree(m.Handshake.Fields(), m.Handshake.Raw, 0)
	case m.Alert != nil:
		p.tree(m.Alert.Fields(), m.Alert.Marshal(), 0)
	case m.HTTP != nil:
		for _, h := range m.HTTP.Headers {
			p.open(normal, "", "", h.Name+": "+h.Value, 0)
		}
	}
	if m.Inner != nil {
		p.open(dim, "", "", "Decompressed:", 0)
		p.tree(m.Inner.Fields(), m.Inner.Raw, 0)
	}
}

// tree lists fields and what is in them. What its parts say a field does not
// say in many lines, and what it is for is said once.
func (p *page) tree(fields []tlswire.Field, raw []byte, depth int) {
	for _, f := range fields {
		said := f.Name
		if f.Value != "" && (len(f.Fields) == 0 || text.Width(p.words(f.Name+": "+f.Value)) <= p.inside(depth)) {
			said += ": " + f.Value
		}
		p.open(normal, fmt.Sprint(f.Offset), p.firstBytes(f, raw), said, depth)
		if !p.noted[f.Note] {
			p.open(dim, "", "", f.Note, depth+1)
			p.noted[f.Note] = true
		}
		p.tree(f.Fields, raw, depth+1)
	}
}

// shownBytes is how many bytes of a field are written out.
func (p *page) shownBytes() int { return min(4+(p.Width-text.Usual)/8, 8) }

func (p *page) firstBytes(f tlswire.Field, raw []byte) string {
	if f.Offset < 0 || f.Length < 0 || f.Offset+f.Length > len(raw) {
		return ""
	}
	if b := raw[f.Offset : f.Offset+f.Length]; len(b) > p.shownBytes() {
		return hex.EncodeToString(b[:p.shownBytes()]) + "…"
	}
	return hex.EncodeToString(raw[f.Offset : f.Offset+f.Length])
}

// open writes a line of a message's inside, for which the server's vertical
// line makes room.
func (p *page) open(s style, offset, bytes, said string, depth int) {
	column := p.indent(depth)
	for i, line := range text.Fold(p.words(said), p.inside(depth)) {
		if i > 0 {
			offset, bytes = "", ""
		}
		bytes = p.words(bytes)
		p.line(span{dim, fmt.Sprintf("%*s ", leftMargin-1, offset)}, span{clientColor, p.glyphs("│")},
			span{dim, " " + bytes + strings.Repeat(" ", column-text.Width(bytes))}, span{s, line})
	}
}

// indent is how far from its vertical line a message's inside stands, past the
// bytes.
func (p *page) indent(depth int) int {
	const deepest = 8
	return 2*p.shownBytes() + text.Width(p.words("…")) + 1 + 2*min(depth, deepest)
}

// inside returns the number of columns that are left.
func (p *page) inside(depth int) int { return p.Width - leftMargin - 2 - p.indent(depth) }
