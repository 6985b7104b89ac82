package text

import (
	"fmt"
	"strings"
)

// ShellWord is s as a person would type it in a POSIX shell: quoted if need be.
func ShellWord(s string) string {
	if s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789./_-+:@=") == "" {
		return s
	}
	return ShellQuoted(s)
}

// ShellQuoted is s as one word of a POSIX shell, without what a terminal would
// take for commands.
func ShellQuoted(s string) string {
	if IsClean(s) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\%03o`, c)
	}
	return `"$(printf '` + b.String() + `')"`
}
