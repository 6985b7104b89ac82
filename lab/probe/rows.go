package probe

import (
	"context"
	"sync"
)

// rows are the findings of cases that end in any order, and are told in that of
// the cases.
type rows struct {
	p    *prober
	of   [][]*Finding
	mu   sync.Mutex // guards of and the fields below
	told []bool
	done int
	next int // the first that is not told
}

func (p *prober) newRows(n int) *rows {
	return &rows{p: p, of: make([][]*Finding, n), told: make([]bool, n)}
}

// end notes what came of the i-th case, and tells what is due. A case that the
// probe has stopped in is not told.
func (r *rows) end(ctx context.Context, i int, row []*Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of[i], r.told[i] = row, ctx.Err() != nil
	r.done++
	for r.next < len(r.of) && r.of[r.next] != nil {
		r.tell(r.next)
		r.next++
	}
	if r.p.Progress != nil {
		r.p.Progress(r.done, len(r.of))
	}
}

// tellRest tells what waited for a case that never ended.
func (r *rows) tellRest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := r.next; i < len(r.of); i++ {
		r.tell(i)
	}
}

func (r *rows) tell(i int) {
	weigh(r.of[i], r.of[:i])
	if !r.told[i] && len(r.of[i]) > 0 {
		r.told[i] = true
		r.p.tell(r.of[i])
	}
}
