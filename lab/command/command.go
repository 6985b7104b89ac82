package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/text"
)

// Exit statuses.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Program is the command line with all that it needs from outside.
type Program struct {
	Manifest []byte    // written as certs.yaml where there is none
	Stdout   io.Writer // results
	Stderr   io.Writer // talk
	// Interrupted is called in the end, unless it is nil, if SIGINT has killed the
	// program of lab exec. A shell ends its loops only if lab dies of it, too.
	Interrupted func()
	Columns     int // of a terminal that both are; 0: those of the terminal that each is, if it is one

	results, talk *output // of a run, to Stdout and Stderr
	charset       text.Charset
	drawsRefusals bool // and no other exchanges
}

// Run carries out args, whose first is the program's name, until it is done or
// ctx ends, and returns the exit status: 0 done, 1 failed, 2 wrong usage, or
// under lab exec the program's own. Output that cannot be written is a failure
// and ends it, too; a closed pipe does so without a word.
func (p *Program) Run(ctx context.Context, args []string) int {
	run := *p
	ctx, stop := run.open(ctx)
	defer stop()
	app := run.app(args...)
	if len(args) > 1 && args[len(args)-1] == completionFlag && run.completeValue(app, args[1:len(args)-1]) {
		return run.status(nil)
	}
	err := app.RunContext(ctx, arrange(app, args))
	status := run.status(err)
	if errors.As(err, new(*interrupted)) && run.Interrupted != nil {
		run.Interrupted()
	}
	return status
}

// status prints an error and returns the exit status.
func (p *Program) status(err error) int {
	var (
		silent silentError
		ended  programStatus
		start  *startError
		usage  *usageError
		probed *probeError
	)
	unwritten, unwritable, failed := p.unwritten()
	switch {
	case errors.As(err, &ended):
		if failed && unwritable != nil {
			p.printError(unwritable)
		}
		return int(ended)
	case failed && unwritable == nil:
		return unwritten
	case failed:
		p.printError(unwritable)
		return unwritten
	case err == nil && !p.results.hasLost():
		return exitDone
	case err == nil, errors.As(err, &silent):
		return exitFailed
	}
	if errors.Is(err, context.Canceled) {
		p.printError(errInterrupted)
	} else {
		p.printError(err)
	}
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &start):
		return start.status()
	case errors.As(err, &probed):
		return probeExit(probed)
	case errors.As(err, new(unprobedError)):
		return probe.ExitUnknown
	}
	return exitFailed
}

// errInterrupted is printed in place of context.Canceled and what wraps it.
var errInterrupted = errors.New("interrupted before it was done")

// silentError is a failure for which everything is printed already.
type silentError struct{}

func (silentError) Error() string { return "failed" }

// usageError reports a wrong command line.
type usageError struct {
	command string // with the program's name: "lab certs show"
	problem string
	nearest []string // what was perhaps meant, best first; may be empty
	hint    string   // what to type, if it is more than that
}

func (e *usageError) Error() string { return e.problem }

// app returns the commands. Those that words name can show their help, where
// words ask for it: it takes long to make.
func (p *Program) app(words ...string) *cli.App {
	app := &cli.App{
		Name:                 "lab",
		Version:              version(),
		Writer:               &helpWriter{Printer: p.stdout()},
		ErrWriter:            p.talk,
		ExitErrHandler:       func(*cli.Context, error) {}, // only main exits
		EnableBashCompletion: true,
		HideHelpCommand:      true,
		// A comma in the name of a file is no separator.
		DisableSliceFlagSeparator: true,
		Commands: []*cli.Command{
			p.upCommand(), p.serverCommand(), p.clientCommand(), p.scenarioCommand(), p.exerciseCommand(), // in the order of the first screen
			p.explainCommand(), p.checkCommand(), p.execCommand(), p.certsCommand(), p.joinCommand(), p.probeCommand(),
			p.browserCommand(), p.snippetCommand(), p.deployCommand(), p.completionCommand(),
		},
	}
	app.Action = p.chooseCommand
	app.OnUsageError = onUsageError
	width, helps := p.stdout().Width(), asksForHelp(words)
	if len(words) < 2 || findCommand(app.Commands, words[1]) == nil {
		app.CustomAppHelpTemplate = firstScreen(app.Commands, width)
	}
	eachCommand(app.Commands, func(c *cli.Command) {
		if len(c.Subcommands) == 0 && c.Name != "completion" {
			c.Flags = append(c.Flags, asciiFlag())
		}
		c.Before = p.fit
		c.OnUsageError = onUsageError
		c.HideHelpCommand = true
		named := slices.ContainsFunc(words, c.HasName)
		if helps || named && len(c.Subcommands) > 0 { // which shows its help where none of those is named
			c.Description = fitExamples(inShell(c.Description), width-3)
			if named {
				c.CustomHelpTemplate = helpTemplate(c, width)
			}
		}
		if named && c.Name != "exec" && slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), "dir") }) {
			c.Before = func(c *cli.Context) error { return errors.Join(p.fit(c), p.warnOfFolder(c)) }
		}
		if len(c.Subcommands) > 0 && c.Action == nil {
			c.Action = p.chooseCommand
		}
	})
	return app
}

// asksForHelp reports whether words may be a request for help.
func asksForHelp(words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool {
		name := strings.TrimLeft(word, "-")
		return name == "help" || name == "h"
	})
}

func eachCommand(commands []*cli.Command, f func(*cli.Command)) {
	for _, c := range commands {
		f(c)
		eachCommand(c.Subcommands, f)
	}
}

// chooseCommand is the action of a command that only groups others.
func (p *Program) chooseCommand(c *cli.Context) error {
	name := c.Args().First()
	if name == "help" && c.NArg() > 1 && c.Args().Get(1) != "help" {
		return p.help(c, c.Args().Tail())
	}
	if name == "" || name == "help" {
		if c.Command.Name == "lab" {
			return cli.ShowAppHelp(c)
		}
		return cli.ShowSubcommandHelp(c)
	}
	return noCommand(c.Command.Subcommands, commandName(c), name)
}

// help shows the help of the command that words name below c, as --help does.
func (p *Program) help(c *cli.Context, words []string) error {
	if len(words) == 1 && words[0] == "failing" {
		p.printFailing()
		return nil
	}
	if len(words) == 1 && words[0] == "man" {
		_, err := p.results.Write(manual(c.Command.Subcommands))
		return err
	}
	commands, path := c.Command.Subcommands, commandName(c)
	for _, word := range words {
		found := findCommand(commands, word)
		if found == nil {
			return noCommand(commands, path, word)
		}
		commands, path = found.Subcommands, path+" "+found.Name
	}
	args := append(strings.Fields(path), "--help")
	return p.app(args...).RunContext(c.Context, args)
}

// noCommand returns the error that below path there is no command of that name.
func noCommand(commands []*cli.Command, path, name string) error {
	names := []string{}
	for _, command := range commands {
		names = append(names, command.Name)
	}
	if path == "lab" {
		names = append(names, "--version", "help")
	}
	return &usageError{
		command: path,
		problem: fmt.Sprintf("no command is called %q", name),
		nearest: spell.Nearest(name, names),
	}
}

// The library's messages for flags that it cannot read.
var (
	undefinedFlag = text.Pattern(`^flag provided but not defined: -+(.*)$`)
	emptyFlag     = text.Pattern(`^flag needs an argument: -+(.*)$`)
	invalidFlag   = text.Pattern(`(?s)^invalid (?:boolean )?value (".*") for (?:flag )?-+([^ ]*?): .*$`)
)

// onUsageError is called by the library for flags that it cannot read.
func onUsageError(c *cli.Context, err error, _ bool) error {
	e := &usageError{command: commandName(c), problem: err.Error()}
	if m := undefinedFlag().FindStringSubmatch(err.Error()); m != nil {
		e.problem = fmt.Sprintf("no flag is called --%s", m[1])
		for _, flag := range c.Command.Flags {
			e.nearest = append(e.nearest, flag.Names()[0])
		}
		e.nearest = spell.Nearest(m[1], e.nearest)
		for i, name := range e.nearest {
			e.nearest[i] = "--" + name
		}
	} else if m := emptyFlag().FindStringSubmatch(err.Error()); m != nil {
		e.problem = fmt.Sprintf("--%s needs a value", m[1])
	} else if m := invalidFlag().FindStringSubmatch(err.Error()); m != nil {
		e.problem = fmt.Sprintf("--%s is %s, and must be %s", m[2], m[1], valuesOf(c.Command.Flags, m[2]))
	}
	return e
}

// valuesOf describes the values of the flag of that name.
func valuesOf(flags []cli.Flag, name string) string {
	for _, flag := range flags {
		if !slices.Contains(flag.Names(), name) {
			continue
		}
		switch flag.(type) {
		case *cli.DurationFlag:
			return "like 500ms, 5s or 1m"
		case *cli.IntFlag:
			return "a whole number"
		}
	}
	return "true or false"
}

// commandName returns the whole name of the command that runs.
func commandName(c *cli.Context) string {
	if name := strings.TrimSpace(c.Command.HelpName); name != "" {
		return name
	}
	return "lab"
}

// noArguments refuses arguments where there must be none.
func noArguments(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		arg := c.Args().First()
		if !c.Args().Present() {
			return action(c)
		}
		e := &usageError{command: commandName(c), problem: fmt.Sprintf("%s takes no argument, but there is %q", commandName(c), arg)}
		if flag := flagForAddress(c.Command, arg); flag != "" {
			e.hint = fmt.Sprintf("%s --%s %s", commandName(c), flag, commandWord(arg))
		}
		return e
	}
}

// flagForAddress returns the flag of a command that takes what an argument is,
// a URL or HOST:PORT; "": there is none.
func flagForAddress(c *cli.Command, arg string) string {
	flag := "addr"
	if strings.Contains(arg, "://") {
		flag = "url"
	} else if _, _, err := net.SplitHostPort(arg); err != nil {
		return ""
	}
	if !slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), flag) }) {
		return ""
	}
	return flag
}

// version returns the tag, the commit and its date of the build information, as
// far as it has them, and the version of Go.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	words := []string{cmp.Or(strings.Trim(info.Main.Version, "()"), "devel")}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if commit := settings["vcs.revision"]; commit != "" {
		date, _, _ := strings.Cut(settings["vcs.time"], "T")
		words = append(words, fmt.Sprintf("(commit %.12s of %s)", commit, date))
	}
	return strings.Join(append(words, info.GoVersion), " ")
}
