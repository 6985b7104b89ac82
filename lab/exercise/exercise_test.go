package exercise

import (
	"errors"
	"testing"

	"mtlslab.example/lab/lab/peertest"
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
			prove(t, e, false)
		})
	}
}

// In place of programs that may be missing there are the lab's own.
func TestExercisesWithTheLabsOwn(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if len(e.World.Programs) > 0 && e.World.own(e.World.Programs[0].Role) != nil {
			t.Run(e.Name, func(t *testing.T) {
				t.Parallel()
				prove(t, e, true)
			})
		}
	}
}

// prove proves an exercise, in which repairs of the other variant are idle.
func prove(t *testing.T, e *Exercise, own bool) {
	proofs, err := e.Lint(t.Context(), own)
	var missing *MissingError
	if errors.As(err, &missing) {
		peertest.Missing(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for _, p := range proofs {
		if p.Err != nil || !p.Holds() {
			t.Errorf("%s: %v%s", p.What, p.Err, told(p.Result))
		}
		if !p.Idle && p.Why != "" {
			wrong++
		}
	}
	if wrong < wrongWanted-1 {
		t.Errorf("%d wrong repairs were tried", wrong)
	}
}

// told says how the steps of a marking went.
func told(r *Result) (said string) {
	if r == nil {
		return ""
	}
	for _, s := range r.Steps {
		said += "\n  " + s.Title() + ": "
		if s.Exchange != nil {
			said += s.Exchange.Seen()
		}
		if s.Err != nil {
			said += s.Err.Error()
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
