package command

import (
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/snippet"
	"mtlslab.example/lab/lab/text"
)

const snippetExamples = `lab snippet nginx                    a server that asks for certificates
lab snippet nginx --client           nginx as the client of one
lab snippet postgresql --addr 0.0.0.0:5432
lab snippet curl --addr 10.0.0.5:8443
lab snippet python --client --cert client-01`

func (p *Program) snippetCommand() *cli.Command {
	return &cli.Command{
		Name:        "snippet",
		Category:    takeElsewhere,
		Usage:       "print a configuration for nginx, PostgreSQL, Java, Go, ...",
		ArgsUsage:   "NAME",
		Description: snippetExamples + "\n\nThe names: " + strings.Join(snippet.Names(), ", ") + ".",
		Flags: []cli.Flag{dirFlag(),
			&cli.BoolFlag{Name: "server", Usage: "as the server (default, where it can be both)"},
			&cli.BoolFlag{Name: "client", Usage: "as the client"},
			&cli.StringFlag{Name: "addr", DefaultText: "127.0.0.1 and the program's own port, or 8443; a client's: localhost", Usage: "`HOST:PORT` of the server"},
			&cli.StringFlag{Name: "cert", DefaultText: serverName + " or " + clientName, Usage: "`NAME|FILE` of the certificate to show"},
			&cli.StringFlag{Name: "key", DefaultText: "that of --cert", Usage: "`NAME|FILE` of its private key"},
			caFlag("ca", serverCA, "that the server must have"),
			caFlag("client-ca", clientCA, "that clients must have"),
		},
		Action: p.snippet,
		BashComplete: func(c *cli.Context) {
			cli.DefaultCompleteWithFlags(c.Command)(c)
			p.complete(snippet.Names()...)
		},
	}
}

func (p *Program) snippet(c *cli.Context) error {
	if c.NArg() != 1 {
		return &usageError{command: commandName(c), problem: "lab snippet takes one NAME: " + strings.Join(snippet.Names(), ", ")}
	}
	program, sides, err := snippet.Sides(c.Args().First())
	if err != nil {
		return err
	}
	side := sides[0]
	switch {
	case c.Bool("server") && c.Bool("client"):
		return &usageError{command: commandName(c), problem: "--server and --client are two snippets: leave one of them out"}
	case c.Bool("client"):
		side = endpoint.Client
	case c.Bool("server"):
		side = endpoint.Server
	}
	if side != sides[0] && len(sides) == 1 {
		return &usageError{command: commandName(c), problem: program + " is a client, and has no snippet as a server"}
	}
	v, err := folderOf(c).snippetValues(c, program, side)
	if err != nil {
		return err
	}
	for _, file := range []string{v.Cert, v.Key, v.CA} {
		if _, err := os.Stat(file); err != nil {
			p.say("%s is not there yet: lab certs generate, or lab join, makes it", relative(file))
		}
	}
	return snippet.Write(p.results, program, side, v)
}

// snippetValues are the files of a side, as absolute paths, and the address.
func (f folder) snippetValues(c *cli.Context, program string, side endpoint.Side) (v snippet.Values, err error) {
	v = snippet.Values{Host: "localhost", Listen: "127.0.0.1", Port: snippet.Port(program), Name: clientName, Authority: c.String("ca")}
	if side == endpoint.Server {
		v.Name, v.Authority = serverName, c.String("client-ca")
	}
	if addr := c.String("addr"); addr != "" {
		if err := checkAddr(c); err != nil {
			return v, err
		}
		host, port, _ := net.SplitHostPort(addr)
		if strings.ContainsFunc(host, isNoHost) {
			return v, &usageError{command: commandName(c), problem: "--addr has no host that can be called"}
		}
		v.Port = port
		switch ip := net.ParseIP(host); {
		case side == endpoint.Client && host != "" && !ip.IsUnspecified():
			v.Host = host
		case side == endpoint.Server && host != "":
			v.Listen = host
		case side == endpoint.Server:
			v.Listen = "0.0.0.0"
		}
	}
	if c.String("cert") != "" {
		v.Name = c.String("cert")
	}
	base := func(name, suffix string) string { // of what is made of a certificate
		if certfile.IsFile(name) {
			return strings.TrimSuffix(name, filepath.Ext(name)) + suffix
		}
		return filepath.Join(f.certs(), name+suffix)
	}
	v.Cert, v.Key, v.CA = f.file(v.Name, ".pem"), base(v.Name, "-key.pem"), f.file(v.Authority, ".pem")
	switch key := c.String("key"); {
	case key != "":
		v.Key = f.file(key, "-key.pem")
	case certfile.IsFile(v.Cert) && certfile.IsFile(v.Name):
		if found, err := certfile.KeyFile(v.Cert, ""); err == nil {
			v.Key = found
		}
	}
	v.CRL, v.Bundle, v.P12, v.TrustStore = base(v.Authority, "-crl.pem"), base(v.Name, "-bundle.pem"), base(v.Name, ".p12"), base(v.Authority, "-truststore.p12")
	for _, path := range []*string{&v.Cert, &v.Key, &v.CA, &v.CRL, &v.Bundle, &v.P12, &v.TrustStore} {
		if *path, err = filepath.Abs(*path); err != nil {
			return v, err
		}
	}
	_, err = os.Stat(v.CRL)
	v.HasCRL = err == nil
	v.User = commonNameIn(v.Cert, strings.TrimSuffix(filepath.Base(v.Cert), filepath.Ext(v.Cert)))
	for _, name := range []*string{&v.Name, &v.Authority} {
		if certfile.IsFile(*name) {
			*name = ""
		}
	}
	return v, nil
}

// commonNameIn returns the common name of the certificate in a file, or other if
// it has none, or none that can be typed.
func commonNameIn(file, other string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return other
	}
	parts, err := certfile.Parse(file, data, "")
	if err != nil || len(parts) == 0 || len(parts[0].Certificates) == 0 {
		return other
	}
	if name := parts[0].Certificates[0].Subject.CommonName; name != "" && text.IsClean(name) {
		return name
	}
	return other
}

// isNoHost reports whether a character is in no host name or address.
func isNoHost(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:", r)
}
