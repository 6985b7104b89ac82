package certgen

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"time"

	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/certgen/yamldoc"
)

// DefaultLifetime is how long a certificate is valid when the manifest does
// not say.
const DefaultLifetime = 8760 * time.Hour

// Manifest is a parsed and checked manifest: every issuer is known, every file
// name is used once, and every value is one a certificate can hold.
type Manifest struct {
	File         string         // as given to Parse, for messages
	Certificates []*Certificate // in the order of the manifest

	byName  map[string]*Certificate
	serials map[serialOf]*Certificate // given by the manifest
}

// Certificate is what the manifest asks for in one document, with its defaults
// filled in. After Parse only Extend, Revoke and what is for Issue change it.
type Certificate struct {
	Name    string   // base name of the files: NAME.pem, NAME-key.pem, NAME-crl.pem
	Subject string   // distinguished name as written
	SANs    []string // with their DNS:, IP:, URI: or email: prefix; DNS names as A-labels

	KeyType KeyType
	KeySize int // in bits

	Expires   time.Duration // NotAfter - NotBefore where NotAfter is not given
	NotBefore time.Time     // UTC, whole seconds; zero: it follows from when it is made
	NotAfter  time.Time     // UTC, whole seconds; zero: NotBefore + Expires

	KeyUsage    x509.KeyUsage
	ExtKeyUsage []x509.ExtKeyUsage
	CA          bool
	Serial      *big.Int     // nil: random
	Issuer      *Certificate // nil: self-signed
	Revoked     bool         // listed in the issuer's CRL

	CRLDistributionPoints []string
	OCSP                  []string

	Line     int  // of the document's first field, from 1
	Overlaid bool // it was added, or replaced another, by Overlay

	extensions []pkix.Extension // see Extend
	given      *tls.Certificate // see Give
	index      int              // in Manifest.Certificates
	depth      int              // of issuers above it; 0: self-signed
	subject    subject          // as parsed; empty when the manifest gives none
	sans       alternativeNames
}

// alternativeNames are SANs sorted by type, as crypto/x509 has them.
type alternativeNames struct {
	dns, emails []string
	ips         []net.IP
	uris        []*url.URL
}

// KeyType is a public key algorithm, by the names that key_type takes.
type KeyType string

// The key types of the manifest.
const (
	EC      KeyType = "EC"
	RSA     KeyType = "RSA"
	Ed25519 KeyType = "ED25519"
)

// Key returns the algorithm and size in words, such as "EC 256"; "" if they are
// not known.
func (c *Certificate) Key() string {
	if c.KeyType == "" {
		return ""
	}
	return fmt.Sprintf("%s %d", c.KeyType, c.KeySize)
}

// CertificateFile returns the base name of the certificate's file.
func (c *Certificate) CertificateFile() string { return certificateFile(c.Name) }

// KeyFile returns the base name of the private key's file.
func (c *Certificate) KeyFile() string { return keyFile(c.Name) }

// CRLFile returns the base name of the file that holds the CRL of a CA.
func (c *Certificate) CRLFile() string { return crlFile(c.Name) }

// datesFollowNow reports whether the validity depends on when the certificate
// is made. If not, dates in the past are there by intent.
func (c *Certificate) datesFollowNow() bool {
	return c.NotBefore.IsZero() && c.NotAfter.IsZero()
}

// Find returns the certificate whose files are called name, or nil.
func (m *Manifest) Find(name string) *Certificate { return m.byName[name] }

// Lookup returns the certificate whose files are called name, or
// *UnknownNameError.
func (m *Manifest) Lookup(name string) (*Certificate, error) {
	if c := m.Find(name); c != nil {
		return c, nil
	}
	names := make([]string, len(m.Certificates))
	for i, c := range m.Certificates {
		names[i] = c.Name
	}
	return nil, &UnknownNameError{Name: name, Nearest: spell.Nearest(name, names)}
}

// Read parses the manifest in file. One over 16 MiB is refused without being
// read to its end. Errors are *yamldoc.Error, or *fs.PathError when the file
// cannot be read.
func Read(file string) (*Manifest, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, yamldoc.MaxSize+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return Parse(file, data)
}
