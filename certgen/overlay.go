package certgen

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"

	"mtlslab.example/lab/certgen/yamldoc"
)

// Overlay makes a manifest of documents that hold a certificate each: those of
// overlay come after those of base, and replace any with the same file name.
// The file name is used in messages only. Errors are *yamldoc.Error.
func Overlay(file string, base, overlay []yamldoc.Document) (*Manifest, error) {
	over, err := decodeAll(overlay)
	if err != nil {
		return nil, err
	}
	under, err := decodeAll(base)
	if err != nil {
		return nil, err
	}
	replaced := map[string]bool{}
	for _, d := range over {
		d.certificate.Overlaid = true
		replaced[d.certificate.Name] = true
	}
	under = slices.DeleteFunc(under, func(d *document) bool { return replaced[d.certificate.Name] })
	return assemble(file, append(under, over...))
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

// Revoke revokes the certificate called name, as revoked: true does. The error
// is *UnknownNameError.
func (m *Manifest) Revoke(name string) error {
	c, err := m.Lookup(name)
	if err == nil {
		c.Revoked = true
	}
	return err
}

// The object identifiers of the extensions basicConstraints and nameConstraints
// (RFC 5280 sections 4.2.1.9 and 4.2.1.10).
var (
	OIDBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	OIDNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
)

// extends reports whether c was given an extension with that identifier.
func (c *Certificate) extends(id asn1.ObjectIdentifier) bool {
	return slices.ContainsFunc(c.extensions, func(e pkix.Extension) bool { return e.Id.Equal(id) })
}

// sameExtensions reports whether a certificate has the extensions that c was
// given, and no other constraints.
func (c *Certificate) sameExtensions(leaf *x509.Certificate) bool {
	has := func(want pkix.Extension) bool {
		return slices.ContainsFunc(leaf.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(want.Id) && bytes.Equal(e.Value, want.Value) })
	}
	for _, want := range c.extensions {
		if !has(want) {
			return false
		}
	}
	constrainsNames := func(e pkix.Extension) bool { return e.Id.Equal(OIDNameConstraints) }
	switch {
	case !c.extends(OIDBasicConstraints) && (leaf.MaxPathLen > 0 || leaf.MaxPathLenZero):
		return false
	case !c.extends(OIDNameConstraints) && slices.ContainsFunc(leaf.Extensions, constrainsNames):
		return false
	}
	return true
}
