package exercise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"mtlslab.example/lab/certgen/yamldoc"
	"mtlslab.example/lab/lab/text"
)

// isRight reports whether an answer is right. Case, blanks and punctuation do
// not count, nor do zeros and 0x before a number: programs differ about those
// of serial numbers.
func (q *Question) isRight(answer string, v values) bool {
	answer = folded(answer)
	for _, right := range q.Answers {
		right = folded(v.fill(right))
		if answer == right && answer != "" || significant(answer) == significant(right) && significant(answer) != "" {
			return true
		}
	}
	return false
}

// significant returns a number without what may stand before it.
func significant(number string) string {
	return strings.TrimLeft(strings.TrimPrefix(number, "0x"), "0")
}

// folded returns the letters and digits of a text, in lower case.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// answersText returns answers.yaml without answers.
func (e *Exercise) answersText() []byte {
	var b strings.Builder
	b.WriteString("# Write the answers behind the colons.\n")
	for _, q := range e.Ask {
		b.WriteString("\n")
		for _, line := range text.Fold(q.Ask, 76) {
			b.WriteString("# " + line + "\n")
		}
		if len(q.Choices) > 0 {
			for _, line := range text.Fold("One of: "+strings.Join(q.Choices, ", "), 76) {
				b.WriteString("# " + line + "\n")
			}
		}
		fmt.Fprintf(&b, "%s:\n", q.Name)
	}
	return []byte(b.String())
}

// readAnswers reads the answers that are given in dir, by the names of the
// questions. Errors are *yamldoc.Error or *fs.PathError.
func readAnswers(dir string) (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, answersFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	documents, err := yamldoc.Read(answersFile, data)
	if err != nil || len(documents) == 0 {
		return nil, err
	}
	given := map[string]string{}
	d := documents[0]
	err = yamldoc.ByName(d, &given, d.Words)(d.Root())
	return given, err
}
