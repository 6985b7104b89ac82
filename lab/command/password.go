package command

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// defaultPassword is the one that Java has for its own stores. It protects
// nothing: the mode of the file does.
const defaultPassword = "changeit"

// password is that for a file to be written: from --password-file, or else
// asked for on a terminal; empty where there is none.
func (p *Program) password(c *cli.Context, out string) (string, error) {
	if c.String("password-file") != "" {
		return passwordIn(c)
	}
	if stdin := int(os.Stdin.Fd()); term.IsTerminal(stdin) {
		return p.askPassword(c, stdin, out)
	}
	return "", nil
}

// maxPassword is how many bytes of --password-file are read.
const maxPassword = 4096

// passwordIn is the first line of --password-file, "" where there is none.
func passwordIn(c *cli.Context) (string, error) {
	lines, err := passwordsIn(c)
	if len(lines) == 0 {
		return "", err
	}
	return lines[0], nil
}

// passwordsIn are the lines of --password-file, none where there is none.
func passwordsIn(c *cli.Context) (lines []string, err error) {
	file := c.String("password-file")
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPassword))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	if len(lines) == 0 || lines[0] == "" {
		return nil, &usageError{command: commandName(c), problem: fmt.Sprintf("--password-file is %s, whose first line is empty", file)}
	}
	return lines, nil
}

// askKeyPassword asks for the password of a key on a terminal; "" where there is
// none.
func (p *Program) askKeyPassword(c *cli.Context, of string) (string, error) {
	stdin := int(os.Stdin.Fd())
	if !term.IsTerminal(stdin) {
		return "", nil
	}
	return p.ask(c, stdin, fmt.Sprintf("lab: password of the key in %s: ", of))
}

func (p *Program) askPassword(c *cli.Context, terminal int, out string) (string, error) {
	return p.ask(c, terminal, fmt.Sprintf("lab: password for %s (Enter: %s): ", out, defaultPassword))
}

// ask reads a line that the terminal does not show. Ctrl-C ends it and leaves
// the terminal as it was.
func (p *Program) ask(c *cli.Context, terminal int, question string) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	_, _ = io.WriteString(p.talk, p.charset.Clean(question))
	type answer struct {
		line []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(terminal)
		answered <- answer{line, err}
	}()
	select {
	case a := <-answered:
		p.stderr().Line()
		return string(a.line), a.err
	case <-c.Context.Done():
		p.stderr().Line()
		_ = term.Restore(terminal, before)
		return "", c.Context.Err()
	}
}
