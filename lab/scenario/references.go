package scenario

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/spell"
)

// reference is a place where a document names a certificate.
type reference struct {
	reader
	node *yaml.Node
	name string
	ca   bool // it must be a CA, or self-signed
}

// certificate reads the name of a certificate, or "none".
func (s *Scenario) certificate(r reader, to *string) setter {
	return func(n *yaml.Node) error {
		if err := r.text(to)(n); err != nil {
			return err
		}
		if *to != "none" {
			s.references = append(s.references, reference{reader: r, node: n, name: *to})
		}
		return nil
	}
}

// certificates reads a list of the names of certificates.
func (s *Scenario) certificates(r reader, to *[]string) setter { return s.listOfNames(r, to, false) }

// authorities reads a list of the names of CAs.
func (s *Scenario) authorities(r reader, to *[]string) setter { return s.listOfNames(r, to, true) }

func (s *Scenario) listOfNames(r reader, to *[]string, ca bool) setter {
	return list(r, to, func(to *string) setter {
		return func(n *yaml.Node) error {
			err := r.text(to)(n)
			s.references = append(s.references, reference{reader: r, node: n, name: *to, ca: ca})
			return err
		}
	})
}

// checkReferences refuses names that no certificate of the manifest has, and
// CAs that are none.
func (s *Scenario) checkReferences(m *certgen.Manifest) error {
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
			return ref.ErrorAt(ref.node, "the CAs are "+strings.Join(authorities, ", "), "%s is not a CA", ref.name)
		}
		hint := "the certificates are " + strings.Join(names, ", ") + "; add a document for another"
		if nearest := spell.Nearest(ref.name, names); len(nearest) > 0 {
			hint = "did you mean " + strings.Join(nearest, " or ") + "?"
		}
		return ref.ErrorAt(ref.node, hint, "no certificate is called %q", ref.name)
	}
	return nil
}
