package certgen

import (
	"bytes"
	"crypto/x509/pkix"
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

// oidBasicConstraints is the extension that says what is a CA (RFC 5280 section
// 4.2.1.9).
var oidBasicConstraints = []int{2, 5, 29, 19}

// overridesCA tells whether an extension of its own says if c is a CA.
func (c *Certificate) overridesCA() bool {
	return slices.ContainsFunc(c.extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidBasicConstraints) })
}

// hasExtensions tells whether all that were asked for are among those of a
// certificate.
func (c *Certificate) hasExtensions(found []pkix.Extension) bool {
	for _, want := range c.extensions {
		same := func(e pkix.Extension) bool { return e.Id.Equal(want.Id) && bytes.Equal(e.Value, want.Value) }
		if !slices.ContainsFunc(found, same) {
			return false
		}
	}
	return true
}
