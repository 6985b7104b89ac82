package command

import (
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/check"
)

// The certificates of the default manifest.
const (
	serverName = "server"
	serverCA   = "server-ca"
	clientName = "client"
	clientCA   = "client-ca"
)

// joinTimeout is how long the server's view of the last exchange may take.
const joinTimeout = 2 * time.Second

const upExamples = `lab up                            a call every 5 seconds, until Ctrl-C
lab up --count 3 --json           three exchanges, for a program to read
lab up --tls 1.2 --http 2         only TLS 1.2, and HTTP/2
lab up --brief                    one line an exchange
lab up --web off                  without the live view in a browser
lab up --addr 127.0.0.1:9443      on another port
SSLKEYLOGFILE=~/keys.log lab up   secrets into another file`

func (p *Program) upCommand() *cli.Command {
	return &cli.Command{
		Name:        "up",
		Category:    seeIt,
		Usage:       "make the PKI, start a server, and call it with a client",
		Description: upExamples,
		Flags: slices.Concat([]cli.Flag{
			addrFlag(),
			certFlag("cert", serverName, "that the server shows"), keyFlag("key", "cert"),
			caFlag("client-ca", clientCA, "that clients must have"),
			certFlag("client-cert", clientName, "that the client shows, or none"), keyFlag("client-key", "client-cert"),
			caFlag("ca", serverCA, "that the server must have"),
			passwordFileFlag(), forceFlag(),
			webFlag("show exchanges in a browser at `HOST:PORT` (default: " + webAddr + ", if there is a terminal), or off"),
		}, labRunFlags(0, "keys.log", "lab.pcapng"), callFlags()),
		Action: noArguments(p.up),
	}
}

func (p *Program) up(c *cli.Context) (err error) {
	a, err := p.newLabRun(c)
	if err != nil {
		return err
	}
	pki := func() error { return p.preparePKI(c.Context, a.folder, c.Bool("force")) }
	if err := a.prepare(c, pki); err != nil {
		return err
	}
	own, calling, err := a.upCredentials(c)
	if err != nil {
		return err
	}
	listener, err := lab.Bind(c.Context, c.String("addr")) // first: a busy port must not cost a recording
	if err != nil {
		return err
	}
	if err := a.openWeb(c, "lab up", a.watched(c)); err != nil {
		return errors.Join(err, listener.Close())
	}
	defer a.close()
	if err := a.record(c, a.folder.keylog(), a.folder.capture(), false); err != nil {
		return errors.Join(err, listener.Close())
	}
	a.settings.Journal.Paired = true
	ctx, stop := context.WithCancel(c.Context)
	defer stop()
	server, wait, err := a.serve(ctx, listener, own)
	if err != nil {
		return err
	}
	client, err := a.newUpClient(server.Addr(), own, calling, c.Bool("resume"))
	if err != nil {
		return err
	}
	go a.report.trust() // read beside the handshake: the ladder needs it
	a.sayUp(server.Addr(), c.Duration("interval"), c.Int("count"))
	err = a.call(ctx, client, c.Int("count"), c.Duration("interval"), nil)
	a.join(ctx)
	stop()
	err = errors.Join(err, wait())
	a.sayCounts(c.Context)
	if err != nil || c.Context.Err() != nil {
		return err
	}
	return a.failed()
}

// join waits for the other side's report on the last exchange.
func (a *labRun) join(ctx context.Context) {
	joined, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	a.settings.Journal.Wait(joined)
}

// upCredentials reads what each side shows and trusts. A scenario has its own.
func (a *labRun) upCredentials(c *cli.Context) (server, client lab.Credentials, err error) {
	if a.scenario != nil {
		return server, client, nil
	}
	if server, err = a.folder.credentials(c, c.String("cert"), "cert", "key", "client-ca"); err != nil {
		return server, client, err
	}
	shown, err := a.upClient(c, a.folder)
	if err != nil {
		return server, client, err
	}
	client, err = a.folder.credentials(c, shown, "client-cert", "client-key", "ca")
	return server, client, err
}

// newUpClient makes the client that calls addr. It names the server as people
// do, localhost, while that is what the certificate is for.
func (a *labRun) newUpClient(addr net.Addr, server, own lab.Credentials, resume bool) (*lab.Client, error) {
	settings, err := a.clientSettings(own)
	if err != nil {
		return nil, err
	}
	settings.Tap = nil // the server's end has it all
	tcp, port := addr.(*net.TCPAddr), portOf(addr)
	to := tcp.AddrPort().Addr().String()
	if tcp.IP.IsUnspecified() {
		to = "localhost"
	}
	to = net.JoinHostPort(to, port)
	if a.scenario != nil {
		return lab.NewClient(a.scenario.ClientOptions(to), settings)
	}
	u := &url.URL{Scheme: "https", Host: net.JoinHostPort(check.ServerName(server.Leaf()), port), Path: "/"}
	return lab.NewClient(lab.ClientOptions{URL: u, Addr: to, Resume: resume}, settings)
}
