package command

import (
	"slices"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"
)

// arrange puts flags before arguments, where the library looks for them, so
// that people may write them on either side. What follows "--" stays as it is,
// as does a program of lab exec with what follows it.
func arrange(app *cli.App, args []string) []string {
	values := sync.OnceValue(func() map[string]bool { return valueFlags(app) }) // few need them, and they take a while
	commands, isCommand := app.Commands, true
	var command *cli.Command // the last that is named
	takesValue := func(name string) bool {
		if command != nil {
			for _, flag := range command.Flags {
				if slices.Contains(flag.Names(), name) {
					return !isSwitch(flag)
				}
			}
		}
		return values()[name] // of a flag that stands before its command
	}
	var path, flags, words, last []string
	several := "" // the flag of lab check that the words after it belong to
	for i := 1; i < len(args); i++ {
		arg := args[i]
		name := strings.TrimLeft(arg, "-")
		sub := findCommand(commands, arg)
		switch {
		case arg == "--":
			words = append(append(words, "--"), args[i+1:]...)
			i = len(args)
		case arg == completionFlag: // the library wants it last
			last = []string{arg}
		case len(arg) > 1 && arg[0] == '-':
			flags = append(flags, arg)
			several = severalFiles(path, name)
			if name == "web" && (i+1 == len(args) || !isWebValue(args[i+1])) {
				flags[len(flags)-1] = arg + "=" + webAddr
				break
			}
			if takesValue(name) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		case isCommand && sub != nil:
			path = append(path, arg)
			command, commands = sub, sub.Subcommands
		case slices.Equal(path, []string{"exec"}):
			words = append(append(words, "--"), args[i:]...)
			i = len(args)
		case isCommand && arg == "help" && args[len(args)-1] == completionFlag: // what can follow it is what can follow without it
		case several != "":
			flags = append(flags, "--"+several+"="+arg)
		default:
			isCommand = false
			words = append(words, arg)
		}
	}
	begun := last == nil || len(words)+len(flags) > 0                                              // and no subcommand is to be completed
	if slices.Equal(path, []string{"probe"}) && begun && (len(words) == 0 || words[0] != "help") { // lab probe URL is lab probe server URL
		path, commands = append(path, "server"), nil
	}
	isHelp := func(flag string) bool { return flag == "--help" || flag == "-h" }
	switch {
	case len(words) == 0 || !slices.ContainsFunc(flags, isHelp):
	case len(commands) == 0:
		words = nil // one of them may be a command's name: the library would help with that
	default:
		flags = slices.DeleteFunc(flags, isHelp) // there is no such command to help with
	}
	return slices.Concat(args[:min(1, len(args))], path, flags, words, last)
}

// severalFiles returns the name of a flag that takes all the words behind it;
// "": it does not.
func severalFiles(path []string, flag string) string {
	name, _, _ := strings.Cut(flag, "=")
	if slices.Equal(path, []string{"check"}) && slices.Contains(sideFlags, name) {
		return name
	}
	return ""
}

func findCommand(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// valueFlags are the names of all flags that are followed by a value.
func valueFlags(app *cli.App) map[string]bool {
	values := make(map[string]bool)
	eachCommand(app.Commands, func(c *cli.Command) {
		for _, flag := range c.Flags {
			if isSwitch(flag) {
				continue
			}
			for _, name := range flag.Names() {
				values[name] = true
			}
		}
	})
	return values
}

// isSwitch reports whether no value follows a flag. It may have one behind "=".
func isSwitch(flag cli.Flag) bool {
	if generic, ok := flag.(*cli.GenericFlag); ok {
		_, optional := generic.Value.(*optionalFile)
		return optional
	}
	_, isBool := flag.(*cli.BoolFlag)
	return isBool
}
