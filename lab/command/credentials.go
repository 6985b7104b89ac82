package command

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/dn"
)

// The flags that name certificates, keys and CAs. Each takes the name of a
// certificate of certs.yaml, or a file: see certfile.IsFile.

func certFlag(name, value, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, Value: value, Usage: "`NAME|FILE` of the certificate " + usage}
}

func keyFlag(name, of string) cli.Flag {
	return &cli.StringFlag{Name: name, DefaultText: "in the FILE of --" + of + ", or beside it", Usage: "`NAME|FILE` of its private key"}
}

func caFlag(name, value, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, Value: value, Usage: "`NAME|FILE` of the CA " + usage}
}

func passwordFileFlag() cli.Flag {
	return &cli.StringFlag{Name: "password-file", Usage: "`FILE` whose first line is the password of .p12 files"}
}

// credentialFlags are all of them that a command may have.
var credentialFlags = []string{"cert", "key", "ca", "client-ca", "client-cert", "client-key", "password-file"}

// namesFiles reports whether any of the flags names a file, so that no PKI is
// made.
func namesFiles(c *cli.Context) bool {
	return slices.ContainsFunc(credentialFlags, func(flag string) bool {
		return c.IsSet(flag) && certfile.IsFile(c.String(flag))
	})
}

// checkNames refuses names that are neither in the manifest nor in the folder,
// before a PKI is made for them.
func (a *labRun) checkNames(c *cli.Context) error {
	for _, flag := range credentialFlags {
		name := c.String(flag)
		if !c.IsSet(flag) || flag == "password-file" || name == "" || name == "none" {
			continue
		}
		if _, err := os.Stat(a.folder.file(name, ".pem")); err == nil {
			continue
		}
		m, _, err := a.readManifest(a.folder)
		if err != nil {
			return nil // the command that needs the manifest reports it
		}
		if _, err := m.Lookup(name); err != nil {
			return err
		}
	}
	return nil
}

// credentials reads the flags of one side, which shows a certificate or "none",
// and loads what they name, so that what is wrong is found before anything is
// written.
func (f folder) credentials(c *cli.Context, shown, cert, key, trust string) (lab.Credentials, error) {
	o := lab.Credentials{Dir: f.certs(), Certificate: shown, Trust: c.String(trust)}
	switch {
	case shown == "":
		return o, &usageError{command: commandName(c), problem: fmt.Sprintf("--%s is empty: it takes a name, a file, or none for a client without a certificate", cert)}
	case shown != "none":
	case trust == "client-ca":
		return o, &usageError{command: commandName(c), problem: fmt.Sprintf("--%s is none, and a server always shows a certificate", cert)}
	default:
		o.Certificate = ""
	}
	for _, value := range []string{o.Certificate, c.String(key), o.Trust} {
		if err := f.checkDotted(value); err != nil {
			return o, err
		}
	}
	var err error
	if o.Password, err = passwordIn(c); err != nil {
		return o, err
	}
	if c.String(key) != "" {
		if o.Certificate == "" {
			return o, &usageError{command: commandName(c), problem: fmt.Sprintf("--%s needs a --%s that it is the key of", key, cert)}
		}
		o.Certificate, o.KeyFile = f.file(o.Certificate, ".pem"), f.file(c.String(key), "-key.pem")
	} else if certfile.IsFile(o.Certificate) {
		if o.KeyFile, err = certfile.KeyFile(o.Certificate, o.Password); err != nil {
			return o, err
		}
	}
	err = f.readCredentials(c, &o, cert, trust)
	return o, err
}

// checkDotted refuses a value that counts as a file because of its dot, if
// there is no such file but a certificate of that name.
func (f folder) checkDotted(value string) error {
	if !certfile.IsFile(value) || value != filepath.Base(value) {
		return nil
	}
	inFolder := filepath.Join(f.certs(), value+".pem")
	if _, err := os.Stat(value); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(inFolder); err != nil {
		return nil
	}
	return &certfile.FileError{File: value, Problem: "does not exist, and a name with a dot is taken for a file",
		Next: "the certificate of that name is " + commandWord(inFolder)}
}

// file returns the file that a value names: itself, or that of a name of the
// PKI.
func (f folder) file(value, suffix string) string {
	if certfile.IsFile(value) {
		return value
	}
	return filepath.Join(f.certs(), value+suffix)
}

// readCredentials loads them. Beside files, a name that nobody has typed and
// that is not there is one that the user has yet to give.
func (f folder) readCredentials(c *cli.Context, o *lab.Credentials, cert, trust string) error {
	err := o.Read()
	if err == nil && !certfile.IsFile(o.Trust) && !o.Anchor().IsCA {
		return &certgen.NoAnchorError{Name: o.Trust, Issuer: dn.Issuer(o.Anchor())}
	}
	var missing *certgen.MissingError
	if !errors.As(err, &missing) {
		return err
	}
	for _, flag := range []struct{ name, value, what string }{
		{trust, o.Trust, "the CA that the other side must have"},
		{cert, o.Certificate, "the certificate to show"},
	} {
		switch {
		case missing.Name != flag.value || c.IsSet(flag.name):
		case !namesFiles(c):
			return &defaultNameError{missing, flag.name}
		default:
			return &unnamedError{flag: flag.name, what: flag.what, optional: flag.name == cert && o.Certificate == clientName}
		}
	}
	return err
}

// defaultNameError is a certificate that is missing and that nobody has named:
// the manifest may have others.
type defaultNameError struct {
	*certgen.MissingError
	flag string
}

func (e *defaultNameError) Unwrap() error { return e.MissingError }

// unnamedError reports a missing flag that those that name files need.
type unnamedError struct {
	flag, what string
	optional   bool // none will do
}

func (e *unnamedError) Error() string {
	return "beside files of your own, name " + e.what
}

func (e *unnamedError) hint() string {
	if e.optional {
		return fmt.Sprintf("--%s FILE, or --%s none", e.flag, e.flag)
	}
	return fmt.Sprintf("--%s FILE", e.flag)
}

// authorities returns the CAs that a side trusts, as far as they can be loaded.
func authorities(o lab.Credentials) (all []*x509.Certificate) {
	if o.Trust == "" {
		return nil
	}
	for _, name := range o.Authorities() {
		if certificates, err := o.LoadAuthorities(name); err == nil {
			all = append(all, certificates...)
		}
	}
	return all
}

// upClient returns the certificate that the client of lab up shows:
// --client-cert, or else one of certs.yaml that leads to --client-ca.
func (p *Program) upClient(c *cli.Context, f folder) (string, error) {
	ca := c.String("client-ca")
	switch {
	case c.IsSet("client-cert"):
		return c.String("client-cert"), nil
	case ca == clientCA:
		return clientName, nil
	case namesFiles(c):
		return "", &unnamedError{flag: "client-cert", what: "the certificate that the client shows", optional: true}
	}
	m, err := certgen.Read(f.manifest())
	if err != nil {
		return "", err
	}
	if _, err := m.Lookup(ca); err != nil {
		return "", err
	}
	var fit []string
	for _, certificate := range m.Certificates {
		if leadsTo(certificate, ca) && mayBeClient(certificate) {
			fit = append(fit, certificate.Name)
		}
	}
	if len(fit) > 1 && fit[0] == c.String("cert") { // the server's own
		fit = fit[1:]
	}
	if len(fit) == 0 {
		return "", &usageError{command: commandName(c), problem: fmt.Sprintf("%s has no client certificate that leads to %s: name one with --client-cert, or none", f.manifest(), ca)}
	}
	p.say("the client shows %s; --client-cert names another", fit[0])
	return fit[0], nil
}

// leadsTo reports whether a CA of that name stands above a certificate.
func leadsTo(certificate *certgen.Certificate, ca string) bool {
	for c := certificate.Issuer; c != nil; c = c.Issuer {
		if c.Name == ca {
			return true
		}
	}
	return false
}

// mayBeClient reports whether a correct server accepts a certificate from a
// client.
func mayBeClient(c *certgen.Certificate) bool {
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageAny} {
		if slices.Contains(c.ExtKeyUsage, usage) {
			return !c.CA && !c.Revoked
		}
	}
	return len(c.ExtKeyUsage) == 0 && !c.CA && !c.Revoked
}
