package scenario

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen"
)

// reader reads values of a document, strictly: every fault has its place.
type reader struct{ certgen.Document }

// setter takes a value.
type setter func(n *yaml.Node) error

// object gives each field of a mapping to its setter.
func (r reader) object(n *yaml.Node, setters map[string]setter) error {
	if n.Kind != yaml.MappingNode {
		return r.ErrorAt(n, "write fields: "+strings.Join(slices.Sorted(maps.Keys(setters)), ", "), "expected fields here")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		set, known := setters[key.Value]
		switch {
		case !known || key.Kind != yaml.ScalarNode:
			hint := "the fields are " + strings.Join(slices.Sorted(maps.Keys(setters)), ", ")
			if nearest := certgen.Nearest(key.Value, slices.Sorted(maps.Keys(setters))); len(nearest) > 0 {
				hint = "did you mean " + nearest[0] + "?"
			}
			return r.ErrorAt(key, hint, "unknown field %q", key.Value)
		case seen[key.Value]:
			return r.ErrorAt(key, "keep one of them", "field %s is given twice", key.Value)
		}
		seen[key.Value] = true
		if err := set(value); err != nil {
			return err
		}
	}
	return nil
}

// each gives every field of a mapping to f.
func (r reader) each(n *yaml.Node, f func(key, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return r.ErrorAt(n, "write lines of the form name: value", "expected names with values here")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if err := f(n.Content[i], n.Content[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// text takes words, of which line breaks are no part.
func (r reader) text(to *string) setter {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode {
			return r.ErrorAt(n, "write one value here", "expected a text here")
		}
		*to = strings.Join(strings.Fields(n.Value), " ")
		return nil
	}
}

func (r reader) texts(to *[]string) setter {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode {
			return r.ErrorAt(n, "write a list: [one, two]", "expected a list here")
		}
		*to = make([]string, len(n.Content))
		for i, item := range n.Content {
			if err := r.text(&(*to)[i])(item); err != nil {
				return err
			}
		}
		return nil
	}
}

func (r reader) header(to *map[string]string) setter {
	return func(n *yaml.Node) error {
		*to = map[string]string{}
		return r.each(n, func(key, value *yaml.Node) error {
			var text string
			err := r.text(&text)(value)
			(*to)[key.Value] = text
			return err
		})
	}
}

// lists takes a list for every name.
func (r reader) lists(to *map[string][]string) setter {
	return func(n *yaml.Node) error {
		*to = map[string][]string{}
		return r.each(n, func(key, value *yaml.Node) error {
			var list []string
			err := r.texts(&list)(value)
			(*to)[key.Value] = list
			return err
		})
	}
}

func (r reader) boolean(to *bool) setter {
	return func(n *yaml.Node) error {
		if n.Value != "true" && n.Value != "false" {
			return r.ErrorAt(n, "write true or false", "%q is neither true nor false", n.Value)
		}
		*to = n.Value == "true"
		return nil
	}
}

func (r reader) number(to *int) setter {
	return func(n *yaml.Node) (err error) {
		if *to, err = strconv.Atoi(n.Value); err != nil || *to < 0 {
			return r.ErrorAt(n, "write a whole number", "%q is not a number", n.Value)
		}
		return nil
	}
}

// between takes a number with bounds.
func (r reader) between(to *int, least, most int) setter {
	return func(n *yaml.Node) error {
		if err := r.number(to)(n); err != nil {
			return err
		}
		if *to < least || *to > most {
			return r.ErrorAt(n, fmt.Sprintf("write a number from %d to %d", least, most), "%s is too many, or too few", n.Value)
		}
		return nil
	}
}

// host takes the host of a URL.
func (r reader) host(to *string) setter {
	return func(n *yaml.Node) error {
		if strings.ContainsAny(n.Value, "/:@?# ") && net.ParseIP(n.Value) == nil {
			return r.ErrorAt(n, "write the host alone, such as localhost or 127.0.0.1: the rest is the server's", "%q is not a host", n.Value)
		}
		return r.text(to)(n)
	}
}

func (r reader) duration(to *time.Duration) setter {
	return func(n *yaml.Node) (err error) {
		if *to, err = time.ParseDuration(n.Value); err != nil || *to < 0 {
			return r.ErrorAt(n, "write hours, minutes or seconds, for example 720h or 300ms", "%q is not a duration", n.Value)
		}
		return nil
	}
}

// choice takes one of the names in values.
func choice[T any](r reader, to *T, values map[string]T) setter {
	return func(n *yaml.Node) error {
		value, ok := values[n.Value]
		if !ok || n.Kind != yaml.ScalarNode {
			return r.ErrorAt(n, oneOf(n.Value, slices.Sorted(maps.Keys(values))), "unknown value %q", n.Value)
		}
		*to = value
		return nil
	}
}

// oneOf is a hint at the values there are: what looks like the one written, or
// else all of them, or some of many.
func oneOf(written string, values []string) string {
	const few = 12
	nearest := certgen.Nearest(written, values)
	for i, value := range values {
		values[i] = strconv.Quote(value)
	}
	switch {
	case len(nearest) > 0:
		return "did you mean " + strconv.Quote(nearest[0]) + "?"
	case len(values) > few:
		return "write one of " + strings.Join(values[:few], ", ") + " and so on"
	}
	return "write one of " + strings.Join(values, ", ")
}

// choices takes a list of them.
func choices[T any](r reader, to *[]T, values map[string]T) setter {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode {
			return r.ErrorAt(n, "write a list: [one, two]", "expected a list here")
		}
		*to = make([]T, len(n.Content))
		for i, item := range n.Content {
			if err := choice(r, &(*to)[i], values)(item); err != nil {
				return err
			}
		}
		return nil
	}
}

// named maps values to themselves, by their names.
func named[T ~string](values ...T) map[string]T {
	names := make(map[string]T, len(values))
	for _, v := range values {
		names[string(v)] = v
	}
	return names
}
