package text

import (
	"regexp"
	"sync"
)

// Pattern returns a regular expression that is compiled when it is first used:
// there are many, and most runs of a program need few of them. It panics then
// if expr is none.
//
//go:noinline
func Pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
