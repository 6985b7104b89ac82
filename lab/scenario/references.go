package scenario

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/spell"
	"mtlslab.example/lab/certgen/yamldoc"
)

// reference is a place where a document names a certificate.
type reference struct {
	document yamldoc.Document
	node     *yaml.Node
	name     string
	ca       bool // it must be a CA, or self-signed
}

// certificate reads the name of a certificate, or "none".
func (s *Scenario) certificate(r yamldoc.Document, to *string) yamldoc.Setter {
	return func(n *yaml.Node) error {
		if err := r.Words(to)(n); err != nil {
			return err
		}
		if *to != "none" {
			s.references = append(s.references, reference{document: r, node: n, name: *to})
		}
		return nil
	}
}

// Certificates reads a list of the names of certificates.
func (s *Scenario) Certificates(r yamldoc.Document, to *[]string) yamldoc.Setter {
	return s.listOfNames(r, to, false)
}

// authorities reads a list of the names of CAs.
func (s *Scenario) authorities(r yamldoc.Document, to *[]string) yamldoc.Setter {
	return s.listOfNames(r, to, true)
}

func (s *Scenario) listOfNames(r yamldoc.Document, to *[]string, ca bool) yamldoc.Setter {
	return yamldoc.List(r, to, func(to *string) yamldoc.Setter {
		return func(n *yaml.Node) error {
			err := r.Words(to)(n)
			s.references = append(s.references, reference{document: r, node: n, name: *to, ca: ca})
			return err
		}
	})
}

// CheckReferences refuses names in the document that no certificate of the
// manifest has, and CAs that are none. Errors are *yamldoc.Error.
func (s *Scenario) CheckReferences(m *certgen.Manifest) error {
	var names, authorities []string
	for _, c := range m.Certificates {
		names = append(names, c.Name)
		if c.CA || c.Issuer == nil {
			authorities = append(authorities, c.Name)
		}
	}
	for _, ref := range s.references {
		switch {
		case slices.Contains(names, ref.name) && (!ref.ca || slices.Contains(authorities, ref.name)):
			continue
		case slices.Contains(names, ref.name):
			return ref.document.ErrorAt(ref.node, "the CAs are "+strings.Join(authorities, ", "), "%s is not a CA", ref.name)
		}
		hint := "the certificates are " + strings.Join(names, ", ") + "; add a document for another"
		if nearest := spell.Nearest(ref.name, names); len(nearest) > 0 {
			hint = "did you mean " + strings.Join(nearest, " or ") + "?"
		}
		return ref.document.ErrorAt(ref.node, hint, "no certificate is called %q", ref.name)
	}
	return nil
}
