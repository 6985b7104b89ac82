package exercise

import (
	"errors"
	"testing"
)

// Every exercise is unsolved at the start, solved by its solution and its other
// right ways, and not by its wrong repairs.
func TestExercises(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			proofs, err := e.Lint(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range proofs {
				if p.Err != nil || !p.Holds() || p.Idle {
					t.Errorf("%s: %v, idle %v%s", p.What, p.Err, p.Idle, told(p.Result))
				}
			}
		})
	}
}

// told says how the steps of a marking went.
func told(r *Result) (said string) {
	if r == nil {
		return ""
	}
	for _, s := range r.Steps {
		if s.Err == nil && s.Met {
			continue
		}
		said += "\n  " + s.Title() + ": " + s.Seen()
		if s.Err != nil {
			said += s.Err.Error()
			var start *StartError
			if errors.As(s.Err, &start) {
				said += ": " + start.Output
			}
		}
		if s.Exchange != nil {
			said += " (" + string(s.Exchange.Code) + ": " + s.Exchange.Reason + ")"
		}
		if !s.Met {
			said += " NOT MET"
		}
	}
	return said
}
