package command

import (
	"cmp"
	"context"
	"net"
	"strings"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/scenario"
)

// prepare makes what a pair needs before it starts: the scenario's own
// certificates, or those of certs.yaml, by preparePKI or preparePKIOnce.
func (a *pair) prepare(ctx context.Context, pki func(context.Context, folder) error) error {
	if a.scenario == nil {
		return pki(ctx, a.folder)
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

// sayOtherPart tells what the other side must do for the scenario to happen.
// port is that of the server.
func (a *pair) sayOtherPart(own lab.Side, port string) {
	s := a.scenario
	other := own.Other()
	line := "lab " + string(other) + " --scenario " + cmp.Or(a.written, s.Name)
	if port != wiresharkPort {
		line += " --addr 127.0.0.1:" + port
	}
	if a.folder != "." {
		line += " --dir " + string(a.folder)
	}
	if s.Fault() == other {
		a.say("in this scenario the fault is the %s's: %s", other, line)
	} else {
		a.say("the %s's part: %s", other, line)
	}
	if args, ok := s.Curl(a.folder.certs(), port); ok && own == lab.ServerSide {
		a.say("or\n  %s", strings.Join(args, " "))
	}
}

// instead is what a server of a scenario does in place of TLS.
var instead = map[lab.Instead]string{
	lab.InsteadHTTP: "speaks plain HTTP and no TLS", lab.InsteadGarbage: "sends bytes that are no TLS",
	lab.InsteadSilence: "says nothing", lab.InsteadHangUp: "hangs up in mid-handshake",
}

// sayScenarioServer tells what the server of a scenario does.
func (a *pair) sayScenarioServer(addr net.Addr, count int) {
	if does := instead[a.scenario.Server.Instead]; does != "" {
		a.say("server on %s %s, %s", addr, does, untilWhen(count))
	} else {
		a.say("server on %s does as in the scenario, %s", typedURL(addr), untilWhen(count))
	}
	a.sayOtherPart(lab.ServerSide, portOf(addr))
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
		settings.KeyLog, settings.Journal = a.settings.KeyLog, a.settings.Journal
	}
	settings.Tap = a.tap
	return settings, nil
}
