package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/exercise"
)

const (
	exerciseExamples = `lab exercise                    all of them, and how far you are
lab exercise start lost-link    begin one, in exercises/lost-link
lab exercise verify             mark it, as often as you like
lab exercise watch              mark it whenever you save a file
lab exercise hint               one hint; there are three
lab exercise explain lost-link  what was wrong, once it is solved`

	exerciseStartExamples = `lab exercise start lost-link
lab exercise start nginx-lets-anybody-in --own
                                with lab's own server in place of nginx
lab exercise start ./mine.yaml  your own`

	exerciseVerifyExamples = `lab exercise verify             the one begun last, or of this folder
lab exercise verify lost-link
lab exercise verify --json && echo solved
lab exercise verify --report https://10.0.0.5:8443/
                                from now on, show the trainer how far you are`

	exerciseExplainExamples = `lab exercise explain lost-link
lab exercise explain lost-link --give-up   before it is solved`
)

// courseFlag is --dir of the exercises.
func courseFlag() cli.Flag {
	return &cli.StringFlag{Name: "dir", Value: ".", EnvVars: []string{"LAB_DIR"}, Usage: "`DIR` that has exercises in it, or is the folder of one"}
}

func courseOf(c *cli.Context) exercise.Course { return exercise.Open(string(folderOf(c))) }

func (p *Program) exerciseCommand() *cli.Command {
	sub := func(name, usage, args, examples string, action cli.ActionFunc, flags ...cli.Flag) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, ArgsUsage: args, Description: examples, Action: action,
			Flags: append([]cli.Flag{courseFlag(), jsonFlag()}, flags...), BashComplete: p.completeExercises}
	}
	return &cli.Command{
		Name:        "exercise",
		Category:    seeIt,
		Usage:       "broken set-ups to repair, which mark themselves",
		Description: exerciseExamples,
		Flags:       []cli.Flag{courseFlag(), jsonFlag(), asciiFlag()},
		Action:      p.exerciseList,
		Subcommands: append([]*cli.Command{
			{Name: "list", Usage: "list all exercises, and how far you are", Flags: []cli.Flag{courseFlag(), jsonFlag()}, Action: p.exerciseList},
			sub("start", "begin an exercise, in a folder of its own", "NAME|FILE", exerciseStartExamples, p.exerciseStart,
				&cli.BoolFlag{Name: "own", Usage: "with lab's own server and client in place of other programs, where they can be"}, reportFlag()),
			sub("verify", "mark an exercise, whatever way it was repaired", "[NAME]", exerciseVerifyExamples, p.exerciseVerify, reportFlag()),
			sub("watch", "mark an exercise whenever one of its files changes", "[NAME]", "", p.exerciseWatch,
				webFlag("show it in a browser at `HOST:PORT`, beside its exchanges ("+webAddr+" where none is given)"), reportFlag()),
			sub("hint", "give the next of three hints", "[NAME]", "", p.exerciseHint, reportFlag()),
			sub("explain", "say what was wrong, and draw it before and after", "[NAME]", exerciseExplainExamples, p.exerciseExplain,
				&cli.BoolFlag{Name: "give-up", Usage: "although it is not solved"},
				&cli.BoolFlag{Name: "brief", Usage: "do not draw the exchanges"}),
			sub("reset", "begin an exercise anew; what is there is put aside", "[NAME]", "", p.exerciseReset),
		}, p.trainerCommands()...),
	}
}

// exerciseNames are those of the built-in exercises.
func exerciseNames() (names []string) {
	all, _ := exercise.All()
	for _, e := range all {
		names = append(names, e.Name)
	}
	return names
}

func (p *Program) completeExercises(c *cli.Context) {
	cli.DefaultCompleteWithFlags(c.Command)(c)
	p.complete(exerciseNames()...)
}

// exerciseName returns the one NAME that a command takes, "" for none.
func exerciseName(c *cli.Context) (string, error) {
	if c.NArg() > 1 {
		return "", &usageError{command: commandName(c), problem: commandName(c) + " takes one NAME"}
	}
	return c.Args().First(), nil
}

// workOf returns the exercise that is meant.
func workOf(c *cli.Context) (*exercise.Work, error) {
	name, err := exerciseName(c)
	if err != nil {
		return nil, err
	}
	return courseOf(c).Work(name)
}

func (p *Program) exerciseList(c *cli.Context) error {
	if c.Args().Present() {
		return p.chooseCommand(c)
	}
	course := courseOf(c)
	list, err := course.List()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		for _, entry := range list {
			p.printJSON(listedExercise(entry))
		}
		return nil
	}
	p.printExercises(course, list)
	if file := course.Won(); file != "" {
		p.say("all exercises are solved: your certificate is %s", file)
	}
	return nil
}

func (p *Program) exerciseStart(c *cli.Context) error {
	if c.NArg() != 1 {
		return &usageError{command: commandName(c), problem: "lab exercise start takes one NAME or FILE", hint: "lab exercise lists the names"}
	}
	course := courseOf(c)
	trainer, err := p.openReporter(c, course)
	if err != nil {
		return err
	}
	prepared, err := course.Prepare(c.Args().First(), c.Bool("own"))
	if err != nil {
		return err
	}
	if _, err := course.Start(c.Context, prepared); err != nil {
		return err
	}
	work, err := course.Work(prepared.Name)
	if err != nil {
		return err
	}
	defer trainer.tell(c.Context, work)
	if c.Bool("json") {
		p.printJSON(startedExercise(work, prepared))
		return nil
	}
	p.printTask(work)
	p.sayReplaced(prepared)
	p.say("it takes about %d minutes; in that folder, or here:\n  lab exercise verify\n  lab exercise hint", work.Minutes)
	if work.HasManifest() {
		p.say("after a change of certs.yaml:\n  lab certs generate --dir %s", commandWord(work.Folder))
	}
	return nil
}

func (p *Program) exerciseVerify(c *cli.Context) error {
	work, err := workOf(c)
	if err != nil {
		return err
	}
	trainer, err := p.openReporter(c, courseOf(c))
	if err != nil {
		return err
	}
	solved, err := p.verifyExercise(c, work, nil)
	trainer.tell(c.Context, work)
	if err == nil && !solved {
		err = silentError{}
	}
	return err
}

// verifyExercise marks an exercise, and prints how that went, and shows it on the
// page, if there is one.
func (p *Program) verifyExercise(c *cli.Context, work *exercise.Work, page *exercisePage) (solved bool, err error) {
	before := work.Progress.Solved
	result, unkept, err := work.Verify(c.Context)
	if unkept != nil {
		p.say("warning: the progress could not be kept: %v", unkept)
	}
	if err != nil {
		return false, err
	}
	if result.Unrecorded != nil {
		p.say("warning: what is said could not be recorded: %v", result.Unrecorded)
	}
	page.show(work, result)
	if c.Bool("json") {
		p.printJSON(markedExercise(work, result))
	} else {
		p.printResult(work, result)
	}
	if result.Solved && before == nil && !c.Bool("json") {
		p.stdout().Line()
		p.printExplanation(work)
		p.sayNext(courseOf(c), work)
	}
	if result.Solved {
		err = p.sayPrize(c.Context, courseOf(c))
	}
	return result.Solved, err
}

// errSolved ends a watch.
var errSolved = errors.New("solved")

func (p *Program) exerciseWatch(c *cli.Context) error {
	work, err := workOf(c)
	if err != nil {
		return err
	}
	trainer, err := p.openReporter(c, courseOf(c))
	if err != nil {
		return err
	}
	page, err := p.openExercisePage(c, work)
	if err != nil {
		return err
	}
	defer page.close()
	p.say("marking %s whenever a file in %s changes, until it is solved, or Ctrl-C", work.Name(), work.Folder)
	marked := 0
	err = work.Watch(c.Context, func() error {
		if marked++; marked > 1 && !c.Bool("json") {
			p.stdout().Line()
		}
		solved, err := p.verifyExercise(c, work, page)
		trainer.tell(c.Context, work)
		switch {
		case err == nil && solved:
			return errSolved
		case errors.Is(err, context.Canceled):
			return nil
		case err != nil: // a file that is half written, or wrong: the next change may mend it
			p.printError(err)
		}
		return nil
	})
	if !errors.Is(err, errSolved) {
		return err
	}
	if page != nil {
		p.say("the page stays until Ctrl-C")
		<-c.Context.Done()
	}
	return nil
}

func (p *Program) exerciseHint(c *cli.Context) error {
	work, err := workOf(c)
	if err != nil {
		return err
	}
	trainer, err := p.openReporter(c, courseOf(c))
	if err != nil {
		return err
	}
	number, more, err := work.Hint()
	if err != nil {
		return err
	}
	defer trainer.tell(c.Context, work)
	hints := work.Exercise.Hints
	if c.Bool("json") {
		p.printJSON(givenHint{Exercise: work.Name(), Number: number, Of: len(hints), Hint: hints[number-1]})
		return nil
	}
	lead := fmt.Sprintf("Hint %d of %d: ", number, len(hints))
	p.stdout().Paragraph(lead, 2, hints[number-1])
	if !more {
		p.say("that was the last one; lab exercise explain %s --give-up says it all", work.Name())
	}
	return nil
}

// notSolvedError is an exercise that is to be explained before it is solved.
type notSolvedError struct {
	name  string
	hints int // that are left
}

func (e *notSolvedError) Error() string { return e.name + " is not solved yet" }

func (p *Program) exerciseExplain(c *cli.Context) error {
	work, err := workOf(c)
	if err != nil {
		return err
	}
	if work.Progress.Solved == nil && !work.GaveUp && !c.Bool("give-up") {
		return &notSolvedError{name: work.Name(), hints: len(work.Exercise.Hints) - work.Progress.Hints}
	}
	trainer, err := p.openReporter(c, courseOf(c))
	if err != nil {
		return err
	}
	if err := work.GiveUp(); err != nil {
		p.say("warning: the progress could not be kept: %v", err)
	}
	defer trainer.tell(c.Context, work)
	if c.Bool("json") {
		p.printJSON(explainedExercise(work))
		return nil
	}
	p.stdout().Paragraph("", 0, work.Title)
	p.stdout().Line()
	p.printExplanation(work)
	p.printSolution(work)
	if c.Bool("brief") {
		return nil
	}
	story, err := work.Story(c.Context)
	if err != nil || story == nil {
		return err
	}
	p.printStory(c, story)
	return nil
}

func (p *Program) exerciseReset(c *cli.Context) error {
	name, err := exerciseName(c)
	if err != nil {
		return err
	}
	work, err := courseOf(c).Resettable(name)
	if err != nil {
		return err
	}
	aside, err := work.Reset(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		p.printJSON(struct {
			Exercise string `json:"exercise"`
			Folder   string `json:"folder"`
			Aside    string `json:"put_aside,omitempty"`
		}{work.Name(), work.Folder, aside})
		return nil
	}
	p.say("%s is as it was at the start", work.Folder)
	if aside != "" {
		p.say("what was there is in %s", aside)
	}
	return nil
}
