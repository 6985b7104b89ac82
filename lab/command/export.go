package command

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/deploy"
)

// exportFormat is a form in which other programs take a certificate.
type exportFormat struct {
	name      string
	suffix    string // of the file, after the certificate's name; empty: to stdout
	encrypted bool
	encode    func(c *cli.Context, certs, name, password string) ([]byte, error)
}

var exportFormats = []exportFormat{
	{"p12", ".p12", true, func(_ *cli.Context, certs, name, password string) ([]byte, error) {
		return certgen.PKCS12(certs, name, password)
	}},
	{"p12-legacy", "-legacy.p12", true, func(_ *cli.Context, certs, name, password string) ([]byte, error) {
		return certgen.LegacyPKCS12(certs, name, password)
	}},
	{"java-truststore", "-truststore.p12", true, func(_ *cli.Context, certs, name, password string) ([]byte, error) {
		return certgen.TrustStore(certs, name, password)
	}},
	{"pem-bundle", "-bundle.pem", false, func(_ *cli.Context, certs, name, _ string) ([]byte, error) {
		return certgen.Bundle(certs, name)
	}},
	{"kubernetes", "-kubernetes.yaml", false, func(_ *cli.Context, certs, name, _ string) ([]byte, error) {
		object, err := deploy.Read(certs, name)
		if err != nil {
			return nil, err
		}
		return object.YAML()
	}},
	{"env", "", false, func(c *cli.Context, certs, name, _ string) ([]byte, error) {
		return environment(c, certs, name)
	}},
}

// formatNames are the names of the formats, in that order.
func formatNames() (names []string) {
	for _, f := range exportFormats {
		names = append(names, f.name)
	}
	return names
}

const exportExamples = `lab certs export client --format p12           for browsers and Java
lab certs export client --format p12-legacy    for the keychain of macOS and
                                               iOS, and for old programs
lab certs export server-ca --format java-truststore
lab certs export client --format pem-bundle      in one PEM file
lab certs export server --format kubernetes      a Secret; CA: ConfigMap
eval "$(lab certs export client --format env)"   $LAB_CERT, $LAB_KEY, $LAB_CA

p12 has AES and a MAC with SHA-256: for Firefox, Chromium on Linux, Java
from 12, OpenSSL from 1.1.1, Windows from 10 (1809) and Server 2019. macOS
and iOS refuse it ("wrong password"), as do older Java and Windows. All of
them take p12-legacy, which has 3DES and a MAC with SHA-1, and protects less.`

func (p *Program) exportCommand() *cli.Command {
	return &cli.Command{
		Name:        "export",
		Usage:       "write a certificate in the form that another program takes",
		ArgsUsage:   "NAME",
		Description: exportExamples,
		Flags: []cli.Flag{dirFlag(),
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` " + anyOf(formatNames())},
			&cli.StringFlag{Name: "out", DefaultText: "beside NAME.pem; env: -", Usage: "`FILE` to write, or - for stdout"},
			&cli.BoolFlag{Name: "force", Usage: "write over a FILE that is there"},
			&cli.StringFlag{Name: "password-file", Usage: "`FILE` whose first line is the password (default: asked for, or " + defaultPassword + ")"},
			&cli.StringFlag{Name: "ca", Value: serverCA, Usage: "env: `NAME` of the CA that peers must have"},
			addrFlag(),
		},
		Action:       p.certsExport,
		BashComplete: p.completeNames,
	}
}

func (p *Program) certsExport(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return &usageError{command: commandName(c), problem: "lab certs export takes one NAME"}
	}
	i := slices.IndexFunc(exportFormats, func(f exportFormat) bool { return f.name == c.String("format") })
	if i < 0 {
		return &usageError{command: commandName(c), problem: fmt.Sprintf("--format is %q, and must be %s", c.String("format"), anyOf(formatNames()))}
	}
	format, f, name := exportFormats[i], folderOf(c), c.Args().First()
	if err := p.preparePKIOnce(c.Context, f); err != nil {
		return err
	}
	out := cmp.Or(c.String("out"), "-")
	if c.String("out") == "" && format.suffix != "" {
		out = filepath.Join(f.certs(), name+format.suffix)
	}
	if err := f.checkOut(c, out); err != nil {
		return err
	}
	password := ""
	if format.encrypted {
		var err error
		if password, err = p.password(c, out); err != nil {
			return err
		}
	}
	data, err := format.encode(c, f.certs(), name, cmp.Or(password, defaultPassword))
	if err != nil {
		return err
	}
	if err := p.writeExport(c, f, out, data); err != nil {
		return err
	}
	if format.encrypted && password == "" {
		p.say("the password is %s; --password-file sets another", defaultPassword)
	}
	return nil
}

func (p *Program) writeExport(c *cli.Context, f folder, out string, data []byte) error {
	switch {
	case out == "-":
		_, err := p.results.Write(data)
		return err
	case c.String("out") == "":
		kept, err := certgen.WriteExport(c.Context, f.certs(), filepath.Base(out), data, c.Bool("force"))
		if err != nil {
			return err
		}
		p.sayKept(kept)
	default:
		if err := writeNew(c, out, data); err != nil {
			return err
		}
	}
	p.say("wrote %s", out)
	return nil
}

// checkOut refuses to export over what --out names, but for a regular file with
// --force, and over the manifest and what it has made even so. Without --out
// only an earlier export is replaced.
func (f folder) checkOut(c *cli.Context, out string) error {
	info, err := os.Lstat(out)
	if out == "-" || err != nil {
		return nil // nothing is there
	}
	switch own, err := f.isOwn(info); {
	case err != nil:
		return err
	case own || c.String("out") != "":
		return f.checkNew(c, "out", out)
	case c.Bool("force"):
		return nil
	}
	return certgen.CheckExport(f.certs(), filepath.Base(out))
}

// environment is shell lines that name the files of a certificate and of --ca,
// and how they are used with the server at --addr.
func environment(c *cli.Context, certs, name string) ([]byte, error) {
	if err := checkAddr(c); err != nil {
		return nil, err
	}
	ca := c.String("ca")
	_, port, _ := net.SplitHostPort(c.String("addr"))
	if _, err := certgen.Load(certs, name); err != nil {
		return nil, err
	}
	if _, err := certgen.LoadCertificates(certs, ca); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(certs)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	for _, v := range [][2]string{{"LAB_CERT", name + ".pem"}, {"LAB_KEY", name + "-key.pem"}, {"LAB_CA", ca + ".pem"}} {
		b.WriteString(assignment(v[0], filepath.Join(dir, v[1])))
	}
	b.WriteString(inShell(strings.ReplaceAll(environmentUse, "PORT", port)))
	return []byte(b.String()), nil
}

// anyOf is "a, b or c".
func anyOf(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
