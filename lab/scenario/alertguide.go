package scenario

import (
	"slices"

	"mtlslab.example/lab/lab/tlswire"
)

// Guide says where to look first when an alert ended a connection.
type Guide struct {
	Alert      tlswire.AlertDescription
	FromServer []string // scenarios in which a server sends it, the commonest first
	FromClient []string // likewise, a client
	SentBy     string   // which programs send it, and when
	Look       string   // where to look first
}

// Guides are in the order of the alerts' numbers. Those alerts are left out
// that no program of today sends about mutual TLS.
var Guides = []Guide{
	{tlswire.AlertCloseNotify, nil, nil, "everybody, at the end of a connection", "at what came before it: a close_notify in mid-handshake is a side that gave up"},
	{tlswire.AlertUnexpectedMessage, []string{"closed-mid-handshake"}, nil, "all, when a message comes out of turn; Java also when a certificate is asked for late", "in the log of its sender; something between the two, or a second handshake on the connection (renegotiation)"},
	{tlswire.AlertBadRecordMAC, nil, nil, "all, when a record cannot be decrypted", "at what stands between the two, and for two threads on one connection"},
	{tlswire.AlertRecordOverflow, []string{"garbage"}, []string{"tls-to-plain-http"}, "Go and others, when what came is no TLS", "at the port: one side does not speak TLS there"},
	{tlswire.AlertHandshakeFailure, []string{"no-client-cert", "no-common-cipher", "untrusted-client-withheld", "no-common-group", "signature-algorithms-mismatch"}, nil, "servers, without anything in common; in TLS 1.2 also without a client certificate", "in the server's log: it names what is missing; does the client show a certificate?"},
	{tlswire.AlertBadCertificate, []string{"client-wrong-eku", "untrusted-client-forced", "no-client-cert", "expired-client", "revoked-client", "not-yet-valid-client", "weak-client-key", "ca-as-client", "missing-crl", "stale-crl"}, []string{"untrusted-server", "wrong-host", "expired-server", "self-signed-server", "server-missing-intermediate", "cn-only", "ip-address-not-in-san"}, "Go's clients whatever they dislike, and Go's servers before Go 1.21; Java's servers, and Go's with TLS 1.2, without a client certificate; OpenSSL for a name or a date to come", "in the log of its sender: the alert does not say what was wrong"},
	{tlswire.AlertUnsupportedCertificate, []string{"client-wrong-eku", "public-cert-without-client-auth", "ca-as-client"}, []string{"server-wrong-eku", "ca-as-server", "reversed-chain"}, "OpenSSL, for a certificate that is not for this use", "at the extended key usage: clientAuth for a client, serverAuth for a server"},
	{tlswire.AlertCertificateRevoked, []string{"revoked-client", "revoked-intermediate"}, []string{"revoked-server"}, "OpenSSL and GnuTLS, where CRLs or OCSP are checked", "at the CRL of the issuer; issue a new certificate"},
	{tlswire.AlertCertificateExpired, []string{"expired-client", "not-yet-valid-client", "stale-crl"}, []string{"expired-server", "not-yet-valid-server"}, "OpenSSL (also for a CRL that is out of date), GnuTLS and Go's servers", "at both dates of the certificate and of its CAs, and at the clocks"},
	{tlswire.AlertCertificateUnknown, []string{"untrusted-client-forced", "client-missing-intermediate", "self-signed-client", "stale-crl", "missing-crl", "revoked-client"}, []string{"untrusted-server", "server-missing-intermediate", "self-signed-server", "wrong-host", "ip-address-not-in-san", "name-constraint-violated", "unknown-critical-extension"}, "Java (JSSE), for nearly everything; Apache httpd, for a CRL that is out of date; Chrome, for any certificate that it does not accept", "in the log of its sender; of Java, at its truststore first"},
	{tlswire.AlertIllegalParameter, nil, nil, "all, when a field of a message makes no sense; OpenSSL in TLS 1.2 for a certificate whose key is on a curve that it does not allow", "at the versions of both libraries, and at what stands between the two"},
	{tlswire.AlertUnknownCA, []string{"untrusted-client-forced", "client-missing-intermediate", "self-signed-client", "look-alike-ca", "missing-crl"}, []string{"untrusted-server", "server-missing-intermediate", "ca-rotation-without-overlap", "self-signed-server", "intermediate-not-a-ca", "path-length-exceeded"}, "OpenSSL, GnuTLS, NSS and Go's servers", "at the CAs that its sender trusts, and whether the other sends its intermediate CAs"},
	{tlswire.AlertAccessDenied, []string{"authenticated-but-not-authorised", "untrusted-client-forced"}, nil, "servers, when the certificate is good and its owner is not let in; GnuTLS's for any certificate that it cannot verify", "at the server's rules of access, and its log"},
	{tlswire.AlertDecodeError, nil, []string{"negative-serial"}, "all, when a message cannot be parsed; Go for a certificate that it cannot read", "at the versions of both libraries, and at what stands between the two"},
	{tlswire.AlertDecryptError, []string{"client-key-mismatch"}, nil, "all, when a signature is wrong", "whether key and certificate belong together; whether a smart card or key store signs properly"},
	{tlswire.AlertProtocolVersion, []string{"client-too-old", "server-too-old"}, []string{"server-too-old"}, "servers, when the client's versions of TLS are not theirs; clients, for a ServerHello of an old version", "at the lowest and highest version that each side allows"},
	{tlswire.AlertInsufficientSecurity, []string{"no-common-cipher", "weak-client-key"}, nil, "servers that ask for stronger ciphers or keys; Erlang's without a cipher suite in common", "at the cipher suites and the sizes of the keys"},
	{tlswire.AlertInternalError, nil, nil, "all, when something fails in the sender itself; Go's servers (Caddy, Traefik) also for a host that they have no certificate for; clients with OpenSSL that check the host themselves (Mosquitto, wpa_supplicant) for a wrong one", "in the log of its sender, and nowhere else"},
	{tlswire.AlertInappropriateFallback, []string{"client-too-old"}, nil, "servers, to a client that tries again with a lower version", "why the first attempt failed"},
	{tlswire.AlertUserCanceled, nil, nil, "programs that stop in mid-handshake", "at who stopped it"},
	{tlswire.AlertNoRenegotiation, nil, nil, "a side that will not renegotiate (TLS 1.2)", "for a server that asks for a certificate only after the request"},
	{tlswire.AlertMissingExtension, nil, nil, "TLS 1.3 servers, as a rule when signature algorithms or groups are missing", "at the client's library"},
	{tlswire.AlertUnsupportedExtension, nil, nil, "clients, when a server answers what was not asked", "at the server's library, and at what stands between the two"},
	{tlswire.AlertUnrecognizedName, []string{"unknown-server-name", "no-server-cert"}, nil, "servers without a host of that name, such as Java's and nginx's (ssl_reject_handshake); Go's without a certificate", "at the name that the client asks for (SNI), and at the server's virtual hosts"},
	{tlswire.AlertBadCertificateStatusResponse, nil, nil, "clients, when the stapled OCSP response is missing or wrong", "at the server's OCSP stapling"},
	{tlswire.AlertUnknownPSKIdentity, nil, nil, "servers, when they know none of the pre-shared keys", "at the identity and the key on both sides"},
	{tlswire.AlertCertificateRequired, []string{"no-client-cert", "untrusted-client-withheld", "client-withheld-for-eku"}, nil, "TLS 1.3 servers, when no client certificate came", "whether the client has a certificate and key configured, and whether its issuer is among the CAs that the server names"},
	{tlswire.AlertNoApplicationProtocol, []string{"no-common-alpn"}, nil, "servers, when ALPN finds no protocol in common", "at the ALPN lists: h2, http/1.1"},
	{tlswire.AlertECHRequired, []string{"ech"}, nil, "clients, when the server could not decrypt the ClientHello", "at the ECH keys in DNS, and at the server's"},
}

// isSentByOther reports whether an alert is sent in a scenario by the side that
// did not send it, where excluded is the Scenario.Side that a message rules out.
func isSentByOther(alert tlswire.AlertDescription, s *Scenario, excluded string) bool {
	g, _ := GuideTo(alert)
	byServer, byClient := slices.Contains(g.FromServer, s.Name), slices.Contains(g.FromClient, s.Name)
	return excluded == "server rejects client" && byServer && !byClient || excluded == "client rejects server" && byClient && !byServer
}

// GuideTo returns the guide to an alert.
func GuideTo(alert tlswire.AlertDescription) (Guide, bool) {
	for _, g := range Guides {
		if g.Alert == alert {
			return g, true
		}
	}
	return Guide{}, false
}
