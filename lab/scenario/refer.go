package scenario

import (
	"bytes"
	"crypto/x509/pkix"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen"
)

var goodName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// readName takes the name, which is not that of another scenario: their
// certificates and captures would be in the same place.
func (s *Scenario) readName(r reader) setter {
	return func(n *yaml.Node) error {
		if err := r.text(&s.Name)(n); err != nil {
			return err
		}
		if !goodName.MatchString(s.Name) {
			return r.ErrorAt(n, "write small letters, digits and hyphens", "the name %q is not one for a folder", s.Name)
		}
		builtIn, err := embedded.ReadFile("scenarios/" + s.Name + ".yaml")
		if err == nil && !bytes.Equal(builtIn, s.Text) {
			return r.ErrorAt(n, "give yours a name of its own, such as my-"+s.Name,
				"the built-in scenario is called %s too, and its certificates and captures would be overwritten", s.Name)
		}
		return nil
	}
}

// reference is a place where a document names a certificate.
type reference struct {
	r    reader
	node *yaml.Node
	ca   bool // it must be a CA, or be signed by itself
}

// certificate takes the name of one.
func (s *Scenario) certificate(r reader, to *string) setter {
	return func(n *yaml.Node) error {
		err := r.text(to)(n)
		if *to != "none" {
			s.references = append(s.references, reference{r: r, node: n})
		}
		return err
	}
}

// certificates takes a list of names.
func (s *Scenario) certificates(r reader, to *[]string) setter {
	return func(n *yaml.Node) error {
		err := r.texts(to)(n)
		for _, item := range n.Content {
			s.references = append(s.references, reference{r: r, node: item})
		}
		return err
	}
}

// authorities takes a list of CAs.
func (s *Scenario) authorities(r reader, to *[]string) setter {
	return func(n *yaml.Node) error {
		before := len(s.references)
		err := s.certificates(r, to)(n)
		for i := range s.references[before:] {
			s.references[before+i].ca = true
		}
		return err
	}
}

// checkReferences finds names that no certificate has, and CAs that are none.
func (s *Scenario) checkReferences(m *certgen.Manifest) error {
	var names, authorities []string
	for _, c := range m.Certificates {
		names = append(names, c.Name)
		if c.CA || c.Issuer == nil {
			authorities = append(authorities, c.Name)
		}
	}
	for _, ref := range s.references {
		name := ref.node.Value
		switch {
		case slices.Contains(names, name) && (!ref.ca || slices.Contains(authorities, name)):
			continue
		case slices.Contains(names, name):
			return ref.r.ErrorAt(ref.node, "the CAs are "+strings.Join(authorities, ", "), "%s is not a CA", name)
		}
		hint := "the certificates are " + strings.Join(names, ", ") + "; add a document for another"
		if nearest := certgen.Nearest(name, names); len(nearest) > 0 {
			hint = "did you mean " + strings.Join(nearest, " or ") + "?"
		}
		return ref.r.ErrorAt(ref.node, hint, "no certificate is called %q", name)
	}
	return nil
}

// readExtensions takes what the manifest has no fields for, by certificate.
func (s *Scenario) readExtensions(r reader) setter {
	return func(n *yaml.Node) error {
		s.Extensions = map[string][]pkix.Extension{}
		return r.each(n, func(key, value *yaml.Node) error {
			var x extensions
			if err := x.read(r, value); err != nil {
				return err
			}
			der, err := x.marshal()
			if err != nil {
				return r.ErrorAt(value, "write path_length, ca: false, or permitted and excluded host names", "these cannot be encoded: %v", err)
			}
			s.Extensions[key.Value] = der
			s.references = append(s.references, reference{r: r, node: key})
			return nil
		})
	}
}
