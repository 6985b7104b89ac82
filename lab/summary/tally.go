package summary

import (
	"maps"
	"slices"
	"sort"
	"strings"
)

// Most is how many causes a summary has, how many clients a cause, and how many
// names and certificates.
const (
	mostCauses  = 4096
	mostClients = 1000
	mostNames   = 50
)

// first is a map that keeps the first of its keys in order, when there are too
// many. What it has of these is right whatever was added before or after, so
// that sums do not depend on the order.
type first[K comparable, V any] struct {
	m    map[K]V
	more bool // there were others
}

// trim removes what is over most.
func (f *first[K, V]) trim(most int, compare func(a, b K) int) {
	if len(f.m) <= most {
		return
	}
	keys := slices.Collect(maps.Keys(f.m))
	sort.Slice(keys, func(i, j int) bool { return compare(keys[i], keys[j]) < 0 })
	for _, key := range keys[most:] {
		delete(f.m, key)
	}
	f.more = true
}

// tally counts how often there was each of several texts.
type tally struct{ first[string, int] }

func (t *tally) add(text string, count, most int) {
	if text == "" {
		return
	}
	if t.m == nil {
		t.m = make(map[string]int)
	}
	t.m[text] += count
	if len(t.m) >= 2*most { // seldom, since it takes long
		t.trim(most)
	}
}

func (t *tally) trim(most int) { t.first.trim(most, strings.Compare) }

// merge adds another one.
func (t *tally) merge(other *tally, most int) {
	for text, count := range other.m {
		t.add(text, count, most)
	}
	t.more = t.more || other.more
	t.trim(most)
}

// top returns the text that was there most often.
func (t *tally) top() string {
	top := ""
	for text, count := range t.m {
		if top == "" || count > t.m[top] || count == t.m[top] && text < top {
			top = text
		}
	}
	return top
}
