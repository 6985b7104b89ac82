package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/certgen/yamldoc"
)

// reader reads the values of a document.
type reader struct{ yamldoc.Document }

// setter reads a value and keeps it.
type setter func(n *yaml.Node) error

// object gives each field of a mapping to its setter.
func (r reader) object(n *yaml.Node, setters map[string]setter) error {
	_, err := yamldoc.Fields(r.Document, n, setters, func(set setter, value *yaml.Node) error { return set(value) })
	return err
}

// text reads words, of which line breaks are no part.
func (r reader) text(to *string) setter {
	return func(n *yaml.Node) error {
		text, err := r.Text(n)
		*to = strings.Join(strings.Fields(text), " ")
		return err
	}
}

func (r reader) texts(to *[]string) setter { return list(r, to, r.text) }

// list reads a list, and each item with the setter that item returns.
func list[T any](r reader, to *[]T, item func(*T) setter) setter {
	return func(n *yaml.Node) error {
		*to = []T{}
		return r.Items(n, func(n *yaml.Node) error {
			var value T
			err := item(&value)(n)
			*to = append(*to, value)
			return err
		})
	}
}

// byName reads a value for each name of a mapping.
func byName[T any](r reader, to *map[string]T, value func(*T) setter) setter {
	return func(n *yaml.Node) error {
		*to = map[string]T{}
		return r.Entries(n, func(key, n *yaml.Node) error {
			var v T
			err := value(&v)(n)
			(*to)[key.Value] = v
			return err
		})
	}
}

func (r reader) boolean(to *bool) setter {
	return func(n *yaml.Node) (err error) {
		*to, err = r.Bool(n)
		return err
	}
}

func (r reader) number(to *int) setter {
	return func(n *yaml.Node) error {
		text, err := r.Text(n)
		if err != nil {
			return err
		}
		if *to, err = strconv.Atoi(text); err != nil || *to < 0 {
			return r.ErrorAt(n, "write a whole number", "%s is not a number", yamldoc.Quoted(text))
		}
		return nil
	}
}

// between reads a number with bounds.
func (r reader) between(to *int, least, most int) setter {
	return func(n *yaml.Node) error {
		if err := r.number(to)(n); err != nil {
			return err
		}
		if *to < least || *to > most {
			return r.ErrorAt(n, fmt.Sprintf("write a number from %d to %d", least, most), "%d is too much, or too little", *to)
		}
		return nil
	}
}

// host reads the host of a URL.
func (r reader) host(to *string) setter {
	return func(n *yaml.Node) error {
		if err := r.text(to)(n); err != nil {
			return err
		}
		if strings.ContainsAny(*to, "/:@?# ") && net.ParseIP(*to) == nil {
			return r.ErrorAt(n, "write the host alone, such as localhost or 127.0.0.1: the rest is the server's", "%s is not a host", yamldoc.Quoted(*to))
		}
		return nil
	}
}

func (r reader) duration(to *time.Duration) setter {
	return func(n *yaml.Node) (err error) {
		if *to, err = r.Duration(n); err == nil && *to < 0 {
			return r.ErrorAt(n, "write zero or more", "the duration %v is negative", *to)
		}
		return err
	}
}

// choice reads one of the names in values.
func choice[T any](r reader, to *T, values map[string]T) setter {
	return func(n *yaml.Node) error {
		name, err := r.Text(n)
		if err != nil {
			return err
		}
		value, ok := values[name]
		if !ok {
			return r.ErrorAt(n, oneOf(name, slices.Sorted(maps.Keys(values))), "unknown value %s", yamldoc.Quoted(name))
		}
		*to = value
		return nil
	}
}

// choices reads a list of them.
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

// oneOf is a hint at the values there are: those that look like the one
// written, or else all of them, or of many those that have a word of it.
func oneOf(written string, values []string) string {
	const few = 12
	nearest := spell.Nearest(written, values)
	if len(nearest) == 0 && len(values) > few {
		nearest = withItsWords(written, values)
	}
	switch {
	case len(nearest) > 0:
		return "did you mean " + strings.Join(quoted(nearest), " or ") + "?"
	case len(values) > few:
		return "none of the " + strconv.Itoa(len(values)) + " names there are looks like it; one is " + strconv.Quote(values[0])
	}
	return "write one of " + strings.Join(quoted(values), ", ")
}

// withItsWords returns the up to three values that have the most of the words
// in the one written, at least one.
func withItsWords(written string, values []string) []string {
	words := wordOrNumber().FindAllString(strings.ToLower(written), -1)
	shared := map[string]int{}
	for _, value := range values {
		for _, word := range words {
			if strings.Contains(spaced(value), " "+word) {
				shared[value]++
			}
		}
	}
	best := slices.SortedFunc(maps.Keys(shared), func(a, b string) int {
		return cmp.Or(cmp.Compare(shared[b], shared[a]), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return best[:min(3, len(best))]
}

var wordOrNumber = pattern(`[a-z]+|[0-9]+`)

func quoted(values []string) []string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = strconv.Quote(value)
	}
	return quoted
}

// spaced returns the words of s in lower case, each between blanks.
func spaced(s string) string {
	return " " + strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), " ") + " "
}
