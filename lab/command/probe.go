package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/probe"
	"mtlslab.example/lab/lab/starttls"
	"mtlslab.example/lab/lab/text"
)

const probeExamples = `lab probe localhost:8443                 the lab's own server, or yours with
                                         the lab's certificates
lab probe https://api.test/ --ca ca.pem --cert me.pem --key me.key
                                         with your own good certificate
lab probe https://api.test/ --ca ca.pem --cert me.pem --key me.key \
  --client-ca clients.pem --client-ca-key clients.key
                                         and bad ones of your own CA
lab probe api.test:443 --junit probe.xml --accept known.txt

Every bad client certificate of lab scenario list is shown to a server, which
must refuse it. The server must answer HTTP, or a protocol of --starttls: let
in is who is answered. Exit status: 0 all is as it must be, 1 something was
let in that must not be, 2 wrong usage, 3 the target could not be judged.

Rows: ok as it must be; ALARM let in, and must not be; note policies differ;
known the file of --accept has it; ? cannot be told; - not tried.`

func (p *Program) probeCommand() *cli.Command {
	return &cli.Command{
		Name:        "probe",
		Category:    takeElsewhere,
		Usage:       "turn the lessons on your own server or client",
		ArgsUsage:   "URL|HOST:PORT",
		Description: probeExamples,
		Subcommands: []*cli.Command{p.probeServerCommand(), p.probeClientCommand()},
	}
}

func (p *Program) probeServerCommand() *cli.Command {
	return &cli.Command{
		Name:        "server",
		Usage:       "the same as lab probe",
		ArgsUsage:   "URL|HOST:PORT",
		Description: probeExamples,
		Flags: append([]cli.Flag{
			caFlag("ca", serverCA, "that the server must have"),
			certFlag("cert", clientName, "that must be let in"), keyFlag("key", "cert"), passwordFileFlag(),
			&cli.StringFlag{Name: "client-ca", DefaultText: clientCA + " beside " + clientName, Usage: "`NAME|FILE` of the CA that the server lets in clients of"},
			&cli.StringFlag{Name: "client-ca-key", DefaultText: "in the FILE of --client-ca, or beside it", Usage: "`NAME|FILE` of its private key, to make bad certificates with, in memory"},
			&cli.StringFlag{Name: "revoked", Usage: "`CERT,KEY` that are revoked in a CRL which the server has, or a NAME"},
			&cli.StringFlag{Name: "revoke", Usage: "`COMMAND` for the shell that revokes the pair of --revoked, which is good until then"},
			&cli.StringSliceFlag{Name: "host", Usage: "`HOST` besides the URL's that wants a certificate, on the same server"},
			&cli.StringFlag{Name: "identity-header", Usage: "`NAME` of a header by which the application knows its clients"},
			&cli.StringFlag{Name: "server-name", Usage: "`HOST` that the server's certificate must be for (default: the URL's)"},
			&cli.StringFlag{Name: "addr", Usage: "connect to `HOST:PORT` in place of the URL's"},
			starttlsFlag(false), proxyFlag(),
			&cli.IntFlag{Name: "concurrency", Value: 4, Usage: "`N` connections at a time"},
			&cli.DurationFlag{Name: "timeout", Value: 5 * time.Second, Usage: "`TIME` for a handshake, and for an answer"},
			&cli.Float64Flag{Name: "rate", DefaultText: "any", Usage: "at most `N` connections a second"},
		}, probeFlags()...),
		Action: func(c *cli.Context) error {
			if c.Bool("cases") {
				return p.listCases(probe.Catalogue())
			}
			return p.unprobed(p.probeServer(c))
		},
	}
}

func (p *Program) probeServer(c *cli.Context) error {
	o, err := p.probeOptions(c)
	if err != nil {
		return err
	}
	p.sayUnusedProxy("lab probe", o.Target.URL)
	made := 0 // connections
	recording, err := p.recordProbe(c)
	if err != nil {
		return err
	}
	if recording != nil {
		defer func() { p.sayRecording(recording, made) }()
		o.Capture = recording
	}
	printer := &probePrinter{Program: p, asJSON: c.Bool("json")}
	printer.start(o)
	p.sayProxy(o.Target.URL)
	defer printer.bar.stop()
	report, err := probe.Server(c.Context, *o)
	made = report.Connections
	printer.bar.stop()
	if c.Context.Err() != nil {
		p.say("stopped after %s", text.Counted(report.Connections, "connection"))
		return programStatus(probe.ExitUnknown)
	}
	if err != nil {
		return err
	}
	if err := p.writeProbe(c, report); err != nil {
		return err
	}
	printer.summary(report, o.Accepted)
	return probeStatus(report)
}

// unprobedError is why there is no judgement, or none that could be written: exit
// status 1 is kept for what was let in.
type unprobedError struct{ error }

func (e unprobedError) Unwrap() error { return e.error }

// unprobed returns the error of a probe: all but its own are unprobedErrors.
// Results that could not be written are no judgement either, and status says
// why.
func (p *Program) unprobed(err error) error {
	switch _, unwritable, failed := p.unwritten(); {
	case failed && unwritable != nil:
		return programStatus(probe.ExitUnknown)
	case failed: // the reader has gone
		return nil
	case err == nil || errors.As(err, new(programStatus)) || errors.As(err, new(*probeError)):
		return err
	}
	return unprobedError{err}
}

// probeError is why a target could not be judged.
type probeError struct{ report *probe.Report }

func (e *probeError) Error() string { return e.report.Error }

func (e *probeError) hint() string {
	if e.report.Dial != nil {
		return dialHint(e.report.Dial)
	}
	return e.report.Hint
}

// probeExit is the exit status of a probe that has ended early: what it has found
// until then counts for more.
func probeExit(e *probeError) int { return e.report.Exit() }

// probeStatus returns the error for what a probe came to, nil if all is right.
func probeStatus(r *probe.Report) error {
	switch status := r.Exit(); {
	case r.Error != "":
		return &probeError{r}
	case status != probe.ExitRight:
		return programStatus(status)
	}
	return nil
}

// probeOptions reads the flags.
func (p *Program) probeOptions(c *cli.Context) (*probe.ServerOptions, error) {
	o := &probe.ServerOptions{IdentityHeader: c.String("identity-header"), Hosts: c.StringSlice("host"), Concurrency: c.Int("concurrency"), Timeout: c.Duration("timeout"), Rate: c.Float64("rate")}
	wrong := func(format string, args ...any) error {
		return &usageError{command: commandName(c), problem: fmt.Sprintf(format, args...)}
	}
	switch {
	case o.Concurrency < 1 || o.Concurrency > 64:
		return nil, wrong("--concurrency is %d, and must be from 1 to 64", o.Concurrency)
	case o.Timeout <= 0:
		return nil, wrong("--timeout is %v, and must be more than 0", o.Timeout)
	case o.Rate < 0 || o.Rate > 0 && o.Rate < probe.MinRate || math.IsNaN(o.Rate):
		return nil, wrong("--rate is %v, and must be %v or more, or 0 for any", o.Rate, probe.MinRate)
	}
	if command := c.String("revoke"); command != "" {
		if !c.IsSet("revoked") {
			return nil, wrong("--revoke needs a --revoked that it revokes")
		}
		o.Revoke = func(ctx context.Context) error { return p.runShell(ctx, command) }
	}
	version, err := tlsVersion(c)
	if err != nil {
		return nil, err
	}
	if version != 0 {
		o.Versions = []uint16{version}
	}
	if o.Only, o.Skip, err = chosenCases(c, probe.CaseNames()); err != nil {
		return nil, err
	}
	protocol, err := starttlsOf(c, false, c.Args().First())
	if err != nil {
		return nil, err
	}
	user := ""
	if o.Target, user, err = probeTarget(c, protocol); err != nil {
		return nil, err
	}
	if o.Accepted, err = readAccepted(c, probe.CaseNames()); err != nil {
		return nil, err
	}
	if err := checkProbeFiles(c); err != nil {
		return nil, err
	}
	if err := p.probeCredentials(c, o); err != nil {
		return nil, err
	}
	if protocol != nil {
		o.Target.StartTLS(protocol, starttls.Session{Host: o.Target.URL.Hostname(), User: cmp.Or(user, o.Good.Leaf.Subject.CommonName)})
	}
	o.Target.Begin, err = proxyHeader(c, o.Target.Begin)
	return o, err
}

// runShell runs a command of the user's. What it prints is talk.
func (p *Program) runShell(ctx context.Context, command string) error {
	shell := []string{"sh", "-c", command}
	if runtime.GOOS == "windows" {
		shell = []string{"cmd", "/c", command}
	}
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = p.Stderr, p.Stderr, time.Second
	return cmd.Run()
}

// probeTarget reads which server to probe, and who logs in there.
func probeTarget(c *cli.Context, protocol *starttls.Protocol) (t probe.Target, user string, err error) {
	if c.NArg() != 1 {
		return t, "", &usageError{command: commandName(c), problem: fmt.Sprintf("lab probe takes one URL or HOST:PORT, and there are %d", c.NArg())}
	}
	given := c.Args().First()
	if !strings.Contains(given, "://") {
		if _, _, err := net.SplitHostPort(given); err != nil {
			wrong := &usageError{command: commandName(c), problem: fmt.Sprintf("the server is %q, and must be like https://localhost:8443/ or localhost:8443", given)}
			if strings.Count(given, ":") > 1 {
				wrong.hint = "an address of IPv6 stands in brackets: [::1]:8443"
			}
			return t, "", wrong
		}
		given = "https://" + given + "/"
	}
	given, user = starttlsURL(protocol, given)
	t = probe.Target{Addr: c.String("addr"), ServerName: c.String("server-name")}
	if c.IsSet("addr") {
		if err := checkAddr(c); err != nil {
			return t, "", err
		}
	}
	if t.URL, err = httpsURL(c, "the server", given); err == nil {
		t.URL.User, t.URL.Fragment = nil, ""
	}
	return t, user, err
}
