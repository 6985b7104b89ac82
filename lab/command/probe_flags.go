package command

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/net/http/httpproxy"

	"mtlslab.example/lab/certgen/atomicfile"
	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/probe/mirror"
	"mtlslab.example/lab/lab/text"
)

// This file has what lab probe server and lab probe client have in common.

func probeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "tls", Usage: "only TLS `VERSION` 1.2 or 1.3 (default: both)"},
		&cli.StringSliceFlag{Name: "only", Usage: "try only these `CASES`"},
		&cli.StringSliceFlag{Name: "skip", Usage: "leave out these `CASES`"},
		&cli.BoolFlag{Name: "cases", Usage: "list the names of all cases, and end"},
		&cli.StringFlag{Name: "accept", Usage: "`FILE` of findings that are known, a case a line: they do not fail"},
		&cli.StringFlag{Name: "junit", Usage: "write JUnit XML to `FILE`"},
		&cli.StringFlag{Name: "sarif", Usage: "write SARIF to `FILE`"},
		&cli.StringFlag{Name: "capture", DefaultText: "off", Usage: "record all connections, with their keys, to `FILE`"},
		dirFlag(), jsonFlag(),
	}
}

// listCases prints the names of cases, and what each is.
func (p *Program) listCases(cases []probe.Entry) error {
	columns := 0
	for _, e := range cases {
		columns = max(columns, len(e.Name)+2)
	}
	for _, e := range cases {
		p.stdout().Paragraph(text.Pad(e.Name, columns), columns, strings.SplitAfter(e.Title, " ")...)
	}
	return nil
}

// listFaults prints the cases of lab probe client.
func (p *Program) listFaults() error {
	faults, err := mirror.Faults()
	if err != nil {
		return err
	}
	var cases []probe.Entry
	for _, f := range faults {
		cases = append(cases, probe.Entry{Name: f.Name, Title: f.Title})
	}
	return p.listCases(cases)
}

// chosenCases reads --only and --skip, with names of those that are known.
func chosenCases(c *cli.Context, known []string) (only, skip []string, err error) {
	if only, err = caseNames(c, "only", known); err != nil {
		return nil, nil, err
	}
	skip, err = caseNames(c, "skip", known)
	return only, skip, err
}

func caseNames(c *cli.Context, flag string, known []string) (names []string, err error) {
	for _, value := range c.StringSlice(flag) {
		for _, name := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }) {
			if !slices.Contains(known, name) {
				return nil, &usageError{command: commandName(c), problem: fmt.Sprintf("--%s: no case is called %q", flag, name), hint: casesHint(name, known)}
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// casesHint names the cases that may be meant.
func casesHint(name string, known []string) string {
	switch { // the other probe's
	case slices.Contains(known, mirror.Control) && slices.Contains(probe.CaseNames(), name):
		return name + " is a case of a server: lab probe URL"
	case !slices.Contains(known, mirror.Control) && slices.Contains(faultNames(mirror.Faults()), name):
		return name + " is a case of a client: lab probe client"
	}
	if nearest := spell.Nearest(name, known); len(nearest) > 0 {
		return "did you mean " + text.Joined(nearest, "or") + "? --cases lists all"
	}
	return "--cases lists the names of all cases"
}

// readAccepted reads --accept, with the names of the cases that are known.
func readAccepted(c *cli.Context, known []string) (probe.Accepted, error) {
	file := c.String("accept")
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	accepted, err := probe.ReadAccepted(f, known)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return accepted, nil
}

// checkProbeFiles refuses files that a probe must not write.
func checkProbeFiles(c *cli.Context) error {
	if c.String("capture") == "-" {
		return &usageError{command: commandName(c), problem: "stdout has the results: --capture takes a FILE here"}
	}
	return checkReports(c)
}

// recordProbe begins the recording, if there is to be one.
func (p *Program) recordProbe(c *cli.Context) (*capture.Writer, error) {
	file := c.String("capture")
	if file == "" || file == "off" {
		return nil, nil
	}
	w, err := capture.Create(file, capture.Options{Notice: p.sayUnwritten})
	if err == nil && w.Kept() != "" {
		p.say("the capture that was there is now %s", w.Kept())
	}
	return w, err
}

// sayRecording closes the recording, and says where it is.
func (p *Program) sayRecording(w *capture.Writer, connections int) {
	if w.Close() == nil && connections > 0 {
		p.say("all connections are in %s, with their keys:\n  lab explain --list %[1]s", commandWord(w.Name()))
	}
}

// sayProxy says that a proxy of the environment is not used.
func (p *Program) sayProxy(target *url.URL) {
	proxy, err := httpproxy.FromEnvironment().ProxyFunc()(target)
	if err == nil && proxy != nil {
		p.say("the environment names a proxy for this server ($HTTPS_PROXY), which is not used: the probe speaks to the server itself")
	}
}

// writeProbe writes the report to the files that are asked for.
func (p *Program) writeProbe(c *cli.Context, r *probe.Report) error {
	if err := checkReports(c); err != nil { // once more: much time has passed
		return err
	}
	var errs []error
	write := func(flag string, encode func(b *buffer) error) {
		if file := c.String(flag); file != "" {
			var b buffer
			err := encode(&b)
			if err == nil {
				err = atomicfile.Write(file, b, 0o600) // the command line in it may have passwords
			}
			errs = append(errs, err)
		}
	}
	write("junit", func(b *buffer) error { return r.WriteJUnit(b) })
	write("sarif", func(b *buffer) error { return r.WriteSARIF(b, version()) })
	return errors.Join(errs...)
}
