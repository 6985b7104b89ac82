package command

import (
	"cmp"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/scenario"
)

// prepareSide makes a PKI for one side, where there is none, and returns what
// that side shows and trusts: trust is the flag for the latter. A scenario has
// its own.
func (a *labRun) prepareSide(c *cli.Context, trust string) (own lab.Credentials, err error) {
	pki := func() error { return a.preparePKIOnce(c.Context, a.folder) }
	if err := a.prepare(c, pki); err != nil || a.scenario != nil {
		return own, err
	}
	return a.folder.credentials(c, c.String("cert"), "cert", "key", trust)
}

// prepare makes what a labRun needs before it starts: the scenario's own
// certificates, or those of certs.yaml, by pki. Where the user names files,
// nothing is made.
func (a *labRun) prepare(c *cli.Context, pki func() error) error {
	switch {
	case a.scenario == nil && namesFiles(c):
		a.warnOfCRLs()
		return nil
	case a.scenario == nil:
		if err := a.checkNames(c); err != nil {
			return err
		}
		if err := pki(); err != nil {
			return err
		}
		a.warnOfCRLs()
		return nil
	}
	if err := a.scenario.Prepare(c.Context, a.Manifest, a.folder.certs()); err != nil {
		return err
	}
	if a.blind {
		a.say("a scenario, blind: which one is to be found out; its certificates are in %s, in the folder of its name", filepath.Join(a.folder.certs(), scenario.Folder))
		return nil
	}
	a.say("scenario %s: %s", a.scenario.Name, a.scenario.Title)
	a.say("its certificates are in %s", a.scenario.Certs(a.folder.certs()))
	if a.scenario.Then != nil {
		a.say("what happens before its last call (then) is left out: only lab scenario run %s does it", a.scenario.Name)
	}
	return nil
}

func (a *labRun) warnOfCRLs() {
	if a.settings.CRL != lab.CRLOff {
		a.Program.warnOfCRLs(a.folder)
	}
}

// serverSettings are the scenario's, or those with the credentials given.
func (a *labRun) serverSettings(o lab.Credentials) (lab.Settings, error) {
	settings, err := a.sideSettings((*scenario.Scenario).ServerSettings, o)
	a.report.learnTrust(func(t *trusts) { t.server = settings.Credentials })
	return settings, err
}

// clientSettings are the scenario's, or those with the credentials given.
func (a *labRun) clientSettings(o lab.Credentials) (lab.Settings, error) {
	settings, err := a.sideSettings((*scenario.Scenario).ClientSettings, o)
	a.report.learnTrust(func(t *trusts) { t.client = settings.Credentials })
	return settings, err
}

// sideSettings joins what a scenario says with what the flags do.
func (a *labRun) sideSettings(of func(*scenario.Scenario, string, uint16) (lab.Settings, error), o lab.Credentials) (lab.Settings, error) {
	settings := a.settings
	settings.Credentials = o
	if a.scenario != nil {
		version := a.settings.Version
		if possible := a.scenario.Versions(); version == 0 && len(possible) == 1 {
			version = possible[0]
		}
		var err error
		if settings, err = of(a.scenario, a.folder.certs(), version); err != nil {
			return settings, err
		}
		settings.HTTP2 = settings.HTTP2 || a.settings.HTTP2
		settings.CRL = cmp.Or(settings.CRL, a.settings.CRL)
		settings.StartTLS = a.settings.StartTLS
		settings.KeyLog, settings.Journal = a.settings.KeyLog, a.settings.Journal
	}
	settings.Tap = a.tap
	return settings, nil
}
