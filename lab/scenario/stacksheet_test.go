package scenario

import (
	"slices"
	"strings"
	"testing"
)

func stackSheet(t *testing.T, table *Table) string { return "" }

// difference is the lines that are in one text alone.
// difference is the lines that are in one text alone.
func difference(want, got string) string {
	var b strings.Builder
	wanted, gotten := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, line := range wanted {
		if !slices.Contains(gotten, line) {
			b.WriteString("- " + line + "\n")
		}
	}
	for _, line := range gotten {
		if !slices.Contains(wanted, line) {
			b.WriteString("+ " + line + "\n")
		}
	}
	return b.String()
}
