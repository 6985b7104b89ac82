package command

import (
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
		Flags: slices.Concat([]cli.Flag{
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
		}, probeReportFlags()),
		Action: p.probeClient,
	}
}

func (p *Program) probeClient(c *cli.Context) error {
	faults, err := chosenFaults(c)
	if err != nil {
		return err
	}
	o := mirror.Options{Manifest: p.Manifest, Faults: faults, Host: c.String("host"), Addr: c.String("addr")}
	if o.Version, err = tlsVersion(c); err != nil {
		return err
	}
	command := &mirror.Command{Args: c.Args().Slice(), Timeout: c.Duration("timeout"), Parallel: c.Int("concurrency")}
	if err := checkProbeClient(c, command); err != nil {
		return err
	}
	if o.Addr == "" {
		o.Addr = map[bool]string{true: "127.0.0.1:0", false: "127.0.0.1:8443"}[len(command.Args) > 0]
	}
	target := strings.Join(command.Args, " ")
	if target == "" {
		target = "any client"
	}
	report, err := p.newProbeReport(c, "client", target, faultNames(faults))
	if err != nil {
		return err
	}
	report.holes = func(findings []*probe.Finding) []mirror.Hole { return mirror.Holes(faults, findings) }
	if !namesFiles(c) {
		if err := p.preparePKIOnce(c.Context, folderOf(c)); err != nil {
			return err
		}
	}
	if o.CA, command.Files, err = probeClientFiles(c, command); err != nil {
		return err
	}
	recording, err := p.recordProbe(c)
	if err != nil {
		return err
	}
	if recording != nil {
		defer recording.Close()
		o.Sinks = append(o.Sinks, recording)
	}
	if len(command.Args) > 0 {
		return p.probeCommandLine(c, command, o, report)
	}
	return p.serveFaults(c, o, report)
}

// chosenFaults returns the faults that --only and --skip leave, behind the
// control.
func chosenFaults(c *cli.Context) ([]*mirror.Fault, error) {
	all, err := mirror.Faults()
	if err != nil {
		return nil, err
	}
	names, err := chosenCases(c, faultNames(all))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(f *mirror.Fault) bool { return !f.IsControl() && !slices.Contains(names, f.Name) }), nil
}

func faultNames(faults []*mirror.Fault) (names []string) {
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
		return nil
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

// probeCommandLine calls a command for each fault.
func (p *Program) probeCommandLine(c *cli.Context, command *mirror.Command, o mirror.Options, report *probeReport) error {
	o.Visit = func(*mirror.Visit) { report.Connections++ }
	s, err := mirror.New(c.Context, o)
	if err != nil {
		return err
	}
	if command.Uses("{crl}") {
		remove, err := writeCRL(s, command)
		if err != nil {
			return err
		}
		defer remove()
	}
	if !report.json {
		p.say("%s is called %s, once for each server", command.Args[0], text.Counted(len(o.Faults), "time"))
	}
	ctx, stop := context.WithCancel(c.Context)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	err = command.Try(c.Context, s, func(f *probe.Finding) { report.add(f) })
	stop()
	serving := <-ended
	var control *mirror.ControlError
	var start *mirror.StartError
	switch {
	case c.Context.Err() != nil:
		return silentError{}
	case errors.As(err, &start):
		return &startError{start.Program, start.Err}
	case errors.As(err, &control):
		report.add(control.Finding)
		report.Error = err.Error()
		if report.Hint = "look at what it printed"; !command.Uses("{ca}") {
			report.Hint = "have it trust the CA in {ca}, as in curl --cacert {ca} {url}"
		}
		p.printError(&probeError{err, report.Hint})
		p.sayPrinted(control.Output)
	case err != nil || serving != nil:
		return errors.Join(err, serving)
	}
	return report.finish()
}

// probeError is why a target cannot be judged.
type probeError struct {
	error
	next string // what to do about it
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

// serveFaults serves the faults to clients that come by themselves.
func (p *Program) serveFaults(c *cli.Context, o mirror.Options, report *probeReport) error {
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	report.table.Peers = true
	left := c.Int("count")
	o.Visit = func(v *mirror.Visit) {
		report.Connections++
		report.add(v.Finding())
		if left--; left == 0 {
			stop()
		}
	}
	s, err := mirror.New(ctx, o)
	if err != nil {
		return err
	}
	first, last := s.Listeners[0], s.Listeners[len(s.Listeners)-1]
	p.say("%s and ports %d to %d: an index, and %s with a fault each, %s; clients trust %s", first.URL, first.Addr.Port()+1, last.Addr.Port(),
		text.Counted(len(s.Listeners)-1, "server"), untilConnections(c.Int("count")), folderOf(c).file(c.String("ca"), ".pem"))
	p.say("the list for programs is %sfaults.json", first.URL)
	if err := s.Serve(ctx); err != nil {
		return err
	}
	if report.Connections == 0 {
		report.Error = "nobody called"
		p.printError(errors.New(report.Error))
		return report.finish()
	}
	report.sum(s.Listeners)
	return report.finish()
}

func untilConnections(count int) string {
	if count == 0 {
		return "until Ctrl-C"
	}
	return "until there were " + text.Counted(count, "connection")
}

// sum prints what clients made of each server, after the lines of their
// connections.
func (r *probeReport) sum(listeners []*mirror.Listener) {
	if !r.json {
		r.stdout().Line("")
		r.table.Head()
	}
	for _, l := range listeners {
		rows := r.of(l.Name)
		if len(rows) == 0 {
			rows = []*probe.Finding{l.NotTried("nobody called")}
			r.Findings = append(r.Findings, rows...)
		}
		if !r.json {
			r.table.Row(rows...)
		}
	}
}

// of returns the findings of a case, one of those that say the same.
func (r *probeReport) of(name string) (rows []*probe.Finding) {
	type told struct{ tls, words, peer, certificate string }
	seen := map[told]bool{}
	for _, f := range r.Findings {
		if key := (told{f.TLS, f.Words(), f.Peer, f.Certificate}); f.Case == name && !seen[key] {
			seen[key] = true
			rows = append(rows, f)
		}
	}
	return rows
}
