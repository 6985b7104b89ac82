package scenario

import (
	"crypto/x509/pkix"
	"encoding/asn1"

	"go.yaml.in/yaml/v4"
)

// The object identifiers of RFC 5280 section 4.2.1.
var (
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidNameConstraints  = asn1.ObjectIdentifier{2, 5, 29, 30}
)

// extensions are what can be put into a certificate besides the manifest's
// fields.
type extensions struct {
	notCA      bool
	pathLength *int
	permitted  []string // host names
	excluded   []string
}

func (x *extensions) read(r reader, n *yaml.Node) error {
	isCA, length := true, -1
	err := r.object(n, map[string]setter{"ca": r.boolean(&isCA), "path_length": r.number(&length),
		"permitted": r.texts(&x.permitted), "excluded": r.texts(&x.excluded)})
	x.notCA = !isCA
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
	switch {
	case x.notCA:
		if err := add(oidBasicConstraints, struct{}{}); err != nil {
			return nil, err
		}
	case x.pathLength != nil:
		err := add(oidBasicConstraints, struct {
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
	err := add(oidNameConstraints, struct {
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
