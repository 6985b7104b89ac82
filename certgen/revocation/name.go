package revocation

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
)

// IsSameName reports whether two encoded names are the same
// (RFC 5280 section 7.1).
func IsSameName(a, b []byte) bool { return bytes.Equal(a, b) || normalized(a) == normalized(b) }

// normalized returns what is the same for two encoded names that
// RFC 5280 section 7.1 takes for one: the type of a string, its case, and the
// amount of space in it do not count. Two names that differ may have it in
// common, too: it only finds the lists whose signature is then checked.
func normalized(name []byte) string {
	var sequence pkix.RDNSequence
	if rest, err := asn1.Unmarshal(name, &sequence); err != nil || len(rest) > 0 {
		return string(name)
	}
	var all strings.Builder
	for _, set := range sequence {
		var attributes []string
		for _, a := range set {
			value := strings.Join(strings.Fields(strings.ToLower(fmt.Sprint(a.Value))), " ")
			attributes = append(attributes, fmt.Sprintf("%v=%q", a.Type, value))
		}
		slices.Sort(attributes) // a SET has no order
		fmt.Fprintln(&all, attributes)
	}
	return all.String()
}
