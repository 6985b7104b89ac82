package command

import (
	"cmp"
	"context"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/scenario"
)

// prepare makes what a pair needs before it starts: the scenario's own
// certificates, or those of certs.yaml, by pki.
func (a *pair) prepare(ctx context.Context, pki func() error) error {
	if a.scenario == nil {
		return pki()
	}
	if err := a.scenario.Prepare(ctx, a.Manifest, a.folder.certs()); err != nil {
		return err
	}
	a.say("scenario %s: %s", a.scenario.Name, a.scenario.Title)
	a.say("its certificates are in %s", a.scenario.Certs(a.folder.certs()))
	if a.scenario.Then != nil {
		a.say("what happens before its last call (then) is left out: only lab scenario run %s does it", a.scenario.Name)
	}
	return nil
}

// serverSettings are the scenario's, or those with the names given.
func (a *pair) serverSettings(certificate, clientCA string) (lab.Settings, error) {
	settings, err := a.sideSettings((*scenario.Scenario).ServerSettings, certificate, clientCA)
	a.report.trusts.server = settings.Authorities()
	return settings, err
}

// clientSettings are the scenario's, or those with the names given.
func (a *pair) clientSettings(certificate, serverCA string) (lab.Settings, error) {
	settings, err := a.sideSettings((*scenario.Scenario).ClientSettings, certificate, serverCA)
	a.report.trusts.client = settings.Authorities()
	return settings, err
}

// sideSettings joins what a scenario says with what the flags do.
func (a *pair) sideSettings(of func(*scenario.Scenario, string, uint16) (lab.Settings, error), certificate, trust string) (lab.Settings, error) {
	settings := a.settings
	settings.Certificate, settings.Trust = certificate, trust
	if a.scenario == nil {
		anchor, err := certgen.LoadCertificates(a.folder.certs(), trust)
		if err == nil && !anchor[0].IsCA {
			return settings, &certgen.NoAnchorError{Name: trust, Issuer: anchor[0].Issuer.String()}
		}
	} else {
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
		settings.KeyLog, settings.Journal = a.settings.KeyLog, a.settings.Journal
	}
	settings.Tap = a.tap
	return settings, nil
}
