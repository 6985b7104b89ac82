package spell

import (
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	fields := []string{"subject", "issuer", "sans", "serial", "expires", "ext_key_usages"}
	for name, want := range map[string][]string{
		"expire":                 {"expires"},
		"sbuject":                {"subject"},
		"SERIAL":                 {"serial"},
		"san":                    {"sans"},
		"s":                      {"sans", "serial", "subject"}, // the beginning of all three
		"ext":                    {"ext_key_usages"},
		"colour":                 nil,
		"":                       nil,
		strings.Repeat("s", 201): nil,
	} {
		if got := Nearest(name, fields); !slices.Equal(got, want) {
			t.Errorf("%q: %q, not %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got, back := distance(c.a, c.b), distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%q, %q: %d and %d, not %d", c.a, c.b, got, back, c.want)
		}
	}
}
