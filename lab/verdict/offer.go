package verdict

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// Offer is what one side can do, as far as it was seen, by IANA's names and in
// the order of the side's own. Values that are to be ignored (GREASE, RFC 8701)
// and suites that are signals are left out.
type Offer struct {
	Versions         []string `json:"versions,omitempty"`
	CipherSuites     []string `json:"cipher_suites,omitempty"`
	Groups           []string `json:"groups,omitempty"`
	SignatureSchemes []string `json:"signature_schemes,omitempty"`
	ALPN             []string `json:"alpn,omitempty"`
}

// Offers are what the two sides could have agreed on.
type Offers struct {
	Client Offer  `json:"client"`           // in ClientHello
	Server *Offer `json:"server,omitempty"` // what it takes by its settings, or has taken, there or on another connection; nil: none is known
	From   *int   `json:"from,omitempty"`   // the other connection; nil: this one
}

// TakenBy returns what a server of crypto/tls takes, as far as its settings say:
// what they leave to crypto/tls is left out.
func TakenBy(config *tls.Config) *Offer {
	o := &Offer{ALPN: config.NextProtos}
	for v := cmp.Or(config.MaxVersion, tls.VersionTLS13); v >= max(config.MinVersion, tls.VersionTLS10); v-- {
		o.Versions = append(o.Versions, tlswire.Version(v).String())
	}
	for _, suite := range config.CipherSuites {
		o.CipherSuites = append(o.CipherSuites, tlswire.CipherSuite(suite).String())
	}
	for _, group := range config.CurvePreferences {
		o.Groups = append(o.Groups, tlswire.NamedGroup(group).String())
	}
	return o
}

// isAboutOffers reports whether an alert may say that the two sides have
// nothing in common.
func isAboutOffers(d tlswire.AlertDescription) bool {
	switch d {
	case tlswire.AlertHandshakeFailure, tlswire.AlertProtocolVersion, tlswire.AlertInsufficientSecurity, tlswire.AlertNoApplicationProtocol,
		tlswire.AlertMissingExtension, tlswire.AlertInappropriateFallback, tlswire.AlertIllegalParameter, tlswire.AlertInternalError:
		return true
	}
	return false
}

// offers returns what the two sides offered, if a side refused the other before
// they had agreed; else nil.
func (w *wire) offers(by endpoint.Side) *Offers {
	alert := w.alertOf(by)
	early := by == endpoint.Server && !w.answered || by == endpoint.Client && w.answered && !w.shown.Server.seen
	if w.hello == nil || !early || alert != nil && !isAboutOffers(*alert) || alert == nil && by == endpoint.Client {
		return nil
	}
	o := &Offers{Client: *newOffer(w.hello)}
	if w.choice != nil {
		o.Server = newChoice(w.choice)
	}
	switch {
	case alert == nil:
	case *alert == tlswire.AlertProtocolVersion, *alert == tlswire.AlertInappropriateFallback:
		o.Client = Offer{Versions: o.Client.Versions}
	case *alert == tlswire.AlertNoApplicationProtocol:
		o.Client = Offer{ALPN: o.Client.ALPN}
	}
	return o
}

func newOffer(hello *tlswire.ClientHello) *Offer {
	if hello == nil {
		return &Offer{}
	}
	o := &Offer{Versions: named(versionsOf(hello)), CipherSuites: named(suitesOf(hello)), Groups: named(groupsOf(hello)), SignatureSchemes: named(schemesOf(hello))}
	if x, ok := tlswire.Lookup[*tlswire.ProtocolNameList](hello.Extensions, tlswire.ExtensionALPN); ok {
		for _, p := range x.Protocols {
			if len(p) != 2 || p[0] != p[1] || p[0]&0x0f != 0x0a {
				o.ALPN = append(o.ALPN, p)
			}
		}
	}
	return o
}

// newChoice returns what a server has chosen in ServerHello or
// HelloRetryRequest.
func newChoice(choice *tlswire.ServerHello) *Offer {
	o := &Offer{Versions: []string{choice.Version().String()}, CipherSuites: []string{choice.CipherSuite.String()}}
	if x, ok := tlswire.Lookup[*tlswire.KeyShareServerHello](choice.Extensions, tlswire.ExtensionKeyShare); ok {
		o.Groups = []string{x.Share.Group.String()}
	}
	if x, ok := tlswire.Lookup[*tlswire.KeyShareHelloRetryRequest](choice.Extensions, tlswire.ExtensionKeyShare); ok {
		o.Groups = []string{x.SelectedGroup.String()}
	}
	return o
}

// named returns the names of values without GREASE, each once.
func named[T fmt.Stringer](values []T) (names []string) {
	for _, v := range values {
		if name := v.String(); !strings.HasPrefix(name, "GREASE") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// versionsOf lists the versions that a client offers. Without
// supported_versions that is the newest one, and those before it.
func versionsOf(hello *tlswire.ClientHello) []tlswire.Version {
	if hello == nil {
		return nil
	}
	if x, ok := tlswire.Lookup[*tlswire.SupportedVersions](hello.Extensions, tlswire.ExtensionSupportedVersions); ok {
		return x.Versions
	}
	return []tlswire.Version{hello.LegacyVersion}
}

func suitesOf(hello *tlswire.ClientHello) []tlswire.CipherSuite {
	return slices.DeleteFunc(slices.Clone(hello.CipherSuites), func(s tlswire.CipherSuite) bool {
		return s == tlswire.TLS_EMPTY_RENEGOTIATION_INFO_SCSV || s == tlswire.TLS_FALLBACK_SCSV
	})
}

func groupsOf(hello *tlswire.ClientHello) []tlswire.NamedGroup {
	if x, ok := tlswire.Lookup[*tlswire.NamedGroupList](hello.Extensions, tlswire.ExtensionSupportedGroups); ok {
		return x.Groups
	}
	return nil
}

func schemesOf(hello *tlswire.ClientHello) []tlswire.SignatureScheme {
	if x, ok := tlswire.Lookup[*tlswire.SignatureSchemeList](hello.Extensions, tlswire.ExtensionSignatureAlgorithms); ok {
		return x.Schemes
	}
	return nil
}

// offersVersion reports whether a client offers a version that is newer, or
// not, than TLS 1.2.
func offersVersion(hello *tlswire.ClientHello, tls13 bool) bool {
	return slices.ContainsFunc(versionsOf(hello), func(v tlswire.Version) bool {
		return (v >= tlswire.VersionTLS13) == tls13 && !strings.HasPrefix(v.String(), "GREASE")
	})
}

// offersSuite reports whether a client offers a suite of TLS 1.3, or of TLS 1.2
// and before.
func offersSuite(hello *tlswire.ClientHello, tls13 bool) bool {
	return slices.ContainsFunc(suitesOf(hello), func(s tlswire.CipherSuite) bool {
		info := s.Info()
		return info.TLS13 == tls13 && (info.TLS13 || info.KeyExchange != tlswire.KeyExchangeUnknown)
	})
}

// needsGroup reports whether a group is needed for all that a client offers: in
// TLS 1.2 and before it is for ECDHE alone.
func needsGroup(hello *tlswire.ClientHello) bool {
	return offersVersion(hello, true) || slices.ContainsFunc(suitesOf(hello), func(s tlswire.CipherSuite) bool {
		return strings.HasPrefix(string(s.Info().KeyExchange), "ECDH") || *s.Info() == tlswire.SuiteInfo{}
	})
}

// needsSignature reports whether a server may have to sign, for what a client
// offers.
func needsSignature(hello *tlswire.ClientHello) bool {
	return offersVersion(hello, true) || slices.ContainsFunc(suitesOf(hello), func(s tlswire.CipherSuite) bool {
		info := s.Info()
		return *info == tlswire.SuiteInfo{} || strings.HasSuffix(string(info.KeyExchange), "DHE") && info.Authentication != "anon"
	})
}

// missing says what ClientHello lacks by itself, so that no server can take it;
// "": nothing.
func missing(hello *tlswire.ClientHello) (Code, string) {
	old, new := offersVersion(hello, false), offersVersion(hello, true)
	suites := suitesOf(hello)
	known := !slices.ContainsFunc(suites, func(s tlswire.CipherSuite) bool {
		return *s.Info() == tlswire.SuiteInfo{} && !strings.HasPrefix(s.String(), "GREASE")
	})
	psk := tlswire.Has(hello.Extensions, tlswire.ExtensionPreSharedKey)
	switch {
	case len(suites) == 0:
	case known && new && !old && !offersSuite(hello, true):
		return NoCommonCipherSuite, "the client offers TLS 1.3 alone, and no cipher suite of TLS 1.3"
	case known && old && !new && !offersSuite(hello, false):
		return NoCommonCipherSuite, "the client offers no version newer than " + newest(hello) + ", and no cipher suite of that"
	case new && !old && !psk && len(groupsOf(hello)) == 0:
		return NoCommonGroup, "the client offers TLS 1.3 alone, and no group for the key exchange (supported_groups)"
	case new && !old && !psk && len(schemesOf(hello)) == 0:
		return NoCommonSignature, "the client offers TLS 1.3 alone, and no signature algorithm (signature_algorithms)"
	}
	return "", ""
}

// newest names the newest version that a client offers.
func newest(hello *tlswire.ClientHello) string {
	return slices.Max(append(named(versionsOf(hello)), "")) // in the order of their names
}

// addMissing adds to the reason of an early refusal what ClientHello lacks, if
// that can be proven.
func (w *wire) addMissing(why *Reason, d tlswire.AlertDescription, by endpoint.Side) {
	if by != endpoint.Server || w.answered || w.retried || w.hello == nil || !isAboutOffers(d) || d == tlswire.AlertInternalError {
		return
	}
	if code, text := missing(w.hello); code != "" && (isVague(why.Code) || why.Code == code) {
		*why = Reason{Code: code, Text: fmt.Sprintf("%s, and the server sent %v", text, d), Fix: fixFor(code, *newOffer(w.hello))}
	}
}

// fixFor is what to change where the client's offer says more than the code; "":
// it does not.
func fixFor(code Code, client Offer) string {
	if code == NoCommonCipherSuite && slices.Equal(client.Versions, []string{tlswire.VersionTLS13.String()}) {
		return "allow one cipher suite of TLS 1.3 on both sides"
	}
	return ""
}

// few names some of several things, for a sentence.
func few(names []string) string { return text.Few(names, 6) }

// demands says what all cipher suites of a client have in common that not every
// server has, as a clause; "": nothing.
func demands(hello *tlswire.ClientHello) string {
	var keys, ciphers []string
	for _, s := range suitesOf(hello) {
		info := s.Info()
		if strings.HasPrefix(s.String(), "GREASE") {
			continue
		}
		if info.TLS13 || info.Authentication == "" {
			return ""
		}
		if !slices.Contains(keys, info.Authentication) {
			keys = append(keys, info.Authentication)
		}
		if !slices.Contains(ciphers, info.Cipher) {
			ciphers = append(ciphers, info.Cipher)
		}
	}
	weak := func(cipher string) bool {
		return strings.HasPrefix(cipher, "RC4") || strings.HasPrefix(cipher, "DES") || strings.HasPrefix(cipher, "3DES") || cipher == "NULL" || strings.HasPrefix(cipher, "RC2")
	}
	switch {
	case len(ciphers) > 0 && !slices.ContainsFunc(ciphers, func(c string) bool { return !weak(c) }):
		return "the client offers weak ciphers alone (" + few(ciphers) + "), which few servers take"
	case len(keys) != 1:
	case keys[0] == "anon":
		return "the client offers cipher suites without certificates alone (anon), which few servers take"
	case keys[0] == "PSK":
		return "the client offers cipher suites for a pre-shared key alone (PSK), and the server may have none"
	case keys[0] == "ECDSA" || keys[0] == "RSA" || keys[0] == "DSS":
		return fmt.Sprintf("the client offers cipher suites for %s keys alone, and the server's key may be another", keys[0])
	}
	return ""
}
