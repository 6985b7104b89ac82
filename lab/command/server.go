package command

import (
	"context"
	"errors"
	"slices"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
)

const serverExamples = `lab server                        on 127.0.0.1:8443, for clients of client-ca
lab server --client-ca server-ca  for clients of another CA
lab server --cert api.pem --key api.key --client-ca ca.pem
                                  with your own certificates
lab server --addr 0.0.0.0:8443    for other machines too
lab server --scenario NAME --blind
                                  an exercise: find the fault yourself
curl --cacert certs/server-ca.pem --cert certs/client.pem \
  --key certs/client-key.pem https://localhost:8443/`

func (p *Program) serverCommand() *cli.Command {
	return &cli.Command{
		Name:        "server",
		Category:    seeIt,
		Usage:       "the server alone, for any client",
		Description: serverExamples,
		Flags: slices.Concat([]cli.Flag{
			addrFlag(), starttlsFlag(true),
			certFlag("cert", serverName, "to show"), keyFlag("key", "cert"),
			caFlag("client-ca", clientCA, "that clients must have"), passwordFileFlag(),
			webFlag("show exchanges in a browser at `HOST:PORT` (default: off; " + webAddr + " where none is given)"),
			&cli.BoolFlag{Name: "blind", Usage: "with --scenario: do not show what happens"},
		}, labRunFlags(0, "keys.log", "lab.pcapng")),
		Action: noArguments(p.server),
	}
}

func (p *Program) server(c *cli.Context) error {
	a, err := p.newLabRun(c)
	if err != nil {
		return err
	}
	if a.settings.StartTLS, err = starttlsOf(c, true, ""); err != nil {
		return err
	}
	own, err := a.prepareSide(c, "client-ca")
	if err != nil {
		return err
	}
	listener, err := lab.Bind(c.Context, c.String("addr"))
	if err != nil {
		return err
	}
	if err := a.openWeb(c, "lab server", false); err != nil {
		return errors.Join(err, listener.Close())
	}
	defer a.close()
	if err := a.record(c, a.folder.keylog(), a.folder.capture(), false); err != nil {
		return errors.Join(err, listener.Close())
	}
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	a.stopAfter(c.Int("count"), stop)
	server, wait, err := a.serve(ctx, listener, own)
	if err != nil {
		return err
	}
	a.sayServer(server.Addr(), c.String("cert"), c.String("client-ca"), c.Int("count"))
	err = wait()
	a.wire.Close() // every connection has ended: what was said comes with the verdicts
	a.join(ctx)
	a.sayCounts(c.Context)
	return err
}

// stopAfter calls stop when count exchanges have been reported.
func (a *labRun) stopAfter(count int, stop func()) {
	each, left := a.settings.Journal.Each, count
	a.settings.Journal.Each = func(x *lab.Exchange) {
		each(x)
		if left -= 1 + x.NotShown.Len(); count > 0 && left <= 0 {
			stop()
		}
	}
}
