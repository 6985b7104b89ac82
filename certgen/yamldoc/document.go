package yamldoc

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// MaxSize is the size in bytes beyond which a file is refused.
const MaxSize = 16 << 20

// Document is one YAML document of a file.
type Document struct {
	*source
	root   *yaml.Node
	before int // lines of the file that its nodes' line numbers leave out
}

// source is the text of a file.
type source struct {
	file    string
	text    string
	aliased atomic.Int64 // size of what its aliases stand for
}

// Read parses a file, on all cores, into its documents that are not empty;
// there may be none. The file name is used in messages only. Errors are *Error.
// Work and memory are linear in the size of data.
func Read(file string, data []byte) ([]Document, error) {
	src := &source{file: file, text: strings.TrimPrefix(string(data), "\ufeff")}
	if len(data) > MaxSize {
		return nil, src.errorAt(1, 1, "split it into several files", "the file is larger than 16 MiB")
	}
	if err := src.checkCharacters(); err != nil {
		return nil, err
	}
	pieces := src.split(runtime.GOMAXPROCS(0))
	read := make([][]Document, len(pieces))
	errs := make([]error, len(pieces))
	var workers sync.WaitGroup
	for i, p := range pieces {
		workers.Go(func() { read[i], errs[i] = p.documents() })
	}
	workers.Wait()
	for _, err := range errs { // the first in the file
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(read...), nil
}

// Root returns the root of the document.
func (d Document) Root() *yaml.Node { return d.root }

// Line returns the line of the file, from 1, that a node of the document is on.
func (d Document) Line(n *yaml.Node) int { return d.before + n.Line }

// ErrorAt returns the fault at a node of the document.
func (d Document) ErrorAt(n *yaml.Node, hint, format string, args ...any) *Error {
	return d.errorAt(d.Line(n), n.Column, hint, format, args...)
}

// checkCharacters refuses bytes that are not UTF-8 and the control characters
// that YAML does not take (YAML 1.2.2 section 5.1).
func (s *source) checkCharacters() error {
	line, column := 1, 0
	for i, r := range s.text {
		column++
		switch {
		case ' ' <= r && r <= '~': // nearly all of it
		case r == '\r' && strings.HasPrefix(s.text[i:], "\r\n"): // the line feed ends the line
		case strings.ContainsRune(lineBreaks, r):
			line, column = line+1, 0
		case r == utf8.RuneError && !strings.HasPrefix(s.text[i:], "\ufffd"):
			return s.errorAt(line, column, "save the file as UTF-8", "this is not UTF-8")
		case unicode.IsControl(r) && r != '\t':
			return s.errorAt(line, column, "remove the character", "control character %U", r)
		}
	}
	return nil
}

// piece is a part of a file that holds whole documents.
type piece struct {
	*source
	text   string
	before int // lines before it
}

// smallestPiece is the size in bytes below which splitting does not pay.
const smallestPiece = 16 << 10

// split cuts the file into about n pieces before lines that begin with "---",
// which end a document wherever they stand (YAML 1.2.2 section 9.1.4). Where
// there may be directives, which belong to the document after them, there is
// one piece.
func (s *source) split(n int) []piece {
	var pieces []piece
	rest := piece{source: s, text: s.text}
	size := max(len(s.text)/n, smallestPiece)
	for len(rest.text) > size && !strings.Contains(s.text, "\n%") {
		end := strings.Index(rest.text[size:], "\n---\n") + 1
		if end == 0 {
			break
		}
		end += size
		pieces = append(pieces, piece{source: s, text: rest.text[:end], before: rest.before})
		rest.before += len(splitLines(rest.text[:end])) // it ends with a line break
		rest.text = rest.text[end:]
	}
	return append(pieces, rest)
}

// documents parses a piece.
func (p piece) documents() ([]Document, error) {
	loader, err := yaml.NewLoader(strings.NewReader(p.text))
	if err != nil {
		return nil, err
	}
	aliases := strings.Contains(p.text, "*")
	var documents []Document
	for {
		var root yaml.Node
		err := loader.Load(&root)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, p.syntaxError(err)
		}
		if len(root.Content) == 0 || IsNull(root.Content[0]) {
			continue
		}
		d := Document{source: p.source, root: root.Content[0], before: p.before}
		if aliases {
			if err := d.checkAliases(); err != nil {
				return nil, err
			}
		}
		documents = append(documents, d)
	}
}

// syntaxError says in terms of the file what the YAML parser found.
func (p piece) syntaxError(err error) error {
	const hint = "check indentation, quotes and brackets; quote values that begin with one of * & ! % @ ` [ {"
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return p.errorAt(p.before+1, 1, hint, "not YAML: %v", err)
	}
	// What was never closed is found missing at the end: point at where it began.
	mark := load.Mark
	if load.ContextMark.Line > 0 && mark.Line > load.ContextMark.Line {
		mark = load.ContextMark
	}
	return p.errorAt(p.before+mark.Line, mark.Column, hint, "not YAML: %s", load.Message)
}

// checkAliases refuses a document whose file, with every alias written out,
// would be larger than a file may be.
func (d Document) checkAliases() error {
	const node = 16 // about what a list or mapping needs for one more, in bytes
	sizes := map[*yaml.Node]int64{}
	var tooLarge *yaml.Node
	var measure func(n *yaml.Node) int64
	measure = func(n *yaml.Node) int64 {
		if n.Kind == yaml.AliasNode {
			size := sizes[n.Alias] // nothing yet if n is a part of it
			if d.aliased.Add(size) > MaxSize && tooLarge == nil {
				tooLarge = n
			}
			return size
		}
		size := node + int64(len(n.Value))
		for _, part := range n.Content {
			if tooLarge != nil {
				break
			}
			size += measure(part)
		}
		if n.Anchor != "" {
			sizes[n] = size
		}
		return size
	}
	if measure(d.root); tooLarge != nil {
		return d.ErrorAt(tooLarge, "write out less with aliases, or split the file", "the aliases up to this one stand for more than 16 MiB")
	}
	return nil
}
