package text

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Charset is what a terminal can show.
type Charset bool

// The character sets.
const (
	Unicode Charset = false
	ASCII   Charset = true
)

const (
	longest  = 500 // characters that are shown of a text that is too long
	whole    = 560 // characters of one that is not: what is shown of another, and the words for what is left out
	maxMarks = 4   // combining characters on one base; UAX #15 finds none with more in any language's everyday writing
)

// Hidden reports whether a terminal could take r for a command, show nothing
// for it, or turn the line round: control (Cc), format (Cf, with tags and
// direction marks), private and unassigned characters, and line separators.
// Other spaces than U+0020 and combining characters are seen to elsewhere.
func Hidden(r rune) bool {
	return !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// Clean makes s one line that cannot harm a terminal, of at most some hundred
// characters. What is hidden or not UTF-8 becomes U+FFFD, or "?" in ASCII; line
// feeds, tabs and odd spaces become blanks.
func (c Charset) Clean(s string) string { return c.clean(shortened(s)) }

func (c Charset) clean(s string) string {
	if isPlain(s) {
		return s
	}
	seen := strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', unicode.Is(unicode.Zs, r):
			return ' '
		case Hidden(r):
			return utf8.RuneError
		}
		return r
	}, s)
	var b strings.Builder
	for state, cluster := -1, ""; seen != ""; {
		cluster, seen, _, state = uniseg.FirstGraphemeClusterInString(seen, state)
		c.writeCluster(&b, cluster)
	}
	return b.String()
}

// writeCluster writes a character with what combines with it, within bounds. A
// combining character without a base would change what stands before the text.
func (c Charset) writeCluster(b *strings.Builder, cluster string) {
	n, base := 0, false
	for _, r := range cluster {
		if unicode.Is(unicode.M, r) && !base || n > maxMarks {
			c.write(b, utf8.RuneError)
			return
		}
		c.write(b, r)
		base = r != ' '
		n++
	}
}

// drawn are the characters that the lab draws with, and their stand-ins in
// ASCII, of the same width but for the last.
var drawn = map[rune]string{
	'│': "|", '─': "-", '═': "=", '┄': ".", '►': ">", '◄': "<", '├': "+", '┤': "+", '┬': "+", '┴': "+", '└': "`", '…': "...",
}

func (c Charset) write(b *strings.Builder, r rune) {
	switch {
	case c == Unicode || r < utf8.RuneSelf:
		b.WriteRune(r)
	case drawn[r] != "":
		b.WriteString(drawn[r])
	default:
		b.WriteByte('?')
	}
}

// Clean cleans s for a terminal that shows Unicode.
func Clean(s string) string { return Unicode.Clean(s) }

// IsClean reports whether s can be printed as it is.
func IsClean(s string) bool { return Clean(s) == s }

// isPlain reports whether s is printable ASCII.
func isPlain[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// shortened leaves out the middle of a long text, and says how much: its end
// may be what an error is about.
func shortened(s string) string {
	if len(s) <= whole {
		return s
	}
	n := utf8.RuneCountInString(s)
	if n <= whole {
		return s
	}
	const tail = longest / 3
	head, rest := firstRunes(s, longest-tail)
	_, end := firstRunes(rest, n-longest)
	return head + fmt.Sprintf("… (%s left out) …", Counted(n-longest, "character")) + end
}

// firstRunes splits s behind its first n characters.
func firstRunes(s string, n int) (first, rest string) {
	for i := range s {
		if n == 0 {
			return s[:i], s[i:]
		}
		n--
	}
	return s, ""
}

// Lines cleans a text of several lines, each of any length.
func (c Charset) Lines(s string) []string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\r\n"), "\n")
	for i, line := range lines {
		lines[i] = c.clean(line)
	}
	return lines
}

// JSON escapes in encoded JSON what Clean would replace, and in ASCII all that
// is not: its value stays the same.
func (c Charset) JSON(encoded []byte) []byte {
	if isPlain(bytes.TrimRight(encoded, "\n")) {
		return encoded
	}
	b := make([]byte, 0, len(encoded)+64)
	marks := 0
	for _, r := range string(encoded) {
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r < 0x7f:
			b = append(b, byte(r))
		case c == ASCII, Hidden(r), marks > maxMarks, unicode.Is(unicode.Zs, r):
			b = appendEscaped(b, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// appendEscaped appends r as a string of JSON has it (RFC 8259 section 7).
func appendEscaped(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		return fmt.Appendf(b, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}
