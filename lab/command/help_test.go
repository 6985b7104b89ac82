package command

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/text"
)

// TestHelpFits looks for lines that a terminal would break.
func TestHelpFits(t *testing.T) {
	for _, columns := range []int{60, 70, 80, 120} {
		helpFits(t, columns)
	}
}

func helpFits(t *testing.T, columns int) {
	var look func(path []string, commands []*cli.Command)
	look = func(path []string, commands []*cli.Command) {
		var out bytes.Buffer
		p := Program{Stdout: &out, Stderr: &out, Columns: columns}
		if status := p.Run(t.Context(), append(slices.Clone(path), "--help")); status != 0 || out.Len() == 0 {
			t.Errorf("%q: exit status %d, %d bytes", path, status, out.Len())
		}
		for line := range strings.Lines(out.String()) {
			if text.Width(line) > columns+1 { // with its line feed
				t.Errorf("%q at %d columns: %s", path, columns, line)
			}
		}
		for _, c := range commands {
			look(append(slices.Clone(path), c.Name), c.Subcommands)
		}
	}
	p := &Program{}
	look([]string{"lab"}, p.app().Commands)
}

// TestExamplesKeepTheirColumns: what stands beside an example is not broken at
// 80 columns, of which help indents by three.
func TestExamplesKeepTheirColumns(t *testing.T) {
	var look func(path string, commands []*cli.Command)
	look = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			for line := range strings.Lines(c.Description) {
				if strings.Contains(strings.TrimRight(line, "\n"), "  ") && text.Width(line) > 77+1 {
					t.Errorf("%s %s: %s", path, c.Name, line)
				}
			}
			look(path+" "+c.Name, c.Subcommands)
		}
	}
	look("lab", (&Program{}).app().Commands)
}

// TestFirstScreen: the commands stand on one screen of a terminal, each in a
// group, and each group is in one piece. README.md has all of them too.
func TestFirstScreen(t *testing.T) {
	var out bytes.Buffer
	p := &Program{Stdout: &out, Stderr: &out, Columns: 80}
	if status := p.Run(t.Context(), []string{"lab"}); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if lines := strings.Count(out.String(), "\n"); lines >= 24 {
		t.Errorf("%d lines:\n%s", lines, &out)
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.app().Commands {
		if !strings.Contains(string(readme), "\n| `lab "+c.Name) {
			t.Errorf("%s is not in README.md's table of commands", c.Name)
		}
		group := "\n" + c.Category + ":\n"
		_, below, _ := strings.Cut(out.String(), group)
		if c.Category == "" || strings.Count(out.String(), group) != 1 || !strings.Contains(below, "   "+c.Name+" ") {
			t.Errorf("%s is not in one group:\n%s", c.Name, &out)
		}
	}
}
