package text

import "strings"

const gap = 2 // columns between two of a table

// Table writes rows of cells, in one piece, in columns that keep to the width.
// least is how narrow each column may become, 0 for not at all: the last ones
// give way first, and their cells are folded. The first column gives way last:
// a cell that is too wide for it has a line of its own.
func (p Printer) Table(rows [][]string, least ...int) { p.TableWithNotes(rows, nil, least...) }

// TableWithNotes is Table with a paragraph below each row that has a note; nil:
// none has.
func (p Printer) TableWithNotes(rows [][]string, notes []string, least ...int) {
	clean := make([][]string, len(rows))
	for i, row := range rows {
		for _, cell := range row {
			clean[i] = append(clean[i], p.Clean(cell))
		}
	}
	widths := columnWidths(clean, least, p.Width())
	p.whole(func(p Printer) {
		for i, row := range clean {
			if first := row[0]; Width(first) > widths[0] {
				p.alone(first)
				row = append([]string{""}, row[1:]...)
			}
			p.row(row, widths, least)
			if i < len(notes) && notes[i] != "" {
				p.Paragraph("  ", 2, notes[i])
			}
		}
	})
}

// alone writes a clean cell on lines of its own.
func (p Printer) alone(cell string) {
	line := ""
	for p.Columns != 0 && Width(cell) > p.Width() {
		line, cell = Split(cell, p.Width())
		p.write(line)
		cell = strings.Repeat(" ", gap) + cell
	}
	p.write(cell)
}

// columnWidths are those that the cells need, less what is too much in all.
func columnWidths(rows [][]string, least []int, most int) []int {
	widths := make([]int, len(least))
	excess := gap*(len(least)-1) - most
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], Width(row[i]))
		}
		excess += widths[i]
	}
	for i := len(least) - 1; i >= 0 && excess > 0; i-- {
		if least[i] > 0 || i == 0 {
			narrower := min(excess, max(widths[i]-least[i], 0))
			widths[i] -= narrower
			excess -= narrower
		}
	}
	return widths
}

// row writes a row, in as many lines as its highest cell needs.
func (p Printer) row(row []string, widths, least []int) {
	cells, height := make([][]string, len(row)), 1
	for i, cell := range row {
		cells[i] = []string{cell}
		if least[i] > 0 {
			cells[i] = p.fold(cell, widths[i])
		}
		height = max(height, len(cells[i]))
	}
	for n := range height {
		line := ""
		for i, lines := range cells {
			cell := ""
			if n < len(lines) {
				cell = lines[n]
			}
			line += Pad(cell, widths[i]+gap)
		}
		p.write(line)
	}
}
