package exercise

import (
	"context"
	"path/filepath"

	"mtlslab.example/lab/lab/private"
)

// Story is an exchange of an exercise before the repair and after it.
type Story struct {
	Title         string
	Before, After *Exchange
}

// Story makes the exchange that the explanation is about in the world as it is
// at the start, and then with the repair: the participant's if it solves the
// exercise, or else the document's. It is nil if there is none, as in an
// exercise of questions.
func (w *Work) Story(ctx context.Context) (*Story, error) {
	if len(w.Exercise.Solved) == 0 {
		return nil, nil
	}
	temporary, err := private.MkdirTemp("", "exercise")
	if err != nil {
		return nil, err
	}
	defer func() { _ = temporary.Remove() }()
	dir := filepath.Join(temporary.Path, w.Name())
	v, err := w.make(ctx, dir)
	if err != nil {
		return nil, err
	}
	before, err := w.verify(ctx, dir, v, "", lintLimit)
	if err != nil {
		return nil, err
	}
	after, err := w.verify(ctx, w.Folder, w.Values, "", lintLimit)
	if err != nil || !after.Solved {
		if _, err := w.apply(ctx, dir, v, &w.Solution); err != nil {
			return nil, err
		}
		if after, err = w.verify(ctx, dir, v, "", lintLimit); err != nil {
			return nil, err
		}
	}
	return w.told(before, after), nil
}

// told returns the story of the call that the explanation names, or else of the
// first that the repair has changed.
func (w *Work) told(before, after *Result) *Story {
	for i, b := range before.Steps {
		if i >= len(after.Steps) {
			break
		}
		a := after.Steps[i]
		wanted := !b.Met && a.Met
		if draw := w.Explanation.Draw; draw != "" {
			wanted = b.Call == draw
		}
		if wanted && a.Exchange != nil {
			return &Story{Title: b.subject(), Before: b.Exchange, After: a.Exchange}
		}
	}
	return nil
}
