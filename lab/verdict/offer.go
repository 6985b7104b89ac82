package verdict

import (
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Offers are what the two sides could have agreed on.
type Offers struct {
	Client tlswire.Offer  `json:"client"`           // in ClientHello
	Server *tlswire.Offer `json:"server,omitempty"` // what it takes by its settings, or has taken, there or on another connection; nil: none is known
	From   *int           `json:"from,omitempty"`   // the other connection; nil: this one
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

// offer returns what the client offers.
func (w *wire) offer() tlswire.Offer { return tlswire.OfferOf(w.hello) }

// offers returns what the two sides offered, if a side refused the other before
// they had agreed; else nil.
func (w *wire) offers(by endpoint.Side) *Offers {
	alert := w.alertOf(by)
	early := by == endpoint.Server && !w.answered && !w.wentOn() || by == endpoint.Client && w.answered && !w.shown.Server.seen
	if w.hello == nil || !early || alert == nil || !isAboutOffers(*alert) {
		return nil
	}
	o := &Offers{Client: w.offer()}
	if w.choice != nil {
		choice := tlswire.ChoiceOf(w.choice)
		o.Server = &choice
	}
	switch *alert {
	case tlswire.AlertProtocolVersion, tlswire.AlertInappropriateFallback:
		o.Client = tlswire.Offer{Versions: o.Client.Versions, OrOlder: o.Client.OrOlder}
	case tlswire.AlertNoApplicationProtocol:
		o.Client = tlswire.Offer{ALPN: o.Client.ALPN}
	}
	return o
}

// wentOn reports whether there was more of the handshake than hellos: the two
// sides had agreed, although ServerHello is not in the capture.
func (w *wire) wentOn() bool {
	return slices.ContainsFunc(w.Messages, func(m *tlsdecrypt.Message) bool {
		return m.Encrypted || m.Handshake != nil && m.Handshake.Type != tlswire.TypeClientHello && m.Handshake.Type != tlswire.TypeServerHello
	})
}

// offersVersion reports whether a client offers a version that is newer, or
// not, than TLS 1.2.
func offersVersion(o tlswire.Offer, tls13 bool) bool {
	return slices.ContainsFunc(o.Versions, func(v tlswire.Version) bool { return (v >= tlswire.VersionTLS13) == tls13 })
}

// offersSuite reports whether a client offers a suite of TLS 1.3, or of TLS 1.2
// and before.
func offersSuite(o tlswire.Offer, tls13 bool) bool {
	return slices.ContainsFunc(o.CipherSuites, func(s tlswire.CipherSuite) bool {
		info := s.Info()
		return info.TLS13 == tls13 && (info.TLS13 || info.KeyExchange != tlswire.KeyExchangeUnknown)
	})
}

// needsGroup reports whether a group is needed for all that a client offers: in
// TLS 1.2 and before it is for ECDHE alone.
func needsGroup(o tlswire.Offer) bool {
	return offersVersion(o, true) || slices.ContainsFunc(o.CipherSuites, func(s tlswire.CipherSuite) bool {
		return strings.HasPrefix(string(s.Info().KeyExchange), "ECDH") || isUnknown(s)
	})
}

// needsSignature reports whether a server may have to sign, for what a client
// offers.
func needsSignature(o tlswire.Offer) bool {
	return offersVersion(o, true) || slices.ContainsFunc(o.CipherSuites, func(s tlswire.CipherSuite) bool {
		info := s.Info()
		return isUnknown(s) || strings.HasSuffix(string(info.KeyExchange), "DHE") && info.Authentication != "anon"
	})
}

// isUnknown reports whether nothing is known of a cipher suite.
func isUnknown(s tlswire.CipherSuite) bool { return *s.Info() == tlswire.SuiteInfo{} }

// missing says what ClientHello lacks by itself, so that no server can take it;
// "": nothing.
func (w *wire) missing() (Code, string) {
	o := w.offer()
	old, new := offersVersion(o, false), offersVersion(o, true)
	known := !slices.ContainsFunc(o.CipherSuites, isUnknown)
	psk := tlswire.Has(w.hello.Extensions, tlswire.ExtensionPreSharedKey)
	switch {
	case len(o.CipherSuites) == 0:
	case known && new && !old && !offersSuite(o, true):
		return NoCommonCipherSuite, "the client offers TLS 1.3 alone, and no cipher suite of TLS 1.3"
	case known && old && !new && !offersSuite(o, false):
		return NoCommonCipherSuite, fmt.Sprintf("the client offers no version newer than %v, and no cipher suite of that", o.Newest())
	case new && !old && !psk && len(o.Groups) == 0:
		return NoCommonGroup, "the client offers TLS 1.3 alone, and no group for the key exchange (supported_groups)"
	case new && !old && !psk && len(o.SignatureSchemes) == 0:
		return NoCommonSignature, "the client offers TLS 1.3 alone, and no signature algorithm (signature_algorithms)"
	}
	return "", ""
}

// addMissing adds to the reason of an early refusal what ClientHello lacks, if
// that can be proven.
func (w *wire) addMissing(why *Reason, d tlswire.AlertDescription, by endpoint.Side) {
	if by != endpoint.Server || w.answered || w.retried || w.hello == nil || !isAboutOffers(d) || d == tlswire.AlertInternalError {
		return
	}
	if code, text := w.missing(); code != "" && (isVague(why.Code) || why.Code == code) {
		*why = Reason{Code: code, Text: fmt.Sprintf("%s, and the server sent %v", text, d), Fix: fixFor(code, w.offer())}
	}
}

// fixFor is what to change where the client's offer says more than the code; "":
// it does not.
func fixFor(code Code, client tlswire.Offer) string {
	if code == NoCommonCipherSuite && slices.Equal(client.Versions, []tlswire.Version{tlswire.VersionTLS13}) {
		return "allow one cipher suite of TLS 1.3 on both sides"
	}
	if code == NoCommonALPN && len(client.ALPN) > 0 {
		return "have the server speak one of these protocols, or the client offer another one, or none (without ALPN)"
	}
	return ""
}

// few names some of several things, for a sentence.
func few(names []string) string { return text.Few(names, 6) }

// demands says what all cipher suites of a client have in common that not every
// server has, as a clause; "": nothing.
func demands(o tlswire.Offer) string {
	var keys, ciphers []string
	for _, s := range o.CipherSuites {
		info := s.Info()
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
		return fmt.Sprintf("the client offers cipher suites for %s keys alone, and the server may take none of them, or have a key of another kind", keys[0])
	}
	return ""
}
