package text

import (
	"bytes"
	"io"
	"strings"
)

// The widths that are drawn for. Longer lines than those of Widest are hard to
// read.
const (
	Narrowest = 60
	Usual     = 80 // where it is not known
	Widest    = 120
)

// Printer writes lines. All that it is given it cleans first: only the calls
// themselves make lines, and what a line is continued with stands further in
// than it, so that no text can pass for another line.
type Printer struct {
	W       io.Writer
	Columns int // of the terminal that W is; 0: W is no terminal
	Charset
}

// Width is how many columns lines have at most.
func (p Printer) Width() int {
	if p.Columns == 0 {
		return Usual
	}
	return min(max(p.Columns, Narrowest), Widest)
}

// whole writes in one piece what several writes make, so that nothing that is
// printed at the same time comes between.
func (p Printer) whole(write func(Printer)) {
	var piece bytes.Buffer
	write(Printer{&piece, p.Columns, p.Charset})
	_, _ = p.W.Write(piece.Bytes())
}

// Line writes parts, one after the other, as one line, however long.
func (p Printer) Line(parts ...string) { p.write(p.joined(parts)) }

// write writes a clean line.
func (p Printer) write(line string) {
	_, _ = io.WriteString(p.W, strings.TrimRight(line, " ")+"\n")
}

// Paragraph writes parts, one after the other, in one piece, behind lead.
// Further lines stand hang columns in.
func (p Printer) Paragraph(lead string, hang int, parts ...string) {
	lead = p.Clean(lead)
	lines := p.fold(p.joined(parts), p.Width()-max(hang, Width(lead)))
	if len(lines) == 0 {
		lines = []string{""}
	}
	p.whole(func(p Printer) {
		p.write(lead + lines[0])
		for _, line := range lines[1:] {
			p.write(strings.Repeat(" ", hang) + line)
		}
	})
}

// Pieces writes pieces two columns apart behind lead, in as many lines as it
// takes. Further lines stand hang columns in.
func (p Printer) Pieces(lead string, hang int, pieces ...string) {
	line := p.Clean(lead)
	for i, piece := range pieces {
		piece = p.Clean(piece)
		if i > 0 && Width(line)+gap+Width(piece) > p.Width() {
			p.write(line)
			line = strings.Repeat(" ", hang)
		} else if i > 0 {
			line += strings.Repeat(" ", gap)
		}
		if parts := p.fold(piece, p.Width()-hang); len(parts) > 1 { // it is longer than a line
			for _, part := range parts[:len(parts)-1] {
				p.write(line + part)
				line = strings.Repeat(" ", hang)
			}
			piece = parts[len(parts)-1]
		}
		line += piece
	}
	p.write(line)
}

func (p Printer) joined(parts []string) string {
	var whole strings.Builder
	for _, part := range parts {
		whole.WriteString(p.Clean(part))
	}
	return whole.String()
}

// fold breaks a clean text into lines. Where no terminal is, words stay whole:
// a program may look for them.
func (p Printer) fold(s string, n int) []string {
	if p.Columns == 0 {
		return FoldWhole(s, n)
	}
	return Fold(s, n)
}

// Quoted writes a text of several lines, with a mark before each that no other
// line begins with.
func (p Printer) Quoted(s string) {
	const mark = "> "
	for _, line := range p.Lines(s) {
		rest := line
		for p.Columns != 0 && Width(rest) > p.Width()-len(mark) {
			line, rest = Split(rest, p.Width()-len(mark))
			p.write(mark + line)
		}
		p.write(mark + rest)
	}
}
