package text

import (
	"slices"
	"sync"
)

// Tail keeps the end of what is written to it, at most Most bytes. It may be
// written and read at the same time.
type Tail struct {
	Most int

	mu   sync.Mutex
	kept []byte
}

// Write never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	t.kept = slices.Clone(t.kept[max(len(t.kept)-t.Most, 0):])
	return len(b), nil
}

func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
