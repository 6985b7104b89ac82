package yamldoc

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/spell"
)

// Fields reads a mapping n, whose fields must be among the known ones, each at
// most once. Names match in any case if the known one is in lower case. Each
// field that is there, with or without a value, is given to set with what known
// has for it. A merge key ("<<") stands for the fields of its mappings.
//
// It returns the values by their known names.
func Fields[T any](d Document, n *yaml.Node, known map[string]T, set func(field T, value *yaml.Node) error) (map[string]*yaml.Node, error) {
	r := fieldReader[T]{document: d, known: known, set: set}
	mapping := resolve(n)
	if mapping.Kind != yaml.MappingNode {
		return nil, d.ErrorAt(n, "write fields: "+r.names(), "expected fields, not %s", Describe(mapping))
	}
	r.given = make(map[string]*yaml.Node, len(mapping.Content)/2)
	for key, value := range pairs(mapping) {
		if err := r.read(key, value); err != nil {
			return r.given, err
		}
	}
	return r.given, nil
}

// fieldReader reads the fields of a mapping.
type fieldReader[T any] struct {
	document Document
	known    map[string]T
	set      func(field T, value *yaml.Node) error
	given    map[string]*yaml.Node
}

// read reads one field.
func (r *fieldReader[T]) read(key, value *yaml.Node) error {
	name := key.Value
	if _, exact := r.known[name]; !exact {
		name = strings.ToLower(name)
	}
	field, known := r.known[name]
	switch {
	case isMerge(key):
		return r.merge(value)
	case key.Kind != yaml.ScalarNode || !known:
		return r.document.ErrorAt(key, r.hint(key.Value), "unknown field %s", Quoted(key.Value))
	case r.given[name] != nil:
		return r.document.ErrorAt(key, "keep one of them", "field %s is given twice, first on line %d", name, r.document.Line(r.given[name]))
	}
	r.given[name] = value
	return r.set(field, value)
}

// merge reads the fields of the mapping, or of the list of them, that a merge
// key has. Those may not merge others in turn, so that nothing can multiply.
func (r *fieldReader[T]) merge(value *yaml.Node) error {
	mappings := []*yaml.Node{value}
	if target := resolve(value); target.Kind == yaml.SequenceNode {
		mappings = target.Content
	}
	for _, n := range mappings {
		mapping := resolve(n)
		if mapping.Kind != yaml.MappingNode {
			return r.document.ErrorAt(n, "write the fields out in this document", "expected a mapping to merge, not %s", Describe(mapping))
		}
		for key, value := range pairs(mapping) {
			if isMerge(key) {
				return r.document.ErrorAt(key, "write the fields out in this document", "a mapping that is merged cannot merge another")
			}
			if err := r.read(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// hint names the field that was probably meant, or all of them.
func (r *fieldReader[T]) hint(name string) string {
	if near := spell.Nearest(name, slices.Sorted(maps.Keys(r.known))); len(near) > 0 {
		return "did you mean " + near[0] + "?"
	}
	return "the fields are " + r.names()
}

func (r *fieldReader[T]) names() string {
	return strings.Join(slices.Sorted(maps.Keys(r.known)), ", ")
}

// Entries reads a mapping whose names are free, each at most once.
func (d Document) Entries(n *yaml.Node, read func(key, value *yaml.Node) error) error {
	mapping := resolve(n)
	if mapping.Kind != yaml.MappingNode {
		return d.ErrorAt(n, "write lines of the form name: value", "expected names with values, not %s", Describe(mapping))
	}
	given := make(map[string]*yaml.Node, len(mapping.Content)/2)
	for key, value := range pairs(mapping) {
		switch {
		case key.Kind != yaml.ScalarNode:
			return d.ErrorAt(key, "write lines of the form name: value", "expected a name, not %s", Describe(key))
		case given[key.Value] != nil:
			return d.ErrorAt(key, "keep one of them", "%s is given twice, first on line %d", Quoted(key.Value), d.Line(given[key.Value]))
		}
		given[key.Value] = key
		if err := read(key, value); err != nil {
			return err
		}
	}
	return nil
}

// Items reads a list. No item may be empty.
func (d Document) Items(n *yaml.Node, read func(item *yaml.Node) error) error {
	list := resolve(n)
	if list.Kind != yaml.SequenceNode {
		return d.ErrorAt(n, "write a list: one item a line, each after \"- \"", "expected a list, not %s", Describe(list))
	}
	for _, item := range list.Content {
		if IsNull(item) {
			return d.ErrorAt(item, "write a value, or remove the item", "an item of the list is empty")
		}
		if err := read(item); err != nil {
			return err
		}
	}
	return nil
}

// Text returns a value that must be a scalar, as it was written: 123 is "123".
// The line feed that ends a block is not a part of it. Null is "".
func (d Document) Text(n *yaml.Node) (string, error) {
	scalar := resolve(n)
	switch {
	case scalar.Kind != yaml.ScalarNode:
		return "", d.ErrorAt(n, "write one value here", "expected a text, not %s", Describe(scalar))
	case IsNull(scalar):
		return "", nil
	}
	return strings.TrimSuffix(scalar.Value, "\n"), nil
}

// Bool returns a value in one of the words of YAML 1.1 for true and false.
func (d Document) Bool(n *yaml.Node) (bool, error) {
	text, err := d.Text(n)
	if err != nil {
		return false, err
	}
	switch strings.ToLower(text) {
	case "true", "yes", "on", "y":
		return true, nil
	case "false", "no", "off", "n":
		return false, nil
	}
	return false, d.ErrorAt(n, "write true or false", "%s is neither true nor false", Quoted(text))
}

// Duration returns a value in the syntax of time.ParseDuration.
func (d Document) Duration(n *yaml.Node) (time.Duration, error) {
	text, err := d.Text(n)
	if err != nil {
		return 0, err
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		return 0, d.ErrorAt(n, durationHint(text), "%s is not a duration", Quoted(text))
	}
	return duration, nil
}

// durationHint turns days into the hours that Go durations are written in.
func durationHint(text string) string {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.Atoi(number); err == nil && days > 0 && days < 100_000 {
			return "write it in hours: " + strconv.Itoa(days*24) + "h"
		}
	}
	return "write hours, minutes, seconds or milliseconds, for example 8760h, 90m or 300ms"
}

// pairs yields the keys and values of a mapping.
func pairs(mapping *yaml.Node) func(yield func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		for pair := range slices.Chunk(mapping.Content, 2) {
			if !yield(pair[0], pair[1]) {
				return
			}
		}
	}
}

func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" }

// resolve returns what an alias stands for, and any other node itself.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// IsNull reports whether a value, or what it is an alias of, is null, as one
// that was left out is.
func IsNull(n *yaml.Node) bool {
	n = resolve(n)
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// Describe names the kind of a node, with its text if it has one.
func Describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case IsNull(n):
		return "nothing"
	}
	return "the text " + Quoted(n.Value)
}
