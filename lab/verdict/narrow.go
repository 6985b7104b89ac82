package verdict

import (
	"fmt"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Which part of a ClientHello is so narrow that a server may not take it, while
// the rest is what most servers take.

// byOffer puts first what the client offers little of, if it offers the cipher
// suites that most servers take.
func (w *wire) byOffer(list []*suspect) []*suspect {
	if !offersUsualSuites(w.offer()) {
		return list
	}
	var first []*suspect
	if slices.Contains(list, noGroup) && narrowGroups(w.offer()) != "" {
		first = append(first, noGroup)
	}
	if slices.Contains(list, noSignature) && narrowSignatures(w.offer()) != "" {
		first = append(first, noSignature)
	}
	return append(first, slices.DeleteFunc(slices.Clone(list), func(s *suspect) bool { return slices.Contains(first, s) })...)
}

// offersUsualSuites reports whether a client offers, for each version, a suite
// that most servers take, whatever the server's key.
func offersUsualSuites(o tlswire.Offer) bool {
	offers := func(authentication string) bool {
		return slices.ContainsFunc(o.CipherSuites, func(s tlswire.CipherSuite) bool {
			info := s.Info()
			return !info.TLS13 && strings.HasPrefix(string(info.KeyExchange), "ECDHE") && info.Authentication == authentication && strings.HasPrefix(info.Cipher, "AES")
		})
	}
	if offersVersion(o, true) && slices.ContainsFunc(o.CipherSuites, func(s tlswire.CipherSuite) bool { return s.Info().TLS13 && strings.HasPrefix(s.Info().Cipher, "AES") }) {
		return true
	}
	return offersVersion(o, false) && offers("RSA") && offers("ECDSA")
}

// needsECDHE reports whether all cipher suites that a client offers need a
// group.
func needsECDHE(o tlswire.Offer) bool {
	return !slices.ContainsFunc(o.CipherSuites, func(s tlswire.CipherSuite) bool {
		info := s.Info()
		return !info.TLS13 && info.KeyExchange != tlswire.KeyExchangeUnknown && !strings.HasPrefix(string(info.KeyExchange), "ECDHE")
	})
}

// offersECDSA reports whether a client offers cipher suites of TLS 1.2 for keys
// on elliptic curves, which must be among its groups (RFC 8422 section 5.1).
func offersECDSA(o tlswire.Offer) bool {
	return offersVersion(o, false) && slices.ContainsFunc(o.CipherSuites, func(s tlswire.CipherSuite) bool { return s.Info().Authentication == "ECDSA" })
}

// narrowGroups says that a client offers one group alone, or none, where all
// that it offers needs one; "": it does not.
func narrowGroups(o tlswire.Offer) string {
	if !needsGroup(o) || !needsECDHE(o) {
		return ""
	}
	switch len(o.Groups) {
	case 0:
		return "the client names no group (supported_groups), and all its cipher suites need one (ECDHE): many servers find no cipher suite then"
	case 1:
		return fmt.Sprintf("the client offers one group alone for the key exchange, %v, and the server may not take it", o.Groups[0])
	}
	return ""
}

// narrowSignatures says that a client takes signatures of one kind alone; "":
// it does not.
func narrowSignatures(o tlswire.Offer) string {
	schemes := tlswire.Names(o.SignatureSchemes)
	if !needsSignature(o) || len(schemes) == 0 && o.Newest() != tlswire.VersionTLS12 {
		return ""
	}
	old := func(name string) bool { return strings.HasSuffix(name, "_sha1") || strings.HasSuffix(name, "_md5") }
	by := func(kind string) bool {
		return slices.ContainsFunc(schemes, func(name string) bool { return strings.HasPrefix(name, kind) && !old(name) })
	}
	switch rsa, ecdsa := by("rsa_"), by("ecdsa_"); {
	case len(schemes) == 0: // RFC 5246 section 7.4.1.4.1
		return "the client names no signature algorithms, which in TLS 1.2 means SHA-1, and many servers do not sign with that"
	case !slices.ContainsFunc(schemes, func(name string) bool { return !old(name) }):
		return "the client takes signatures with old hashes alone (" + few(schemes) + "), which many servers do not make"
	case rsa && !ecdsa:
		return "the client takes no signature with ECDSA (" + few(schemes) + "), and the server's key may be for that"
	case ecdsa && !rsa:
		return "the client takes no signature with RSA (" + few(schemes) + "), and the server's key may be for that"
	case !rsa:
		return "the client takes signatures with " + few(schemes) + " alone, and the server's key may be for others"
	}
	return ""
}

// nameGroup corrects a server that says that there is no cipher suite in common
// where it lacks a group: in TLS 1.2 a suite with ECDHE needs both, and
// crypto/tls says the same of either.
func (v *Verdict) nameGroup(c *tlsdecrypt.Connection) {
	if v.Code != NoCommonCipherSuite || v.Offers == nil || v.Offers.Server == nil {
		return
	}
	var w wire
	w.read(c)
	client, server := w.offer(), v.Offers.Server
	if w.hello == nil || !offersUsualSuites(client) || !needsECDHE(client) || offersVersion(client, true) && slices.Contains(server.Versions, tlswire.VersionTLS13) {
		return
	}
	switch {
	case len(server.CipherSuites) > 0 && !haveCommon(client.CipherSuites, server.CipherSuites):
	case len(client.Groups) == 0:
		v.because(Reason{Code: NoCommonGroup, Text: "the client names no group (supported_groups), and so the two sides have no cipher suite with ECDHE in common", Fix: "have the client name the groups that it can use, x25519 for example"})
	case len(server.Groups) > 0 && !haveCommon(client.Groups, server.Groups):
		v.because(Reason{Code: NoCommonGroup, Text: "the two sides have no group for the key exchange in common, and so no cipher suite with ECDHE"})
	}
}

// haveCommon reports whether two lists have a value in common.
func haveCommon[T comparable](a, b []T) bool {
	return slices.ContainsFunc(a, func(v T) bool { return slices.Contains(b, v) })
}
