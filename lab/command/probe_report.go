package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/probe/mirror"
	"mtlslab.example/lab/lab/text"
)

// probeReportFlags say which cases are tried, and where the results of a probe
// go.
func probeReportFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "only", Usage: "try only the case `NAME`; may be repeated"},
		&cli.StringSliceFlag{Name: "skip", Usage: "leave out the case `NAME`; may be repeated"},
		&cli.StringFlag{Name: "accept", Usage: "`FILE` of known findings, which do not fail: a line each, CASE [1.2|1.3] [# why]"},
		jsonFlag(),
		&cli.StringFlag{Name: "junit", Usage: "also write the results as JUnit XML to `FILE`"},
		&cli.StringFlag{Name: "sarif", Usage: "also write the results as SARIF to `FILE`"},
	}
}

// probeReport prints the findings of a probe while they come, and writes its
// files.
type probeReport struct {
	*Program
	*probe.Report
	table        probe.Table
	json         bool
	accepted     probe.Accepted
	acceptFile   string
	junit, sarif string
	began        time.Time
	holes        func([]*probe.Finding) []mirror.Hole // sums up what a client accepted; nil: every finding is told
}

// newProbeReport reads the flags of a report, before anything is tried. cases
// are the names of all that there are.
func (p *Program) newProbeReport(c *cli.Context, kind, target string, cases []string) (*probeReport, error) {
	r := &probeReport{Program: p, began: time.Now(), json: c.Bool("json"), acceptFile: c.String("accept"), junit: c.String("junit"), sarif: c.String("sarif"),
		Report: &probe.Report{Probe: kind, Target: target, Time: time.Now().UTC()}}
	r.table = probe.Table{Printer: p.stdout()}
	for _, name := range cases {
		r.table.Names = max(r.table.Names, len(name))
	}
	for _, flag := range []string{"junit", "sarif"} {
		if err := checkReportFile(c, flag); err != nil {
			return nil, err
		}
	}
	if r.acceptFile == "" {
		return r, nil
	}
	file, err := os.Open(r.acceptFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if r.accepted, err = probe.ReadAccepted(file, cases); err != nil {
		return nil, &usageError{command: commandName(c), problem: fmt.Sprintf("%s, %v", r.acceptFile, err)}
	}
	return r, nil
}

// checkReportFile refuses to write over what is no report of an earlier probe.
func checkReportFile(c *cli.Context, flag string) error {
	file := c.String(flag)
	if file == "" {
		return nil
	}
	if err := atomicfile.CheckRegular(file); err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil // there is none; or it cannot be read, and then not replaced by mistake
	}
	defer f.Close()
	begin, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil || len(begin) > 0 && !bytes.Contains(begin, []byte("lab probe")) {
		return &usageError{command: commandName(c), problem: fmt.Sprintf("--%s is %s, which is there already, and no report of lab probe", flag, file)}
	}
	return nil
}

// chosenCases returns those of all cases that --only and --skip leave.
func chosenCases(c *cli.Context, all []string) ([]string, error) {
	only, skip := c.StringSlice("only"), c.StringSlice("skip")
	for _, name := range append(slices.Clone(only), skip...) {
		if !slices.Contains(all, name) {
			return nil, &usageError{command: commandName(c), problem: fmt.Sprintf("no case is called %q", name), nearest: spell.Nearest(name, all)}
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return len(only) > 0 && !slices.Contains(only, name) || slices.Contains(skip, name)
	}), nil
}

// add prints the findings of one case.
func (r *probeReport) add(findings ...*probe.Finding) {
	if len(r.Findings) == 0 && !r.json {
		r.table.Head()
	}
	for _, f := range findings {
		r.accepted.Mark(f)
		r.Findings = append(r.Findings, f)
		if r.json {
			r.printJSON(f)
		}
	}
	if !r.json {
		r.table.Row(findings...)
	}
}

func (r *probeReport) printJSON(v any) {
	line, err := json.Marshal(v)
	if err == nil {
		_, _ = r.results.Write(append(text.Unicode.JSON(line), '\n'))
	}
}

// finish prints what it came to, writes the files, and returns the exit status
// as an error.
func (r *probeReport) finish() error {
	r.DurationMS = float64(time.Since(r.began).Microseconds()) / 1000
	if r.json {
		r.printJSON(r.Report)
	} else {
		r.summarize()
	}
	for _, unused := range r.accepted.Unused() {
		r.say("%s, line %d: %s is not found any more", r.acceptFile, unused.Line, unused.Case)
	}
	for _, out := range []struct {
		file  string
		write func(io.Writer) error
	}{
		{r.junit, r.WriteJUnit},
		{r.sarif, func(w io.Writer) error { return r.WriteSARIF(w, version()) }},
	} {
		if out.file == "" {
			continue
		}
		var b bytes.Buffer
		if err := out.write(&b); err != nil {
			return err
		}
		if err := atomicfile.Write(out.file, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	if status := r.Exit(); status != probe.ExitRight {
		return programStatus(status)
	}
	return nil
}

// summarize prints the findings that are not right, with what to change, and
// how many there are of each kind.
func (r *probeReport) summarize() {
	out := r.stdout()
	if r.holes != nil {
		for _, hole := range r.holes(r.Findings) {
			r.detail(hole.What, "cases", text.Joined(hole.Cases, "and"), hole.Fix, hole.Lesson())
		}
	}
	for _, f := range r.Worst() {
		if r.holes == nil || f.Judgement != probe.Wrong {
			r.detail(f.Case+": "+f.Title, "why", f.Reason, f.Fix, f.Scenario)
		}
	}
	if len(r.Findings) == 0 {
		return
	}
	var counts []string
	for _, kind := range []struct {
		judgement probe.Judgement
		word      string
	}{{probe.Right, "right"}, {probe.Wrong, "wrong"}, {probe.Warning, "to know"}, {probe.Unknown, "unknown"}, {probe.Left, "not tried"}} {
		if n := r.Count(kind.judgement); n > 0 || kind.judgement == probe.Wrong {
			counts = append(counts, fmt.Sprintf("%d %s", n, kind.word))
		}
	}
	known := 0
	for _, f := range r.Findings {
		if f.Accepted {
			known++
		}
	}
	if known > 0 {
		counts = append(counts, fmt.Sprintf("%d known", known))
	}
	out.Line("")
	out.Line(strings.Join(counts, ", "))
}

// detail prints what is to be known of a finding: why it is one, or which are,
// what to change, and the scenario to learn it from.
func (r *probeReport) detail(title, name, why, fix, scenario string) {
	out := r.stdout()
	if scenario != "" {
		scenario = "lab scenario run " + scenario
	}
	out.Line("")
	out.Paragraph("", 2, title)
	for _, line := range []struct{ name, value string }{{name, why}, {"fix", fix}, {"learn", scenario}} {
		if line.value != "" {
			out.Paragraph("  "+text.Pad(line.name, 6), 8, strings.SplitAfter(line.value, " ")...)
		}
	}
}
