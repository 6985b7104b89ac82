package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Code is why one side rejected the other, for programs. The words for people
// are in [Verdict.Reason].
type Code string

// The codes.
const (
	NoClientCertificate  Code = "no_client_certificate"
	UnknownCA            Code = "unknown_ca" // or an intermediate certificate was not sent along
	LookAlikeCA          Code = "look_alike_ca"
	SelfSigned           Code = "self_signed"
	Expired              Code = "expired"
	NotYetValid          Code = "not_yet_valid"
	WrongHost            Code = "wrong_host"
	NoSAN                Code = "no_san"
	WrongUsage           Code = "wrong_usage" // extended key usage
	WrongKeyUsage        Code = "wrong_key_usage"
	NotACA               Code = "not_a_ca"
	PathTooLong          Code = "path_too_long"
	NameConstraint       Code = "name_constraint"
	Revoked              Code = "revoked"
	IssuerRevoked        Code = "issuer_revoked"
	CRLStale             Code = "crl_stale"
	CRLMissing           Code = "crl_missing"
	WeakKey              Code = "weak_key"
	BadSignature         Code = "bad_signature" // CertificateVerify by another key
	NoCommonVersion      Code = "no_common_version"
	NoCommonCipherSuite  Code = "no_common_cipher_suite"
	NoCommonGroup        Code = "no_common_group"
	NoCommonALPN         Code = "no_common_alpn"
	NoCommonSignature    Code = "no_common_signature_algorithm"
	NotTLS               Code = "not_tls"
	TooSlow              Code = "too_slow"
	Closed               Code = "closed" // without an alert
	NotAuthorised        Code = "not_authorised"
	RefusedInHTTP        Code = "refused_in_http"     // after a handshake in which any certificate was accepted, or none
	RefusedByCertificate Code = "certificate_refused" // only the other side knows what is wrong with it
	Other                Code = "other"
)

// reason is a code with its sentence.
type reason struct {
	code Code
	text string
}

// explain says why side rejected the other, from its own error.
func explain(err error, side endpoint.Side) reason {
	for _, f := range []func(error, endpoint.Side) (reason, bool){explainChain, explainOwnCheck, explainNotTLS} {
		if why, ok := f(err, side); ok {
			return why
		}
	}
	// crypto/tls has no types for the rest.
	text := strings.TrimPrefix(err.Error(), "tls: ")
	for _, known := range []struct {
		part string
		reason
	}{
		{"client didn't provide a certificate", reason{NoClientCertificate, "the client sent no certificate"}},
		{"invalid signature by the", reason{BadSignature, "the " + side.Other().String() + " does not have the private key of its certificate: its signature is wrong"}},
		{"offered only unsupported versions", reason{NoCommonVersion, "the two sides have no TLS version in common"}},
		{"selected unsupported protocol version", reason{NoCommonVersion, "the two sides have no TLS version in common"}},
		{"application protocol", reason{NoCommonALPN, "the two sides have no HTTP version in common"}},
		{"no cipher suite supported by both", reason{NoCommonCipherSuite, "the two sides have no cipher suite in common"}},
		{"no key exchanges supported by both", reason{NoCommonGroup, "the two sides have no group for the key exchange in common"}},
		{"signature algorithms", reason{NoCommonSignature, "the client takes no signature that the key of the server's certificate can make"}},
	} {
		if strings.Contains(text, known.part) {
			return known.reason
		}
	}
	return reason{Other, text}
}

// explainChain knows what crypto/x509 finds wrong with a certificate.
func explainChain(err error, side endpoint.Side) (reason, bool) {
	other := side.Other().String()
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	switch {
	case errors.As(err, &authority):
		return explainAuthority(err, authority, side), true
	case errors.As(err, &host) && len(host.Certificate.DNSNames)+len(host.Certificate.IPAddresses) == 0:
		return reason{NoSAN, "the server's certificate is not for " + host.Host + ": it has no subject alternative name"}, true
	case errors.As(err, &host):
		return reason{WrongHost, "the server's certificate is not for " + host.Host}, true
	case errors.As(err, &invalid):
		return explainInvalid(invalid, other), true
	}
	return reason{}, false
}

// explainAuthority tells apart why a chain does not lead to a trusted CA.
func explainAuthority(err error, authority x509.UnknownAuthorityError, side endpoint.Side) reason {
	whose := "the " + side.Other().String() + "'s certificate "
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0 {
		leaf := verification.UnverifiedCertificates[0]
		if leaf.Subject.String() == leaf.Issuer.String() {
			return reason{SelfSigned, whose + "is signed by itself, and the " + side.String() + " does not trust it"}
		}
	}
	switch text := err.Error(); { // crypto/x509's hints
	case strings.Contains(text, "parent certificate cannot sign"):
		return reason{NotACA, whose + "was issued by a certificate that is not a CA: " + issuerOf(authority.Cert)}
	case strings.Contains(text, "candidate authority certificate"):
		return reason{LookAlikeCA, whose + "names a CA that the " + side.String() + " trusts, " + issuerOf(authority.Cert) + ", but another key has signed it"}
	}
	return reason{UnknownCA, whose + "is not signed by a CA that the " + side.String() + " trusts" + missingIssuer(authority.Cert, verification, side)}
}

// missingIssuer names the CA at which a chain ended: last is the last
// certificate of it. Whether that CA is a root, or one between that should have
// been sent along, cannot be told without its certificate.
func missingIssuer(last *x509.Certificate, verification *tls.CertificateVerificationError, side endpoint.Side) string {
	if last == nil || verification == nil {
		return ""
	}
	if last.Subject.String() == last.Issuer.String() {
		return ": the chain ends with " + last.Subject.String()
	}
	issued := "it"
	if !last.Equal(verification.UnverifiedCertificates[0]) {
		issued = last.Subject.String() + " above it"
	}
	return ": " + issued + " was issued by " + last.Issuer.String() + ", which was not sent along and which the " + side.String() + " does not have"
}

func issuerOf(c *x509.Certificate) string {
	if c == nil {
		return "its issuer"
	}
	return c.Issuer.String()
}

func explainInvalid(err x509.CertificateInvalidError, other string) reason {
	whose := "the " + other + "'s certificate "
	switch err.Reason {
	case x509.Expired:
		if err.Cert != nil && err.Cert.NotBefore.After(time.Now()) {
			return reason{NotYetValid, whose + "is not valid yet"}
		}
		return reason{Expired, whose + "has expired"}
	case x509.IncompatibleUsage:
		return reason{WrongUsage, whose + "is not for authenticating a " + other + " (extended key usage)"}
	case x509.NotAuthorizedToSign:
		return reason{NotACA, whose + "was issued by a certificate that is not a CA"}
	case x509.TooManyIntermediates:
		return reason{PathTooLong, whose + "has more CAs above it than one of them allows (path length)"}
	case x509.CANotAuthorizedForThisName:
		return reason{NameConstraint, whose + "has a name that a CA above it may not vouch for (name constraints)"}
	}
	return reason{Other, whose + "is not valid: " + strings.TrimPrefix(err.Error(), "x509: ")}
}

// explainOwnCheck knows what the lab looks at beyond crypto/tls.
func explainOwnCheck(err error, side endpoint.Side) (reason, bool) {
	whose := "the " + side.Other().String() + "'s certificate "
	var (
		revoked *RevokedError
		crl     *CRLError
		usage   *KeyUsageError
		weak    *WeakKeyError
	)
	switch {
	case errors.As(err, &revoked):
		on := " with serial " + revoked.Serial + " was revoked by " + revoked.Issuer + " on " + revoked.Date.Format(time.DateOnly)
		if revoked.CA {
			return reason{IssuerRevoked, whose + "comes from a CA that is revoked: " + revoked.Subject + on}, true
		}
		return reason{Revoked, whose + revoked.Subject + on}, true
	case errors.As(err, &crl) && crl.Unfit != "":
		return reason{CRLMissing, "the " + side.String() + " has no complete CRL of " + crl.Issuer + ", and requires one: the one that it has " + crl.Unfit}, true
	case errors.As(err, &crl) && crl.NextUpdate.IsZero():
		return reason{CRLMissing, "the " + side.String() + " has no CRL of " + crl.Issuer + ", and requires one"}, true
	case errors.As(err, &crl):
		return reason{CRLStale, "the " + side.String() + "'s CRL of " + crl.Issuer + " is out of date since " + crl.NextUpdate.Format(time.DateOnly)}, true
	case errors.As(err, &usage) && usage.CA:
		return reason{WrongKeyUsage, whose + "is that of a CA, which is for issuing certificates and not for signing in (key usage)"}, true
	case errors.As(err, &usage):
		return reason{WrongKeyUsage, whose + "is not for signatures (key usage)"}, true
	case errors.As(err, &weak):
		return reason{WeakKey, whose + "has too weak a key: " + strings.TrimPrefix(weak.Error(), "RSA key of ")}, true
	}
	return reason{}, false
}

// explainNotTLS knows connections on which there is no TLS to speak of.
func explainNotTLS(err error, side endpoint.Side) (reason, bool) {
	other := side.Other().String()
	var notTLS tls.RecordHeaderError
	var instead *InsteadError
	switch {
	case errors.As(err, &instead):
		return instead.reason(side), true
	case errors.As(err, &notTLS):
		text := "the " + other + " did not speak TLS"
		if plainHTTP.Match(notTLS.RecordHeader[:]) {
			text += ", but plain HTTP"
		}
		return reason{NotTLS, text}, true
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return reason{TooSlow, "the " + other + " was silent for too long"}, true
	}
	return reason{}, false
}

// plainHTTP is how a response begins, or a request, in as many bytes as a TLS
// record has in its header.
var plainHTTP = regexp.MustCompile(`^(HTTP/|GET /|HEAD |POST |PUT /|DELET|OPTIO|PATCH)`)

// explainFromAfar says why the other side rejected, from what arrived here.
func explainFromAfar(witness *half, v Verdict) reason {
	by := v.RejectedBy.String()
	var instead *InsteadError
	switch {
	case witness != nil && errors.As(witness.err, &instead): // no wonder
		return instead.reason(v.RejectedBy.Other())
	case v.Alert == nil:
		closed := reason{Closed, "the " + by + " broke off the connection without an alert"}
		if witness != nil && errors.Is(witness.err, io.EOF) {
			closed.text = "the " + by + " closed the connection during the handshake, without an alert"
		}
		if v.RejectedBy == endpoint.Client && witness != nil && witness.got == StateHandshake { // and so was asked for a certificate
			closed.text += ", as a browser does that fetches its certificate first and then calls again, or a program (Node, Java) that refuses the server's"
		}
		return closed
	}
	description := tlswire.AlertDescription(v.Alert.Code)
	if witness != nil && witness.none && description.WantsCertificate() {
		description = tlswire.AlertCertificateRequired
	}
	why, ok := alertReasons[description]
	if !ok {
		why = reason{Other, "only its own log knows why"}
	}
	why.text = "the " + by + " sent " + v.Alert.Name + ": " + strings.ReplaceAll(why.text, "{other}", v.RejectedBy.Other().String())
	return why
}

// alertReasons are what can be told from an alert alone, of whoever sent it.
var alertReasons = map[tlswire.AlertDescription]reason{
	tlswire.AlertBadCertificate:         {RefusedByCertificate, "it refuses the {other}'s certificate, and only its own log knows why"},
	tlswire.AlertUnsupportedCertificate: {RefusedByCertificate, "the {other}'s certificate is of a kind, or for a purpose, that it does not take"},
	tlswire.AlertCertificateUnknown:     {RefusedByCertificate, "it refuses the {other}'s certificate, and only its own log knows why"},
	tlswire.AlertCertificateRevoked:     {Revoked, "to it the {other}'s certificate has been revoked"},
	tlswire.AlertCertificateExpired:     {Expired, "to it the {other}'s certificate has expired, or is not valid yet"},
	tlswire.AlertUnknownCA:              {UnknownCA, "it does not trust the CA of the {other}'s certificate"},
	tlswire.AlertDecryptError:           {BadSignature, "a signature or checksum of the {other}'s is wrong"},
	tlswire.AlertProtocolVersion:        {NoCommonVersion, "it does not speak the {other}'s version of TLS"},
	tlswire.AlertCertificateRequired:    {NoClientCertificate, "it wants a certificate, and got none"},
	tlswire.AlertNoApplicationProtocol:  {NoCommonALPN, "it speaks no protocol that the {other} offers"},
	tlswire.AlertHandshakeFailure:       {Other, "it found nothing that both can do, or wants a certificate and got none"},
}

// fix says what to change. by is the side that rejected.
func (r reason) fix(by endpoint.Side) string {
	if r.code == NotTLS && by == endpoint.Client {
		return "find the port where the server speaks TLS, or switch TLS on there"
	}
	return strings.NewReplacer("{by}", by.String(), "{other}", by.Other().String()).Replace(fixes[r.code])
}

// Codes returns all codes.
func Codes() []Code { return slices.Sorted(maps.Keys(fixes)) }

// fixes are what to change, in words: {by} has rejected {other}.
var fixes = map[Code]string{
	NoClientCertificate:  "give the client a certificate and its key, of a CA that the server names: many send none of another",
	UnknownCA:            "use a certificate of a CA that the {by} trusts, or have it trust that CA; certificates of intermediate CAs must be sent along",
	LookAlikeCA:          "compare the fingerprints of the two CA certificates: the CA was made anew under its old name; distribute the new one, or issue the certificate again",
	SelfSigned:           "give the {other} a certificate of a CA that the {by} trusts",
	Expired:              "renew the certificate, and look at the {by}'s clock; the expired one may be that of a CA above it",
	NotYetValid:          "look at the clocks of the {by} and of the CA; or wait",
	WrongHost:            "call the server by a name in its certificate, or add the name to the certificate's subject alternative names",
	NoSAN:                "issue the server's certificate with subject alternative names; the common name has not counted for years",
	WrongUsage:           "issue the certificate with ext_key_usages: ClientAuth for a client, ServerAuth for a server",
	WrongKeyUsage:        "issue a certificate with key_usages: DigitalSignature for the {other}; keep CA certificates for issuing",
	NotACA:               "issue the certificate by a CA (basicConstraints CA:TRUE), and no other way",
	PathTooLong:          "issue the certificate by a CA nearer to the root, or the CA again with a larger path length",
	NameConstraint:       "issue the certificate by a CA that may vouch for the name, or for a name within the constraints",
	Revoked:              "issue a new certificate with a new key, and find out why this one was revoked",
	IssuerRevoked:        "issue the certificate again by a CA that is not revoked",
	CRLStale:             "fetch or issue a current CRL; somebody must do so before each NextUpdate",
	CRLMissing:           "give the {by} a CRL of that CA, even one that lists nothing; or do not require CRLs",
	WeakKey:              "issue the certificate with a key of at least 2048 bits RSA, or an EC key",
	BadSignature:         "give the {other} the private key that belongs to its certificate: the files have been mixed up",
	NoCommonVersion:      "have the older side speak a newer version of TLS",
	NoCommonCipherSuite:  "allow one cipher suite on both sides; in TLS 1.2 it must also fit the type of the server's key, and the two sides need a group in common",
	NoCommonGroup:        "allow one group on both sides, x25519 for example",
	NoCommonALPN:         "offer a protocol that the other side speaks, such as http/1.1",
	NoCommonSignature:    "give the server a certificate with a type of key that the client takes",
	NotTLS:               "have the client speak TLS to this port (https:// in its URL), or find the port where its protocol is spoken",
	TooSlow:              "find out what holds the {other} up: a proxy, a firewall, or a program that waits for the other to speak first",
	Closed:               "look into the log of the {by}; or something between the two has cut the connection",
	NotAuthorised:        "ask the server's owner to allow the name in the client's certificate, or use another certificate",
	RefusedInHTTP:        "give the client a certificate and its key, of a CA that the server trusts; its log knows more (nginx: ssl_verify_client)",
	RefusedByCertificate: "look into the log of the {by}: only it knows what is wrong with the certificate",
	Other:                "look into the log of the {by}",
}
