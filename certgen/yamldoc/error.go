package yamldoc

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Error is one fault of a file and where it stands.
type Error struct {
	File    string
	Line    int    // from 1
	Column  int    // in characters, from 1
	Source  string // the line at fault; empty when it is too long to show
	Problem string
	Hint    string // what to write instead
}

// Error returns "FILE:LINE:COLUMN: problem".
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// maxSource is the length in bytes beyond which a line is not shown.
const maxSource = 400

// errorAt returns the fault at a line and column, both from 1. What the YAML
// parser finds behind the end stands at the end of the last line.
func (s *source) errorAt(line, column int, hint, format string, args ...any) *Error {
	lines := splitLines(s.text)
	if line > len(lines) {
		line = len(lines)
		column = utf8.RuneCountInString(lines[line-1]) + 1
	}
	e := &Error{File: s.file, Line: max(line, 1), Column: max(column, 1),
		Problem: fmt.Sprintf(format, args...), Hint: hint}
	if text := lines[e.Line-1]; len(text) <= maxSource {
		e.Source = text
	}
	return e
}

// lineBreaks are the characters that end a line in YAML 1.1 section 5.4.
const lineBreaks = "\n\r\u0085\u2028\u2029"

// splitLines returns the lines of the text without their ends, at least one.
// The empty one behind the last end does not count.
func splitLines(text string) []string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var lines []string
	for {
		end := strings.IndexAny(text, lineBreaks)
		if end < 0 {
			break
		}
		lines = append(lines, text[:end])
		_, size := utf8.DecodeRuneInString(text[end:])
		text = text[end+size:]
	}
	if text != "" || len(lines) == 0 {
		lines = append(lines, text)
	}
	return lines
}

// Quoted returns text in quotes, cut short to fit a message.
func Quoted(text string) string {
	const most = 60
	runes := []rune(text[:min(len(text), 4*most)])
	if len(runes) > most {
		return strconv.Quote(string(runes[:most])) + "…"
	}
	return strconv.Quote(text)
}
