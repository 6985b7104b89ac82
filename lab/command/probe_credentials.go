package command

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/probe"
)

// probeCredentials loads what a server is probed with.
func (p *Program) probeCredentials(c *cli.Context, o *probe.ServerOptions) error {
	f := folderOf(c)
	own, err := f.credentials(c, c.String("cert"), "cert", "key", "ca")
	switch {
	case err != nil && !namesFiles(c) && !isDirectory(f.certs()):
		return &noPKIError{err, f.certs()}
	case err != nil:
		return err
	}
	if own.Certificate == "" { // --cert none
		return &usageError{command: commandName(c), problem: "--cert is none, and a probe begins with a certificate that must be let in"}
	}
	if o.Good, err = f.loadPair(own.Certificate, own.KeyFile, own.Password); err != nil {
		return err
	}
	if o.ServerCAs, err = own.LoadAuthorities(own.Trust); err != nil {
		return err
	}
	if !certfile.IsFile(own.Trust) {
		o.ServerCA = f.loadCA(own.Trust)
	}
	if o.ClientCA, err = f.clientCA(c, own.Password, &o.Good); err != nil {
		return err
	}
	p.sayClientCA(c, o)
	if given := c.String("revoked"); given != "" {
		revoked, err := f.revoked(c, given, own.Password)
		if err != nil {
			return err
		}
		o.Revoked = &revoked
	}
	return nil
}

// noPKIError is a folder without certificates. A probe makes none: the server
// that it is to try would not have them.
type noPKIError struct {
	error
	certs string
}

func (e *noPKIError) Unwrap() error { return e.error }

func (e *noPKIError) Error() string {
	return fmt.Sprintf("there are no certificates in %s, and a server could not know any that are made now", e.certs)
}

// sayClientCA says what of --client-ca is of no use.
func (p *Program) sayClientCA(c *cli.Context, o *probe.ServerOptions) {
	given := c.String("client-ca")
	if given == "" || o.ClientCA == nil {
		return
	}
	ca, good := o.ClientCA.Leaf, o.Good.Leaf
	if o.ClientCA.PrivateKey == nil {
		p.say("without --client-ca-key no certificates of %s can be made: the cases that need them are not tried", dn.Subject(ca))
	}
	if bytes.Equal(good.RawIssuer, ca.RawSubject) && isOfOtherKey(good, ca) {
		p.say("warning: --client-ca has the name of the CA of --cert, and another key: it is another CA, or was made anew")
	}
}

// isOfOtherKey reports whether a certificate was not signed with the key of a
// CA.
func isOfOtherKey(c, ca *x509.Certificate) bool {
	err := ca.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
	return err != nil && !errors.As(err, new(x509.InsecureAlgorithmError)) && !errors.Is(err, x509.ErrUnsupportedAlgorithm)
}

// loadPair loads a certificate and its key, by name or from files.
func (f folder) loadPair(cert, key, password string) (tls.Certificate, error) {
	if certfile.IsFile(cert) {
		return certfile.LoadPair(cert, key, password)
	}
	return certgen.Load(f.certs(), cert)
}

// loadCA returns a CA of the folder with its key, nil if it has not both.
func (f folder) loadCA(name string) *tls.Certificate {
	ca, err := certgen.Load(f.certs(), name)
	if err != nil || !ca.Leaf.IsCA {
		return nil
	}
	return &ca
}

// clientCA returns the CA that the server lets in clients of, with its key if
// there is one. Without --client-ca it is the lab's, if that stands above the
// good certificate, or else nil.
func (f folder) clientCA(c *cli.Context, password string, good *tls.Certificate) (*tls.Certificate, error) {
	name, key := c.String("client-ca"), c.String("client-ca-key")
	switch {
	case name == "" && key != "":
		return nil, &usageError{command: commandName(c), problem: "--client-ca-key needs a --client-ca that it is the key of"}
	case name == "":
		if ca := f.loadCA(clientCA); ca != nil && leadsUp(good, ca.Leaf) {
			return ca, nil
		}
		return nil, nil
	case key == "" && certfile.IsFile(name):
		key, _ = certfile.KeyFile(name, password) // there may be none
	case key == "":
		if ca := f.loadCA(name); ca != nil {
			return ca, nil
		}
	}
	if key != "" {
		ca, err := certfile.LoadPair(f.file(name, ".pem"), f.file(key, "-key.pem"), password)
		if err == nil && !ca.Leaf.IsCA {
			err = &usageError{command: commandName(c), problem: fmt.Sprintf("--client-ca is %s, which is not a CA", dn.Subject(ca.Leaf))}
		}
		return &ca, err
	}
	certificates, err := certfile.LoadCAs(f.file(name, ".pem"), password)
	if err != nil {
		return nil, err
	}
	ca := &tls.Certificate{Leaf: certificates[0]}
	for _, above := range certificates {
		ca.Certificate = append(ca.Certificate, above.Raw)
	}
	return ca, nil
}

// leadsUp reports whether a certificate is of a CA, directly or by those that
// are sent with it.
func leadsUp(c *tls.Certificate, ca *x509.Certificate) bool {
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(ca)
	for _, der := range c.Certificate[1:] {
		if above, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(above)
		}
	}
	_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: c.Leaf.NotBefore.Add(1)})
	return err == nil
}

// revoked loads --revoked: CERT,KEY or a name.
func (f folder) revoked(c *cli.Context, given, password string) (tls.Certificate, error) {
	cert, key, isPair := strings.Cut(given, ",")
	switch {
	case isPair:
		return certfile.LoadPair(f.file(cert, ".pem"), f.file(key, "-key.pem"), password)
	case certfile.IsFile(given):
		key, err := certfile.KeyFile(given, password)
		if err != nil {
			return tls.Certificate{}, err
		}
		return certfile.LoadPair(given, key, password)
	}
	return certgen.Load(f.certs(), given)
}
