package web

import (
	"crypto/tls"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

// An exercise stands beside its exchanges, changes when it is marked, and leads
// to the exchange in which something was seen.
func TestExercise(t *testing.T) {
	peertest.Need(t, "chromium")
	p := NewPage(Options{Title: "lab exercise", Live: true})
	s := serve(t, p)
	e := Exercise{Title: "The client is refused", Story: "Since this morning nobody gets in.\nNothing was changed, they say.", Reach: []string{"the client is accepted", "nobody else is"}}
	p.ShowExercise(e)
	b := open(t, s.URL(), 1400, 900)
	b.until(`document.querySelector('#exercise').innerText.includes('Since this morning')`)
	id := p.Add(run(t, "expired-client", tls.VersionTLS13))
	e.Steps = []ExerciseStep{{Text: "the client calls the server", Missed: []string{"rejected by the server: expired"}, Exchange: id}, {Text: "a stranger is refused <b>", Met: true}}
	e.Hints = []string{"look at the dates"}
	p.ShowExercise(e)
	b.until(`document.querySelector('#exercise').innerText.includes('Marked: 1 of 2')`)
	b.until(`document.querySelectorAll('.ladder .rung').length > 10`)
	if to := value[string](b, `document.querySelector('#exercise .fails a').hash`); to != "#1" {
		t.Errorf("the step that fails leads to %q, want its exchange", to)
	}
	b.picture("exercise")
	b.accessible("exercise")
	e.Solved = true
	p.ShowExercise(e)
	b.until(`document.querySelector('#exercise .badge.good')`)
}
