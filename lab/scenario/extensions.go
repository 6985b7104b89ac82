package scenario

import (
	"crypto/x509/pkix"
	"encoding/asn1"

	"go.yaml.in/yaml/v4"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/yamldoc"
)

// ReadExtensions reads the extensions of certificates, by their names.
func (s *Scenario) ReadExtensions(r yamldoc.Document) yamldoc.Setter {
	return func(n *yaml.Node) error {
		s.Extensions = map[string][]pkix.Extension{}
		return r.Entries(n, func(key, value *yaml.Node) error {
			var x extensions
			if err := x.read(r, value); err != nil {
				return err
			}
			der, err := x.marshal()
			if err != nil {
				return r.ErrorAt(value, "write path_length, ca: false, ca_critical: false, unknown_critical: true, no_rev_avail: true, or permitted and excluded host names", "these cannot be encoded: %v", err)
			}
			s.Extensions[key.Value] = der
			s.references = append(s.references, reference{document: r, node: key, name: key.Value})
			return nil
		})
	}
}

var (
	oidNobodyKnows = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1} // for documentation (RFC 5612)
	oidNoRevAvail  = asn1.ObjectIdentifier{2, 5, 29, 56}               // RFC 9608 section 2
)

// extensions are what can be put into a certificate besides the manifest's
// fields.
type extensions struct {
	notCA      bool
	lax        bool // basicConstraints is not critical
	unknown    bool // a critical extension that nobody knows
	noRevAvail bool // RFC 9608
	pathLength *int
	permitted  []string // host names
	excluded   []string
}

func (x *extensions) read(r yamldoc.Document, n *yaml.Node) error {
	isCA, length, critical := true, -1, true
	err := r.Object(n, map[string]yamldoc.Setter{"ca": r.Boolean(&isCA), "path_length": r.Number(&length),
		"ca_critical": r.Boolean(&critical), "unknown_critical": r.Boolean(&x.unknown), "no_rev_avail": r.Boolean(&x.noRevAvail),
		"permitted": r.ListOfWords(&x.permitted), "excluded": r.ListOfWords(&x.excluded)})
	x.notCA, x.lax = !isCA, !critical
	if length >= 0 {
		x.pathLength = &length
	}
	return err
}

// marshal returns the extensions in DER.
func (x *extensions) marshal() ([]pkix.Extension, error) {
	var all []pkix.Extension
	add := func(id asn1.ObjectIdentifier, value any) error {
		der, err := asn1.Marshal(value)
		all = append(all, pkix.Extension{Id: id, Critical: true, Value: der})
		return err
	}
	if x.unknown {
		all = append(all, pkix.Extension{Id: oidNobodyKnows, Critical: true, Value: asn1.NullBytes})
	}
	if x.noRevAvail {
		all = append(all, pkix.Extension{Id: oidNoRevAvail, Value: asn1.NullBytes})
	}
	switch {
	case x.notCA:
		if err := add(certgen.OIDBasicConstraints, struct{}{}); err != nil {
			return nil, err
		}
	case x.lax:
		der, err := asn1.Marshal(struct{ CA bool }{true})
		if err != nil {
			return nil, err
		}
		all = append(all, pkix.Extension{Id: certgen.OIDBasicConstraints, Value: der})
	case x.pathLength != nil:
		err := add(certgen.OIDBasicConstraints, struct {
			CA     bool
			Length int
		}{true, *x.pathLength})
		if err != nil {
			return nil, err
		}
	}
	if x.permitted == nil && x.excluded == nil {
		return all, nil
	}
	err := add(certgen.OIDNameConstraints, struct {
		Permitted []subtree `asn1:"optional,omitempty,tag:0"`
		Excluded  []subtree `asn1:"optional,omitempty,tag:1"`
	}{subtrees(x.permitted), subtrees(x.excluded)})
	return all, err
}

// subtree is GeneralSubtree (RFC 5280 section 4.2.1.10) with a dNSName.
type subtree struct {
	DNSName string `asn1:"tag:2,ia5"`
}

func subtrees(names []string) (trees []subtree) {
	for _, name := range names {
		trees = append(trees, subtree{name})
	}
	return trees
}
