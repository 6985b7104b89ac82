package tlsdecrypt

import (
	"fmt"
	"strings"

	"mtlslab.example/lab/lab/tlswire"
)

// jsonOffer is what a ClientHello offers, in its order and by IANA's names.
// What clients send to be ignored (GREASE, RFC 8701), and the suites that are
// signals, are not offers.
type jsonOffer struct {
	Versions         []string `json:"versions"`
	CipherSuites     []string `json:"cipher_suites"`
	Groups           []string `json:"groups,omitempty"`
	SignatureSchemes []string `json:"signature_schemes,omitempty"`
	ALPN             []string `json:"alpn,omitempty"`
}

func newJSONOffer(hello *tlswire.ClientHello) *jsonOffer {
	o := &jsonOffer{Versions: []string{hello.LegacyVersion.String()}, CipherSuites: []string{}}
	for _, suite := range hello.CipherSuites {
		if suite != tlswire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV && suite != tlswire.TLS_FALLBACK_SCSV {
			o.CipherSuites = append(o.CipherSuites, offers([]tlswire.CipherSuite{suite})...)
		}
	}
	if x, ok := tlswire.Lookup[*tlswire.SupportedVersions](hello.Extensions, tlswire.ExtensionSupportedVersions); ok {
		o.Versions = offers(x.Versions)
	}
	if x, ok := tlswire.Lookup[*tlswire.NamedGroupList](hello.Extensions, tlswire.ExtensionSupportedGroups); ok {
		o.Groups = offers(x.Groups)
	}
	if x, ok := tlswire.Lookup[*tlswire.SignatureSchemeList](hello.Extensions, tlswire.ExtensionSignatureAlgorithms); ok {
		o.SignatureSchemes = offers(x.Schemes)
	}
	if x, ok := tlswire.Lookup[*tlswire.ProtocolNameList](hello.Extensions, tlswire.ExtensionALPN); ok {
		for _, p := range x.Protocols {
			if len(p) != 2 || p[0] != p[1] || p[0]&0x0f != 0x0a {
				o.ALPN = append(o.ALPN, p)
			}
		}
	}
	return o
}

// offers returns the names of values without GREASE.
func offers[T fmt.Stringer](values []T) (names []string) {
	for _, v := range values {
		if name := v.String(); !strings.HasPrefix(name, "GREASE") {
			names = append(names, name)
		}
	}
	return names
}

// Offers are what the client offers: versions and application protocols.
type Offers struct{ Versions, ALPN []string }

// Offers returns what the client offered in the latest handshake, by IANA's
// names and without GREASE.
func (c *Connection) Offers() Offers {
	hello := c.offered()
	if hello == nil {
		return Offers{}
	}
	o := newJSONOffer(hello)
	return Offers{o.Versions, o.ALPN}
}

// offered returns the ClientHello of the connection's latest handshake, or nil.
func (c *Connection) offered() *tlswire.ClientHello {
	if len(c.handshakes) == 0 {
		return nil
	}
	return c.handshakes[len(c.handshakes)-1].hello
}
