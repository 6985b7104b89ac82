package command

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
)

const serverExamples = `lab server                        on 127.0.0.1:8443, for clients of client-ca
lab server --client-ca server-ca  for clients of another CA
lab server --cert api.pem --key api.key --client-ca ca.pem
                                  with your own certificates
lab server --addr 0.0.0.0:8443    for other machines too
lab server --room --addr :8443    for a course: who is in, who was refused,
                                  and at which exercise they are (lab
                                  exercise verify --report URL); --web shows
                                  it, too
lab server --allow OU=Finance --allow spiffe://example.org/audit/*
                                  only for these; others get HTTP 403
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
			&cli.StringSliceFlag{Name: "allow", Usage: "let in only clients with these `ATTRIBUTES` of a subject, or this SPIFFE ID; may be given several times"},
			webFlag("show exchanges in a browser at `HOST:PORT` (default: off; " + webAddr + " where none is given)"),
			&cli.BoolFlag{Name: "room", Usage: "show who is in, who was refused and why, and at which exercise they are, in place of exchanges"},
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
	if a.settings.Allow, err = allowed(c); err != nil {
		return err
	}
	if c.Bool("room") {
		for _, flag := range []string{"json", "verbose", "brief", "blind"} {
			if c.Bool(flag) {
				return &usageError{command: commandName(c), problem: "--room shows a table, and --" + flag + " exchanges: leave one of them out"}
			}
		}
		a.room = newRoomView()
		a.settings.Handler = a.room.Handler(lab.Pages())
		a.report.undrawn = true
	}
	smallHeap()
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
	if a.room != nil {
		a.room.showOn(a.Program) // which writes elsewhere if the capture goes to stdout
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
	if a.room != nil {
		a.room.end()
	}
	a.sayCounts(c.Context)
	return err
}

// allowed reads --allow; nil: everybody.
func allowed(c *cli.Context) ([]string, error) {
	entries := c.StringSlice("allow")
	for _, entry := range entries {
		if err := lab.CheckAllow(entry); err != nil {
			return nil, &usageError{command: commandName(c), problem: fmt.Sprintf("--allow is %q, and %v", entry, err),
				hint: "attributes of a subject, such as OU=Finance or CN=client,O=Example, or a SPIFFE ID, such as spiffe://example.org/client"}
		}
	}
	switch {
	case len(entries) == 0:
		return nil, nil
	case c.String("scenario") != "":
		return nil, &usageError{command: commandName(c), problem: "--scenario says what --allow would: leave one of them out"}
	case c.String("starttls") != "":
		return nil, &usageError{command: commandName(c), problem: "--allow answers in HTTP, which --starttls has none of: leave one of them out"}
	}
	return entries, nil
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
