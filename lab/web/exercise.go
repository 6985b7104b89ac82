package web

// Exercise is an exercise that is worked on, as the page shows it beside the
// exchanges.
type Exercise struct {
	Title  string         `json:"title"`
	Story  string         `json:"story"`           // what is wrong, as somebody tells it
	Reach  []string       `json:"reach"`           // what is to be reached
	Hints  []string       `json:"hints,omitempty"` // those that were given
	Solved bool           `json:"solved,omitempty"`
	Steps  []ExerciseStep `json:"steps,omitempty"` // what the last marking has found; nil: there was none
}

// ExerciseStep is what came of a step of a marking.
type ExerciseStep struct {
	Text     string   `json:"text"`
	Met      bool     `json:"met"`
	Missed   []string `json:"missed,omitempty"`   // what is not as it should be
	Exchange int      `json:"exchange,omitempty"` // id of the one in which that was seen; 0: it did not come to one
}

// ShowExercise shows an exercise on the page, in place of what was shown of it
// before.
func (p *Page) ShowExercise(e Exercise) {
	p.exercise.Store(&e)
	p.exchanges.news()
}
