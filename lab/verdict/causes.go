package verdict

import (
	"cmp"
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
// the capture rules out. What the capture shows comes before the rest.
func (w *wire) causes(by endpoint.Side) (likely []Cause) {
	var d tlswire.AlertDescription
	if alert := w.alertOf(by); alert != nil {
		d = *alert
	}
	list := suspects(d, by, w.answered)
	switch {
	case slices.Contains(list, noSuite) && w.hello != nil:
		list = w.byDemands(w.byOffer(list))
	case w.leftUnsigned(by) && (d == tlswire.AlertHandshakeFailure || d == tlswire.AlertInternalError):
		return []Cause{w.unsigned().of(by)}
	}
	if i, j := slices.Index(list, unknownCA), slices.Index(list, lookAlikeCA); by == endpoint.Server && w.shown.Client.leaf != nil && i >= 0 && i < j {
		list[i], list[j] = list[j], list[i] // its issuer is named by the server, or there would be a fault
	}
	if w.shown.Of(by.Other()).good && d != tlswire.AlertUnknownCA {
		list = behindGood(list)
	}
	var shown []Cause
	for _, s := range list {
		switch why := w.evident(s, by); {
		case w.rulesOut(s, by, d):
		case why != "":
			shown = append(shown, Cause{s.code, why, s.of(by).Tell})
		default:
			likely = append(likely, w.fitted(s, by).of(by))
		}
	}
	return append(shown, likely...)
}

// suspects are what programs mean by an alert, the likeliest first. OpenSSL, Go
// and rustls send different alerts; Java and GnuTLS send one for most causes.
func suspects(d tlswire.AlertDescription, by endpoint.Side, answered bool) []*suspect {
	switch d {
	case tlswire.AlertUnknownCA:
		if by == endpoint.Server { // the client has sent one of a CA that the server names
			return []*suspect{lookAlikeCA, unknownCA, selfSigned, chainTooLong, crlMissing, pathLength}
		}
		return []*suspect{unknownCA, lookAlikeCA, selfSigned, pathLength, chainTooLong}
	case tlswire.AlertUnsupportedCertificate:
		return []*suspect{wrongUsage, wrongKeyUsage, weakKey, weakSignature}
	case tlswire.AlertCertificateExpired:
		if by == endpoint.Server {
			return []*suspect{expired, notYetValid, expiredAbove, crlStale, wrongClock}
		}
		return []*suspect{expired, notYetValid, expiredAbove, wrongClock, crlStale}
	case tlswire.AlertDecryptError:
		return []*suspect{wrongSignature, lookAlikeCA}
	case tlswire.AlertHandshakeFailure:
		if !answered {
			return []*suspect{noSuite, noGroup, noSignature, noVersion}
		}
		if by == endpoint.Server {
			return []*suspect{noCertificate, unknownCA, wrongUsage, noSignature, weakKey, weakSignature}
		}
		return []*suspect{unknownCA, wrongUsage, noGroup, weakKey, weakSignature}
	case tlswire.AlertInsufficientSecurity:
		if answered {
			return []*suspect{weakKey, weakSignature}
		}
	case tlswire.AlertBadCertificate, tlswire.AlertCertificateUnknown, tlswire.AlertAccessDenied, 0:
		if by == endpoint.Server {
			return []*suspect{noCertificate, unknownCA, lookAlikeCA, expired, notYetValid, wrongUsage, selfSigned, pathLength, chainTooLong, revoked, wrongSignature, weakKey, weakSignature, crlMissing, crlStale, nameConstraint}
		}
		return []*suspect{unknownCA, lookAlikeCA, wrongHost, noSAN, expired, notYetValid, wrongUsage, selfSigned, pathLength, chainTooLong, revoked, wrongSignature, weakKey, weakSignature, nameConstraint}
	}
	return nil
}

// byDemands puts first what all cipher suites of the client have in common, if
// that is more than every server has.
func (w *wire) byDemands(list []*suspect) []*suspect {
	said := demands(w.offer())
	if said == "" {
		return list
	}
	wants := &suspect{NoCommonCipherSuite, said, noSuite.tell}
	return append([]*suspect{wants}, slices.DeleteFunc(slices.Clone(list), func(s *suspect) bool { return s == noSuite })...)
}

// fitted returns a suspect in words that fit the connection.
func (w *wire) fitted(s *suspect, by endpoint.Side) *suspect {
	leaf := w.shown.Of(by.Other()).leaf
	switch {
	case s == unknownCA && leaf != nil && chain.IsSelfIssued(leaf): // nothing stands above it
		return unknownRoot
	case s == noSuite && !w.offersOld():
		return noSuiteTLS13
	case s == noGroup && w.hello != nil && !w.answered:
		said := cmp.Or(narrowGroups(w.offer()), s.text)
		if offersECDSA(w.offer()) {
			said += "; in TLS 1.2 the server's key must be on one of the client's groups, too (ECDSA)"
		}
		return &suspect{s.code, said, s.tell}
	case s == noSignature && w.hello != nil && !w.answered:
		return &suspect{s.code, cmp.Or(narrowSignatures(w.offer()), w.unfit()), s.tell}
	}
	return s
}

// unfit is what a server lacks that has no certificate for what the client
// offers.
func (w *wire) unfit() string {
	has := "has no certificate whose key makes a signature that the client takes, or none at all"
	if w.offersPSK && !w.mayResume() {
		return "the server does not know the pre-shared key that the client names (PSK), and " + has
	}
	return "the server " + has
}

// offersOld reports whether the client may have offered TLS 1.2 or before, for
// which a cipher suite must fit the server's key.
func (w *wire) offersOld() bool {
	return w.hello == nil || offersVersion(w.offer(), false)
}

// aboutOffers are the suspects that have nothing to do with certificates.
var aboutOffers = []*suspect{noSuite, noGroup, noSignature, noVersion}

// rulesOut reports whether the capture shows that a cause of an alert is none.
func (w *wire) rulesOut(s *suspect, by endpoint.Side, d tlswire.AlertDescription) bool {
	other := *w.shown.Of(by.Other())
	leaf := other.leaf
	showing := w.showing(by.Other())
	switch {
	case s == noCertificate:
		return by == endpoint.Client || w.isResumed() || showing == SentCertificate || showing == SentNothing || d == tlswire.AlertHandshakeFailure && w.isTLS13() // which has certificate_required
	case slices.Contains(aboutOffers, s):
		return w.rulesOutOffer(s, by)
	case showing == SentEmpty, showing == SentNothing:
		return s.code != NoCommonCipherSuite
	case s == wrongClock: // which notYetValid names, too
		return !other.isInDate()
	case s == wrongSignature:
		return other.signature == tlsdecrypt.Holds || w.isResumed()
	}
	switch {
	case s == chainTooLong && (by == endpoint.Client || d != tlswire.AlertUnknownCA) && !other.hasCAsAbove():
		return true
	case s == pathLength, s == nameConstraint: // that of a CA which was not sent
		return !other.hasCAsAbove()
	case s == weakSignature:
		return leaf == nil || other.weak(by.Other(), s.code) == nil
	case leaf == nil:
		return w.alertOf(by) != nil && s == weakKey && slices.Contains([]tlswire.AlertDescription{tlswire.AlertHandshakeFailure, tlswire.AlertInsufficientSecurity}, d)
	}
	switch s {
	case expired, notYetValid:
		return other.isInDate()
	case revoked, crlMissing, crlStale, chainTooLong, expiredAbove:
		return chain.IsSelfIssued(leaf) // there is no CA above it
	case lookAlikeCA:
		wanted := w.wanted()
		return by == endpoint.Server && len(wanted) > 0 && !haveIssued(wanted, other.ders)
	case wrongUsage:
		return !chain.Forbids(leaf, usageOf(by.Other())) && len(leaf.ExtKeyUsage) > 0
	case selfSigned:
		return !chain.IsSelfIssued(leaf)
	case weakKey:
		return !chain.IsWeakKey(leaf) && other.weak(by.Other(), s.code) == nil
	case noSAN:
		return len(leaf.DNSNames)+len(leaf.IPAddresses) > 0
	case wrongHost:
		return len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 || w.calledHost() != "" && leaf.VerifyHostname(w.calledHost()) == nil
	case wrongKeyUsage:
		return leaf.KeyUsage == 0 || leaf.KeyUsage&x509.KeyUsageDigitalSignature != 0
	}
	return false
}

// rulesOutOffer reports whether the two sides have in common what a suspect says
// that they have not.
func (w *wire) rulesOutOffer(s *suspect, by endpoint.Side) bool {
	switch s {
	case noVersion:
		return w.answered || w.retried || len(w.offer().Versions) > 1
	case noSuite:
		return w.answered || w.retried
	case noGroup:
		switch {
		case w.retried && !w.answered: // it has named one that the client offers
			return true
		case w.answered: // it has chosen one, or needs none
			info := w.CipherSuite.Info()
			return w.Group != 0 || !info.TLS13 && info.KeyExchange != "" && !strings.HasPrefix(string(info.KeyExchange), "ECDHE")
		}
		return w.hello != nil && !needsGroup(w.offer())
	case noSignature:
		switch {
		case w.isResumed():
			return true
		case by == endpoint.Server && w.answered: // it is about the client's signature
			return w.shown.Client.empty || w.AskedForNone() || w.shown.Client.signature == tlsdecrypt.Holds
		}
		return w.hello != nil && !needsSignature(w.offer())
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
	weakSignature = &suspect{chain.WeakSignature, "the {other}'s certificate, or a CA above it, is signed with an algorithm that the {by} does not take any more",
		"openssl x509 -noout -text -in CERT.pem shows its signature algorithm"}
	pathLength = &suspect{chain.PathTooLong, "a CA above the {other}'s certificate allows fewer CAs below it than the chain has (path length)",
		"openssl x509 -noout -ext basicConstraints -in CA.pem, for each CA of the chain, the root too"}
	nameConstraint = &suspect{chain.NameConstraint, "a CA above the {other}'s certificate may not issue certificates for its names (name constraints)",
		"openssl x509 -noout -ext nameConstraints -in CA.pem, for each CA of the chain"}
	chainTooLong = &suspect{chain.PathTooLong, "the chain is longer than the {by} allows (ssl_verify_depth of nginx, SSLVerifyDepth of Apache, verify depth of OpenSSL)",
		"the {by}'s log says \"certificate chain too long\" (22), or nginx's \"unable to get local issuer certificate\" (20) although none is missing; lab explain ssl_verify_depth has the limits"}
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
	unknownRoot = &suspect{chain.UnknownCA, "the {by} does not trust the {other}'s certificate itself, which is its own issuer",
		"compare its SHA-256 fingerprint with those of the certificates that the {by} trusts"}
	noSuite = &suspect{NoCommonCipherSuite, "the two have no cipher suite in common, or none that fits the server's key",
		"the server's configuration, against the suites in ClientHello"}
	noSuiteTLS13 = &suspect{NoCommonCipherSuite, "the two have no cipher suite of TLS 1.3 in common",
		"the server's configuration, against the suites in ClientHello"}
	noGroup = &suspect{NoCommonGroup, "the two have no group for the key exchange in common",
		"the server's configuration, against supported_groups in ClientHello"}
	noSignature = &suspect{NoCommonSignature, "the two have no signature algorithm in common",
		"the type of the certificates' keys, against signature_algorithms"}
	noVersion = &suspect{NoCommonVersion, "the server does not speak a version that the client offers",
		"the server's configuration"}
)
