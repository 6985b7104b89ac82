package command

import (
	"cmp"
	"context"
	"crypto/tls"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/scenario"
)

const (
	scenarioListExamples = `lab scenario list
lab scenario list "SSL certificate problem: certificate has expired"
lab scenario list unknown_ca   those that end with an alert, also alert 48
journalctl -u app | lab scenario list -   a log
lab scenario list --json       for a program to read`

	scenarioShowExamples = `lab scenario show expired-client                    read it
lab scenario show expired-client >mine.yaml         change it, its name first
lab scenario run ./mine.yaml                        and run it`

	scenarioRunExamples = `lab scenario run expired-client           both sides, in TLS 1.2 and 1.3
lab scenario run no-client-cert --tls 1.3
lab scenario run no-client-cert --brief   without drawing the exchanges
lab scenario run not-pem --programs       curl, Python, ... load the files
lab scenario run --all                    a line for each
lab scenario run ./mine.yaml              your own
lab server --scenario expired-server      keep one running, for any client`
)

func (p *Program) scenarioCommand() *cli.Command {
	return &cli.Command{
		Name:     "scenario",
		Category: seeIt,
		Usage:    "lessons: every way that mutual TLS works or fails",
		Subcommands: []*cli.Command{
			{
				Name:        "list",
				Usage:       "list scenarios: all, or those that match a message or words",
				ArgsUsage:   "[WORD...|-]",
				Description: scenarioListExamples,
				Flags:       []cli.Flag{jsonFlag()},
				Action:      p.scenarioList,
			},
			{
				Name:         "show",
				Usage:        "print the document of a scenario",
				ArgsUsage:    "NAME|FILE",
				Description:  scenarioShowExamples,
				Action:       p.scenarioShow,
				BashComplete: p.completeScenarios,
			},
			{
				Name:        "run",
				Usage:       "run scenarios, and show what each side reports",
				ArgsUsage:   "NAME|FILE...",
				Description: scenarioRunExamples,
				Flags: []cli.Flag{dirFlag(), jsonFlag(),
					&cli.BoolFlag{Name: "all", Usage: "run every scenario"},
					&cli.StringFlag{Name: "tls", Usage: "only TLS `VERSION` 1.2 or 1.3 (default: both)"},
					&cli.BoolFlag{Name: "programs", Usage: "also run the programs that are installed, of scenarios before the handshake"},
					&cli.BoolFlag{Name: "brief", Usage: "do not draw the exchanges"},
					&cli.BoolFlag{Name: "verbose", Usage: "draw each message with its fields and bytes"}},
				Action:       p.scenarioRun,
				BashComplete: p.completeScenarios,
			},
			p.scenarioExportCommand(),
		},
	}
}

func (p *Program) completeScenarios(c *cli.Context) {
	cli.DefaultCompleteWithFlags(c.Command)(c)
	for _, name := range scenarioNames() {
		p.complete(name)
	}
}

func (p *Program) scenarioList(c *cli.Context) error {
	if c.Args().Present() {
		message, err := p.messageOf(c, c.Args().Slice())
		if err != nil {
			return err
		}
		return p.search(c, message, p.stdout().Columns > 0)
	}
	all, err := scenario.All()
	if err != nil {
		return err
	}
	if !c.Bool("json") {
		p.printScenarios(all)
		for _, name := range scenario.Unavailable() {
			p.stdout().Paragraph("", 0, name, " is left out: it needs a lab that was built with Go 1.27 or newer.")
		}
		return nil
	}
	for _, s := range all {
		p.printScenarioJSON(s)
	}
	return nil
}

func (p *Program) scenarioShow(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return &usageError{command: commandName(c), problem: "lab scenario show takes one NAME or FILE"}
	}
	s, err := scenario.Find(c.Args().First())
	if err != nil {
		return err
	}
	p.printDocument(s.Text, c.Bool("ascii"))
	return nil
}

func (p *Program) scenarioRun(c *cli.Context) error {
	only, err := tlsVersion(c)
	if err != nil {
		return err
	}
	if err := checkDetail(c); err != nil {
		return err
	}
	chosen, err := chosenScenarios(c)
	if err != nil {
		return err
	}
	for _, s := range chosen {
		if only != 0 && !c.Bool("all") && len(s.Versions()) > 0 && !slices.Contains(s.Versions(), only) {
			return &usageError{command: commandName(c), problem: s.Name + " has no " + tls.VersionName(only)}
		}
	}
	f := folderOf(c)
	if err := os.MkdirAll(string(f), 0o755); err != nil {
		return err
	}
	o := scenario.Options{Manifest: p.Manifest, Dir: string(f)}
	asExpected := true
	err = runScenarios(c.Context, chosen, only, c.Bool("programs"), o, func(s *scenario.Scenario, runs []*scenario.Result, loads []scenario.Loaded) {
		for _, l := range loads {
			asExpected = asExpected && l.Expected
		}
		if len(s.Versions()) == 0 {
			p.printLesson(c, s, loads)
			return
		}
		for _, r := range runs {
			asExpected = asExpected && len(r.Wrong) == 0
			if c.Bool("json") {
				p.printRunJSON(r)
			}
		}
		switch {
		case c.Bool("json"):
		case c.Bool("all"):
			p.printBrief(runs)
		default:
			if !c.Bool("brief") {
				p.drawRuns(runs, f, p.ladderOptions(c))
			}
			p.printRuns(runs)
		}
	})
	switch {
	case c.Context.Err() != nil || err == nil && !asExpected:
		return silentError{}
	default:
		return err
	}
}

// chosenScenarios returns those named as arguments, or all.
func chosenScenarios(c *cli.Context) ([]*scenario.Scenario, error) {
	names := c.Args().Slice()
	switch {
	case c.Bool("all") && len(names) > 0:
		return nil, &usageError{command: commandName(c), problem: commandName(c) + " takes names or --all, not both"}
	case c.Bool("all"):
		return scenario.All()
	case len(names) == 0:
		return nil, &usageError{command: commandName(c), problem: commandName(c) + " takes a NAME, a FILE or --all"}
	}
	var chosen []*scenario.Scenario
	for _, name := range names {
		s, err := scenario.Find(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, s)
	}
	return chosen, nil
}

// runScenarios runs each scenario in its versions, or in the one that is not 0,
// several scenarios at a time, and passes the results on in order.
func runScenarios(ctx context.Context, chosen []*scenario.Scenario, only uint16, programs bool, o scenario.Options, each func(*scenario.Scenario, []*scenario.Result, []scenario.Loaded)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		runs  []*scenario.Result
		loads []scenario.Loaded
		err   error
	}
	outcomes := make([]chan outcome, len(chosen))
	room := make(chan struct{}, 2*runtime.GOMAXPROCS(0)) // they wait more than they work
	var running sync.WaitGroup
	defer running.Wait()
	for i, s := range chosen {
		outcomes[i] = make(chan outcome, 1)
		running.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			var done outcome
			for _, version := range s.Versions() {
				if only != 0 && version != only || done.err != nil {
					continue
				}
				var r *scenario.Result
				if r, done.err = s.Run(ctx, version, o); done.err == nil {
					done.runs = append(done.runs, r)
				}
			}
			if len(s.Loads) > 0 {
				done.loads, done.err = s.Load(ctx, o, programs)
			}
			outcomes[i] <- done
		})
	}
	var first error
	for i, c := range outcomes {
		done := <-c
		if first = cmp.Or(first, done.err); first != nil {
			cancel()
			continue
		}
		each(chosen[i], done.runs, done.loads)
	}
	return first
}
