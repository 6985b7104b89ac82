package exercise

import (
	"strings"
	"unicode"
)

// isRight reports whether an answer is right. Case, blanks and punctuation do
// not count.
func (q *Question) isRight(answer string) bool {
	for _, right := range q.Answers {
		if folded(answer) == folded(right) && folded(answer) != "" {
			return true
		}
	}
	return false
}

// folded returns the letters and digits of a text, in lower case.
func folded(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}
