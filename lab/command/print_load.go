package command

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/scenario"
)

// printLesson writes a scenario that is not run on the wire: what came of
// loading its files, or what was seen of it.
func (p *Program) printLesson(c *cli.Context, s *scenario.Scenario, loads []scenario.Loaded) {
	switch {
	case c.Bool("json"):
		p.printLessonJSON(s, loads)
	case c.Bool("all"):
		p.printLessonBriefly(s, loads)
	default:
		p.printWholeLesson(folderOf(c), s, loads)
	}
}

func (p *Program) printLessonJSON(s *scenario.Scenario, loads []scenario.Loaded) {
	type load struct {
		Certificate string            `json:"certificate"`
		Key         string            `json:"key"`
		Loads       bool              `json:"loads"` // by the lab
		Problem     string            `json:"problem,omitempty"`
		Programs    map[string]string `json:"programs,omitempty"` // what each one that was run has printed, or "loads"
		AsExpected  bool              `json:"as_expected"`
	}
	all := []load{}
	for _, l := range loads {
		problem := ""
		if l.Err != nil {
			problem = l.LabSays()
		}
		all = append(all, load{filepath.ToSlash(l.Certificate), filepath.ToSlash(l.Key), l.Err == nil, problem, l.Says, l.Expected})
	}
	p.printJSON(struct {
		Scenario   string   `json:"scenario"`
		AsExpected bool     `json:"as_expected"`
		Loads      []load   `json:"loads,omitempty"`
		Seen       []string `json:"seen,omitempty"`
	}{s.Name, !slices.ContainsFunc(loads, func(l scenario.Loaded) bool { return !l.Expected }), all, s.Seen})
}

// printLessonBriefly writes a line.
func (p *Program) printLessonBriefly(s *scenario.Scenario, loads []scenario.Loaded) {
	if len(loads) == 0 {
		p.printOutcome(s.Name, "", "shown, not run")
		return
	}
	n := 0
	for _, l := range loads {
		if l.Err == nil {
			n++
		}
	}
	p.printOutcome(s.Name, "", fmt.Sprintf("the lab loads %d of %d", n, len(loads)))
	p.printUnexpected(loads)
}

func (p *Program) printUnexpected(loads []scenario.Loaded) {
	for _, l := range loads {
		if !l.Expected {
			p.stdout().Paragraph("  ", 6, "not as expected: ", filesOf(l.Load))
		}
	}
}

func (p *Program) printWholeLesson(f folder, s *scenario.Scenario, loads []scenario.Loaded) {
	out := p.stdout()
	out.Paragraph("", 2, s.Name, ": ", s.Title)
	recorded := false
	for _, l := range loads {
		out.Line()
		out.Line(filesOf(l.Load))
		out.Paragraph("  lab         ", 14, l.LabSays())
		for _, program := range slices.Sorted(maps.Keys(l.Prints)) {
			says, ok := l.Says[program]
			if !ok {
				says, recorded = l.Prints[program]+" *", true
			}
			out.Paragraph(fmt.Sprintf("  %-12s", program), 14, says)
		}
	}
	if recorded {
		out.Line()
		out.Paragraph("* ", 2, "recorded, with OpenSSL 3.0; --programs runs what is installed here")
	}
	if len(s.Seen) > 0 {
		out.Line()
		out.Line("shown, and not run:")
		for _, line := range s.Seen {
			out.Paragraph("  ", 4, line)
		}
	}
	out.Line()
	for _, line := range []struct{ name, value string }{
		{"reason", s.Reason}, {"fix", s.Fix}, {"teaches", s.Teaches}, {"evidence", s.Evidence}, {"OpenSSL", s.OpenSSL}, {"see", s.RFC},
	} {
		p.printNamed(line.name, line.value)
	}
	if len(loads) > 0 {
		p.printNamed("files", s.Certs(f.certs()))
	}
	p.printUnexpected(loads)
	out.Line()
}

// filesOf names the files of a load.
func filesOf(l scenario.Load) string {
	names := []string{filepath.ToSlash(l.Certificate)}
	if l.Key != l.Certificate {
		names = append(names, filepath.ToSlash(l.Key))
	}
	text := strings.Join(names, " and ")
	if l.Password != "" {
		text += ", with the password " + l.Password
	}
	return text
}
