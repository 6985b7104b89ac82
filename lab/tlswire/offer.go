package tlswire

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Offer is what one side can do, in the order of its own: what a ClientHello
// offers, or what is known of a server.
type Offer struct {
	Versions         []Version
	OrOlder          bool // the one version is the newest that the client can do: it may do older ones
	CipherSuites     []CipherSuite
	Groups           []NamedGroup
	SignatureSchemes []SignatureScheme
	ALPN             []string // as it was sent
}

// OfferOf returns what a ClientHello offers; nil: nothing. Values that are to
// be ignored (GREASE, RFC 8701), what is there twice, and cipher suites that
// are signals (RFC 5746 section 3.3, RFC 7507 section 2) are left out. Without
// supported_versions the one version is the newest that the client offers (RFC
// 9846 section 4.2.2).
func OfferOf(hello *ClientHello) (o Offer) {
	if hello == nil {
		return o
	}
	o.Versions, o.OrOlder = []Version{hello.LegacyVersion}, true
	o.CipherSuites = slices.DeleteFunc(known(hello.CipherSuites), CipherSuite.isSignal)
	if x, ok := Lookup[*SupportedVersions](hello.Extensions, ExtensionSupportedVersions); ok {
		o.Versions, o.OrOlder = known(x.Versions), false
	}
	if x, ok := Lookup[*NamedGroupList](hello.Extensions, ExtensionSupportedGroups); ok {
		o.Groups = known(x.Groups)
	}
	if x, ok := Lookup[*SignatureSchemeList](hello.Extensions, ExtensionSignatureAlgorithms); ok {
		o.SignatureSchemes = known(x.Schemes)
	}
	o.ALPN = OfferedALPN(hello)
	return o
}

// OfferedALPN returns the application protocols that a ClientHello offers, as
// OfferOf does.
func OfferedALPN(hello *ClientHello) (protocols []string) {
	if hello == nil {
		return nil
	}
	if x, ok := Lookup[*ProtocolNameList](hello.Extensions, ExtensionALPN); ok {
		for _, p := range x.Protocols {
			if len(p) != 2 || !isGREASE(bigEndian([]byte(p))) {
				protocols = append(protocols, p)
			}
		}
	}
	return protocols
}

func (s CipherSuite) isSignal() bool {
	return s == TLS_EMPTY_RENEGOTIATION_INFO_SCSV || s == TLS_FALLBACK_SCSV
}

// ChoiceOf returns what a server has chosen in ServerHello or
// HelloRetryRequest.
func ChoiceOf(choice *ServerHello) Offer {
	o := Offer{Versions: []Version{choice.Version()}, CipherSuites: []CipherSuite{choice.CipherSuite}}
	if x, ok := Lookup[*KeyShareServerHello](choice.Extensions, ExtensionKeyShare); ok {
		o.Groups = []NamedGroup{x.Share.Group}
	}
	if x, ok := Lookup[*KeyShareHelloRetryRequest](choice.Extensions, ExtensionKeyShare); ok {
		o.Groups = []NamedGroup{x.SelectedGroup}
	}
	return o
}

// MarshalJSON writes IANA's names, and leaves out what there is none of.
func (o Offer) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Versions         []string `json:"versions,omitempty"`
		CipherSuites     []string `json:"cipher_suites,omitempty"`
		Groups           []string `json:"groups,omitempty"`
		SignatureSchemes []string `json:"signature_schemes,omitempty"`
		ALPN             []string `json:"alpn,omitempty"`
	}{Names(o.Versions), Names(o.CipherSuites), Names(o.Groups), Names(o.SignatureSchemes), o.ALPN})
}

// HasVersion reports whether a version is offered.
func (o Offer) HasVersion(v Version) bool {
	return slices.Contains(o.Versions, v) || o.OrOlder && len(o.Versions) == 1 && v.rank() < o.Versions[0].rank()
}

// Newest returns the newest version of an offer; 0: there is none. A draft of
// TLS 1.3 is older than TLS 1.3.
func (o Offer) Newest() Version {
	if len(o.Versions) == 0 {
		return 0
	}
	return slices.MaxFunc(o.Versions, func(a, b Version) int { return a.rank() - b.rank() })
}

// rank orders versions by age: a draft comes between TLS 1.2 and TLS 1.3.
func (v Version) rank() int {
	if draft := v.Draft(); draft > 0 {
		return int(VersionTLS12)<<8 + draft
	}
	return int(v) << 8
}

// Names returns IANA's names of values.
func Names[T fmt.Stringer](values []T) (names []string) {
	for _, v := range values {
		names = append(names, v.String())
	}
	return names
}

// known returns values without GREASE, each once.
func known[T interface {
	comparable
	IsGREASE() bool
}](values []T) (known []T) {
	for _, v := range values {
		if !v.IsGREASE() && !slices.Contains(known, v) {
			known = append(known, v)
		}
	}
	return known
}

// IsGREASE reports whether a value is one that clients send so that servers
// keep ignoring what they do not know (RFC 8701 section 2).
func (v Version) IsGREASE() bool         { return isGREASE(uint32(v)) }
func (s CipherSuite) IsGREASE() bool     { return isGREASE(uint32(s)) }
func (g NamedGroup) IsGREASE() bool      { return isGREASE(uint32(g)) }
func (s SignatureScheme) IsGREASE() bool { return isGREASE(uint32(s)) }
func (t ExtensionType) IsGREASE() bool   { return isGREASE(uint32(t)) }
