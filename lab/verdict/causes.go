package verdict

import (
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Cause is something that may be behind a rejection.
type Cause struct {
	Code Code   `json:"code"`
	Text string `json:"text"` // a clause
	Tell string `json:"tell"` // how to tell it from the others
}

// causes are what may be behind a refusal, the likeliest first, without what
// the capture rules out.
func (w *wire) causes(by endpoint.Side) (likely []Cause) {
	var d tlswire.AlertDescription
	if alert := w.alertOf(by); alert != nil {
		d = *alert
	}
	list := suspects(d, by, w.answered)
	if i, j := slices.Index(list, unknownCA), slices.Index(list, lookAlikeCA); by == endpoint.Server && w.shown.Client.leaf != nil && i >= 0 && i < j {
		list[i], list[j] = list[j], list[i] // its issuer is named by the server, or there would be a fault
	}
	for _, s := range list {
		if !w.rulesOut(s, by) {
			likely = append(likely, s.of(by))
		}
	}
	return likely
}

// suspects are what programs mean by an alert, the likeliest first. OpenSSL, Go
// and rustls send different alerts; Java and GnuTLS send one for most causes.
func suspects(d tlswire.AlertDescription, by endpoint.Side, answered bool) []*suspect {
	switch d {
	case tlswire.AlertUnknownCA:
		if by == endpoint.Server { // the client has sent one of a CA that the server names
			return []*suspect{lookAlikeCA, unknownCA, selfSigned, chainTooLong, crlMissing}
		}
		return []*suspect{unknownCA, lookAlikeCA, selfSigned}
	case tlswire.AlertUnsupportedCertificate:
		return []*suspect{wrongUsage, wrongKeyUsage, weakKey}
	case tlswire.AlertCertificateExpired:
		return []*suspect{expiredAbove, wrongClock}
	case tlswire.AlertDecryptError:
		return []*suspect{wrongSignature, lookAlikeCA}
	case tlswire.AlertHandshakeFailure:
		if !answered {
			return []*suspect{noSuite, noGroup, noSignature, noVersion}
		}
		if by == endpoint.Server {
			return []*suspect{noCertificate, unknownCA, wrongUsage, noSignature}
		}
		return []*suspect{unknownCA, wrongUsage, noGroup}
	case tlswire.AlertBadCertificate, tlswire.AlertCertificateUnknown, tlswire.AlertAccessDenied, 0:
		if by == endpoint.Server {
			return []*suspect{noCertificate, unknownCA, lookAlikeCA, expired, notYetValid, wrongUsage, selfSigned, revoked, wrongSignature, weakKey, crlMissing, crlStale}
		}
		return []*suspect{unknownCA, lookAlikeCA, wrongHost, noSAN, expired, notYetValid, wrongUsage, selfSigned, revoked, wrongSignature, weakKey}
	}
	return nil
}

// rulesOut reports whether the capture shows that a cause is none.
func (w *wire) rulesOut(s *suspect, by endpoint.Side) bool {
	other := *w.shown.Of(by.Other())
	leaf := other.leaf
	switch s {
	case noCertificate:
		return by == endpoint.Client || other.seen && !other.empty
	case wrongSignature:
		return other.signature == tlsdecrypt.Holds
	case noVersion:
		return len(w.Offers().Versions) > 1
	}
	if leaf == nil {
		return false
	}
	usage := x509.ExtKeyUsageClientAuth
	if by == endpoint.Client {
		usage = x509.ExtKeyUsageServerAuth
	}
	switch s {
	case expired, notYetValid:
		return other.isInDate()
	case wrongUsage:
		return !chain.Forbids(leaf, usage) && len(leaf.ExtKeyUsage) > 0
	case selfSigned:
		return !chain.IsSelfIssued(leaf)
	case weakKey:
		key, ok := leaf.PublicKey.(*rsa.PublicKey)
		return !ok || key.N.BitLen() >= 2048
	case noSAN:
		return len(leaf.DNSNames)+len(leaf.IPAddresses) > 0
	case wrongHost:
		return len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 || w.ServerName != "" && leaf.VerifyHostname(w.ServerName) == nil
	case wrongKeyUsage:
		return leaf.KeyUsage == 0 || leaf.KeyUsage&x509.KeyUsageDigitalSignature != 0
	}
	return false
}

// suspect is a possible cause in words: {by} has refused {other}.
type suspect struct {
	code       Code
	text, tell string
}

// of is the cause of a refusal by a side.
func (s *suspect) of(by endpoint.Side) Cause {
	fill := strings.NewReplacer("{by}", by.String(), "{other}", by.Other().String())
	return Cause{Code: s.code, Text: fill.Replace(s.text), Tell: fill.Replace(s.tell)}
}

var (
	unknownCA = &suspect{chain.UnknownCA, "the {by} does not trust the CA of the {other}'s certificate, or an intermediate certificate was not sent along",
		"openssl verify -CAfile CA.pem -untrusted CHAIN.pem CERT.pem, with the CA that the {by} trusts"}
	lookAlikeCA = &suspect{chain.LookAlikeCA, "the {by} has a CA of the same name, but with another key",
		"compare the SHA-256 fingerprints of the CA's certificate on both sides"}
	selfSigned = &suspect{chain.SelfSigned, "the {other}'s certificate is signed by itself",
		"openssl x509 -noout -subject -issuer -in CERT.pem shows one name twice"}
	wrongHost = &suspect{chain.WrongHost, "the {other}'s certificate is not for the name that the {by} called",
		"compare the URL with the certificate's subject alternative names"}
	noSAN = &suspect{chain.NoSAN, "the {other}'s certificate has no subject alternative name",
		"openssl x509 -noout -ext subjectAltName -in CERT.pem shows none"}
	expired = &suspect{chain.Expired, "the {other}'s certificate has expired",
		"openssl x509 -noout -dates -in CERT.pem"}
	notYetValid = &suspect{chain.NotYetValid, "the {other}'s certificate is not valid yet, or the {by}'s clock is wrong",
		"openssl x509 -noout -dates -in CERT.pem, and date on both machines"}
	expiredAbove = &suspect{chain.Expired, "a CA above the {other}'s certificate has expired",
		"openssl x509 -noout -dates -in CA.pem, for each CA of the chain"}
	wrongClock = &suspect{chain.NotYetValid, "the {by}'s clock is wrong",
		"date, on the {by}'s machine"}
	wrongUsage = &suspect{chain.WrongUsage, "the {other}'s certificate, or a CA above it, is not for authenticating a {other} (extended key usage)",
		"openssl x509 -noout -ext extendedKeyUsage -in CERT.pem"}
	wrongKeyUsage = &suspect{chain.WrongKeyUsage, "the {other}'s certificate is not for signatures (key usage)",
		"openssl x509 -noout -ext keyUsage -in CERT.pem"}
	weakKey = &suspect{chain.WeakKey, "the {other}'s key is too short for the {by}",
		"openssl x509 -noout -text -in CERT.pem shows its size"}
	chainTooLong = &suspect{chain.PathTooLong, "the chain is longer than the {by} allows",
		"its settings (nginx: ssl_verify_depth)"}
	crlMissing = &suspect{chain.CRLMissing, "the {by} requires a CRL of each CA, and has none of that one",
		"its settings (OpenSSL: -crl_check, nginx: ssl_crl)"}
	crlStale = &suspect{chain.CRLStale, "a CRL of the {by} is out of date",
		"openssl crl -noout -nextupdate -in CRL.pem"}
	revoked = &suspect{chain.Revoked, "the {other}'s certificate is on a CRL that the {by} has",
		"openssl crl -noout -text -in CRL.pem lists its serial number"}
	noCertificate = &suspect{NoClientCertificate, "the client sent no certificate",
		"its own log, or a capture with keys"}
	wrongSignature = &suspect{BadSignature, "the {other} has signed with another key than that of its certificate",
		"openssl pkey -pubout -in KEY.pem and openssl x509 -noout -pubkey -in CERT.pem differ"}
	noSuite = &suspect{NoCommonCipherSuite, "the two have no cipher suite in common, or none that fits the server's key",
		"the server's configuration, against the suites in ClientHello"}
	noGroup = &suspect{NoCommonGroup, "the two have no group for the key exchange in common",
		"the server's configuration, against supported_groups in ClientHello"}
	noSignature = &suspect{NoCommonSignature, "the two have no signature algorithm in common",
		"the type of the certificates' keys, against signature_algorithms"}
	noVersion = &suspect{NoCommonVersion, "the server does not speak the one version that the client offers",
		"the server's configuration"}
)
