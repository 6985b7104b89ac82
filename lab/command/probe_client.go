package command

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/capture"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/private"
	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/probe/mirror"
	"mtlslab.example/lab/lab/text"
)

const probeClientExamples = `lab probe client -- curl --cacert {ca} {url}
                               is curl fooled by any fault of a server?
lab probe client -- ./call.py --host {host} --port {port} --ca {ca} \
  --cert {cert} --key {key}    your own client
lab probe client --only wrong-host --json -- java -cp . Call {url}
lab probe client               serve them all to any client, until Ctrl-C`

func (p *Program) probeClientCommand() *cli.Command {
	return &cli.Command{
		Name:        "client",
		Usage:       "serve every fault of a server to a client, and see which it accepts",
		ArgsUsage:   "[-- COMMAND [ARGUMENT...]]",
		Description: probeClientExamples,
		Flags: []cli.Flag{
			dirFlag(),
			caFlag("ca", serverCA, "that the client trusts: it issues the certificates, in memory"),
			&cli.StringFlag{Name: "ca-key", DefaultText: "in the FILE of --ca, or beside it", Usage: "`FILE` of its private key"},
			certFlag("cert", clientName, "for {cert}"), keyFlag("key", "cert"), passwordFileFlag(),
			&cli.StringFlag{Name: "addr", DefaultText: "127.0.0.1:8443; any port with a COMMAND", Usage: "`HOST:PORT` of the good server; the others have the ports behind it"},
			&cli.StringFlag{Name: "host", Value: "localhost", Usage: "host `NAME` by which the client calls"},
			&cli.StringFlag{Name: "tls", Usage: "only TLS `VERSION` 1.2 or 1.3 (default: both)"},
			&cli.IntFlag{Name: "count", Usage: "without a COMMAND: end after `N` connections; 0: only with Ctrl-C"},
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "`TIME` that a call of the COMMAND may take"},
			&cli.IntFlag{Name: "concurrency", Value: min(4, 2*runtime.NumCPU()), Usage: "`N` calls of the COMMAND at once"},
			&cli.StringFlag{Name: "capture", DefaultText: "off", Usage: "record the connections, decrypted, to `FILE`"},
			&cli.StringSliceFlag{Name: "only", Usage: "try only these `CASES`"},
			&cli.StringSliceFlag{Name: "skip", Usage: "leave out these `CASES`"},
			&cli.StringFlag{Name: "accept", Usage: "`FILE` of findings that are known, a case a line: they do not fail"},
			&cli.StringFlag{Name: "junit", Usage: "write JUnit XML to `FILE`"},
			&cli.StringFlag{Name: "sarif", Usage: "write SARIF to `FILE`"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error { return p.unprobed(p.probeClient(c)) },
	}
}

// clientProbe is a probe of a client that is under way.
type clientProbe struct {
	probePrinter
	report   *probe.Report
	accepted probe.Accepted
	command  *mirror.Command
	options  mirror.Options
	told     map[told]bool // of clients that come by themselves
}

func (p *Program) probeClient(c *cli.Context) error {
	r, err := p.newClientProbe(c)
	if err != nil {
		return err
	}
	if !namesFiles(c) {
		if err := p.preparePKIOnce(c.Context, folderOf(c)); err != nil {
			return err
		}
	}
	if r.options.CA, r.command.Files, err = probeClientFiles(c, r.command); err != nil {
		return err
	}
	recording, err := p.recordProbe(c)
	if err != nil {
		return err
	}
	if recording != nil {
		defer recording.Close()
		r.options.Sinks = append(r.options.Sinks, recording)
	}
	if len(r.command.Args) > 0 {
		err = r.call(c)
	} else {
		err = r.serve(c)
	}
	if err != nil {
		return err
	}
	r.report.DurationMS = float64(time.Since(r.report.Time).Microseconds()) / 1000
	if err := p.writeProbe(c, r.report); err != nil {
		return err
	}
	r.summary(r.report, r.accepted)
	return probeStatus(r.report)
}

// newClientProbe reads the flags.
func (p *Program) newClientProbe(c *cli.Context) (*clientProbe, error) {
	faults, err := chosenFaults(c)
	if err != nil {
		return nil, err
	}
	r := &clientProbe{probePrinter: probePrinter{Program: p, asJSON: c.Bool("json"), table: probe.Table{Printer: p.stdout()}}}
	for _, f := range faults {
		r.table.Names = max(r.table.Names, len(f.Name))
	}
	r.holes = func(findings []*probe.Finding) []mirror.Hole { return mirror.Holes(faults, findings) }
	r.command = &mirror.Command{Args: c.Args().Slice(), Timeout: c.Duration("timeout"), Parallel: c.Int("concurrency")}
	if err := checkProbeClient(c, r.command); err != nil {
		return nil, err
	}
	r.options = mirror.Options{Manifest: p.Manifest, Faults: faults, Host: c.String("host"), Addr: c.String("addr")}
	if r.options.Version, err = tlsVersion(c); err != nil {
		return nil, err
	}
	r.report = &probe.Report{Probe: "client", Target: strings.Join(r.command.Args, " "), Time: time.Now().UTC()}
	if c.IsSet("only") && len(r.command.Args) > 0 {
		for _, f := range faults {
			r.report.Only = append(r.report.Only, f.Name)
		}
	}
	switch has := len(r.command.Args) > 0; {
	case has && r.options.Addr == "":
		r.options.Addr = "127.0.0.1:0"
	case !has:
		r.report.Target = "any client"
		r.options.Addr = cmp.Or(r.options.Addr, os.Getenv("LAB_ADDR"), "127.0.0.1:8443")
	}
	r.accepted, err = readAccepted(c, faultNames(mirror.Faults()))
	return r, err
}

// add prints a finding, and adds it to the report.
func (r *clientProbe) add(f *probe.Finding) {
	r.accepted.Mark(f)
	r.report.Findings = append(r.report.Findings, f)
	r.row(f)
}

// chosenFaults returns the faults that --only and --skip leave, behind the
// control.
func chosenFaults(c *cli.Context) ([]*mirror.Fault, error) {
	all, err := mirror.Faults()
	if err != nil {
		return nil, err
	}
	names := faultNames(all, nil)
	only, err := caseNames(c, "only", names)
	if err != nil {
		return nil, err
	}
	skip, err := caseNames(c, "skip", names)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(f *mirror.Fault) bool {
		return !f.IsControl() && (len(only) > 0 && !slices.Contains(only, f.Name) || slices.Contains(skip, f.Name))
	}), nil
}

// faultNames returns the names of faults; after an error none.
func faultNames(faults []*mirror.Fault, _ error) (names []string) {
	for _, f := range faults {
		names = append(names, f.Name)
	}
	return names
}

// checkProbeClient refuses flags and a command that make no sense.
func checkProbeClient(c *cli.Context, command *mirror.Command) error {
	problem, hint := "", ""
	switch has := len(command.Args) > 0; {
	case has && !slices.ContainsFunc(mirror.Where, command.Uses):
		problem = "the COMMAND has none of {url}, {host} and {port}: it would call the same server each time"
		hint = "lab probe client -- curl --cacert {ca} {url}"
	case has && c.IsSet("count"):
		problem = "--count is for clients that come by themselves: leave it out, or the COMMAND"
	case command.Timeout <= 0:
		problem = fmt.Sprintf("--timeout is %v, and must be more than 0", command.Timeout)
	case command.Parallel <= 0:
		problem = fmt.Sprintf("--concurrency is %d, and must be 1 or more", command.Parallel)
	case c.Int("count") < 0:
		problem = fmt.Sprintf("--count is %d, and must be 0 or more", c.Int("count"))
	case c.IsSet("addr") && addrProblem(c.String("addr"), "127.0.0.1:8443") != "":
		problem = fmt.Sprintf("--addr is %q, and %s", c.String("addr"), addrProblem(c.String("addr"), "127.0.0.1:8443"))
	case c.String("capture") == "-":
		problem = "stdout has the results: --capture takes a FILE here"
	}
	if problem == "" {
		return checkReports(c)
	}
	return &usageError{command: commandName(c), problem: problem, hint: hint}
}

// probeClientFiles loads the CA, and returns the values of {ca}, {cert} and
// {key}.
func probeClientFiles(c *cli.Context, command *mirror.Command) (ca tls.Certificate, files map[string]string, err error) {
	f := folderOf(c)
	password, err := passwordIn(c)
	if err != nil {
		return ca, nil, err
	}
	files = map[string]string{"ca": f.file(c.String("ca"), ".pem"), "cert": f.file(c.String("cert"), ".pem")}
	if ca, err = f.authority(c, password); err != nil {
		return ca, nil, err
	}
	files["key"] = f.file(c.String("key"), "-key.pem")
	if c.String("key") == "" {
		files["key"] = f.file(c.String("cert"), "-key.pem")
		if certfile.IsFile(c.String("cert")) && command.Uses("{key}") {
			if files["key"], err = certfile.KeyFile(c.String("cert"), password); err != nil {
				return ca, nil, err
			}
		}
	}
	for name, file := range files {
		if !command.Uses("{" + name + "}") {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			return ca, nil, err
		}
		if files[name], err = filepath.Abs(file); err != nil {
			return ca, nil, err
		}
	}
	return ca, files, nil
}

// authority loads the CA of --ca, with the key of --ca-key or else the one
// beside it.
func (f folder) authority(c *cli.Context, password string) (ca tls.Certificate, err error) {
	name, key := c.String("ca"), c.String("ca-key")
	switch {
	case certfile.IsFile(name) && key == "":
		if key, err = certfile.KeyFile(name, password); err != nil {
			return ca, err
		}
		fallthrough
	case key != "":
		ca, err = certfile.LoadPair(f.file(name, ".pem"), f.file(key, "-key.pem"), password)
	default:
		ca, err = certgen.Load(f.certs(), name)
	}
	if err == nil && !ca.Leaf.IsCA {
		return ca, &certgen.NoAnchorError{Name: name, Issuer: ca.Leaf.Issuer.String()}
	}
	return ca, err
}

// recordProbe begins the recording, if there is to be one.
func (p *Program) recordProbe(c *cli.Context) (*capture.Writer, error) {
	file := c.String("capture")
	if file == "" || file == "off" {
		return nil, nil
	}
	w, err := capture.Create(file, capture.Options{Notice: func(err error) { p.say("%v", err) }})
	if err == nil && w.Kept() != "" {
		p.say("the capture that was there is now %s", w.Kept())
	}
	return w, err
}

// call calls the command for each fault.
func (r *clientProbe) call(c *cli.Context) error {
	o := r.options
	o.Visit = func(*mirror.Visit) { r.report.Connections++ }
	s, err := mirror.New(c.Context, o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	if r.command.Uses("{crl}") {
		remove, err := writeCRL(s, r.command)
		if err != nil {
			stop()
			return errors.Join(err, <-ended)
		}
		defer remove()
	}
	r.say("%s is called %s, once for each server", r.command.Args[0], text.Counted(len(o.Faults), "time"))
	err = r.command.Try(c.Context, s, r.add)
	stop()
	serving := <-ended
	var control *mirror.ControlError
	var start *mirror.StartError
	switch {
	case c.Context.Err() != nil:
		return programStatus(probe.ExitUnknown)
	case errors.As(err, &start):
		return &startError{start.Program, start.Err}
	case errors.As(err, &control):
		r.add(control.Finding)
		r.report.Error, r.report.Hint = err.Error(), "run it by hand, against lab server"
		if !r.command.Uses("{ca}") {
			r.report.Hint = "have it trust the CA in {ca}, as in curl --cacert {ca} {url}"
		}
		r.sayPrinted(control.Output)
		return serving
	}
	return errors.Join(err, serving)
}

// sayPrinted shows the end of what a command printed.
func (p *Program) sayPrinted(output string) {
	lines := slices.DeleteFunc(p.charset.Lines(output), func(line string) bool { return strings.TrimSpace(line) == "" })
	const few = 5
	for _, line := range lines[max(len(lines)-few, 0):] {
		p.say("it printed: %s", line)
	}
}

// writeCRL writes the CRL for {crl}, which remove removes.
func writeCRL(s *mirror.Server, command *mirror.Command) (remove func(), err error) {
	if s.CRL == nil {
		return nil, errors.New("there is no CRL for {crl}: revoked-server is left out, or the CA may sign no CRLs")
	}
	dir, err := private.MkdirTemp("", "probe")
	if err != nil {
		return nil, err
	}
	remove = func() { _ = dir.Remove() }
	file := filepath.Join(dir.Path, "crl.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: s.CRL}), 0o600); err != nil {
		remove()
		return nil, err
	}
	command.Files["crl"] = file
	return remove, nil
}

// serve serves the faults to clients that come by themselves.
func (r *clientProbe) serve(c *cli.Context) error {
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	r.table.Peers, r.told = true, map[told]bool{}
	o, count := r.options, c.Int("count")
	o.Lifetime = 30 * 24 * time.Hour // as long as it may well be left running
	o.Visit = func(v *mirror.Visit) {
		if count > 0 && r.report.Connections == count {
			return // one that was under way when the last had ended
		}
		r.report.Connections++
		r.addNew(v.Finding())
		if r.report.Connections == count {
			stop()
		}
	}
	s, err := mirror.New(ctx, o)
	if err != nil {
		return err
	}
	first, last := s.Listeners[0], s.Listeners[len(s.Listeners)-1]
	until := "until Ctrl-C"
	if count > 0 {
		until = "until there were " + text.Counted(count, "connection")
	}
	r.say("%s has an index, and faults.json for programs; each port from %d to %d has a fault, %s", first.URL, first.Addr.Port()+1, last.Addr.Port(), until)
	r.say("clients trust %s", folderOf(c).file(c.String("ca"), ".pem"))
	if err := s.Serve(ctx); err != nil {
		return err
	}
	if r.report.Connections == 0 {
		r.report.Error, r.report.Hint = "nobody called", "open "+first.URL+" in a browser, or give a COMMAND to call"
		return nil
	}
	r.sum(s.Listeners)
	return nil
}

// sum prints what clients made of each server, after the lines of their
// connections.
func (r *clientProbe) sum(listeners []*mirror.Listener) {
	if !r.asJSON {
		r.stdout().Line()
		r.table.Head()
	}
	for _, l := range listeners {
		rows := r.of(l.Name)
		switch {
		case len(rows) == 0:
			r.report.Findings = append(r.report.Findings, l.NotTried("nobody called"))
		case !r.asJSON:
			r.table.Row(rows...)
		}
	}
}

// of returns the findings of a case.
func (r *clientProbe) of(name string) (rows []*probe.Finding) {
	for _, f := range r.report.Findings {
		if f.Case == name {
			rows = append(rows, f)
		}
	}
	return rows
}

// mostKept is how many findings are kept of clients that come by themselves.
const mostKept = 10_000

// addNew prints a finding, and adds it to the report unless that has one that says
// the same.
func (r *clientProbe) addNew(f *probe.Finding) {
	said := told{f.Case, f.TLS, f.Words(), f.Peer, f.Certificate}
	if r.told[said] || len(r.told) == mostKept {
		r.accepted.Mark(f)
		r.row(f)
		return
	}
	r.told[said] = true
	r.add(f)
}

// told is what a finding says of a client.
type told struct{ name, tls, words, peer, certificate string }
