package ladder

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// clean takes out of a text what could harm a terminal or turn its line round:
// control characters, direction marks, what has no width of its own.
func clean(s string, ascii bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r) || unicode.Is(unicode.M, r):
			return '?'
		case ascii && r > unicode.MaxASCII:
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// width is how many columns of a terminal a clean text takes.
func width(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return uniseg.StringWidth(s)
		}
	}
	return len(s)
}

// cut shortens a clean text to at most n columns.
func cut(s string, n int, ascii bool) string {
	if width(s) <= n {
		return s
	}
	dots := "…"
	if ascii {
		dots = "..."
	}
	head, _ := split(s, max(n-len([]rune(dots)), 0))
	return head + dots
}

// split takes as many characters from the front of s as fit into n columns.
func split(s string, n int) (head, rest string) {
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

// fold breaks a clean text between words, and words that are too long, into
// lines of at most n columns.
func fold(s string, n int) []string {
	n = max(n, 8)
	var lines []string
	line := ""
	for _, word := range unbroken(strings.Fields(s)) {
		if line != "" && width(line)+1+width(word) <= n {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for width(word) > n {
			var head string
			head, word = split(word, n)
			lines = append(lines, head)
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// balanced folds a text so that its lines are about equally long.
func balanced(s string, n int) []string {
	lines := fold(s, n)
	for len(lines) > 1 && n > 8 && len(fold(s, n-1)) == len(lines) {
		n--
	}
	return fold(s, n)
}

// unbroken joins the words of a reference, as in "(RFC 8446 4.1.2)".
func unbroken(words []string) []string {
	var joined []string
	digit := func(i int) bool { return i < len(words) && words[i][0] >= '0' && words[i][0] <= '9' }
	for i := 0; i < len(words); i++ {
		word := words[i]
		if strings.TrimLeft(word, "(") == "RFC" {
			for range 2 {
				if digit(i + 1) {
					i++
					word += " " + words[i]
				}
			}
		}
		joined = append(joined, word)
	}
	return joined
}
