package command

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/glossary"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/text"
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
		message, err := p.messageOf(c, append([]string{c.String("message")}, args...))
		if err != nil {
			return true, err
		}
		return true, p.answer(c, message)
	}
	files := 0
	for _, arg := range args {
		if isFile(arg) {
			files++
		}
	}
	if len(args) == 0 || c.Bool("summary") || files > 0 && len(args) < 4 || files > len(args)/2 {
		return false, nil
	}
	return true, p.answer(c, strings.Join(args, " "))
}

// fileEndings are those of captures, certificates and keys.
var fileEndings = strings.Fields(".pcap .pcapng .cap .ntar .dmp .erf .snoop .etl .har .pem .crt .cer .der .key .p12 .pfx .jks .p7b .csr .crl .log .txt .gz .zst .xz .zip .json .yaml .yml .out")

// maxPath is longer than any name of a file, in bytes: Linux takes 4,096.
const maxPath = 4096

// isFile reports whether an argument is that of a file: one that is there, or
// one that was meant to be.
func isFile(arg string) bool {
	if arg == "-" || arg == "" {
		return true
	}
	if len(arg) > maxPath {
		return false
	}
	if _, err := os.Stat(arg); err == nil || errors.Is(err, fs.ErrPermission) {
		return true
	}
	if strings.ContainsAny(arg, " \t\n{\"") {
		return strings.HasPrefix(arg, "/") && slices.Contains(fileEndings, strings.ToLower(filepath.Ext(arg)))
	}
	if _, ok := glossary.Find(arg); ok { // HTTP/3
		return false
	}
	return strings.ContainsAny(arg, `/\`) || slices.Contains(fileEndings, strings.ToLower(filepath.Ext(arg)))
}

// messageOf returns a message that the arguments are, or the one on stdin for
// "-".
func (p *Program) messageOf(c *cli.Context, args []string) (string, error) {
	if len(args) != 1 || args[0] != "-" {
		return strings.Join(args, " "), nil
	}
	return unlessInterrupted(c.Context, func() (string, error) { return p.endOf(os.Stdin, "stdin") })
}

// unlessInterrupted returns what read does, or an error when ctx ends: a read
// that waits for a terminal or a pipe does not.
func unlessInterrupted[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// endOf reads a log. Of one that is too long it returns the end, which has the
// newest.
func (p *Program) endOf(r io.Reader, name string) (string, error) {
	var begins, end []byte
	cut := false
	chunk := make([]byte, 64<<10)
	for {
		n, err := r.Read(chunk)
		end = append(end, chunk[:n]...)
		if begins == nil && len(end) >= 2 {
			begins = bytes.Clone(end[:2])
		}
		if len(end) > 2*scenario.MaxMessage || err != nil && len(end) > scenario.MaxMessage {
			end, cut = append(end[:0], end[len(end)-scenario.MaxMessage:]...), true
		}
		switch {
		case err == nil:
			continue
		case err != io.EOF:
			return "", err
		case cut:
			p.say("of %s only the last MiB is searched", name)
			if orderOf(begins) != nil {
				end = append(begins, end...)
			}
		}
		return string(decodeText(end)), nil
	}
}

// answer says what an alert, a word or a message means, or what a scenario is
// about.
func (p *Program) answer(c *cli.Context, message string) error {
	asJSON := c.Bool("json")
	if status := bareStatus().FindStringSubmatch(message); status != nil {
		if _, ok := scenario.AlertNamed(status[1]); !ok {
			message = status[1]
		}
	}
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
		p.printAnswer(scenario.Found{Scenarios: []*scenario.Scenario{s}, Refuses: lastExpectation(s).RejectedBy})
		return nil
	}
	err := p.search(c, message, true)
	var none *noScenarioError
	if errors.As(err, &none) {
		if status := statusLine().FindStringSubmatch(message); status != nil && scenario.Aside(message) == "" {
			if _, ok := glossary.Find(status[1]); ok {
				return p.answer(c, status[1])
			}
		}
		if !scenario.SaysElsewhere(message) { // which is more than an alert says
			for line := range strings.Lines(message) {
				if alert, ok := scenario.AlertIn(line); ok {
					return p.answer(c, alert.String())
				}
			}
		}
		none.asked = c.NArg() == 1 && !strings.Contains(message, " ")
	}
	return err
}

// bareStatus matches a status of HTTP that is named so, and nothing else.
var bareStatus = text.Pattern(`(?i)^\s*HTTP(?:/[0-9.]+)? ([1-5][0-9]{2})\s*$`)

// statusLine matches a status of HTTP as programs print it: HTTP/1.1 502 Bad
// Gateway; The requested URL returned error: 502; status code 401.
var statusLine = text.Pattern(`(?i)(?:^|\bHTTP/[0-9.]+ |error: |status(?: code)?:? )([1-5][0-9]{2})\b`)

// versionName matches the ways in which programs write TLS 1.2 and 1.3.
var versionName = text.Pattern(`(?i)^tls[ _]?v?1[._]([23])$`)

// scenarioNamed returns the built-in scenario of that name, or nil.
func scenarioNamed(name string) *scenario.Scenario {
	name = versionName().ReplaceAllString(name, "tls1$1")
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
			p.printJSON(struct {
				listedScenario
				Refuses endpoint.Side `json:"refuses,omitempty"` // as the message shows
			}{listed(s), found.Refuses})
		}
	case whatToDo:
		p.printAnswer(found)
	default:
		p.printFound(found.Scenarios)
	}
	return nil
}
