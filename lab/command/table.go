package command

import (
	"fmt"
	"io"
	"strings"
)

// table writes rows of cells in columns that keep to the width of a terminal.
// least is how narrow each column may become, 0 for not at all: the last ones
// give way first, and their cells are broken between words. The first column
// gives way last: a cell that is too wide for it has a line of its own.
func table(w io.Writer, rows [][]string, least ...int) {
	const gap = 2
	widths := make([]int, len(least))
	excess := gap*(len(least)-1) - width
	for i := range widths {
		for _, row := range rows {
			widths[i] = max(widths[i], len([]rune(row[i])))
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
	for _, row := range rows {
		if first := row[0]; len([]rune(first)) > widths[0] {
			fmt.Fprintln(w, first)
			row = append([]string{""}, row[1:]...)
		}
		printRow(w, row, widths, least, gap)
	}
}

// printRow writes a row, in as many lines as its highest cell needs.
func printRow(w io.Writer, row []string, widths, least []int, gap int) {
	cells, height := make([][]string, len(row)), 1
	for i, cell := range row {
		cells[i] = []string{cell}
		if least[i] > 0 {
			cells[i] = strings.Split(fold(cell, widths[i], "\n"), "\n")
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
			line += cell + strings.Repeat(" ", max(widths[i]-len([]rune(cell)), 0)+gap)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}
