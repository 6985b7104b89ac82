package command

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/exercise"
)

const (
	exerciseShowExamples = `lab exercise show lost-link >mine.yaml   change it, its name first
lab exercise lint ./mine.yaml            prove it
lab exercise start ./mine.yaml           and do it`

	exerciseSheetExamples = `lab exercise sheet >sheet.md                     all of them
lab exercise sheet lost-link does-not-ask --html >sheet.html
lab exercise sheet --trainer >trainer.md         with hints and solutions`
)

// trainerCommands are those of who teaches.
func (p *Program) trainerCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "show", Usage: "print the document of an exercise, with its solution", ArgsUsage: "NAME|FILE", Description: exerciseShowExamples,
			Action: p.exerciseShow, BashComplete: p.completeExercises},
		{Name: "lint", Usage: "prove an exercise: its solution solves it, and its wrong repairs do not", ArgsUsage: "NAME|FILE...",
			Flags:  []cli.Flag{jsonFlag(), &cli.BoolFlag{Name: "own", Usage: "with lab's own server and client in place of other programs"}},
			Action: p.exerciseLint, BashComplete: p.completeExercises},
		{Name: "sheet", Usage: "print a hand-out of exercises, in Markdown or as a page to print", ArgsUsage: "[NAME|FILE...]", Description: exerciseSheetExamples,
			Flags: []cli.Flag{&cli.BoolFlag{Name: "html", Usage: "as an HTML page"},
				&cli.BoolFlag{Name: "trainer", Usage: "with hints, solutions and explanations"}},
			Action: p.exerciseSheet, BashComplete: p.completeExercises},
		{Name: "plan", Usage: "print the plan of a lesson of 45, 90 or 180 minutes", ArgsUsage: "[45|90|180]",
			Flags: []cli.Flag{jsonFlag()}, Action: p.exercisePlan,
			BashComplete: func(c *cli.Context) { p.complete("45", "90", "180") }},
	}
}

func (p *Program) exerciseShow(c *cli.Context) error {
	if c.NArg() != 1 {
		return &usageError{command: commandName(c), problem: "lab exercise show takes one NAME or FILE"}
	}
	e, err := exercise.Find(c.Args().First())
	if err != nil {
		return err
	}
	p.printDocument(e.Text, c.Bool("ascii"))
	return nil
}

// chosenExercises returns those that the arguments name; none: all.
func chosenExercises(c *cli.Context) (chosen []*exercise.Exercise, err error) {
	if !c.Args().Present() {
		return exercise.All()
	}
	for _, name := range c.Args().Slice() {
		e, err := exercise.Find(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, e)
	}
	return chosen, nil
}

func (p *Program) exerciseLint(c *cli.Context) error {
	if !c.Args().Present() {
		return &usageError{command: commandName(c), problem: "lab exercise lint takes a NAME or FILE"}
	}
	chosen, err := chosenExercises(c)
	if err != nil {
		return err
	}
	failed := false
	for _, e := range chosen {
		proofs, err := e.Lint(c.Context, c.Bool("own"))
		if err != nil {
			return err
		}
		failed = slices.ContainsFunc(proofs, func(proof *exercise.Proof) bool { return !proof.Holds() }) || failed
		for _, proof := range proofs {
			if c.Bool("json") {
				p.printJSON(provenExercise(e, proof))
			}
		}
		if !c.Bool("json") {
			p.printProofs(e, proofs)
		}
	}
	if failed {
		return silentError{}
	}
	return nil
}

func provenExercise(e *exercise.Exercise, proof *exercise.Proof) any {
	proven := struct {
		Exercise string `json:"exercise"`
		What     string `json:"what"`
		Holds    bool   `json:"holds"`
		Solved   bool   `json:"solved"`
		Idle     bool   `json:"idle,omitempty"`
		Error    string `json:"error,omitempty"`
	}{Exercise: e.Name, What: proof.What, Holds: proof.Holds(), Solved: proof.Solved, Idle: proof.Idle}
	if proof.Err != nil {
		proven.Error = proof.Err.Error()
	}
	return proven
}

// printProofs writes what lint has found out about an exercise.
func (p *Program) printProofs(e *exercise.Exercise, proofs []*exercise.Proof) {
	out := p.stdout()
	out.Line(e.Name)
	for _, proof := range proofs {
		out.Paragraph(yesOrNo(proof.Holds()), 6, proof.What)
		switch {
		case proof.Idle:
			out.Paragraph("        ", 8, "it changes nothing where the lab's own takes the place of a program")
		case proof.Err != nil:
			out.Paragraph("        ", 8, proof.Err.Error())
		case proof.Holds() || proof.Result == nil:
		case !proof.Wanted:
			out.Paragraph("        ", 8, "everything is as it must be: add a step to solved: that it does not pass")
		default:
			p.printMissed(proof.Result)
		}
	}
}

// printMissed writes what is not as it should be in a marking.
func (p *Program) printMissed(r *exercise.Result) {
	for _, s := range r.Steps {
		if s.Met {
			continue
		}
		for _, what := range s.Problems() {
			p.stdout().Paragraph("        ", 8, s.Title()+": "+what)
		}
		p.printStartOutput(s.Err)
	}
	for _, a := range r.Answers {
		if !a.Right {
			p.stdout().Paragraph("        ", 8, a.Name+": "+a.Problem())
		}
	}
}

func (p *Program) exerciseSheet(c *cli.Context) error {
	chosen, err := chosenExercises(c)
	if err != nil {
		return err
	}
	sheet := &exercise.Sheet{Exercises: chosen, Trainer: c.Bool("trainer")}
	if c.Bool("html") {
		return sheet.HTML(p.results)
	}
	p.printDocument([]byte(sheet.Markdown()), c.Bool("ascii"))
	return nil
}

func (p *Program) exercisePlan(c *cli.Context) error {
	lengths := exercise.Lengths
	if c.Args().Present() {
		minutes, err := strconv.Atoi(c.Args().First())
		if err != nil || c.NArg() != 1 || !slices.Contains(lengths, minutes) {
			return &usageError{command: commandName(c), problem: "lab exercise plan takes 45, 90 or 180"}
		}
		lengths = []int{minutes}
	}
	all, err := exercise.All()
	if err != nil {
		return err
	}
	for i, minutes := range lengths {
		if i > 0 && !c.Bool("json") {
			p.stdout().Line()
		}
		p.printTimes(c, exercise.PlanOf(all, minutes))
	}
	return nil
}

// plannedItem is a part of a lesson in lab exercise plan --json.
type plannedItem struct {
	Lesson   int    `json:"lesson"` // its length in minutes
	From     int    `json:"from"`
	Minutes  int    `json:"minutes"`
	Exercise string `json:"exercise,omitempty"`
	What     string `json:"what"`
	Say      string `json:"say,omitempty"`
}

func (p *Program) printTimes(c *cli.Context, plan *exercise.Plan) {
	rows := [][]string{{"AT", "MIN", "EXERCISE", "WHAT"}}
	for _, item := range plan.Items {
		name := ""
		if item.Exercise != nil {
			name = item.Exercise.Name
		}
		rows = append(rows, []string{fmt.Sprintf("%d:%02d", item.From/60, item.From%60), fmt.Sprint(item.Minutes), name, item.What})
		if c.Bool("json") {
			p.printJSON(plannedItem{plan.Minutes, item.From, item.Minutes, name, item.What, item.Say})
		}
	}
	if c.Bool("json") {
		return
	}
	p.stdout().Line(fmt.Sprintf("%d minutes", plan.Minutes))
	p.stdout().Table(rows, 0, 0, 0, 16)
	p.stdout().Line()
	p.stdout().Line("To say")
	for _, item := range plan.Items {
		if item.Say != "" {
			p.stdout().Paragraph(fmt.Sprintf("%d:%02d  ", item.From/60, item.From%60), 6, item.Say)
		}
	}
}
