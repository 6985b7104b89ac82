package certgen

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"

	"go.yaml.in/yaml/v4"
)

// Document is one YAML document of a file that holds certificates in the
// manifest's syntax among others: see ReadDocuments.
type Document struct{ *document }

// ReadDocuments splits a file into its YAML documents. Errors are
// *ManifestError.
func ReadDocuments(file string, data []byte) ([]Document, error) {
	src, err := newSource(file, data)
	if err != nil {
		return nil, err
	}
	read, err := readDocuments(src)
	if err != nil {
		return nil, err
	}
	documents := make([]Document, len(read))
	for i, d := range read {
		documents[i] = Document{d}
	}
	return documents, nil
}

// Node returns the root of the document.
func (d Document) Node() *yaml.Node { return d.node }

// ErrorAt returns the fault at a node of the document.
func (d Document) ErrorAt(n *yaml.Node, hint, format string, args ...any) *ManifestError {
	return d.errorAt(n.Line, n.Column, hint, format, args...)
}

// Overlay makes a manifest of documents that hold a certificate each: those of
// overlay come after those of base, and replace any with the same file name.
// The documents belong to the manifest from then on. The file name is used in
// messages only. Errors are *ManifestError.
func Overlay(file string, base, overlay []Document) (*Manifest, error) {
	replaced := map[string]bool{}
	for _, d := range slices.Concat(overlay, base) {
		if err := d.decode(0); err != nil {
			return nil, err
		}
	}
	for _, d := range overlay {
		replaced[d.certificate.Name] = true
	}
	var documents []*document
	for _, d := range base {
		if !replaced[d.certificate.Name] {
			documents = append(documents, d.document)
		}
	}
	for _, d := range overlay {
		documents = append(documents, d.document)
	}
	for i, d := range documents {
		d.certificate.index = i
	}
	return assemble(file, documents)
}

// Extend adds extensions to the certificate called name, in place of those
// that would be there by the manifest's fields. The manifest's syntax has none,
// so that it stays certyaml's. The error is *UnknownNameError.
func (m *Manifest) Extend(name string, extensions ...pkix.Extension) error {
	c, err := m.Lookup(name)
	if err != nil {
		return err
	}
	c.extensions = append(c.extensions, extensions...)
	return nil
}

// Revoke has the certificate called name revoked, as revoked: true does. The
// error is *UnknownNameError.
func (m *Manifest) Revoke(name string) error {
	c, err := m.Lookup(name)
	if err == nil {
		c.Revoked = true
	}
	return err
}

// The extensions that say what is a CA, with how many below it, and for which
// names (RFC 5280 sections 4.2.1.9 and 4.2.1.10).
var (
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
)

// extends tells whether the extension of that name is one of c's own.
func (c *Certificate) extends(id asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(c.extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
}

// sameExtensions tells whether a certificate has those that were asked for, and
// is no more constrained than by them.
func (c *Certificate) sameExtensions(leaf *x509.Certificate) bool {
	has := func(want pkix.Extension) bool {
		return slices.ContainsFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(want.Id) && bytes.Equal(e.Value, want.Value) })
	}
	for _, want := range c.extensions {
		if !has(want) {
			return false
		}
	}
	constrainsNames := func(e pkix.Extension) bool { return e.Id.Equal(oidNameConstraints) }
	switch {
	case !c.extends(oidBasicConstraints) && (leaf.MaxPathLen > 0 || leaf.MaxPathLenZero):
		return false
	case !c.extends(oidNameConstraints) && slices.ContainsFunc(leaf.Extensions, constrainsNames):
		return false
	}
	return true
}
