package certgen

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// maxName is the longest file name in bytes. It leaves room for the suffixes
// in the 255 bytes that file systems take.
const maxName = 200

func certificateFile(name string) string { return name + ".pem" }
func keyFile(name string) string         { return name + "-key.pem" }
func crlFile(name string) string         { return name + "-crl.pem" }

// checkName returns why name cannot be the base name of files, or "".
func checkName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case strings.HasPrefix(name, "."):
		return "begins with a dot"
	case strings.ContainsAny(name, `/\`):
		return "has a path in it"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "has a control character in it"
	case len(name) > maxName:
		return "is longer than 200 bytes"
	}
	return ""
}

// toASCII returns a DNS name with non-ASCII labels as A-labels (RFC 5890),
// and an ASCII name as it is. A leading wildcard label is kept.
func toASCII(name string) (string, error) {
	if isASCII(name) {
		return name, nil
	}
	rest, wildcard := strings.CutPrefix(name, "*.")
	ascii, err := idna.Lookup.ToASCII(rest)
	if err != nil {
		return "", err
	}
	if wildcard {
		ascii = "*." + ascii
	}
	return ascii, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// Nearest returns up to three of the candidates that look like name, best first.
func Nearest(name string, candidates []string) []string {
	type match struct {
		candidate string
		distance  int
	}
	// A longer name cannot be a slip of the finger, and would cost its square.
	if len(name) > maxName {
		return nil
	}
	var matches []match
	for _, c := range candidates {
		d := distance(strings.ToLower(name), strings.ToLower(c))
		if name != "" && (d <= min(max(2, len(name)/3), len(name)-1) || strings.HasPrefix(c, name)) {
			matches = append(matches, match{c, d})
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int { return cmp.Compare(a.distance, b.distance) })
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
