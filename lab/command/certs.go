package command

import (
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
)

func (p *Program) certsCommand() *cli.Command {
	return &cli.Command{
		Name:  "certs",
		Usage: "make, look at and check the PKI",
		Subcommands: []*cli.Command{
			{
				Name:        "generate",
				Usage:       "make what is missing, changed, expired or broken",
				Description: generateExamples,
				Flags: []cli.Flag{dirFlag(), jsonFlag(),
					&cli.BoolFlag{Name: "dry-run", Usage: "only say what would be made, and why"}},
				Action: noArguments(p.certsGenerate),
			},
			{
				Name:         "regenerate",
				Usage:        "make certificates anew, and all that they issued",
				ArgsUsage:    "[NAME...]",
				Description:  regenerateExamples,
				Flags:        []cli.Flag{dirFlag(), jsonFlag()},
				Action:       p.certsRegenerate,
				BashComplete: p.completeNames,
			},
			{
				Name:        "list",
				Usage:       "all certificates, issuer above issued",
				Description: listExamples,
				Flags:       []cli.Flag{dirFlag(), jsonFlag()},
				Action:      noArguments(p.certsList),
			},
			{
				Name:         "show",
				Usage:        "everything about one certificate",
				ArgsUsage:    "NAME",
				Description:  showExamples,
				Flags:        []cli.Flag{dirFlag(), jsonFlag()},
				Action:       p.certsShow,
				BashComplete: p.completeNames,
			},
			{
				Name:        "verify",
				Usage:       "check the PKI against certs.yaml, and every chain",
				Description: verifyExamples,
				Flags:       []cli.Flag{dirFlag(), jsonFlag()},
				Action:      noArguments(p.certsVerify),
			},
			p.exportCommand(),
		},
	}
}

func (p *Program) certsGenerate(c *cli.Context) error {
	f, dry := folderOf(c), c.Bool("dry-run")
	m, err := p.readManifest(f, dry)
	if err != nil {
		return err
	}
	var plan *certgen.Plan
	if dry {
		plan, err = certgen.Compare(m, f.certs(), time.Now())
	} else {
		plan, err = p.generate(c.Context, m, f, certgen.Options{})
	}
	if err != nil {
		return err
	}
	p.printPlan(plan, dry, c.Bool("json"))
	return nil
}

func (p *Program) certsRegenerate(c *cli.Context) error {
	f := folderOf(c)
	m, err := p.readManifest(f, false)
	if err != nil {
		return err
	}
	names := c.Args().Slice()
	plan, err := p.generate(c.Context, m, f, certgen.Options{Renew: names, All: len(names) == 0})
	if err != nil {
		return err
	}
	p.printPlan(plan, false, c.Bool("json"))
	return nil
}

func (p *Program) certsList(c *cli.Context) error {
	f := folderOf(c)
	m, err := p.readManifest(f, true)
	if err != nil {
		return err
	}
	infos, err := certgen.List(m, f.certs(), time.Now())
	if err != nil {
		return err
	}
	if c.Bool("json") {
		for _, info := range infos {
			p.printJSON(describe(info))
		}
		return nil
	}
	p.printTree(infos)
	return nil
}

func (p *Program) certsShow(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return &usageError{command: commandName(c), problem: "lab certs show takes one NAME"}
	}
	f, name := folderOf(c), c.Args().First()
	m, err := p.readManifest(f, true)
	if err != nil {
		return err
	}
	infos, err := certgen.List(m, f.certs(), time.Now())
	if err != nil {
		return err
	}
	for _, info := range infos {
		if info.Name != name {
			continue
		}
		if c.Bool("json") {
			p.printJSON(describe(info))
		} else {
			p.printCertificate(info, f)
		}
		return nil
	}
	_, err = m.Lookup(name)
	return err
}

func (p *Program) certsVerify(c *cli.Context) error {
	f := folderOf(c)
	m, err := p.readManifest(f, true)
	if err != nil {
		return err
	}
	for info, lie := range certgen.Verify(m, f.certs(), time.Now()) {
		if lie != nil {
			return lie
		}
		p.printVerified(info, c.Bool("json"))
	}
	return nil
}
