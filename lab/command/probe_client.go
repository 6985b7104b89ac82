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
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/dn"
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
		Flags: append([]cli.Flag{
			caFlag("ca", serverCA, "that the client trusts: it issues the certificates, in memory"),
			&cli.StringFlag{Name: "ca-key", DefaultText: "in the FILE of --ca, or beside it", Usage: "`FILE` of its private key"},
			certFlag("cert", clientName, "for {cert}"), keyFlag("key", "cert"), passwordFileFlag(),
			&cli.StringFlag{Name: "addr", DefaultText: "127.0.0.1:8443; any port with a COMMAND", Usage: "`HOST:PORT` of the good server; the others have the ports behind it"},
			&cli.StringFlag{Name: "host", Value: "localhost", Usage: "host `NAME` by which the client calls"},
			&cli.IntFlag{Name: "count", Usage: "without a COMMAND: end after `N` connections; 0: only with Ctrl-C"},
			&cli.DurationFlag{Name: "timeout", Value: 30 * time.Second, Usage: "`TIME` that a call of the COMMAND may take"},
			&cli.IntFlag{Name: "concurrency", Value: min(4, 2*runtime.NumCPU()), Usage: "`N` calls of the COMMAND at once"},
		}, probeFlags()...),
		Action: func(c *cli.Context) error {
			if c.Bool("cases") {
				return p.listFaults()
			}
			return p.unprobed(p.probeClient(c))
		},
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
		defer func() { p.sayRecording(recording, r.report.Connections) }()
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
	r.report.DurationMS = text.Milliseconds(time.Since(r.report.Time))
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
	only, skip, err := chosenCases(c, faultNames(all, nil))
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
	case has && command.Misspelt() != "":
		problem = fmt.Sprintf("the COMMAND has %s, which stands for nothing", command.Misspelt())
		hint = "what is replaced: " + text.Joined(mirror.Placeholders, "and")
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
	}
	if problem == "" {
		return checkProbeFiles(c)
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
		return ca, &certgen.NoAnchorError{Name: name, Issuer: dn.Issuer(ca.Leaf)}
	}
	return ca, err
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
		return &startError{"lab probe client", start.Program, start.Err}
	case errors.As(err, &control):
		r.add(control.Finding)
		r.report.Error, r.report.Hint = err.Error(), "run it by hand, against lab server"
		switch {
		case control.Finding.Exchange == 0: // it never came as far
			r.report.Hint += ": does it start, and call what {url}, {host} and {port} name?"
		case !r.command.Uses("{ca}"):
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
	const few = 8
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
