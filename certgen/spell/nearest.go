package spell

import (
	"sort"
	"strings"
)

// longest is the length in bytes beyond which a name is no slip of the finger,
// and would cost its square to compare.
const longest = 200

// Nearest returns up to three of the candidates that look like name, best
// first.
func Nearest(name string, candidates []string) []string {
	type match struct {
		candidate string
		distance  int
	}
	if name == "" || len(name) > longest {
		return nil
	}
	most := min(max(2, len(name)/3), len(name)-1)
	var matches []match
	for _, c := range candidates {
		d := distance(strings.ToLower(name), strings.ToLower(c))
		if d <= most || strings.HasPrefix(c, name) {
			matches = append(matches, match{c, d})
		}
	}
	sort.SliceStable(matches, func(i, j int) bool { return matches[i].distance < matches[j].distance })
	var names []string
	for _, m := range matches[:min(3, len(matches))] {
		names = append(names, m.candidate)
	}
	return names
}

// distance returns the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
