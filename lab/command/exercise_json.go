package command

import (
	"slices"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/exercise"
	"mtlslab.example/lab/lab/verdict"
)

// exerciseEntry is an exercise in lab exercise --json.
type exerciseEntry struct {
	Exercise string     `json:"exercise"`
	Title    string     `json:"title"`
	Topic    string     `json:"topic"`
	Minutes  int        `json:"minutes"`
	State    string     `json:"state,omitempty"`
	Hints    int        `json:"hints"`
	Marked   int        `json:"marked"`
	Started  *time.Time `json:"started,omitempty"`
	Solved   *time.Time `json:"solved,omitempty"`
	Document string     `json:"document,omitempty"`
}

func listedExercise(e *exercise.Entry) exerciseEntry {
	listed := exerciseEntry{Exercise: e.Name, Title: e.Title, Topic: e.Topic, Minutes: e.Minutes, State: e.State()}
	if p := e.Progress; p != nil {
		listed.Hints, listed.Marked, listed.Started, listed.Solved, listed.Document = p.Hints, p.Marked, &p.Started, p.Solved, p.Document
	}
	return listed
}

func startedExercise(work *exercise.Work, prepared *exercise.Preparation) any {
	return struct {
		Exercise string          `json:"exercise"`
		Title    string          `json:"title"`
		Folder   string          `json:"folder"`
		Minutes  int             `json:"minutes"`
		Story    string          `json:"story"`
		Reach    []string        `json:"reach"`
		Missing  []string        `json:"missing,omitempty"`
		Own      []endpoint.Side `json:"own,omitempty"`
	}{work.Name(), work.Title, work.Folder, work.Minutes, work.Exercise.Story, work.Reach, prepared.Missing, prepared.Own}
}

// markedStep is an exchange in lab exercise verify --json.
type markedStep struct {
	Says       string          `json:"says"`
	Met        bool            `json:"met"`
	Seen       []string        `json:"seen,omitempty"`
	Outcome    verdict.Outcome `json:"outcome,omitempty"`
	RejectedBy endpoint.Side   `json:"rejected_by,omitempty"`
	Alert      string          `json:"alert,omitempty"`
	Status     int             `json:"status,omitempty"`
	Stream     *int            `json:"stream,omitempty"` // in the capture
	Error      string          `json:"error,omitempty"`
}

type markedAnswer struct {
	Question string `json:"question"`
	Given    string `json:"given,omitempty"`
	Right    bool   `json:"right"`
}

// markedExercise is lab exercise verify --json.
func markedExercise(work *exercise.Work, r *exercise.Result) any {
	marked := struct {
		Exercise string         `json:"exercise"`
		Solved   bool           `json:"solved"`
		Steps    []markedStep   `json:"steps,omitempty"`
		Answers  []markedAnswer `json:"answers,omitempty"`
		Stale    bool           `json:"stale,omitempty"`
		NewCAs   []string       `json:"new_cas,omitempty"`
		Known    string         `json:"known,omitempty"` // why it does not count
		Capture  string         `json:"capture,omitempty"`
	}{Exercise: work.Name(), Solved: r.Solved, Stale: r.Stale, NewCAs: r.NewCAs, Known: r.Known, Capture: r.Capture}
	for _, s := range r.Steps {
		step := markedStep{Says: s.Title(), Met: s.Met, Seen: slices.Concat(s.Missed, s.Findings)}
		if s.Stream >= 0 && r.Capture != "" {
			step.Stream = &s.Stream
		}
		if s.Err != nil {
			step.Error = s.Err.Error()
		}
		if x := s.Exchange; x != nil {
			step.Outcome, step.RejectedBy = x.Outcome, x.RejectedBy
			if x.Alert != nil {
				step.Alert = x.Alert.Name
			}
			if x.HTTP != nil {
				step.Status = x.HTTP.Status
			}
		}
		marked.Steps = append(marked.Steps, step)
	}
	for _, a := range r.Answers {
		marked.Answers = append(marked.Answers, markedAnswer{a.Name, a.Given, a.Right})
	}
	return marked
}

// givenHint is lab exercise hint --json.
type givenHint struct {
	Exercise string `json:"exercise"`
	Number   int    `json:"number"`
	Of       int    `json:"of"`
	Hint     string `json:"hint"`
}

func explainedExercise(work *exercise.Work) any {
	x := work.Explanation
	return struct {
		Exercise string   `json:"exercise"`
		Wrong    string   `json:"wrong"`
		Shows    string   `json:"shows,omitempty"`
		Work     string   `json:"work,omitempty"`
		Solution string   `json:"solution,omitempty"`
		See      []string `json:"see,omitempty"`
	}{work.Name(), x.Wrong, x.Shows, x.Work, work.Solution.Text(), work.See}
}
