package certgen

import (
	"context"
	"errors"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// document is one YAML document while it is being read.
type document struct {
	*piece
	node        *yaml.Node
	fields      map[string]*yaml.Node // values by field name
	certificate *Certificate
	issuer      string // as written; empty: self-signed
}

// Parse reads a manifest and checks all that can be checked without looking at
// the disk. The file name is used in messages only. Errors are *ManifestError.
// Work and memory are linear in the size of data.
func Parse(file string, data []byte) (*Manifest, error) {
	src, err := newSource(file, data)
	if err != nil {
		return nil, err
	}
	documents, err := readDocuments(src)
	if err != nil {
		return nil, err
	}
	err = inParallel(context.Background(), len(documents), func(i int) error { return documents[i].decode(i) })
	if err != nil {
		return nil, err
	}
	return assemble(file, documents)
}

// newSource checks that a file can be YAML.
func newSource(file string, data []byte) (*source, error) {
	src := &source{file: file, text: strings.TrimPrefix(string(data), "\ufeff")}
	if len(data) > maxManifest {
		return nil, src.errorAt(1, 1, "split it into several manifests", "the manifest is larger than 16 MiB")
	}
	return src, checkCharacters(src)
}

// assemble makes a manifest of documents that have been decoded.
func assemble(file string, documents []*document) (*Manifest, error) {
	m := &Manifest{File: file, Certificates: make([]*Certificate, len(documents))}
	for i, d := range documents {
		m.Certificates[i] = d.certificate
	}
	var err error
	if m.byName, err = claimFiles(documents); err != nil {
		return nil, err
	}
	if err := linkIssuers(documents); err != nil {
		return nil, err
	}
	if m.serials, err = claimSerials(documents); err != nil {
		return nil, err
	}
	return m, nil
}

// checkCharacters refuses bytes that are not UTF-8 and the control characters
// that YAML does not take (YAML 1.2.2 section 5.1).
func checkCharacters(src *source) error {
	line, column := 1, 0
	for i, r := range src.text {
		column++
		switch {
		case r == '\r' && strings.HasPrefix(src.text[i:], "\r\n"): // the line feed ends the line
		case strings.ContainsRune(lineBreaks, r):
			line, column = line+1, 0
		case r == utf8.RuneError && !strings.HasPrefix(src.text[i:], "\ufffd"):
			return src.errorAt(line, column, "save the manifest as UTF-8", "this is not UTF-8")
		case unicode.IsControl(r) && r != '\t':
			return src.errorAt(line, column, "remove the character", "control character %U", r)
		}
	}
	return nil
}

// readDocuments reads the stream, in pieces on all cores. Empty documents are
// skipped.
func readDocuments(src *source) ([]*document, error) {
	pieces := src.split(runtime.GOMAXPROCS(0))
	read := make([][]*document, len(pieces))
	err := inParallel(context.Background(), len(pieces), func(i int) (err error) {
		read[i], err = pieces[i].documents()
		return err
	})
	if err != nil {
		return nil, err
	}
	documents := slices.Concat(read...)
	if len(documents) == 0 {
		return nil, src.errorAt(1, 1, "write at least one document, for example: subject: CN=my-ca", "the manifest is empty")
	}
	return documents, nil
}

// piece is a part of a manifest that holds whole documents.
type piece struct {
	*source
	text   string
	before int // lines before it
}

// smallestPiece is the size in bytes below which splitting does not pay.
const smallestPiece = 16 << 10

// split cuts the stream into about n pieces before lines that begin with "---",
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
		rest.before += countLines(rest.text[:end])
		rest.text = rest.text[end:]
	}
	return append(pieces, rest)
}

// documents parses a piece.
func (p *piece) documents() ([]*document, error) {
	loader, err := yaml.NewLoader(strings.NewReader(p.text))
	if err != nil {
		return nil, err
	}
	var documents []*document
	for {
		var root yaml.Node
		err := loader.Load(&root)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, p.syntaxError(err)
		}
		if len(root.Content) > 0 && !isNull(root.Content[0]) {
			documents = append(documents, &document{piece: p, node: root.Content[0]})
		}
	}
}

// errorAt returns the fault at a line and column of the piece.
func (p *piece) errorAt(line, column int, hint, format string, args ...any) *ManifestError {
	return p.source.errorAt(p.before+line, column, hint, format, args...)
}

// syntaxError says in terms of the manifest what the YAML parser found.
func (p *piece) syntaxError(err error) error {
	const hint = "check indentation, quotes and brackets; quote values that begin with one of * & ! % @ ` [ {"
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return p.errorAt(1, 1, hint, "not YAML: %v", err)
	}
	// What was never closed is found missing at the end: point at where it began.
	mark := load.Mark
	if load.ContextMark.Line > 0 && mark.Line > load.ContextMark.Line {
		mark = load.ContextMark
	}
	return p.errorAt(mark.Line, mark.Column, hint, "not YAML: %s", load.Message)
}

// decode fills in the certificate of a document, which has this index.
func (d *document) decode(index int) error {
	if d.node.Kind != yaml.MappingNode {
		return d.errorAt(d.node.Line, d.node.Column, "write fields, for example: subject: CN=server",
			"a document must be a mapping of fields, not %s", describe(d.node))
	}
	d.fields = make(map[string]*yaml.Node, len(d.node.Content)/2)
	d.certificate = &Certificate{Line: d.before + d.node.Line, index: index, KeyType: EC, Expires: DefaultLifetime}
	for i := 0; i+1 < len(d.node.Content); i += 2 {
		if err := d.decodeField(d.node.Content[i], d.node.Content[i+1]); err != nil {
			return err
		}
	}
	return d.complete()
}

// decodeField sets one field. Names match in any case, as certyaml's do.
func (d *document) decodeField(key, value *yaml.Node) error {
	name := strings.ToLower(key.Value)
	set, known := fieldSetters[name]
	switch {
	case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
		return d.merge(value)
	case key.Kind != yaml.ScalarNode || !known:
		return d.errorAt(key.Line, key.Column, fieldHint(name), "unknown field %s", quoted(key.Value))
	case d.fields[name] != nil:
		return d.errorAt(key.Line, key.Column, "keep one of them", "field %s is given twice, first on line %d", name, d.before+d.fields[name].Line)
	}
	d.fields[name] = value
	if isNull(resolve(value)) {
		return nil
	}
	return set(d, value)
}

// merge sets the fields of the mapping, or of the list of them, that a merge key
// has. Those may not merge others in turn, so that nothing can multiply.
func (d *document) merge(value *yaml.Node) error {
	mappings := []*yaml.Node{value}
	if target := resolve(value); target.Kind == yaml.SequenceNode {
		mappings = target.Content
	}
	for _, n := range mappings {
		mapping := resolve(n)
		if mapping.Kind != yaml.MappingNode {
			return d.faultAt(n, "write the fields out in this document", "expected a mapping to merge, not %s", describe(mapping))
		}
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			key := mapping.Content[i]
			if key.ShortTag() == "!!merge" {
				return d.faultAt(key, "write the fields out in this document", "a mapping that is merged cannot merge another")
			}
			if err := d.decodeField(key, mapping.Content[i+1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldHint names the field that was probably meant, or all of them.
func fieldHint(name string) string {
	names := slices.Sorted(maps.Keys(fieldSetters))
	if near := Nearest(name, names); len(near) > 0 {
		return "did you mean " + near[0] + "?"
	}
	return "the fields are " + strings.Join(names, ", ")
}

// faultAt returns an error at a value.
func (d *document) faultAt(n *yaml.Node, hint, format string, args ...any) error {
	return d.errorAt(n.Line, n.Column, hint, format, args...)
}

// fault returns an error at the value of a field, or at the first field of the
// document when the field is not there.
func (d *document) fault(field, hint, format string, args ...any) error {
	n := d.fields[field]
	if n == nil {
		n = d.node
	}
	return d.errorAt(n.Line, n.Column, hint, format, args...)
}

// text returns a value that must be a scalar, as it was written: 123 is "123".
// The line feed that ends a block is not a part of it.
func (d *document) text(n *yaml.Node) (string, error) {
	target := resolve(n)
	if target.Kind != yaml.ScalarNode {
		return "", d.faultAt(n, "write one value here", "expected a text, not %s", describe(target))
	}
	return strings.TrimSuffix(target.Value, "\n"), nil
}

// each does something with each item of a value that must be a list of texts.
// Aliases are followed one step and no list may hold another, so nothing can
// multiply.
func (d *document) each(n *yaml.Node, do func(item *yaml.Node, text string) error) error {
	target := resolve(n)
	if target.Kind != yaml.SequenceNode {
		return d.faultAt(n, "write a list: one item a line, each after \"- \"", "expected a list, not %s", describe(target))
	}
	for _, item := range target.Content {
		if isNull(resolve(item)) {
			return d.faultAt(item, "write a value, or remove the item", "an item of the list is empty")
		}
		text, err := d.text(item)
		if err != nil {
			return err
		}
		if err := do(item, text); err != nil {
			return err
		}
	}
	return nil
}

// resolve returns what an alias stands for, and any other node itself.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// describe names the kind of a node, with its text if it has one.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	return "the text " + quoted(n.Value)
}
