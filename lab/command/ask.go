package command

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/glossary"
	"mtlslab.example/lab/lab/scenario"
)

func messageFlag() cli.Flag {
	return &cli.StringFlag{Name: "message", Usage: "say what `MESSAGE` means, as a program printed it, or - for one on stdin"}
}

// asked answers what is no capture: a message, an alert or a word. It reports
// false for files, or for stdin. Many words are a message, although one of them
// may look like a file.
func (p *Program) asked(c *cli.Context) (bool, error) {
	args := c.Args().Slice()
	if c.IsSet("message") {
		message, err := p.messageOf(append([]string{c.String("message")}, args...))
		if err != nil {
			return true, err
		}
		return true, p.answer(c, message)
	}
	if len(args) == 0 || len(args) < 4 && slices.ContainsFunc(args, isFile) {
		return false, nil
	}
	return true, p.answer(c, strings.Join(args, " "))
}

// fileEndings are those of captures, certificates and keys.
var fileEndings = strings.Fields(".pcap .pcapng .cap .ntar .dmp .erf .snoop .etl .har .pem .crt .cer .der .key .p12 .pfx .jks .p7b .csr .crl .log .txt .gz .zst .xz .zip .json .yaml .yml .out")

// isFile reports whether an argument is that of a file: one that is there, or
// one that was meant to be.
func isFile(arg string) bool {
	if arg == "-" || arg == "" {
		return true
	}
	if _, err := os.Stat(arg); err == nil || errors.Is(err, fs.ErrPermission) {
		return true
	}
	if strings.ContainsAny(arg, " \t\n") {
		return strings.HasPrefix(arg, "/") && slices.Contains(fileEndings, strings.ToLower(filepath.Ext(arg)))
	}
	return strings.ContainsAny(arg, `/\`) || slices.Contains(fileEndings, strings.ToLower(filepath.Ext(arg)))
}

// messageOf returns a message that the arguments are, or the one on stdin for
// "-". Of one that is too long it returns the end, where logs have the newest.
func (p *Program) messageOf(args []string) (string, error) {
	if len(args) != 1 || args[0] != "-" {
		return strings.Join(args, " "), nil
	}
	var end []byte
	cut := false
	chunk := make([]byte, 64<<10)
	for {
		n, err := os.Stdin.Read(chunk)
		end = append(end, chunk[:n]...)
		if len(end) > 2*scenario.MaxMessage || err != nil && len(end) > scenario.MaxMessage {
			end, cut = append(end[:0], end[len(end)-scenario.MaxMessage:]...), true
		}
		switch {
		case err == io.EOF && cut:
			p.say("of stdin only the last MiB is searched")
			return string(end), nil
		case err == io.EOF:
			return string(end), nil
		case err != nil:
			return "", err
		}
	}
}

// answer says what an alert, a word or a message means, or what a scenario is
// about.
func (p *Program) answer(c *cli.Context, message string) error {
	asJSON := c.Bool("json")
	if alert, ok := scenario.AlertNamed(message); ok {
		if asJSON {
			p.printAlertJSON(alert)
		} else {
			p.printAlert(alert)
		}
		return nil
	}
	if term, ok := glossary.Find(message); ok {
		if asJSON {
			p.printJSON(term)
		} else {
			p.printTerm(term)
		}
		return nil
	}
	if s := scenarioNamed(message); s != nil && !asJSON {
		p.printAnswer(scenario.Found{Scenarios: []*scenario.Scenario{s}})
		return nil
	}
	err := p.search(c, message, true)
	var none *noScenarioError
	if errors.As(err, &none) {
		none.asked = c.NArg() == 1 && !strings.Contains(message, " ")
	}
	return err
}

// scenarioNamed returns the built-in scenario of that name, or nil.
func scenarioNamed(name string) *scenario.Scenario {
	if !slices.Contains(scenarioNames(), name) {
		return nil
	}
	s, _ := scenario.Find(name) // it is built in
	return s
}

// search prints what a message is about: with what to do, or as a table alone.
func (p *Program) search(c *cli.Context, message string, whatToDo bool) error {
	found := scenario.Search(message)
	switch {
	case len(found.Scenarios) == 0:
		return &noScenarioError{message: message, found: found}
	case c.Bool("json"):
		for _, s := range found.Scenarios {
			p.printScenarioJSON(s)
		}
	case whatToDo:
		p.printAnswer(found)
	default:
		p.printFound(found.Scenarios)
	}
	return nil
}
