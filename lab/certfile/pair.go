package certfile

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/dn"
)

// KeyFile returns the file that has the private key for the certificate in
// file: file itself, or one beside it with -key.pem or .key in place of its
// extension. password opens PKCS#12. The error is a *FileError.
func KeyFile(file, password string) (string, error) {
	c, err := read(file, password)
	if err != nil {
		return "", err
	}
	if len(c.Keys) > 0 {
		return file, nil
	}
	if len(c.Certificates) == 0 {
		return "", &FileError{File: file, Problem: "has no certificate: it has " + c.what()}
	}
	stem := strings.TrimSuffix(file, filepath.Ext(file))
	beside := []string{stem + "-key.pem", stem + ".key"}
	for _, key := range beside {
		if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
			return key, nil
		}
	}
	return "", &FileError{File: file, Problem: "has no private key, and beside it there is neither " + filepath.Base(beside[0]) + " nor " + filepath.Base(beside[1]),
		Next: "name the key with --key FILE"}
}

// LoadPair reads the certificate in certFile, with the certificates that follow
// it as its chain, and its private key in keyFile. Leaf is set. password opens
// PKCS#12. Errors are *FileError and *MismatchError.
func LoadPair(certFile, keyFile, password string) (tls.Certificate, error) {
	c, err := read(certFile, password)
	if err != nil {
		return tls.Certificate{}, err
	}
	if len(c.Certificates) == 0 {
		return tls.Certificate{}, &FileError{File: certFile, Problem: "has no certificate: it has " + c.what(), Next: "--cert names the certificate, --key the private key"}
	}
	holder := c
	if keyFile != certFile {
		if holder, err = read(keyFile, password); err != nil {
			return tls.Certificate{}, err
		}
	}
	key, err := holder.key(c.Certificates[0])
	if err != nil {
		return tls.Certificate{}, err
	}
	if !certgen.IsKeyOf(c.Certificates[0], key) {
		return tls.Certificate{}, mismatch(c, keyFile, key)
	}
	pair := tls.Certificate{PrivateKey: key, Leaf: c.Certificates[0]}
	for _, certificate := range c.Certificates {
		pair.Certificate = append(pair.Certificate, certificate.Raw)
	}
	return pair, nil
}

// key returns the private key of a certificate among those of a file, or any.
func (c *Contents) key(certificate *x509.Certificate) (crypto.Signer, error) {
	if len(c.Keys) == 0 {
		return nil, &FileError{File: c.File, Problem: "has no private key: it has " + c.what(), Next: "--cert names the certificate, --key the private key"}
	}
	for _, key := range c.Keys {
		if key.Signer != nil && certgen.IsKeyOf(certificate, key.Signer) {
			return key.Signer, nil
		}
	}
	for _, key := range c.Keys {
		if key.Problem != "" {
			return nil, &FileError{File: c.File, Problem: key.Problem, Next: key.Next, Err: key.Err}
		}
	}
	return c.Keys[0].Signer, nil
}

// MismatchError reports a private key that is not that of a certificate.
type MismatchError struct {
	CertificateFile, KeyFile string
	Leaf                     string // subject of the first certificate in its file
	Position                 int    // in that file, from 1, of the certificate that the key belongs to; 0: none there
	Owner                    string // its subject
}

func (e *MismatchError) Error() string {
	if e.Position > 0 {
		return fmt.Sprintf("the first certificate in %s is %s, but the key in %s belongs to number %d, %s",
			e.CertificateFile, e.Leaf, e.KeyFile, e.Position, e.Owner)
	}
	return fmt.Sprintf("the key in %s is not that of the certificate in %s, %s", e.KeyFile, e.CertificateFile, e.Leaf)
}

func mismatch(c *Contents, keyFile string, key crypto.Signer) error {
	e := &MismatchError{CertificateFile: c.File, KeyFile: keyFile, Leaf: dn.Subject(c.Certificates[0])}
	for i, certificate := range c.Certificates {
		if certgen.IsKeyOf(certificate, key) {
			e.Position, e.Owner = i+1, dn.Subject(certificate)
		}
	}
	return e
}

// LoadKeys reads the private keys in a file that can be used, at least one.
// password opens PKCS#12. The error is a *FileError.
func LoadKeys(file, password string) (keys []crypto.Signer, err error) {
	c, err := read(file, password)
	if err != nil {
		return nil, err
	}
	for _, key := range c.Keys {
		if key.Signer != nil {
			keys = append(keys, key.Signer)
		}
	}
	switch {
	case len(keys) > 0:
		return keys, nil
	case len(c.Keys) > 0:
		return nil, &FileError{File: file, Problem: c.Keys[0].Problem, Next: c.Keys[0].Next, Err: c.Keys[0].Err}
	}
	return nil, &FileError{File: file, Problem: "has no private key: it has " + c.what()}
}

// LoadCAs reads the certificates of a bundle of CAs, at least one. password
// opens PKCS#12. Errors are *FileError, also where none of them can be trusted
// as a CA.
func LoadCAs(file, password string) ([]*x509.Certificate, error) {
	all, err := Load(file, password)
	if err != nil {
		return nil, err
	}
	for _, certificate := range all {
		if certificate.IsCA || certificate.CheckSignature(certificate.SignatureAlgorithm, certificate.RawTBSCertificate, certificate.Signature) == nil {
			return all, nil
		}
	}
	return nil, &FileError{File: file, Problem: fmt.Sprintf("has no certificate of a CA, but %s, issued by %s", dn.Subject(all[0]), dn.Issuer(all[0])),
		Next: "name the file of the CA that issued it"}
}

// Load reads the certificates in a file, at least one. password opens PKCS#12.
// The error is a *FileError.
func Load(file, password string) ([]*x509.Certificate, error) {
	c, err := read(file, password)
	if err != nil {
		return nil, err
	}
	if len(c.Certificates) == 0 {
		return nil, &FileError{File: file, Problem: "has no certificate: it has " + c.what()}
	}
	return c.Certificates, nil
}
