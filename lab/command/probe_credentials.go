package command

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/probe"
)

// probeCredentials loads what a server is probed with.
func (p *Program) probeCredentials(c *cli.Context, o *probe.ServerOptions) error {
	f := folderOf(c)
	own, err := f.credentials(c, c.String("cert"), "cert", "key", "ca")
	if err != nil {
		return err
	}
	if own.Certificate == "" {
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
	if given := c.String("revoked"); given != "" {
		revoked, err := f.revoked(c, given, own.Password)
		if err != nil {
			return err
		}
		o.Revoked = &revoked
	}
	return nil
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
	case key != "":
		ca, err := certfile.LoadPair(f.file(name, ".pem"), f.file(key, "-key.pem"), password)
		if err == nil && !ca.Leaf.IsCA {
			err = &usageError{command: commandName(c), problem: fmt.Sprintf("--client-ca is %s, which is not a CA", ca.Leaf.Subject)}
		}
		return &ca, err
	case !certfile.IsFile(name):
		if ca := f.loadCA(name); ca != nil {
			return ca, nil
		}
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
