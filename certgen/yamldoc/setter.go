package yamldoc

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen/spell"
)

// Setter reads a value of a document and keeps it.
type Setter func(n *yaml.Node) error

// Object gives each field of a mapping to its setter.
func (d Document) Object(n *yaml.Node, setters map[string]Setter) error {
	_, err := Fields(d, n, setters, func(set Setter, value *yaml.Node) error { return set(value) })
	return err
}

// Words reads a text of which line breaks are no part.
func (d Document) Words(to *string) Setter {
	return func(n *yaml.Node) error {
		text, err := d.Text(n)
		*to = strings.Join(strings.Fields(text), " ")
		return err
	}
}

// ListOfWords reads a list of such texts.
func (d Document) ListOfWords(to *[]string) Setter { return List(d, to, d.Words) }

// List reads a list, and each item with the setter that item returns.
func List[T any](d Document, to *[]T, item func(*T) Setter) Setter {
	return func(n *yaml.Node) error {
		*to = []T{}
		return d.Items(n, func(n *yaml.Node) error {
			var value T
			err := item(&value)(n)
			*to = append(*to, value)
			return err
		})
	}
}

// ByName reads a value for each name of a mapping.
func ByName[T any](d Document, to *map[string]T, value func(*T) Setter) Setter {
	return func(n *yaml.Node) error {
		*to = map[string]T{}
		return d.Entries(n, func(key, n *yaml.Node) error {
			var v T
			err := value(&v)(n)
			(*to)[key.Value] = v
			return err
		})
	}
}

// Boolean reads true or false.
func (d Document) Boolean(to *bool) Setter {
	return func(n *yaml.Node) (err error) {
		*to, err = d.Bool(n)
		return err
	}
}

// Number reads a whole number from 0 on.
func (d Document) Number(to *int) Setter {
	return func(n *yaml.Node) error {
		text, err := d.Text(n)
		if err != nil {
			return err
		}
		if *to, err = strconv.Atoi(text); err != nil || *to < 0 {
			return d.ErrorAt(n, "write a whole number", "%s is not a number", Quoted(text))
		}
		return nil
	}
}

// Between reads a number with bounds, which are among them.
func (d Document) Between(to *int, least, most int) Setter {
	return func(n *yaml.Node) error {
		if err := d.Number(to)(n); err != nil {
			return err
		}
		if *to < least || *to > most {
			return d.ErrorAt(n, fmt.Sprintf("write a number from %d to %d", least, most), "%d is too much, or too little", *to)
		}
		return nil
	}
}

// Host reads the host of a URL.
func (d Document) Host(to *string) Setter {
	return func(n *yaml.Node) error {
		if err := d.Words(to)(n); err != nil {
			return err
		}
		if strings.ContainsAny(*to, "/:@?# ") && net.ParseIP(*to) == nil {
			return d.ErrorAt(n, "write the host alone, such as localhost or 127.0.0.1: the rest is the server's", "%s is not a host", Quoted(*to))
		}
		return nil
	}
}

// Span reads a duration of zero or more.
func (d Document) Span(to *time.Duration) Setter {
	return func(n *yaml.Node) (err error) {
		if *to, err = d.Duration(n); err == nil && *to < 0 {
			return d.ErrorAt(n, "write zero or more", "the duration %v is negative", *to)
		}
		return err
	}
}

// Choice reads one of the names in values.
func Choice[T any](d Document, to *T, values map[string]T) Setter {
	return func(n *yaml.Node) error {
		name, err := d.Text(n)
		if err != nil {
			return err
		}
		value, ok := values[name]
		if !ok {
			return d.ErrorAt(n, oneOf(name, slices.Sorted(maps.Keys(values))), "unknown value %s", Quoted(name))
		}
		*to = value
		return nil
	}
}

// Choices reads a list of them.
func Choices[T any](d Document, to *[]T, values map[string]T) Setter {
	return List(d, to, func(to *T) Setter { return Choice(d, to, values) })
}

// Named maps values to themselves, by their names.
func Named[T ~string](values ...T) map[string]T {
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

// wordOrNumber is compiled when it is first used.
var wordOrNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[a-z]+|[0-9]+`) })

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
