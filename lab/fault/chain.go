package fault

import (
	"crypto/tls"
	"slices"
)

// Chain is which certificates are sent besides the leaf, and in which order.
type Chain string

// The chains. The zero value is right: the leaf, then the intermediates up to
// but not including the root (RFC 9846 section 4.5.1).
const (
	ChainLeaf     Chain = "leaf"     // the leaf alone
	ChainReversed Chain = "reversed" // the leaf last
)

// Apply changes the chain that is sent with certificate.
func (c Chain) Apply(certificate *tls.Certificate) {
	switch c {
	case ChainLeaf:
		certificate.Certificate = certificate.Certificate[:1]
	case ChainReversed:
		slices.Reverse(certificate.Certificate)
	}
}
