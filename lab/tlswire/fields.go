package tlswire

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Field is one part of a message: what it is called, which bytes it is, what
// they say, and what it is for.
type Field struct {
	Name   string  // the RFC's or IANA's name
	Offset int     // of the first byte, from the start of the message, header included
	Length int     // in bytes, the length prefix included
	Prefix int     // how many of those bytes, at the front, are the length of the rest
	Value  string  // in words, short; may be empty when Fields say it
	Note   string  // one sentence of explanation with its RFC section; may be empty in lists
	Fields []Field // the parts, in the order of their bytes, within this field's range
}

// shown is how many bytes of an opaque value are written out.
const shown = 16

// short renders bytes in hexadecimal, with their number when they are many.
func short(b []byte) string {
	switch {
	case len(b) == 0:
		return "(empty)"
	case len(b) <= shown:
		return hex.EncodeToString(b)
	}
	return fmt.Sprintf("%s… (%d bytes)", hex.EncodeToString(b[:shown]), len(b))
}

// render shows strings as text and bytes as hexadecimal.
func render[T ~[]byte | ~string](v T) string {
	if s, ok := any(v).(string); ok {
		return text(s)
	}
	return short([]byte(v))
}

// text shows what a peer sent as text so that it cannot harm a terminal.
func text(s string) string {
	if s == "" {
		return "(empty)"
	}
	plain := utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	if !plain {
		s = strconv.QuoteToASCII(s)
	}
	const most = 255
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// summary names the first few items of a list.
func summary(items []Field) string {
	const few = 4
	switch len(items) {
	case 0:
		return "(none)"
	case 1:
		return items[0].Value
	}
	var values []string
	for _, f := range items[:min(few, len(items))] {
		if f.Value == "" {
			return fmt.Sprintf("%d entries", len(items))
		}
		values = append(values, f.Value)
	}
	if len(items) > few {
		return fmt.Sprintf("%s, … (%d in all)", strings.Join(values, ", "), len(items))
	}
	return strings.Join(values, ", ")
}

// inner describes a field by the first thing in it.
func (f Field) inner() string {
	if len(f.Fields) == 0 {
		return "(empty)"
	}
	return f.Fields[0].Value
}

// last is the last part of a field.
func (f Field) last() Field {
	if len(f.Fields) == 0 {
		return f
	}
	return f.Fields[len(f.Fields)-1]
}
