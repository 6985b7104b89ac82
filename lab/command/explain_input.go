package command

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/summary"
)

// form is what a file given to lab explain is, by its first bytes.
type form int

const (
	formCapture  form = iota // or what lab explain cannot read
	formText                 // a log
	formKeys                 // certificates or keys
	formKeyLog               // TLS secrets
	formSettings             // text that is no log, by the file's name
	formSummary              // of lab explain --summary --json
)

// notCaptureError reports a file that lab explain has no use for.
type notCaptureError struct {
	file string
	form form
}

func (e *notCaptureError) Error() string {
	switch e.form {
	case formKeyLog:
		return inputName(e.file) + " is a key log, and no capture"
	case formSummary:
		return inputName(e.file) + " is a summary, and no capture"
	case formText:
		return inputName(e.file) + " is neither a capture nor a summary"
	case formSettings:
		return e.file + " is neither a capture nor a log"
	}
	return inputName(e.file) + " holds certificates or keys, and is no capture"
}

// inputName returns what a file is called in a message.
func inputName(file string) string {
	if file == "-" {
		return "stdin"
	}
	return file
}

func (e *notCaptureError) hint() string {
	file := e.file
	if file == "-" {
		file = "FILE"
	}
	switch e.form {
	case formSummary:
		return "lab explain --summary " + file + " prints it, or adds up several"
	case formText:
		return "lab explain --summary takes captures, and what it has printed itself with --json"
	case formSettings:
		return "lab explain --message - <" + file + " searches it all the same"
	case formKeyLog:
		return fmt.Sprintf("lab explain CAPTURE --keylog %s", file)
	}
	return fmt.Sprintf("lab check %s says what is in it, and what is wrong with it", file)
}

// settingsEndings are those of files whose words are no messages.
var settingsEndings = strings.Fields(".yaml .yml .toml .ini .conf .cnf .cfg .properties .md .har")

// formOf looks at the first bytes of r, which is of that name, and leaves them
// there. It reads no more than four of a capture, which may come through a pipe
// a packet at a time.
func formOf(name string, r *bufio.Reader) form {
	switch first, _ := r.Peek(4); {
	case certfile.Begins(first):
		return formKeys
	case !isText(first):
		return formCapture
	}
	first, _ := r.Peek(r.Size())
	if start := 24; !isText(first) && !isText(first[:min(len(first), start)]) { // a log may quote bytes, as they came, behind its date
		return formCapture
	}
	text := bytes.TrimSpace(decodeText(first))
	for line := range bytes.Lines(text) {
		if _, err := keylog.ParseLine(bytes.TrimSpace(line)); err == nil {
			return formKeyLog
		}
	}
	if certfile.Begins(text) {
		return formKeys
	}
	if summary.IsJSON(text) {
		return formSummary
	}
	if slices.Contains(settingsEndings, strings.ToLower(filepath.Ext(name))) {
		return formSettings
	}
	return formText
}

// isText reports whether the beginning of a file, which may end within a
// character, is text in UTF-8 or has the mark of UTF-16.
func isText(begins []byte) bool {
	if len(begins) == 0 || bytes.HasPrefix(begins, []byte("\n\r\r\n")) { // nothing; a pcapng
		return false
	}
	if orderOf(begins) != nil {
		return true
	}
	for len(begins) > 0 {
		r, n := utf8.DecodeRune(begins)
		if r == utf8.RuneError && n == 1 && utf8.FullRune(begins) || r < ' ' && !bytes.ContainsRune([]byte("\t\n\v\f\r\b\x1b"), r) {
			return false
		}
		begins = begins[n:]
	}
	return true
}

// orderOf returns the byte order of text in UTF-16, which PowerShell's > writes,
// or nil.
func orderOf(text []byte) binary.ByteOrder {
	switch {
	case bytes.HasPrefix(text, []byte{0xff, 0xfe}):
		return binary.LittleEndian
	case bytes.HasPrefix(text, []byte{0xfe, 0xff}):
		return binary.BigEndian
	}
	return nil
}

// decodeText returns text in UTF-8, without the mark of its encoding.
func decodeText(text []byte) []byte {
	order := orderOf(text)
	if order == nil {
		return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	}
	units := make([]uint16, 0, len(text)/2)
	for text = text[2:]; len(text) >= 2; text = text[2:] {
		units = append(units, order.Uint16(text))
	}
	return []byte(string(utf16.Decode(units)))
}
