package command

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/exercise"
	"mtlslab.example/lab/lab/ladder"
	"mtlslab.example/lab/lab/text"
)

// printExercises writes a table of the exercises, in the order in which they
// teach.
func (p *Program) printExercises(course exercise.Course, list []*exercise.Entry) {
	rows := [][]string{{"", "NAME", "MIN", "WHAT HAPPENED"}}
	minutes, solved := 0, 0
	for _, e := range list {
		minutes += e.Minutes
		if e.State() == exercise.Solved {
			solved++
		}
		rows = append(rows, []string{e.State(), e.Name, fmt.Sprint(e.Minutes), e.Title})
	}
	p.stdout().Table(rows, 0, 0, 0, 16)
	p.stdout().Line()
	p.stdout().Paragraph("", 0, fmt.Sprintf("%d of %d are solved. They take about %d hours in all; begin anywhere, as often as you like.", solved, len(list), (minutes+30)/60))
	if name, err := course.Current(); err == nil && name != "" {
		p.say("the current one is %s:\n  lab exercise verify\n  lab exercise hint", name)
		return
	}
	if len(list) > 0 {
		p.say("begin with, for example:\n  lab exercise start %s", list[0].Name)
	}
}

// printTask writes what an exercise is about, and what is in its folder.
func (p *Program) printTask(work *exercise.Work) {
	out := p.stdout()
	out.Paragraph("", 0, work.Title)
	out.Line()
	out.Paragraph("", 0, work.Exercise.Story)
	out.Line()
	out.Line("To reach:")
	for _, line := range work.Reach {
		out.Paragraph("- ", 2, line)
	}
	out.Line()
	out.Line("In ", work.Folder, ":")
	var rows [][]string
	for _, t := range work.Things() {
		rows = append(rows, []string{"  " + t.Name, t.Use})
	}
	out.Table(rows, 0, 24)
	out.Line()
}

// sayReplaced says which programs are missing, and what takes their place.
func (p *Program) sayReplaced(prepared *exercise.Preparation) {
	if len(prepared.Own) == 0 {
		return
	}
	var sides []string
	for _, side := range prepared.Own {
		sides = append(sides, side.String())
	}
	own := "lab's own " + strings.Join(sides, " and ")
	if len(prepared.Missing) > 0 {
		p.say("%s is not installed here: %s stands in its place", text.Joined(prepared.Missing, "and"), own)
		return
	}
	p.say("%s stands in place of the other program", own)
}

// printResult writes how a marking went. It says what was seen, and not why:
// that is to be found out.
func (p *Program) printResult(work *exercise.Work, r *exercise.Result) {
	out := p.stdout()
	state := "not solved yet"
	if r.Solved {
		state = "solved"
	}
	out.Line(work.Name(), ": ", state)
	out.Line()
	said, stream := "", -1
	for _, s := range r.Steps {
		out.Paragraph(yesOrNo(s.Met), 6, s.Title())
		if s.Met {
			continue
		}
		for _, seen := range s.Missed {
			if s.Stream >= 0 && r.Capture != "" {
				seen += fmt.Sprintf(" (stream %d)", s.Stream)
				if stream < 0 {
					stream = s.Stream
				}
			}
			out.Paragraph("        ", 8, seen)
		}
		for _, f := range s.Findings {
			out.Paragraph("        ", 8, f)
		}
		if s.Err != nil && s.Err.Error() != said { // once is enough
			said = s.Err.Error()
			out.Paragraph("        ", 8, said)
			p.printStartOutput(s.Err)
		}
	}
	for _, a := range r.Answers {
		out.Paragraph(yesOrNo(a.Right), 6, a.Name+": "+a.Question.Ask)
		if !a.Right {
			out.Paragraph("        ", 8, a.Problem())
		}
	}
	if r.Known != "" {
		p.stdout().Line()
		p.stdout().Paragraph("This does not count: ", 2, r.Known+".")
	}
	if !r.Solved && r.Stale {
		p.stdout().Line()
		p.say("certs.yaml asks for other certificates than there are; make them:\n  lab certs generate --dir %s", commandWord(work.Folder))
	}
	if len(r.NewCAs) > 0 {
		p.stdout().Line()
		p.say("made anew since the start, with another key: %s. Whoever trusts the old key, or has a certificate of it, is left out. Of a CA that is in use that is seldom what you want", text.Joined(r.NewCAs, "and"))
	}
	if !r.Solved && r.Capture != "" && slices.ContainsFunc(r.Steps, func(s *exercise.StepResult) bool { return s.Exchange != nil }) {
		p.stdout().Line()
		p.say("what was said is in a capture; draw it:\n  lab explain %s%s", commandWord(r.Capture), only(stream))
	}
}

// only is the option for one stream of a capture; "": all.
func only(stream int) string {
	if stream < 0 {
		return ""
	}
	return fmt.Sprintf(" --stream %d", stream)
}

func yesOrNo(met bool) string {
	if met {
		return "  ok  "
	}
	return "  no  "
}

// printStartOutput writes the end of what a program has printed that does not
// start.
func (p *Program) printStartOutput(err error) {
	var start *exercise.StartError
	if !errors.As(err, &start) || strings.TrimSpace(start.Output) == "" {
		return
	}
	const most = 5
	lines := strings.Split(strings.TrimSpace(start.Output), "\n")
	for _, line := range lines[max(0, len(lines)-most):] {
		p.stdout().Paragraph("        | ", 10, line)
	}
}

// printExplanation writes what was wrong.
func (p *Program) printExplanation(work *exercise.Work) {
	for i, part := range work.Parts() {
		if i > 0 {
			p.stdout().Line()
		}
		p.stdout().Line(part.Name)
		p.stdout().Paragraph("  ", 2, part.Text)
	}
	if len(work.See) > 0 {
		p.stdout().Line()
		p.stdout().Paragraph("See  ", 5, strings.Join(work.See, ", "))
	}
}

// printSolution writes the right answers, and the repair of the document.
func (p *Program) printSolution(work *exercise.Work) {
	if len(work.Ask) > 0 {
		p.stdout().Line()
		p.stdout().Line("The answers")
		for i := range work.Ask {
			q := &work.Ask[i]
			p.stdout().Paragraph("  ", 4, q.Name+": "+work.RightAnswer(q))
		}
	}
	edits := work.Edits()
	if len(edits) > 0 {
		p.stdout().Line()
		p.stdout().Line("A solution")
	}
	for _, edit := range edits {
		lead := "  "
		if edit.File != "" {
			p.stdout().Line("  ", edit.File)
			lead = "    "
		}
		for _, line := range edit.Lines {
			rest := strings.TrimLeft(line, " ")
			indent := lead + line[:len(line)-len(rest)]
			p.stdout().Paragraph(indent, len(indent)+2, rest)
		}
	}
}

// printStory draws an exchange before the repair and after it.
func (p *Program) printStory(c *cli.Context, story *exercise.Story) {
	o := p.ladderOptions(c)
	for _, drawn := range []struct {
		when string
		x    *exercise.Exchange
	}{{"before", story.Before}, {"after", story.After}} {
		if drawn.x == nil || drawn.x.Wire == nil {
			continue
		}
		p.stdout().Line()
		o.Title = p.charset.Clean(drawn.when + ": " + story.Title)
		_ = ladder.Draw(p.results, drawn.x.Wire, &drawn.x.Verdict, o)
	}
}

// sayNext names an exercise that is not solved, without beginning it.
func (p *Program) sayNext(course exercise.Course, work *exercise.Work) {
	p.stdout().Line()
	if len(work.Exercise.Solved) > 0 {
		p.say("it is drawn before and after, with the solution of its author:\n  lab exercise explain %s", work.Name())
	}
	list, err := course.List()
	if err != nil {
		return
	}
	at := slices.IndexFunc(list, func(e *exercise.Entry) bool { return e.Name == work.Name() })
	for i := range list {
		if next := list[(at+1+i)%len(list)]; next.State() == exercise.Untouched {
			p.say("another one:\n  lab exercise start %s", next.Name)
			return
		}
	}
}

// sayPrize makes the certificate of who has solved all, and says so.
func (p *Program) sayPrize(ctx context.Context, course exercise.Course) error {
	name := ""
	if u, err := user.Current(); err == nil {
		name = u.Username[strings.LastIndexAny(u.Username, `\/`)+1:]
	}
	file, isNew, err := course.Prize(ctx, name)
	if isNew {
		p.say("that was the last: all exercises are solved. Your prize is a certificate, %s", file)
	}
	return err
}

// exerciseHint returns what to type after an error about exercises, or "".
func exerciseHint(err error) string {
	var (
		unknown *exercise.UnknownError
		there   *exercise.FolderExistsError
		begun   *exercise.NotStartedError
		missing *exercise.MissingError
		taken   *exercise.NameTakenError
		damaged *exercise.DamagedError
		late    *exercise.LateError
		early   *notSolvedError
		file    *exercise.MissingFileError
	)
	switch {
	case errors.As(err, &unknown) && len(unknown.Nearest) > 0:
		return "did you mean " + strings.Join(unknown.Nearest, " or ") + "? lab exercise lists all"
	case errors.As(err, &unknown):
		return "lab exercise lists all; a file of your own is written ./mine.yaml"
	case errors.As(err, &there):
		return "go on there, or lab exercise reset " + there.Name + ", which keeps what is there aside"
	case errors.As(err, &begun) && begun.Name != "":
		return "lab exercise start " + begun.Name + " begins it; --dir DIR names the folder where it was begun"
	case errors.As(err, &begun):
		return "lab exercise lists them, and lab exercise start NAME begins one; --dir DIR names the folder where one was begun"
	case errors.As(err, &missing) && missing.Instead != "":
		return "install it, or learn the same with lab's own programs: lab exercise start " + missing.Instead
	case errors.As(err, &missing):
		return "install it, or begin another one: lab exercise lists all"
	case errors.As(err, &taken):
		return "give yours a name of its own, such as my-" + taken.Name
	case errors.As(err, &file):
		return "lab exercise reset " + file.Exercise + " begins it anew, and keeps what is there aside"
	case errors.As(err, &late) && late.Capture != "":
		return "something that was started does not answer; lab explain " + commandWord(late.Capture) + " shows what was said until then, if anything was"
	case errors.Is(err, exercise.ErrLate):
		return "something that was started does not answer"
	case errors.As(err, &damaged):
		return "remove that file, and lab exercise reset NAME begins the exercise anew; what you have done is put aside"
	case errors.As(err, &early) && early.hints > 0:
		return "lab exercise hint helps; lab exercise explain " + early.name + " --give-up says it all"
	case errors.As(err, &early):
		return "lab exercise explain " + early.name + " --give-up says it all"
	}
	return ""
}
