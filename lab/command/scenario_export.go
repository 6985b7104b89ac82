package command

import (
	"path/filepath"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/text"
)

const scenarioExportExamples = `lab scenario export expired-client wrong-host --pki testdata/tls
lab scenario export --all --pki testdata/tls
                               certificates for your own tests, and a list of
                               what each must give, cases.json
lab scenario export --all --pki bad --ca ca.pem --ca-key ca.key
                               under your own CA
lab scenario export --all --html site
                               every lesson as a page, for any web server`

func (p *Program) scenarioExportCommand() *cli.Command {
	return &cli.Command{
		Name:        "export",
		Usage:       "write scenarios as certificates, for tests of other programs, or as pages",
		ArgsUsage:   "NAME|FILE...",
		Description: scenarioExportExamples,
		Flags: []cli.Flag{dirFlag(),
			&cli.StringFlag{Name: "pki", Usage: "`DIR` to write, which must be empty or not be there"},
			&cli.StringFlag{Name: "html", Usage: "`DIR` for a page of each scenario, in both versions, likewise"},
			&cli.BoolFlag{Name: "all", Usage: "every scenario whose fault is in its certificates, and the good ones"},
			&cli.StringFlag{Name: "ca", DefaultText: "two new ones, for servers and clients", Usage: "`NAME|FILE` of the CA that issues"},
			&cli.StringFlag{Name: "ca-key", DefaultText: "in the FILE of --ca, or beside it", Usage: "`NAME|FILE` of its private key"},
			passwordFileFlag(),
			&cli.StringSliceFlag{Name: "host", Usage: "another `NAME` for the servers besides localhost; may be repeated"},
		},
		Action:       p.scenarioExport,
		BashComplete: p.completeScenarios,
	}
}

func (p *Program) scenarioExport(c *cli.Context) error {
	if (c.String("pki") == "") == (c.String("html") == "") {
		return &usageError{command: commandName(c), problem: "lab scenario export takes --pki DIR, for certificates, or --html DIR, for pages: where to write"}
	}
	chosen, err := chosenScenarios(c)
	if err != nil {
		return err
	}
	if c.String("html") != "" {
		return p.gallery(c, chosen)
	}
	if c.Bool("all") {
		all := chosen
		chosen = nil
		for _, s := range all {
			if s.IsInCertificates() {
				chosen = append(chosen, s)
			}
		}
	}
	o := scenario.ExportOptions{Manifest: p.Manifest, Hosts: c.StringSlice("host")}
	if c.String("ca") == "" && c.String("ca-key") != "" {
		return &usageError{command: commandName(c), problem: "--ca-key needs a --ca that it is the key of"}
	}
	if c.String("ca") != "" {
		password, err := passwordIn(c)
		if err != nil {
			return err
		}
		if o.CA, err = folderOf(c).authority(c, password); err != nil {
			return err
		}
	}
	dir := c.String("pki")
	if err := scenario.Export(c.Context, chosen, dir, o); err != nil {
		return err
	}
	p.say("wrote the certificates of %s to %s; what each must give is in %s", text.Counted(len(chosen), "scenario"), dir, filepath.Join(dir, scenario.ExportList))
	return nil
}
