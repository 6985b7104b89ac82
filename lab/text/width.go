package text

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Width is how many columns of a terminal a clean text takes.
func Width(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return uniseg.StringWidth(s)
		}
	}
	return len(s)
}

// Pad fills a clean text with blanks up to n columns.
func Pad(s string, n int) string { return s + strings.Repeat(" ", max(n-Width(s), 0)) }

// Cut shortens a clean text to at most n columns.
func (c Charset) Cut(s string, n int) string {
	if Width(s) <= n {
		return s
	}
	dots := c.Clean("…")
	head, _ := Split(s, max(n-Width(dots), 0))
	return head + dots
}

// Split takes as many characters from the front of s as fit into n columns.
func Split(s string, n int) (head, rest string) {
	rest = s
	state := -1
	for rest != "" {
		_, after, w, next := uniseg.FirstGraphemeClusterInString(rest, state)
		if w > n {
			break
		}
		n -= w
		rest, state = after, next
	}
	return s[:len(s)-len(rest)], rest
}

// Fold breaks a clean text between words, and words that are too long, into
// lines of at most n columns.
func Fold(s string, n int) []string { return fold(s, max(n, narrowest), true) }

// FoldWhole breaks a clean text between words alone, so that a long name or
// path stays whole.
func FoldWhole(s string, n int) []string { return fold(s, n, false) }

const narrowest = 8 // columns of folded text

func fold(s string, n int, breakWords bool) []string {
	var lines []string
	line := ""
	for _, word := range unbroken(strings.Fields(s), n) {
		if line != "" && Width(line)+1+Width(word) <= n {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for breakWords && Width(word) > n {
			var head string
			head, word = breakWord(word, n)
			lines = append(lines, head)
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// breakWord breaks a word that is longer than n columns, behind punctuation if
// there is some in the second half of what fits.
func breakWord(word string, n int) (head, rest string) {
	head, rest = Split(word, n)
	if i := strings.LastIndexAny(head, "./\\-_:,;=?&@"); i+1 > len(head)/2 {
		return head[:i+1], head[i+1:] + rest
	}
	return head, rest
}

// Balanced folds a text so that its lines are about equally long.
func Balanced(s string, n int) []string {
	lines := Fold(s, n)
	for len(lines) > 1 && n > narrowest && len(Fold(s, n-1)) == len(lines) {
		n--
	}
	return Fold(s, n)
}

// unbroken joins the words of a citation, as in "(RFC 9846 section 4.2.2)", if
// they fit into n columns.
func unbroken(words []string, n int) []string {
	var joined []string
	for i := 0; i < len(words); {
		end := i + 1
		if strings.TrimLeft(words[i], "(") == "RFC" {
			end = min(i+2, len(words))
			if end+2 <= len(words) && slices.Contains([]string{"section", "sections", "appendix"}, words[end]) &&
				Width(strings.Join(words[i:end+2], " ")) <= n {
				end += 2
			}
		}
		joined = append(joined, strings.Join(words[i:end], " "))
		i = end
	}
	return joined
}
