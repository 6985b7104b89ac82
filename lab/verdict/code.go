package verdict

import (
	"maps"
	"slices"
	"strings"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
)

// Code is why one side rejected the other, for programs. The words for people
// are in [Verdict.Reason]. The codes of certificates are package chain's.
type Code = chain.Code

// The other codes.
const (
	NoClientCertificate  Code = "no_client_certificate"
	BadSignature         Code = "bad_signature" // CertificateVerify by another key
	NoCommonVersion      Code = "no_common_version"
	NoCommonCipherSuite  Code = "no_common_cipher_suite"
	NoCommonGroup        Code = "no_common_group"
	NoCommonALPN         Code = "no_common_alpn"
	NoCommonSignature    Code = "no_common_signature_algorithm"
	UnrecognizedName     Code = "unrecognized_name" // the server has no host of that name
	SpokeNoTLS           Code = "not_tls"
	TLSRefused           Code = "tls_refused"    // STARTTLS or the like, by the server
	ProxyRefused         Code = "proxy_refused"  // the way to the server, by a proxy
	ProxyHeader          Code = "proxy_protocol" // a PROXY line came before TLS
	TooSlow              Code = "too_slow"
	Closed               Code = "closed"              // without an alert
	Canceled             Code = "canceled"            // user_canceled: not because of an error
	Misdirected          Code = "misdirected_request" // server_name and Host differ, and HTTP refuses that
	NotAuthorised        Code = "not_authorised"
	NotAsked             Code = "certificate_not_requested" // a client is to show a certificate, and the server has not asked for one
	NotPassedOn          Code = "certificate_not_passed_on" // by what ends TLS here, to a server behind it that refuses in HTTP for that
	RefusedInHTTP        Code = "refused_in_http"           // after a handshake in which any certificate was accepted, or none; only the server's log knows why
	RefusedInside        Code = "refused_inside_tls"        // in a protocol other than HTTP: Reason has the server's words
	RefusedByCertificate Code = "certificate_refused"       // only the other side knows what is wrong with it
	Other                Code = chain.Invalid
)

// isVague reports whether a code leaves open what the cause is.
func isVague(c Code) bool {
	switch c {
	case "", Closed, RefusedInHTTP, RefusedByCertificate, Other:
		return true
	}
	return false
}

// IsEithers reports whether either side may refuse the other for a code: the
// rules for the certificates of clients and servers are the same. A name, for
// example, is looked at by clients alone.
func IsEithers(c Code) bool {
	switch c {
	case chain.UnknownCA, chain.LookAlikeCA, chain.SelfSigned, chain.Expired, chain.NotYetValid, chain.WrongUsage, chain.WrongKeyUsage, chain.NotACA,
		chain.PathTooLong, chain.NameConstraint, chain.Revoked, chain.IssuerRevoked, chain.CRLStale, chain.CRLMissing, chain.WeakKey, chain.WeakSignature,
		chain.UnknownCritical, chain.Malformed, BadSignature:
		return true
	}
	return false
}

// Codes returns all codes.
func Codes() []Code { return slices.Sorted(maps.Keys(fixes)) }

// FixOf returns what to change about a code, in words. by is the side that
// rejected.
func FixOf(c Code, by endpoint.Side) string { return fix(c, by) }

// fix says what to change about a code. by is the side that rejected.
func fix(c Code, by endpoint.Side) string {
	if c == SpokeNoTLS && by == endpoint.Client {
		return "find the port where the server speaks TLS, or switch TLS on there"
	}
	usage := "serverAuth"
	if by == endpoint.Server {
		usage = "clientAuth"
	}
	return strings.ReplaceAll(fixed(fixes[c], by), "{usage}", usage)
}

// fixed names the sides in a text about a refusal by one of them.
func fixed(text string, by endpoint.Side) string {
	return strings.NewReplacer("{by}", by.String(), "{other}", by.Other().String()).Replace(text)
}

// fixes are what to change, in words: {by} has rejected {other}.
var fixes = map[Code]string{
	NoClientCertificate:  "give the client a certificate and its key, of a CA that the server names, and the intermediate CAs below that: many clients keep back one of another CA or purpose",
	chain.UnknownCA:      "use a certificate of a CA that the {by} trusts, or have it trust that CA's root; certificates of intermediate CAs must be sent along",
	chain.LookAlikeCA:    "compare the fingerprints of the two CA certificates: the CA was made anew under its old name; have the {by} trust the one that signed the certificate beside its own, or issue the certificate again",
	chain.SelfSigned:     "give the {other} a certificate of a CA that the {by} trusts",
	chain.Expired:        "renew the certificate that has expired; if its dates are right, look at the {by}'s clock",
	chain.NotYetValid:    "look at the clocks of the {by} and of the CA; or wait",
	chain.WrongHost:      "call the server by a name in its certificate, or add the name to the certificate's subject alternative names",
	chain.NoSAN:          "issue the server's certificate with subject alternative names; the common name has not counted for years",
	chain.WrongUsage:     "issue the certificate with the extended key usage {usage}",
	chain.WrongKeyUsage:  "issue a certificate with the key usage digitalSignature for the {other}; keep CA certificates for issuing",
	chain.NotACA:         "issue the certificate by a CA (basicConstraints CA:TRUE), and no other way",
	chain.PathTooLong:    "issue the certificate by a CA nearer to the root, or the CA again with a larger path length",
	chain.NameConstraint: "issue the certificate by a CA that may issue certificates for the name, or for a name within the constraints",
	chain.Revoked:        "issue a new certificate with a new key, and find out why this one was revoked",
	chain.IssuerRevoked:  "issue the certificate again by a CA that is not revoked",
	chain.CRLStale:       "fetch or issue a current CRL; somebody must do so before each NextUpdate",
	chain.CRLMissing:     "give the {by} a CRL of that CA, even one that lists nothing; or do not require CRLs",
	chain.WeakKey:        "issue the certificate with a key of at least 2048 bits RSA, or an EC key",
	chain.WeakSignature:  "issue the certificate again with SHA-256 or better: the CA has signed it with an algorithm that is no longer safe",
	BadSignature:         "give the {other} the private key that belongs to its certificate: the files have been mixed up",
	NoCommonVersion:      "have the older side speak a newer version of TLS",
	NoCommonCipherSuite:  "allow one cipher suite on both sides; in TLS 1.2 it must also fit the type of the server's key, and the two sides need a group in common",
	NoCommonGroup:        "allow one group on both sides, x25519 for example",
	NoCommonALPN:         "offer a protocol that the other side speaks, such as http/1.1",
	NoCommonSignature:    "give the server a key that makes signatures which the client takes, or lift what restricts it",
	SpokeNoTLS:           "have the client speak TLS to this port (https:// in its URL), or find the port where its protocol is spoken",
	TLSRefused:           "switch TLS on at the server (its certificate and key), or call the port where TLS comes first",
	ProxyRefused:         "ask who runs the proxy to allow that host and port, or go another way",
	ProxyHeader:          prologue.HeaderFix,
	UnrecognizedName:     "call the server by a name that it has (lab client --server-name NAME, openssl s_client -servername NAME, curl by the URL: --connect-to says where to connect), or add the name to the server's configuration",
	TooSlow:              "find out what holds the {other} up: a proxy, a firewall, or a program that waits for the other to speak first",
	Closed:               "look into the log of the {by}; or something between the two has cut the connection",
	Canceled:             "nothing in TLS: the user or the program of the {by} has called it off",
	Misdirected:          "call the server by one name in TLS and HTTP: put it into the URL (curl: --connect-to says where to connect, and no -H Host), or have the proxy between pass on both",
	NotAsked:             "have the server ask for a certificate (nginx: ssl_verify_client in each server block; Apache: SSLVerifyClient; Node: requestCert; Java: setNeedClientAuth)",
	NotAuthorised:        "ask the server's owner to allow the name in the client's certificate, or use another certificate",
	NotPassedOn:          "for mutual TLS with the server behind, have what ends TLS here pass it through (nginx: stream; HAProxy: mode tcp), or give it a client certificate of its own (nginx: proxy_ssl_certificate and proxy_ssl_certificate_key)",
	RefusedInHTTP:        "give the client a certificate and its key, of a CA that the server trusts; its log knows more (nginx: ssl_verify_client)",
	RefusedInside:        "see what the server says; its log may say more",
	RefusedByCertificate: "look into the log of the {by}: only it knows what is wrong with the certificate",
	Other:                "look into the log of the {by}",

	// Of certificates that few have.
	chain.UnknownCritical: "issue the certificate again without that extension, or with the extension not marked critical",
	chain.Malformed:       "issue the certificate again as RFC 5280 has it: the {by} cannot read this one",
}
