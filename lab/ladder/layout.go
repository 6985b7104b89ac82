package ladder

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/verdict"
)

// The columns of a line:
//
//	|<- 9 ->| |<---------- lane ---------->| |<- 10 ->|
//	0.42 ms   │ ClientHello ──────────────► │ 1,476 B
const (
	leftMargin  = 9
	rightMargin = 10
	textIndent  = 3 // of the client's sentences
	textShift   = 5 // and how much further right the server's stand
)

// style is an ANSI sequence that turns a colour on.
type style string

const (
	normal      style = ""
	dim         style = "\x1b[2m"
	bold        style = "\x1b[1m"
	red         style = "\x1b[1;31m"
	clientColor style = "\x1b[36m"
	serverColor style = "\x1b[33m"
	reset             = "\x1b[0m"
)

func colorOf(side endpoint.Side) style {
	switch side {
	case endpoint.Client:
		return clientColor
	case endpoint.Server:
		return serverColor
	}
	return normal
}

// span is a piece of a line.
type span struct {
	style style
	text  string
}

// page is what has been drawn so far.
type page struct {
	Options
	out    strings.Builder
	opened time.Time
	time   string          // last shown in the margin
	noted  map[string]bool // notes on fields that were printed
}

// lane returns the number of columns between the two vertical lines.
func (p *page) lane() int { return p.Width - leftMargin - rightMargin - 2 }

// asciiMarks are the marks of checks in ASCII.
var asciiMarks = strings.NewReplacer("✓", "ok", "✗", "FAILS")

// glyphs are characters of the drawing, not of a peer.
func (p *page) glyphs(s string) string {
	if p.ASCII {
		s = asciiMarks.Replace(s)
	}
	return p.words(s)
}

// words are text that may hold what a peer sent.
func (p *page) words(s string) string { return p.charset().Clean(s) }

// line writes spans, and no spaces at the end.
func (p *page) line(spans ...span) {
	var plain string
	for _, s := range spans {
		plain += s.text
	}
	left := len(strings.TrimRight(plain, " "))
	for _, s := range spans {
		text := s.text[:min(len(s.text), left)]
		left -= len(text)
		if p.Color && s.style != normal && strings.TrimSpace(text) != "" {
			text = string(s.style) + text + reset
		}
		p.out.WriteString(text)
	}
	p.out.WriteByte('\n')
}

// between writes a line of the lane, padded, with its two vertical lines.
func (p *page) between(time string, size string, spans ...span) {
	used := 0
	for _, s := range spans {
		used += text.Width(s.text)
	}
	bar := p.glyphs("│")
	all := []span{{dim, fmt.Sprintf("%*s ", leftMargin-1, time)}, {clientColor, bar}}
	all = append(all, spans...)
	all = append(all, span{normal, strings.Repeat(" ", max(p.lane()-used, 0))}, span{serverColor, bar}, span{dim, " " + size})
	p.line(all...)
}

// rung writes an empty line of the ladder.
func (p *page) rung() { p.between("", "") }

func (p *page) item(it item) {
	switch {
	case it.from == endpoint.Unknown && it.text != "":
		p.problem(it)
	case it.from == endpoint.Unknown:
		p.across(it.name)
	default:
		p.arrow(it)
		p.paragraph(it.from, normal, "", it.text)
		for _, c := range it.checks {
			p.check(it.from, c)
		}
		if it.message == nil {
			break
		}
		if note := p.note(it.message); note != "" {
			p.paragraph(it.from, red, "!", note)
		}
		if p.Verbose {
			p.fields(it.message)
		}
	}
}

// arrow draws a message on its way.
func (p *page) arrow(it item) {
	stroke := "─"
	if it.encrypted {
		stroke = "═"
	}
	stroke = p.glyphs(stroke)
	name := p.words(it.name)
	key := p.keyBeside(name, it.key)
	name = p.charset().Cut(name, p.lane()-text.Width(key)-8)
	fill := p.lane() - text.Width(name) - text.Width(key) - 4 // a space at each end, one beside the name, the head
	nameStyle := colorOf(it.from)
	if it.alarm {
		nameStyle = red
	}
	near := strings.Repeat(stroke, 3)
	far := strings.Repeat(stroke, max(fill-3, 0))
	shaft := colorOf(it.from)
	var spans []span
	if it.from == endpoint.Client {
		spans = []span{{normal, " "}, {nameStyle, name}, {normal, " "}, {shaft, far}, {dim, key}, {shaft, near + p.glyphs("►")}, {normal, " "}}
	} else {
		spans = []span{{normal, " "}, {shaft, p.glyphs("◄") + near}, {dim, key}, {shaft, far}, {normal, " "}, {nameStyle, name}, {normal, " "}}
	}
	at := ""
	if !it.time.IsZero() {
		if at = Elapsed(it.time.Sub(p.opened)); at == p.time {
			at = ""
		} else {
			p.time = at
		}
	}
	p.between(at, p.words(it.size), spans...)
}

// keyBeside returns the name of a key, shortened to the room beside that of its
// message.
func (p *page) keyBeside(name, key string) string {
	const much = 24 // of the name
	_, short, _ := strings.Cut(key, " ")
	for _, words := range []string{key, short} {
		if words = " " + words + " "; p.lane()-text.Width(words)-8 >= min(text.Width(name), much) && words != "  " {
			return words
		}
	}
	return ""
}

// paragraph writes a sentence under a message, on its sender's side, behind a
// mark.
func (p *page) paragraph(from endpoint.Side, s style, mark, said string) {
	indent := textIndent
	if from == endpoint.Server {
		indent += textShift
	}
	hang := 0
	if mark != "" {
		hang = text.Width(mark) + 1
	}
	most := p.lane() - textIndent - textShift - 1 - hang
	for i, line := range text.Fold(p.words(said), most) {
		lead := strings.Repeat(" ", indent)
		if i > 0 && mark == "" && p.isMark(line) { // it stands further in than a mark does
			p.between("", "", span{normal, lead + " "}, span{s, line})
		} else if i > 0 || mark == "" {
			p.between("", "", span{normal, lead + strings.Repeat(" ", hang)}, span{s, line})
		} else {
			p.between("", "", span{normal, lead}, span{s, mark}, span{normal, " "}, span{s, line})
		}
	}
}

// isMark reports whether a line begins like that of a check.
func (p *page) isMark(line string) bool {
	first, _, _ := strings.Cut(line, " ")
	return slices.Contains([]string{p.glyphs("✓"), p.glyphs("✗"), "?"}, first)
}

func (p *page) check(from endpoint.Side, c tlsdecrypt.Check) {
	mark, s := "?", normal
	switch c.Result {
	case tlsdecrypt.Holds:
		mark = "✓"
	case tlsdecrypt.Fails:
		mark, s = "✗", red
	}
	p.paragraph(from, s, p.glyphs(mark), checked(c, p.Verbose))
}

// across draws a turning point: a text between the two vertical lines.
func (p *page) across(said string) {
	client, fill, server := "├", "┄", "┤"
	for _, line := range text.Balanced(p.words(said), p.lane()-8) {
		left := (p.lane() - text.Width(line) - 2) / 2
		right := p.lane() - text.Width(line) - 2 - left
		dots := func(n int) span { return span{dim, strings.Repeat(p.glyphs(fill), n)} }
		p.line(span{normal, strings.Repeat(" ", leftMargin)}, span{clientColor, p.glyphs(client)}, dots(left),
			span{normal, " "}, span{bold, line}, span{normal, " "}, dots(right), span{serverColor, p.glyphs(server)})
		client, fill, server = "│", " ", "│" // further lines cannot be taken for a turning point of their own
	}
}

func (p *page) problem(it item) {
	for i, line := range text.Fold(p.words(it.text), p.lane()-6) {
		mark := "!"
		if i > 0 {
			mark = " "
		}
		p.between("", "", span{normal, "  "}, span{red, mark}, span{normal, " "}, span{red, line})
	}
}

// head writes the two sides, what they negotiated, and the legend.
func (p *page) head(s *story) {
	c := s.c
	p.text(bold, p.title(c))
	if s.verdict.Outcome != verdict.Accepted || s.verdict.Code != "" {
		p.text(red, s.outcome())
	}
	p.text(normal, s.agreed())
	p.line()
	for _, l := range legend(s, p.Options) {
		p.legend(l)
	}
	p.line()
	p.ends(p.called("client", &s.client), p.called("server", &s.server), clientColor, serverColor)
	if c.Client.IsValid() && c.Server.IsValid() {
		p.ends(c.Client.String(), c.Server.String(), dim, dim)
	}
	p.posts("┬", fmt.Sprintf("%*s ", leftMargin-1, "time"), " size")
}

// legend writes explanations beside each other, or each on a line of its own.
func (p *page) legend(all []string) {
	if together := p.glyphs(strings.Join(all, "    ")); text.Width(together) <= p.Width {
		p.line(span{dim, together})
		return
	}
	for _, l := range all {
		p.text(dim, l)
	}
}

// posts writes the ends of the two vertical lines.
func (p *page) posts(end, left, right string) {
	end = p.glyphs(end)
	p.line(span{dim, left}, span{clientColor, end}, span{normal, strings.Repeat(" ", p.lane())}, span{serverColor, end}, span{dim, right})
}

// called names a side, in the room that ends has for it.
func (p *page) called(role string, of *party) string {
	if subject := p.words(of.subject()); subject != "" {
		return role + " " + p.brief(subject, p.half()-len(role)-1)
	}
	return role
}

// half is how many columns a name over a vertical line has.
func (p *page) half() int { return p.lane() / 2 }

// ends writes a line with something over each vertical line.
func (p *page) ends(client, server string, left, right style) {
	room := p.lane() + 2
	client = p.charset().Cut(client, p.half())
	server = p.charset().Cut(server, p.half())
	gap := strings.Repeat(" ", room-text.Width(client)-text.Width(server))
	p.line(span{normal, strings.Repeat(" ", leftMargin)}, span{left, client}, span{normal, gap}, span{right, server})
}

// foot ends the drawing.
func (p *page) foot(s *story) {
	p.rung()
	p.posts("┴", strings.Repeat(" ", leftMargin), "")
	p.end(s)
}

// end writes what became of the connection.
func (p *page) end(s *story) {
	st := normal
	if s.verdict.Alert != nil || s.progress.Refusal != nil || s.verdict.Outcome == verdict.Rejected {
		st = red
	}
	for i, paragraph := range s.ending() {
		if i > 0 {
			st = normal
		}
		p.text(st, paragraph)
	}
}

// text writes a paragraph over the whole width. Only its first line begins at
// the edge, so that no name in it can pass for a paragraph.
func (p *page) text(s style, said string) {
	const hang = 2
	for i, line := range text.Fold(p.glyphs(said), p.Width-hang) {
		if i > 0 {
			line = strings.Repeat(" ", hang) + line
		}
		p.line(span{s, line})
	}
}
