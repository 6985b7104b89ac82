package command

import (
	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/exercise"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/web"
)

// exercisePage shows an exercise in a browser, beside the exchanges of each
// marking.
type exercisePage struct {
	page   *web.Page
	server *web.Server
}

// openExercisePage serves the page of --web; nil: it was not asked for. The
// caller closes it.
func (p *Program) openExercisePage(c *cli.Context, work *exercise.Work) (*exercisePage, error) {
	addr := c.String("web")
	if addr == "" || addr == "off" {
		return nil, nil
	}
	work.Keep = web.KeepBytes
	page := web.NewPage(web.Options{Title: "lab exercise " + work.Name(), Live: true, Showing: shownAlike})
	page.ShowExercise(shownExercise(work))
	server, err := p.serveWeb(c.Context, page, addr)
	if err != nil {
		return nil, err
	}
	return &exercisePage{page, server}, nil
}

// close ends the page, if there is one.
func (e *exercisePage) close() {
	if e != nil {
		e.page.End()
		e.server.Close()
	}
}

// show puts what a marking has found on the page, if there is one.
func (e *exercisePage) show(work *exercise.Work, r *exercise.Result) {
	if e == nil {
		return
	}
	shown := shownExercise(work)
	shown.Solved = r.Solved
	for _, s := range r.Steps {
		step := web.ExerciseStep{Text: s.Title(), Met: s.Met, Missed: s.Problems()}
		if s.Exchange != nil {
			step.Exchange = e.page.Add(&web.Exchange{Exchange: s.Exchange.Exchange, Trust: r.Trust, Ladder: ladder.Options{Title: s.Title()}})
		}
		shown.Steps = append(shown.Steps, step)
	}
	for _, a := range r.Answers {
		step := web.ExerciseStep{Text: a.Question.Ask, Met: a.Right}
		if !a.Right {
			step.Missed = []string{a.Problem()}
		}
		shown.Steps = append(shown.Steps, step)
	}
	e.page.ShowExercise(shown)
}

// shownExercise is an exercise on the page, with the hints that were given.
func shownExercise(work *exercise.Work) web.Exercise {
	return web.Exercise{Title: work.Title, Story: work.Exercise.Story, Reach: work.Reach, Hints: work.Exercise.Hints[:min(work.Progress.Hints, len(work.Exercise.Hints))]}
}
