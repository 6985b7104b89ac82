package command

import (
	"cmp"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/starttls"
)

const clientExamples = `lab client                              one call to https://localhost:8443/
lab client --cert none                  without a certificate
lab client --cert server                with one that is not for clients
lab client --cert me.pem --key me.key --ca ca.pem --url https://api.test/
                                        with your own certificates
lab client --url https://127.0.0.1:8443/tls --server-name localhost
lab client --url https://example.org/ --addr 127.0.0.1:8443
                                        that URL, at this address
lab client --url smtp://mail.test/      a protocol that begins in plain text
lab client --count 0 --interval 1s      again and again, until Ctrl-C`

func (p *Program) clientCommand() *cli.Command {
	return &cli.Command{
		Name:        "client",
		Category:    seeIt,
		Usage:       "the client alone, against any server",
		Description: clientExamples,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "url", DefaultText: "https://localhost:8443/", Usage: "`URL` to call; with --addr, connect there instead of to its host"},
			addrFlag(), starttlsFlag(false), proxyFlag(),
			&cli.StringFlag{Name: "server-name", Usage: "`HOST` that the server's certificate must be for (default: the URL's)"},
			caFlag("ca", serverCA, "that the server must have"),
			certFlag("cert", clientName, "to show, or none"), keyFlag("key", "cert"), passwordFileFlag(),
		}, labRunFlags(1, "off", "client.pcapng"), callFlags()),
		Action: noArguments(p.client),
	}
}

func (p *Program) client(c *cli.Context) error {
	target, err := clientTarget(c)
	if err != nil {
		return err
	}
	a, err := p.newLabRun(c)
	if err != nil {
		return err
	}
	own, err := a.prepareSide(c, "ca")
	if err != nil {
		return err
	}
	if err := a.record(c, "off", a.folder.clientCapture(), true); err != nil {
		return err
	}
	defer a.close()
	settings, err := a.clientSettings(own)
	if err != nil {
		return err
	}
	if a.scenario != nil && c.String("url") == "" {
		target = a.scenario.ClientOptions(c.String("addr"))
	}
	if a.scenario != nil && a.scenario.Fault() != endpoint.Client {
		port := target.Port()
		if c.IsSet("url") { // on whatever machine
			port = wiresharkPort
		}
		a.sayOtherPart(endpoint.Client, port)
	}
	target.Mutual = c.IsSet("cert") && settings.Certificate != ""
	client, err := lab.NewClient(target, settings)
	if err != nil {
		return err
	}
	a.sayUnusedProxy("lab client", target.URL)
	if a.port = target.Port(); a.capture != nil {
		a.sayCapture(a.port)
	}
	err = a.call(c.Context, client, c.Int("count"), c.Duration("interval"), func(r *lab.Response) {
		if !c.Bool("json") && !c.Bool("brief") {
			a.join(c.Context) // its verdict comes first
			a.printBody(r.Body)
		}
	})
	if err != nil {
		return err
	}
	a.join(c.Context)
	if c.Int("count") != 1 {
		a.sayCounts(c.Context)
	}
	if c.Context.Err() != nil {
		return nil
	}
	return a.failed()
}

// clientTarget reads which server to call: a URL, at its own address or at
// --addr, or the lab's own server at --addr, by the name of localhost.
// $LAB_ADDR is the address of the lab's own server, and is ignored for another
// URL.
func clientTarget(c *cli.Context) (lab.ClientOptions, error) {
	o := lab.ClientOptions{ServerName: c.String("server-name"), Resume: c.Bool("resume")}
	protocol, err := starttlsOf(c, false, c.String("url"))
	if err != nil {
		return o, err
	}
	target, user := starttlsURL(protocol, c.String("url"))
	if target == "" {
		o.Addr = c.String("addr")
		if target, err = ownURL(c); err != nil {
			return o, err
		}
	} else if c.IsSet("addr") {
		o.Addr = c.String("addr")
	}
	if o.URL, err = httpsURL(c, "--url", target); err == nil && protocol != nil {
		o.StartTLS(protocol, starttls.Session{Host: o.URL.Hostname(), User: cmp.Or(user, "postgres")})
	}
	if err == nil {
		o.Begin, err = proxyHeader(c, o.Begin)
	}
	return o, err
}

// addressIn returns the HOST:PORT of a URL of another protocol, or of none; "":
// there is none.
func addressIn(s string) string {
	if _, behind, ok := strings.Cut(s, "://"); ok {
		s, _, _ = strings.Cut(behind, "/")
	}
	if host, port, err := net.SplitHostPort(s); err != nil || host == "" || port == "" || strings.ContainsAny(s, "@/ ") {
		return ""
	}
	return s
}

// ownURL returns the URL of the lab's own server at --addr, which is called
// localhost.
func ownURL(c *cli.Context) (string, error) {
	if err := checkAddr(c); err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(c.String("addr"))
	return "https://localhost:" + port + "/", nil
}

// httpsURL reads a URL that a client can call. source is where s was written.
func httpsURL(c *cli.Context, source, s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		wrong := &usageError{command: commandName(c), problem: source + " is \"" + s + "\", and must be like https://localhost:8443/"}
		if address := addressIn(s); address != "" {
			wrong.hint = "https://" + address + "/" // the handshake is the same, whatever is spoken inside TLS
			if strings.HasPrefix(source, "--") {
				wrong.hint = commandName(c) + " " + source + " " + wrong.hint
			}
		}
		return nil, wrong
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}
