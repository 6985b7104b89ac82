package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"regexp"
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

func (r reader) texts(to *[]string) setter { return list(r, to, r.text) }

// list takes a list, whose items are taken by what item returns.
func list[T any](r reader, to *[]T, item func(*T) setter) setter {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode {
			return r.ErrorAt(n, "write a list: [one, two]", "expected a list here")
		}
		*to = make([]T, len(n.Content))
		for i, content := range n.Content {
			if err := item(&(*to)[i])(content); err != nil {
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
			return r.ErrorAt(n, fmt.Sprintf("write a number from %d to %d", least, most), "%s is too much, or too little", n.Value)
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

// oneOf is a hint at the values there are: those that look like the one
// written, or else all of them, or of many those that have a word of it.
func oneOf(written string, values []string) string {
	const few = 12
	nearest := certgen.Nearest(written, values)
	if len(nearest) == 0 && len(values) > few {
		nearest = akin(written, values)
	}
	switch {
	case len(nearest) > 0:
		return "did you mean " + strings.Join(quoted(nearest), " or ") + "?"
	case len(values) > few:
		return "none of the " + strconv.Itoa(len(values)) + " names there are looks like it; one is " + strconv.Quote(values[0])
	}
	return "write one of " + strings.Join(quoted(values), ", ")
}

// akin are the three values that have the most of the words in the one written,
// or fewer; each has one at least.
func akin(written string, values []string) []string {
	words := wordOrNumber.FindAllString(strings.ToLower(written), -1)
	shared := map[string]int{}
	for _, value := range values {
		for _, word := range words {
			if strings.Contains(normal(value), " "+word) {
				shared[value]++
			}
		}
	}
	best := slices.SortedFunc(maps.Keys(shared), func(a, b string) int {
		return cmp.Or(cmp.Compare(shared[b], shared[a]), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return best[:min(3, len(best))]
}

var wordOrNumber = regexp.MustCompile(`[a-z]+|[0-9]+`)

func quoted(values []string) []string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = strconv.Quote(value)
	}
	return quoted
}

// choices takes a list of them.
func choices[T any](r reader, to *[]T, values map[string]T) setter {
	return list(r, to, func(to *T) setter { return choice(r, to, values) })
}

// named maps values to themselves, by their names.
func named[T ~string](values ...T) map[string]T {
	names := make(map[string]T, len(values))
	for _, v := range values {
		names[string(v)] = v
	}
	return names
}
