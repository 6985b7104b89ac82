package ladder

import (
	"slices"
	"strings"
	"testing"
)

func TestFold(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		want []string
	}{
		{"", 10, nil},
		{"one two three", 10, []string{"one two", "three"}},
		{"a " + strings.Repeat("x", 25) + " b", 10, []string{"a", "xxxxxxxxxx", "xxxxxxxxxx", "xxxxx b"}},
		{"漢字漢字漢字", 8, []string{"漢字漢字", "漢字"}},
		{"which suite (RFC 8446 4.1.2). Then", 20, []string{"which suite", "(RFC 8446 4.1.2).", "Then"}},
	} {
		if got := fold(test.text, test.n); !slices.Equal(got, test.want) {
			t.Errorf("fold(%q, %d) = %q, want %q", test.text, test.n, got, test.want)
		}
	}
	if got := balanced("one two three four five six", 16); !slices.Equal(got, []string{"one two three", "four five six"}) {
		t.Errorf("balanced: %q", got)
	}
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text  string
		n     int
		ascii bool
		want  string
	}{
		{"short", 5, false, "short"},
		{"longer", 5, false, "long…"},
		{"longer", 5, true, "lo..."},
		{"漢字漢", 5, false, "漢字…"},
	} {
		if got := cut(test.text, test.n, test.ascii); got != test.want {
			t.Errorf("cut(%q, %d) = %q, want %q", test.text, test.n, got, test.want)
		}
	}
}

// FuzzClean: whatever a peer sends, what is left cannot harm a terminal, and
// its folded lines fit.
func FuzzClean(f *testing.F) {
	f.Add(evil, 20)
	f.Add(hostile, 8)
	f.Add("👨‍👩‍👧 e\u0301 \u202e", 9)
	f.Fuzz(func(t *testing.T, s string, n int) {
		for _, ascii := range []bool{false, true} {
			for _, line := range fold(clean(s, ascii), n) {
				fits(t, "clean", line, max(n, 8), ascii)
			}
		}
	})
}
