package certfile

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"mtlslab.example/lab/certgen"
)

// maxFile is the size in bytes beyond which a file is not read. The CAs of
// every browser together have less than a megabyte.
const maxFile = 16 << 20

// IsFile reports whether a value of --cert, --key, --ca or --client-ca is a
// file: it has a path separator or an extension. Anything else is a name of the
// PKI.
func IsFile(value string) bool {
	return strings.ContainsRune(value, '/') || strings.ContainsRune(value, filepath.Separator) || filepath.Ext(value) != ""
}

// ErrFormat is the cause where a file is of no format that is known.
var ErrFormat = errors.New("no certificate and no key")

// FileError reports a file that does not hold what it should.
type FileError struct {
	File    string // as it was named
	Problem string // what is wrong: "has no certificate"
	Next    string // what to do; may be empty; $FILE stands for File, to be quoted for a shell
	Err     error  // the cause; may be nil
}

func (e *FileError) Error() string { return e.File + " " + e.Problem }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// contents are the certificates and keys of one file, in its order.
type contents struct {
	file         string
	certificates []*x509.Certificate
	keys         []privateKey
	others       []string // PEM types of all else, such as CERTIFICATE REQUEST
}

// read reads a file. password opens PKCS#12.
func read(file, password string) (*contents, error) {
	data, err := readAll(file)
	if err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // the byte order mark of a Windows editor, which OpenSSL passes over too
	c := &contents{file: file}
	switch {
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return c, c.readPEM(data)
	case isPKCS12(data), hasPKCS12Name(file):
		return c, c.readPKCS12(data, password)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, &FileError{File: file, Problem: "is empty"}
	}
	return c, c.readDER(data)
}

// readAll returns what is in a regular file. A pipe could be read only once,
// and credentials are read again when they may have changed.
func readAll(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FileError{File: file, Problem: "does not exist", Err: err,
			Next: "a value with a / or an extension is a file; a certificate of certs.yaml is named without, such as server"}
	case err != nil:
		return nil, unreadable(file, err)
	case info.IsDir():
		return nil, &FileError{File: file, Problem: "is a folder", Next: "name a file in it"}
	case !info.Mode().IsRegular():
		return nil, &FileError{File: file, Problem: "is a pipe or a device, and would have to be read more than once", Next: "write what comes out of it into a file"}
	case info.Size() > maxFile:
		return nil, &FileError{File: file, Problem: "is larger than any file of certificates"}
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, unreadable(file, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, unreadable(file, err)
	}
	return data, nil
}

// unreadable is the error of a file that is there.
func unreadable(file string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &FileError{File: file, Problem: "cannot be read by you", Err: err, Next: "ask its owner, or use a copy of your own"}
	}
	return &FileError{File: file, Problem: "cannot be read: " + err.Error(), Err: err}
}

// readPEM reads the blocks of a PEM file (RFC 7468). Text between them, such as
// openssl writes above a certificate, is passed over.
func (c *contents) readPEM(data []byte) error {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
			certificate, err := parseCertificate(block)
			if err != nil {
				return &FileError{File: c.file, Problem: "has a certificate that cannot be read: " + err.Error(), Err: err}
			}
			c.certificates = append(c.certificates, certificate)
		default:
			if isKeyType(block.Type) {
				c.keys = append(c.keys, readKey(block))
			} else {
				c.others = append(c.others, block.Type)
			}
		}
	}
	if len(c.certificates)+len(c.keys)+len(c.others) == 0 {
		return &FileError{File: c.file, Problem: "begins as PEM and is cut short or damaged",
			Next: "copy it again: openssl x509 -text -noout -in $FILE must be able to read it"}
	}
	return nil
}

// parseCertificate reads a block. OpenSSL's TRUSTED CERTIFICATE has its own
// data behind the certificate.
func parseCertificate(block *pem.Block) (*x509.Certificate, error) {
	der := block.Bytes
	if block.Type == "TRUSTED CERTIFICATE" {
		if n := elementLength(der); n > 0 {
			der = der[:n]
		}
	}
	return x509.ParseCertificate(der)
}

// readDER reads certificates one after the other, or a key.
func (c *contents) readDER(data []byte) error {
	certificates, err := x509.ParseCertificates(data)
	if err == nil && len(certificates) > 0 {
		c.certificates = certificates
		return nil
	}
	if key, keyErr := certgen.ParseKey(data); keyErr == nil {
		c.keys = []privateKey{{signer: key}}
		return nil
	}
	return &FileError{File: c.file, Problem: "is no certificate and no key in PEM, DER or PKCS#12", Err: ErrFormat}
}

// readPKCS12 reads a PFX (RFC 7292): a key with its chain, or else a trust
// store.
func (c *contents) readPKCS12(data []byte, password string) error {
	if n := iterations(data); n > maxIterations {
		return &FileError{File: c.file, Problem: fmt.Sprintf("is PKCS#12 that would take hours to open: it hashes the password %d times", n)}
	}
	key, leaf, chain, err := pkcs12.DecodeChain(data, password)
	if err != nil && password != "" { // that of another file, perhaps
		if k, l, c, e := pkcs12.DecodeChain(data, ""); e == nil {
			key, leaf, chain, err = k, l, c, nil
		}
	}
	if err == nil {
		c.certificates = append([]*x509.Certificate{leaf}, chain...)
		c.keys = []privateKey{asPrivateKey(key)}
		return nil
	}
	if anchors, e := pkcs12.DecodeTrustStore(data, password); e == nil {
		c.certificates = anchors
		return nil
	}
	if errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption) {
		problem := "has another password"
		if password == "" {
			problem = "has a password"
		}
		return &FileError{File: c.file, Problem: problem, Err: err, Next: "write its password into a file, and name that with --password-file FILE"}
	}
	return &FileError{File: c.file, Problem: "is PKCS#12 that cannot be read: " + err.Error(), Err: err,
		Next: "openssl pkcs12 -nodes -out both.pem -in $FILE turns it into PEM"}
}

// what names what a file holds, for messages: "a certificate signing request".
func (c *contents) what() string {
	switch {
	case len(c.certificates) > 0:
		return "only a certificate"
	case len(c.keys) > 0:
		return "only a private key"
	case len(c.others) == 0:
		return "nothing"
	}
	switch c.others[0] {
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		return "only a certificate signing request, which a CA has yet to turn into a certificate"
	case "X509 CRL":
		return "only a CRL"
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return "only a public key"
	}
	return "only a PEM block of type " + c.others[0]
}
