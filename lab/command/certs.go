package command

import (
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
)

const (
	generateExamples = `lab certs generate              make what certs.yaml asks for
lab certs generate --dry-run    what would be made, and why`

	regenerateExamples = `lab certs regenerate             all
lab certs regenerate client      one
lab certs regenerate server-ca   a CA, and so all that it issued`

	listExamples = `lab certs list
lab certs list --json   for a program to read`

	showExamples = `lab certs show server`

	verifyExamples = `lab certs verify   exit status 1, and why, at the first fault`
)

func (p *Program) certsCommand() *cli.Command {
	return &cli.Command{
		Name:     "certs",
		Category: certificates,
		Usage:    "make, look at and check the PKI",
		Subcommands: []*cli.Command{
			{
				Name:        "generate",
				Usage:       "make what is missing, changed, expired or broken",
				Description: generateExamples,
				Flags: []cli.Flag{dirFlag(), jsonFlag(), forceFlag(),
					&cli.BoolFlag{Name: "dry-run", Usage: "only say what would be made, and why"}},
				Action: noArguments(p.certsGenerate),
			},
			{
				Name:         "regenerate",
				Usage:        "make certificates anew, and all that they issued",
				ArgsUsage:    "[NAME...]",
				Description:  regenerateExamples,
				Flags:        []cli.Flag{dirFlag(), jsonFlag(), forceFlag()},
				Action:       p.certsRegenerate,
				BashComplete: p.completeNames,
			},
			{
				Name:        "list",
				Usage:       "list all certificates, each below its issuer",
				Description: listExamples,
				Flags:       []cli.Flag{dirFlag(), jsonFlag()},
				Action:      noArguments(p.certsList),
			},
			{
				Name:         "show",
				Usage:        "print everything about one certificate",
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
			p.handoutCommand(),
			p.addNameCommand(),
		},
	}
}

func (p *Program) certsGenerate(c *cli.Context) error {
	f, dry := folderOf(c), c.Bool("dry-run")
	o := certgen.Options{Force: c.Bool("force")}
	plan, err := (*certgen.Plan)(nil), error(nil)
	if dry {
		plan, err = p.compare(f, o)
	} else {
		plan, err = p.generate(c.Context, f, o)
	}
	if err != nil {
		return err
	}
	p.printPlan(plan, dry, c.Bool("json"))
	p.sayNewRoots(plan, f, dry)
	return nil
}

// compare prints what generate would make.
func (p *Program) compare(f folder, o certgen.Options) (*certgen.Plan, error) {
	m, builtIn, err := p.readManifest(f)
	if err != nil {
		return nil, err
	}
	o.Default = builtIn
	plan, err := certgen.Compare(m, f.certs(), o)
	if err == nil && builtIn {
		p.say("there is no %s: the built-in one would be written", f.manifest())
	}
	return plan, err
}

func (p *Program) certsRegenerate(c *cli.Context) error {
	f, names := folderOf(c), c.Args().Slice()
	o := certgen.Options{Renew: names, All: len(names) == 0, Force: c.Bool("force")}
	plan, err := p.generate(c.Context, f, o)
	if err != nil {
		return err
	}
	p.printPlan(plan, false, c.Bool("json"))
	p.sayNewRoots(plan, f, false)
	return nil
}

// listing returns the certificates that certs.yaml asks for, with what the
// folder holds of them. Without a certs.yaml it returns those in the folder.
func (p *Program) listing(f folder) (infos []certgen.Info, lookup func(string) error, err error) {
	m, builtIn, err := p.readManifest(f)
	if err != nil {
		return nil, nil, err
	}
	if builtIn {
		infos, err := certgen.Survey(f.certs(), time.Now())
		if err != nil {
			return nil, nil, err
		}
		if len(infos) > 0 {
			p.say("there is no %s: this is what %s holds", f.manifest(), f.certs())
			return infos, certgen.LookupAmong(infos), nil
		}
		p.say("there is no %s: the built-in one would be written", f.manifest())
	}
	infos, err = certgen.List(m, f.certs(), time.Now())
	return infos, func(name string) error { _, err := m.Lookup(name); return err }, err
}

func (p *Program) certsList(c *cli.Context) error {
	infos, _, err := p.listing(folderOf(c))
	if err != nil {
		return err
	}
	p.warnOfCRLs(folderOf(c))
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
	infos, lookup, err := p.listing(f)
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
	return lookup(name)
}

func (p *Program) certsVerify(c *cli.Context) error {
	f := folderOf(c)
	m, builtIn, err := p.readManifest(f)
	if err != nil {
		return err
	}
	p.warnOfCRLs(f)
	verify := certgen.Verify(m, f.certs(), time.Now())
	if builtIn {
		infos, err := certgen.Survey(f.certs(), time.Now())
		if err != nil {
			return err
		}
		if len(infos) > 0 {
			p.say("there is no %s: the certificates in %s are checked by themselves", f.manifest(), f.certs())
			verify = certgen.VerifySurvey(infos)
		}
	}
	for info, fault := range verify {
		if fault != nil {
			return fault
		}
		p.printVerified(info, c.Bool("json"))
	}
	return nil
}
