package exercise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/lab/private"
)

// Proof is one thing that Lint has tried.
type Proof struct {
	What   string // in words
	Wanted bool   // that it is solved
	Solved bool
	Result *Result // nil: it did not come to a marking
	Err    error
	Why    string // of a wrong repair
	Idle   bool   // it has nothing to change in this world
}

// Holds reports whether it came out as it must.
func (p *Proof) Holds() bool { return p.Idle || p.Solved == p.Wanted }

// wrongWanted is how many wrong repairs an exercise must have.
const wrongWanted = 3

// Lint proves an exercise: that it is unsolved at the start, that its solution
// and its other right ways solve it, and that its wrong repairs do not. It
// returns an error where the document has too few of them, a *yamldoc.Error, or
// where the world cannot be made.
func (e *Exercise) Lint(ctx context.Context, own bool) ([]*Proof, error) {
	if err := e.checkRepairs(); err != nil {
		return nil, err
	}
	done, err := e.choose(own)
	if err != nil {
		return nil, err
	}
	temporary, err := private.MkdirTemp("", "exercise")
	if err != nil {
		return nil, err
	}
	defer func() { _ = temporary.Remove() }()
	start := filepath.Join(temporary.Path, "start")
	v, err := done.make(ctx, start)
	if err != nil {
		return nil, err
	}
	proofs, repairs := e.proofs()
	room := make(chan struct{}, atOnce(done))
	var trying sync.WaitGroup
	for i, p := range proofs {
		trying.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			p.Err = done.try(ctx, start, filepath.Join(temporary.Path, fmt.Sprint(i)), v, repairs[i], p)
		})
	}
	trying.Wait()
	return proofs, ctx.Err()
}

// lintLimit bounds a marking of Lint, of which several run at once.
const lintLimit = 6 * Limit

// atOnce is how many markings of an exercise Lint does at a time. Those with
// programs take the time of a processor.
func atOnce(e *Exercise) int {
	if len(e.World.Programs) > 0 {
		return runtime.NumCPU()
	}
	return 4
}

// proofs returns what is to be tried, with the repairs.
func (e *Exercise) proofs() (proofs []*Proof, repairs []*Repair) {
	add := func(what string, wanted bool, r *Repair) {
		proofs, repairs = append(proofs, &Proof{What: what, Wanted: wanted, Why: r.Why}), append(repairs, r)
	}
	add("the start is unsolved", false, &Repair{})
	add("the solution solves it", true, &e.Solution)
	for i := range e.Also {
		add(fmt.Sprintf("right way %d solves it", i+2), true, &e.Also[i])
	}
	for i := range e.Wrong {
		add(fmt.Sprintf("wrong repair %d does not", i+1), false, &e.Wrong[i])
	}
	return proofs, repairs
}

// try marks a copy of the start with a repair.
func (e *Exercise) try(ctx context.Context, start, dir string, v values, r *Repair, p *Proof) error {
	if err := copyAll(start, dir); err != nil {
		return err
	}
	changed, err := e.apply(ctx, dir, v, r)
	if err != nil {
		return err
	}
	if p.Idle = !changed && r.at.node != nil; p.Idle {
		return nil
	}
	p.Result, err = e.verify(ctx, dir, v, "", lintLimit)
	p.Solved = err == nil && p.Result.Solved
	if err != nil && !p.Wanted && !errors.Is(err, ErrLate) { // what cannot be read is no solution
		err = nil
	}
	return err
}

// copyAll copies a folder with its captures.
func copyAll(from, to string) error { return os.CopyFS(to, os.DirFS(from)) }

// checkRepairs refuses an exercise without a solution, and without the wrong
// repairs that it must have.
func (e *Exercise) checkRepairs() error {
	d, err := e.document()
	if err != nil {
		return err
	}
	root := d.Root()
	switch {
	case e.Solution.at.node == nil:
		return d.ErrorAt(root, "add solution: with what solves it", "the exercise has no solution")
	case len(e.Wrong) < wrongWanted:
		return d.ErrorAt(root, "add them to wrong:, each with why: it does not count", "the exercise has %d wrong repairs, and must have %d", len(e.Wrong), wrongWanted)
	}
	if len(e.Solved) == 0 {
		return nil // nothing is verified
	}
	for _, r := range e.Wrong {
		if turnsOff(r.Server) || turnsOff(r.Client) || r.Unverified {
			return nil
		}
	}
	return d.ErrorAt(root, "add {server: {verify: off}} or {client: {verify: off}} to wrong:, or unverified: true to one that does it to another program", "no wrong repair switches verification off")
}

// turnsOff reports whether a change switches verification off.
func turnsOff(change *yaml.Node) bool {
	if change == nil {
		return false
	}
	for i := 0; i+1 < len(change.Content); i += 2 {
		if change.Content[i].Value == "verify" {
			return true
		}
	}
	return false
}
