package exercise

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// values are what differs from folder to folder: "token", "serial NAME" and
// "stream LABEL". They are kept with the progress.
type values map[string]string

// newValues returns values with a new token.
func newValues() values { return values{"token": strings.ToLower(rand.Text()[:10])} }

// stream notes the number of a recorded call, from 0, as lab explain has it.
func (v values) stream(label string, number int) {
	if label != "" {
		v["stream "+label] = fmt.Sprint(number)
	}
}

// serials notes the serial numbers of all certificates of a run.
func (v values) serials(r *run) {
	pairs, _ := r.pairs(false)
	for name, pair := range pairs.Pairs {
		v["serial "+name] = fmt.Sprintf("%x", pair.Leaf.SerialNumber)
	}
}

var placeholder = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\{(token|serial [a-z0-9-]+|stream [a-z0-9-]+)\}`)
})

// fill puts values in the place of what stands for them.
func (v values) fill(s string) string {
	if !strings.Contains(s, "{") {
		return s
	}
	return placeholder().ReplaceAllStringFunc(s, func(found string) string {
		if value, ok := v[strings.Trim(found, "{}")]; ok {
			return value
		}
		return found
	})
}
