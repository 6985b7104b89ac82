// Package certgen makes a PKI from a manifest: YAML documents in certyaml's
// syntax, one per certificate, in; certificates, keys and CRLs as PEM files in
// one folder out.
//
// The files are the only state. [Compare] reads them and says what is missing,
// changed, expired or broken; [Generate] makes exactly that. Certificates and
// CRLs are issued by github.com/tsaarni/certyaml.
package certgen

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// maxManifest is the size in bytes beyond which a manifest is refused: some
// fifty thousand certificates.
const maxManifest = 16 << 20

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
// filled in. Only Extend and Revoke change it after Parse.
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

	Line int // of the document's first field, from 1

	extensions []pkix.Extension // see Extend
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

// datesFollowNow tells whether the validity depends on when the certificate is
// made. If not, dates in the past are there by intent.
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
	return nil, &UnknownNameError{Name: name, Nearest: Nearest(name, names)}
}

// Read parses the manifest in file. One over 16 MiB is refused without being
// read to its end. Errors are *ManifestError, or *fs.PathError when the file
// cannot be read.
func Read(file string) (*Manifest, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return Parse(file, data)
}

// ManifestError is one fault of a manifest and where it stands.
type ManifestError struct {
	File    string
	Line    int    // from 1
	Column  int    // in characters, from 1
	Source  string // the line at fault; empty when it is too long to show
	Problem string
	Hint    string // what to write instead
}

// Error returns "FILE:LINE:COLUMN: problem".
func (e *ManifestError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Problem)
}

// maxSource is the length in bytes beyond which a line is not shown.
const maxSource = 400

// source is the text of a manifest, for pointing into it.
type source struct {
	file string
	text string
}

// errorAt returns the fault at a line and column, both from 1. What the YAML
// parser finds behind the end stands at the end of the last line.
func (s *source) errorAt(line, column int, hint, format string, args ...any) *ManifestError {
	lines := s.lines()
	if line > len(lines) {
		line = len(lines)
		column = utf8.RuneCountInString(lines[line-1]) + 1
	}
	e := &ManifestError{File: s.file, Line: max(line, 1), Column: max(column, 1),
		Problem: fmt.Sprintf(format, args...), Hint: hint}
	if text := lines[e.Line-1]; len(text) <= maxSource {
		e.Source = text
	}
	return e
}

// lineBreaks are the characters that end a line in YAML 1.1 section 5.4.
const lineBreaks = "\n\r\u0085\u2028\u2029"

// lines returns the lines of the text without their ends, at least one. The
// empty one behind the last end does not count.
func (s *source) lines() []string {
	text := strings.ReplaceAll(s.text, "\r\n", "\n")
	var lines []string
	for {
		end := strings.IndexAny(text, lineBreaks)
		if end < 0 {
			break
		}
		lines = append(lines, text[:end])
		_, size := utf8.DecodeRuneInString(text[end:])
		text = text[end+size:]
	}
	if text != "" || len(lines) == 0 {
		lines = append(lines, text)
	}
	return lines
}

// countLines returns how many lines end in text.
func countLines(text string) int {
	return len((&source{text: text + "\n"}).lines()) - 1
}
