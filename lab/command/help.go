package command

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/text"
)

// The groups of commands on the first screen of help.
const (
	seeIt         = "See it"
	findFault     = "Find the fault"
	certificates  = "Certificates"
	takeElsewhere = "Take it elsewhere"
)

// welcome ends the first screen.
const welcome = "Begin with lab up in an empty folder. Stuck? lab help failing, lab help COMMAND"

// firstScreen is the help of lab itself: its commands in their groups, each
// group in one piece, in the order given.
func firstScreen(commands []*cli.Command, width int) string {
	var b strings.Builder
	b.WriteString("lab COMMAND [options] [arguments]: see and understand mutual TLS\n\n")
	group := ""
	for _, c := range commands {
		if c.Category != group {
			group = c.Category
			b.WriteString(group + ":\n")
		}
		column := fmt.Sprintf("   %-10s  ", c.Name)
		b.WriteString(column + strings.Join(text.FoldWhole(c.Usage, width-len(column)), "\n"+strings.Repeat(" ", len(column))) + "\n")
	}
	return b.String() + "\n" + strings.Join(text.FoldWhole(welcome, width), "\n") + "\n"
}

// helpTemplate is the library's template for the help of a command, with its
// flags set within a width and its description as examples. It lists the
// commands below it, if there are any.
func helpTemplate(c *cli.Command, width int) string {
	return strings.Replace(commandHelp, "FLAGS", flagsHelp(append(slices.Clone(c.Flags), cli.HelpFlag), width), 1)
}

// helpWriter breaks the lines of the library's help that are too wide.
type helpWriter struct {
	text.Printer
	begun []byte // a line that has no end yet
}

func (w *helpWriter) Write(data []byte) (int, error) {
	w.begun = append(w.begun, data...)
	whole := string(w.begun[:bytes.LastIndexByte(w.begun, '\n')+1])
	w.begun = w.begun[len(whole):]
	var help strings.Builder
	for line := range strings.Lines(whole) {
		left := strings.TrimLeft(line, " ")
		for indent := len(line) - len(left); len(line) > w.Width()+1; { // with its line feed
			at := strings.LastIndex(line[:w.Width()+1], " ")
			if at <= indent+2 {
				break
			}
			help.WriteString(line[:at] + "\n")
			line = strings.Repeat(" ", indent+2) + line[at+1:]
		}
		help.WriteString(line)
	}
	_, err := io.WriteString(w.W, help.String())
	return len(data), err
}

// fitExamples breaks the lines of examples that are too wide: a comment stands
// below its command, and a command goes on behind a backslash, or
// what the shell has for that.
func fitExamples(examples string, width int) string {
	var lines []string
	for line := range strings.SplitSeq(examples, "\n") {
		command, comment, _ := strings.Cut(line, "   ")
		switch {
		case len(line) <= width:
			lines = append(lines, line)
			continue
		case strings.TrimSpace(command) == "":
			command, comment = "", line
		case strings.HasPrefix(command, "lab "):
			lines = append(lines, strings.Join(text.FoldWhole(command, width-2), inShell(" \\\n")+"  "))
		default:
			lines = append(lines, text.FoldWhole(command, width)...)
		}
		for _, part := range text.FoldWhole(comment, width-4) {
			lines = append(lines, "    "+part)
		}
	}
	return strings.Join(lines, "\n")
}

// flagsHelp sets flags in two columns, a name and what it is for; where there
// is no room for two, one below the other.
func flagsHelp(flags []cli.Flag, width int) string {
	names, uses := make([]string, len(flags)), make([]string, len(flags))
	widest := 0
	for i, flag := range flags {
		_, uses[i], _ = strings.Cut(flag.String(), "\t")
		names[i], uses[i] = flagNames(flag), strings.Replace(uses[i], " (default: false)", "", 1)
		widest = max(widest, len(names[i]))
	}
	var b strings.Builder
	for i, name := range names {
		column := fmt.Sprintf("   %-*s", widest+3, name)
		if width < text.Usual {
			b.WriteString("   " + name + "\n")
			column = strings.Repeat(" ", 8)
		}
		b.WriteString(column + strings.Join(text.FoldWhole(uses[i], width-len(column)), "\n"+strings.Repeat(" ", len(column))) + "\n")
	}
	return b.String()
}

// flagNames returns a flag with the placeholder of its value: "--dir DIR", and
// "--explain[=FILE]" of one whose value may be left out.
func flagNames(flag cli.Flag) string {
	names, _, _ := strings.Cut(flag.String(), "\t")
	names, _, _ = strings.Cut(names, " [ ") // how often is in the use
	if generic, ok := flag.(*cli.GenericFlag); ok && isSwitch(generic) {
		names = strings.Replace(names, " ", "[=", 1) + "]"
	}
	return names
}

const commandHelp = `NAME:
   {{template "helpNameTemplate" .}}

USAGE:
   {{.HelpName}}{{if .Subcommands}} COMMAND{{end}}{{if .VisibleFlags}} [options]{{end}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}
{{if .VisibleCommands}}
COMMANDS:{{template "visibleCommandTemplate" .}}
{{end}}
OPTIONS:
FLAGS{{if .Description}}
EXAMPLES:
   {{template "descriptionTemplate" .}}
{{end}}`
