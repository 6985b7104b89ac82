package text

import (
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
)

// Replacing returns a function that replaces what expr matches in a text by as
// (see regexp.Regexp.ReplaceAllString). It searches only texts with one of the
// literals that every match has, which most texts are without: where many
// expressions are tried on many texts, that takes a tenth of the time. The
// function panics if expr is no regular expression.
func Replacing(expr, as string) func(string) string {
	pattern, mayMatch := Pattern(expr), hasLiteral(expr)
	return func(s string) string {
		if !mayMatch(s) {
			return s
		}
		return pattern().ReplaceAllString(s, as)
	}
}

// ReplacingFunc is like Replacing, with what as returns of each match.
func ReplacingFunc(expr string, as func(match string) string) func(string) string {
	pattern, mayMatch := Pattern(expr), hasLiteral(expr)
	return func(s string) string {
		if !mayMatch(s) {
			return s
		}
		return pattern().ReplaceAllStringFunc(s, as)
	}
}

// hasLiteral returns a function that reports whether a text has one of expr's
// literals. Without one, expr does not match.
func hasLiteral(expr string) func(string) bool {
	literals := sync.OnceValue(func() []literal {
		if re, err := syntax.Parse(expr, syntax.Perl); err == nil {
			return literalsOf(re)
		}
		return nil
	})
	return func(s string) bool {
		return literals() == nil || slices.ContainsFunc(literals(), func(l literal) bool { return l.isIn(s) })
	}
}

// literal is a text that an expression matches as it stands, or in any case.
type literal struct {
	text    string // in lower case if anyCase
	anyCase bool
}

func (l literal) isIn(s string) bool {
	if l.anyCase {
		s = strings.ToLower(s)
	}
	return strings.Contains(s, l.text)
}

// literalsOf returns literals of which one is in all that an expression
// matches; nil: it has none.
func literalsOf(re *syntax.Regexp) (literals []literal) {
	switch re.Op {
	case syntax.OpLiteral:
		l := literal{string(re.Rune), re.Flags&syntax.FoldCase != 0}
		if l.anyCase { // k and s have a third form each, which stays in lower case
			parts := strings.FieldsFunc(strings.ToLower(l.text), func(r rune) bool { return r == 'k' || r == 's' })
			if len(parts) == 0 {
				return nil
			}
			l.text = slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) })
		}
		return []literal{l}
	case syntax.OpCharClass:
		if len(re.Rune) > 2*few {
			return nil
		}
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if len(literals) == few {
					return nil
				}
				literals = append(literals, literal{text: string(r)})
			}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return literalsOf(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return literalsOf(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if of := literalsOf(sub); of != nil && (literals == nil || shortest(of) > shortest(literals)) {
				literals = of
			}
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			of := literalsOf(sub)
			if of == nil {
				return nil
			}
			literals = append(literals, of...)
		}
	}
	return literals
}

// few is how many characters a class has at most that count as literals.
const few = 4

// shortest returns the length of the shortest, in bytes.
func shortest(literals []literal) int {
	n := len(literals[0].text)
	for _, l := range literals {
		n = min(n, len(l.text))
	}
	return n
}
