package deploy

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/chain"
)

// Object is a certificate for Kubernetes: a Secret of type kubernetes.io/tls
// with its key or, of a CA, a ConfigMap. Values are PEM.
type Object struct {
	Name      string
	Namespace string // "": that of whoever applies it
	Chain     []byte // tls.crt: the certificate and its intermediates
	Key       []byte // tls.key; nil: it is a ConfigMap
	CA        []byte // ca.crt: the root that issued it or, of a CA, itself; nil: none of the PKI
	CRL       []byte // ca-crl.pem, of a CA; nil: there is none
}

// NameError reports a certificate whose name Kubernetes does not take.
type NameError struct{ Name string }

func (e *NameError) Error() string {
	return fmt.Sprintf("%s is no name for an object of Kubernetes: those have small letters, digits, - and . alone", e.Name)
}

// Read reads the certificate called name in dir, the folder of a PKI. Of a CA
// the key stays where it is. Errors are those of certgen.Load, and *NameError.
func Read(dir, name string) (*Object, error) {
	if !IsName(name) {
		return nil, &NameError{name}
	}
	certificates, err := certgen.LoadCertificates(dir, name)
	if err != nil {
		return nil, err
	}
	o := &Object{Name: name}
	if certificates[0].IsCA {
		o.CA = encode(certificates[0])
		o.CRL, err = os.ReadFile(filepath.Join(dir, name+"-crl.pem"))
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return o, err
	}
	pair, err := certgen.Load(dir, name)
	if err != nil {
		return nil, err
	}
	if o.Key, err = certfile.EncodeKey(pair.PrivateKey); err != nil {
		return nil, err
	}
	for _, der := range pair.Certificate {
		o.Chain = append(o.Chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	o.CA, err = rootOf(dir, certificates[len(certificates)-1])
	return o, err
}

// YAML returns the manifest of the object.
func (o *Object) YAML() ([]byte, error) { return execute("object.yaml", o) }

// rootOf returns the root in a folder that issued a certificate, nil if it has
// none.
func rootOf(dir string, c *x509.Certificate) ([]byte, error) {
	names, err := certgen.Names(dir)
	for _, name := range names {
		root, err := certgen.LoadCertificates(dir, name)
		if err == nil && root[0].IsCA && chain.IsSelfIssued(root[0]) && c.CheckSignatureFrom(root[0]) == nil {
			return encode(root[0]), nil
		}
	}
	return nil, err
}

func encode(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
