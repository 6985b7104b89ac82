// Package glossary has the words of the field, each with a paragraph, the RFC
// that defines it and the scenarios that show it.
package glossary

import (
	"fmt"
	"slices"
	"strings"
)

// Term is one word of the field.
type Term struct {
	Name    string   `json:"word"`
	Also    []string `json:"also,omitempty"` // other words for it
	Means   string   `json:"means"`          // one paragraph
	RFC     string   `json:"rfc"`            // where it is defined
	Lessons []string `json:"scenarios,omitempty"`
}

// Find returns the term that a word names, in any case, with blanks, hyphens,
// underscores or slashes between its parts.
func Find(word string) (Term, bool) {
	for _, t := range Terms {
		if slices.ContainsFunc(append([]string{t.Name}, t.Also...), func(name string) bool { return folded(name) == folded(word) }) {
			return t, true
		}
	}
	return Term{}, false
}

func folded(s string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "_", "", "/", "").Replace(strings.TrimSpace(s)))
}

// Names returns all words, the main ones and the others.
func Names() (names []string) {
	for _, t := range Terms {
		names = append(append(names, t.Name), t.Also...)
	}
	return names
}

// Markdown returns the glossary as a document.
func Markdown() string {
	var b strings.Builder
	b.WriteString("# Glossary\n\nThe words of mutual TLS. `lab explain WORD` shows the same.\n\n| word | meaning | defined in | scenarios |\n|---|---|---|---|\n")
	for _, t := range Terms {
		name := "**" + t.Name + "**"
		if len(t.Also) > 0 {
			name += ", " + strings.Join(t.Also, ", ")
		}
		var lessons []string
		for _, lesson := range t.Lessons {
			lessons = append(lessons, "`"+lesson+"`")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, t.Means, t.RFC, strings.Join(lessons, " "))
	}
	return b.String()
}
