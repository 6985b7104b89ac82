package command

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/check"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/verdict"
)

const checkExamples = `lab check client.pem client-key.pem    what they are, and whether they fit
lab check /etc/nginx/tls               a folder
lab check keys.p12 --password-file FILE
lab check --server server.pem server.key clients-ca.pem \
  --client client.pem client.key ca.pem
                                       would the two accept each other?
lab check --server server --client client
                                       certificates of certs.yaml
lab check                              the lab's own, as lab certs verify

FILE is PEM, DER, PKCS#12, a key store of Java, or the YAML of a Kubernetes
Secret. No port is opened. Exit status 1: something would fail, or is unknown.`

// sideFlags are the flags of lab check that take all the words behind them.
var sideFlags = []string{"server", "client", "server-ca", "client-ca"}

func (p *Program) checkCommand() *cli.Command {
	side := func(name, usage string) cli.Flag { return &cli.StringSliceFlag{Name: name, Usage: usage} }
	return &cli.Command{
		Name:        "check",
		Category:    findFault,
		Usage:       "say what certificates and keys are, and what would fail",
		ArgsUsage:   "[NAME|FILE|DIR...]",
		Description: checkExamples,
		Flags: []cli.Flag{
			side("server", "`FILES` of a server: its certificate, its key and the CAs that it trusts"),
			side("client", "`FILES` of a client, likewise: the two shake hands in memory"),
			side("server-ca", "`FILES` of the CAs that servers must have, which the client trusts in place of those in its own"),
			side("client-ca", "`FILES` of the CAs that clients must have, which the server trusts, likewise"),
			&cli.StringFlag{Name: "server-name", DefaultText: "localhost, or the first in its certificate", Usage: "`HOST` that the server's certificate must be for"},
			&cli.StringFlag{Name: "password-file", Usage: "`FILE` of passwords, one a line: each is tried"},
			dirFlag(), jsonFlag(),
		},
		Action:       p.check,
		BashComplete: p.completeNames,
	}
}

func (p *Program) check(c *cli.Context) error {
	isSided := slices.ContainsFunc(append(sideFlags, "server-name"), c.IsSet)
	switch {
	case isSided && c.Args().Present():
		return &usageError{command: commandName(c), problem: fmt.Sprintf("%q belongs to neither side: lab check takes files, or --server FILES and --client FILES", c.Args().First())}
	case isSided && (!c.IsSet("server") || !c.IsSet("client")):
		return &usageError{command: commandName(c), problem: "a handshake has two sides: lab check takes --server FILES and --client FILES"}
	case isSided:
		return p.checkSides(c)
	case !c.Args().Present():
		return p.certsVerify(c)
	}
	passwords, err := passwordsIn(c)
	if err != nil {
		return err
	}
	files, err := p.openFiles(c, c.Args().Slice(), passwords, withKey)
	if err != nil {
		return err
	}
	report := check.Of(files)
	p.printReport(report, c.Bool("json"))
	return p.checked(c, report.Findings(), nil)
}

// openFiles opens what values name.
func (p *Program) openFiles(c *cli.Context, values, passwords []string, also []string) ([]*check.File, error) {
	var files []string
	for _, value := range values {
		of, err := folderOf(c).filesOf(value, also)
		if err != nil {
			return nil, err
		}
		files = append(files, of...)
	}
	return check.Open(files, passwords)
}

// What belongs to a name of certs.yaml besides NAME.pem: to one that is shown,
// and to a CA that is trusted.
var (
	withKey = []string{"-key.pem"}
	withCRL = []string{"-crl.pem"}
)

// filesOf returns the files that a value names: a file or a folder itself; of a
// name of certs.yaml those that are there.
func (f folder) filesOf(value string, also []string) ([]string, error) {
	path := filepath.Join(f.certs(), value)
	_, missing := os.Stat(path + ".pem")
	if certfile.IsFile(value) || missing != nil {
		if _, err := os.Stat(value); err == nil || certfile.IsFile(value) {
			return []string{value}, f.checkDotted(value)
		}
		return nil, &certfile.FileError{File: value, Problem: fmt.Sprintf("is no certificate in %s, and no file and no folder either", f.certs()),
			Next: "lab certs list shows what there is"}
	}
	files := []string{path + ".pem"}
	for _, end := range also {
		if _, err := os.Stat(path + end); err == nil {
			files = append(files, path+end)
		}
	}
	return files, nil
}

// checkSides lets two sides shake hands.
func (p *Program) checkSides(c *cli.Context) error {
	passwords, err := passwordsIn(c)
	if err != nil {
		return err
	}
	var sides endpoint.Pair[*lab.Loaded]
	var findings []check.Finding
	var given check.Given
	var failed error
	var opened endpoint.Pair[sideFiles]
	var all []*check.File
	order := []endpoint.Side{endpoint.Server, endpoint.Client}
	for _, side := range order {
		files := opened.Of(side)
		if *files, err = p.openSide(c, side, passwords); err != nil {
			return err
		}
		all = append(append(all, files.own...), files.authorities...)
	}
	for _, side := range order {
		report, authorities := opened.Of(side).reports(side, all)
		for _, r := range []*check.Report{report, authorities} {
			if r != nil {
				p.printReport(r, c.Bool("json"))
				given = append(given, r)
				findings = append(findings, r.Findings()...)
			}
		}
		loaded, err := report.Side(side, authorities)
		if err != nil && failed == nil {
			failed = err
		}
		*sides.Of(side) = loaded
	}
	if failed != nil {
		p.printFindings(findings, c.Bool("json"))
		if c.Bool("json") {
			p.printSummary(findings, false, true)
		}
		return failed
	}
	name := c.String("server-name")
	if name == "" {
		name = check.ServerName(sides.Server.Certificates[0].Leaf)
	}
	met, err := check.Meet(c.Context, sides.Server, sides.Client, name)
	if err != nil {
		return err
	}
	given.Explain(met, sides, commandWord)
	p.printMeeting(met, sides, name, c.Bool("json"))
	if f, ok := check.Withheld(met, sides); ok {
		findings = append(findings, f)
	}
	if f, ok := crossed(c.Context, met, sides, name); ok {
		findings = append(findings, f)
	}
	return p.checked(c, findings, met)
}

// sideFiles are the files of a side, and those of the CAs that it trusts, nil if
// they are among the former.
type sideFiles struct{ own, authorities []*check.File }

// reports looks at the files of a side beside all that were given.
func (f sideFiles) reports(side endpoint.Side, all []*check.File) (report, authorities *check.Report) {
	if f.authorities != nil {
		authorities = check.Of(f.authorities, all...)
	}
	return check.OfSide(side, f.own, all...), authorities
}

// openSide opens the files of a side.
func (p *Program) openSide(c *cli.Context, side endpoint.Side, passwords []string) (files sideFiles, err error) {
	values, flag, name := c.StringSlice(side.String()), "client-ca", clientCA
	if side == endpoint.Client {
		flag, name = "server-ca", serverCA
	}
	if files.own, err = p.openFiles(c, values, passwords, withKey); err != nil {
		return files, err
	}
	trusts := c.StringSlice(flag)
	if len(trusts) == 0 && !slices.ContainsFunc(values, func(v string) bool { return !folderOf(c).isOwnName(v) }) {
		trusts = []string{name}
	}
	if len(trusts) > 0 {
		files.authorities, err = p.openFiles(c, trusts, passwords, withCRL)
	}
	return files, err
}

// isOwnName reports whether a value is the name of a certificate of the PKI.
func (f folder) isOwnName(value string) bool {
	_, err := os.Stat(filepath.Join(f.certs(), value+".pem"))
	return err == nil && !certfile.IsFile(value)
}

// crossed reports that each side has the CAs that the other should trust, if so
// they accept each other.
func crossed(ctx context.Context, met []check.Handshake, sides endpoint.Pair[*lab.Loaded], name string) (f check.Finding, ok bool) {
	if met[0].Exchange.Code != chain.UnknownCA {
		return f, false
	}
	server, client := *sides.Server, *sides.Client
	if slices.ContainsFunc(server.CAs, func(ca *x509.Certificate) bool { return slices.ContainsFunc(client.CAs, ca.Equal) }) {
		return f, false // it is the rest that makes the difference, such as an intermediate CA
	}
	server.CAs, client.CAs = client.CAs, server.CAs
	other, err := check.Meet(ctx, &server, &client, name)
	if err != nil || isRefused(other) {
		return f, false
	}
	return check.Finding{Level: check.Wrong, Rule: "crossed_authorities",
		Text: "each side has the CAs that the other one should trust: exchanged, the two accept each other",
		Fix:  "the server trusts the CA of the clients (--client-ca), the client that of the server (--server-ca)"}, true
}

// isRefused reports whether one of the handshakes failed.
func isRefused(met []check.Handshake) bool {
	return slices.ContainsFunc(met, func(h check.Handshake) bool {
		return h.Exchange.Outcome != verdict.Accepted || h.Exchange.IsDenied()
	})
}

// checked writes what was found, and returns the error of something that would
// fail.
func (p *Program) checked(c *cli.Context, findings []check.Finding, met []check.Handshake) error {
	ok := !check.Fails(findings) && !isRefused(met) && countOf(findings, check.Unknown) == 0
	p.printFindings(findings, c.Bool("json"))
	p.printSummary(findings, ok, c.Bool("json"))
	if !ok {
		return silentError{}
	}
	return nil
}
