package command

import (
	"net/url"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/browser"
	"mtlslab.example/lab/lab/keyshim"
)

const browserExamples = `lab browser                                  the lab's own page, as client
lab browser --firefox                        with Firefox
lab browser --cert none                      be refused
lab browser --headless --screenshot lab.png  a picture, without a window
lab browser https://localhost:9443/tls       another URL`

func (p *Program) browserCommand() *cli.Command {
	return &cli.Command{
		Name:        "browser",
		Category:    takeElsewhere,
		Usage:       "open a browser with the client certificate and a key log",
		ArgsUsage:   "[URL]",
		Description: browserExamples,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "chromium", Usage: "Chromium, Chrome, Edge or Brave"},
			&cli.BoolFlag{Name: "firefox", Usage: "Firefox"},
			addrFlag(),
			&cli.StringFlag{Name: "cert", Value: clientName, Usage: "`NAME` of the certificate to show, or none"},
			&cli.StringFlag{Name: "ca", Value: serverCA, Usage: "`NAME` of the CA that servers must have"},
			&cli.StringFlag{Name: "keylog", EnvVars: []string{"SSLKEYLOGFILE"}, DefaultText: "keys.log", Usage: "append the TLS secrets to `FILE`, or off"},
			&cli.BoolFlag{Name: "headless", Usage: "no window; needs --screenshot"},
			&cli.StringFlag{Name: "screenshot", Usage: "write a picture of the page to `FILE`, as PNG; implies --headless"},
			&cli.BoolFlag{Name: "force", Usage: "write over the FILE of --screenshot"},
			dirFlag(),
		},
		Action: p.browser,
	}
}

func (p *Program) browser(c *cli.Context) error {
	family, err := browserFamily(c)
	if err != nil {
		return err
	}
	u, err := browserURL(c)
	if err != nil {
		return err
	}
	picture := c.String("screenshot")
	if c.Bool("headless") && picture == "" {
		return &usageError{command: commandName(c), problem: "--headless shows nothing without --screenshot FILE"}
	}
	b, err := browser.Find(family)
	if err != nil {
		return err
	}
	f := folderOf(c)
	if err := p.preparePKIOnce(c.Context, f); err != nil {
		return err
	}
	o := browser.Options{URL: u, CA: filepath.Join(f.certs(), c.String("ca")+".pem")}
	if _, err := certgen.LoadCertificates(f.certs(), c.String("ca")); err != nil {
		return err
	}
	if name := c.String("cert"); name != "none" {
		if _, err := certgen.Load(f.certs(), name); err != nil {
			return err
		}
		o.PKCS12 = func(password string) ([]byte, error) { return certgen.PKCS12(f.certs(), name, password) }
	}
	if err := f.checkNew(c, "screenshot", picture); err != nil {
		return err
	}
	if o.KeyLog, err = prepareKeyLog(c, f); err != nil {
		return err
	}
	p.sayBrowser(b, o, c.String("cert"))
	if picture == "" {
		return b.Open(c.Context, o)
	}
	png, err := b.Screenshot(c.Context, o)
	if err != nil {
		return err
	}
	if err := writeNew(c, picture, png); err != nil {
		return err
	}
	p.say("wrote %s", picture)
	return nil
}

// browserFamily reads --chromium and --firefox; empty is any.
func browserFamily(c *cli.Context) (browser.Family, error) {
	switch {
	case c.Bool("chromium") && c.Bool("firefox"):
		return "", &usageError{command: commandName(c), problem: "--chromium and --firefox are one too many"}
	case c.Bool("chromium"):
		return browser.Chromium, nil
	case c.Bool("firefox"):
		return browser.Firefox, nil
	}
	return "", nil
}

// browserURL is the argument, or that of the lab's own server.
func browserURL(c *cli.Context) (*url.URL, error) {
	if c.Args().Len() > 1 {
		return nil, &usageError{command: commandName(c), problem: "lab browser takes at most one URL"}
	}
	target := c.Args().First()
	if target == "" {
		var err error
		if target, err = ownURL(c); err != nil {
			return nil, err
		}
	}
	return httpsURL(c, "URL", target)
}

// prepareKeyLog readies the key log and returns its path; empty is none.
func prepareKeyLog(c *cli.Context, f folder) (string, error) {
	file := c.String("keylog")
	switch file {
	case "off":
		return "", nil
	case "":
		file = f.keylog()
	}
	return keyshim.PrepareLog(file)
}
