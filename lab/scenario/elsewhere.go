package scenario

import (
	"strings"

	"mtlslab.example/lab/lab/text"
)

// elsewhere are messages that say plainly what is wrong, which no scenario
// shows, and what to do. Of a few lines one that says so is what happened.
var elsewhere = []struct {
	matches func(line string) bool
	says    string
}{
	{matching(`(?i)\binvalid_token\b|\bjwt\b|\b(access|id|bearer) token\b|\btoken signature\b|\bSignatureDoesNotMatch\b|\(AccessDenied\w*\) when calling\b|\bPermission denied \((publickey|password|keyboard)|\bpull access denied\b|\bSAML\b|\bAuthenticode\b`),
		"this is about a login or a signature of another kind (a token, SSH, SAML, code signing), and not about TLS"},
	{matching(`\bUnsupportedCertVersion\b|_V1_CERT_USED_AS_CA\b`),
		"the certificate, or the CA above it, is one of X.509 version 1, as openssl x509 -req makes them without -extfile: issue it again with extensions (basicConstraints for a CA, subjectAltName for a server), which makes it version 3"},
	{matching(`\bERR_SSL_KEY_USAGE_INCOMPATIBLE\b|\bkey_usage_mismatch,.*\{2,5,29,15\}`),
		"the key usage of the certificate does not allow what it is used for: a server or client must have digitalSignature (with the cipher suites TLS_RSA, a server keyEncipherment), a CA keyCertSign; openssl x509 -noout -ext keyUsage,extendedKeyUsage shows what it has; issue it again"},
	{matching(`\binvalid signature by the server certificate\b`),
		"the server signs with another key than that of the certificate it shows, or a smart card or key store signs wrongly: openssl pkey -pubout -in KEY.pem and openssl x509 -noout -pubkey -in CERT.pem must print the same"},
	{matching(`(?i)\bcertificate pinning failure\b|\bdoes not match pinned public key\b|SSL_PINNED_KEY_NOT_IN_CERT_CHAIN\b`),
		"the server's key is none of those that the client has pinned: to trust a CA changes nothing; find out whether the server's key has been renewed, or something else answers in its place, and pin the new key if it is the server's"},
	{matching(`\bERR_CERT_VALIDITY_TOO_LONG\b|\bERR_CERTIFICATE_TRANSPARENCY_REQUIRED\b`),
		"the browser refuses what breaks its rules for certificates of public CAs: the time that they are valid for, and the logs that they must be in (Certificate Transparency); a CA that users have added themselves is free of these"},
	{matching(`\bSEC_ERROR_OCSP_\w+|\bNo OCSP response received\b|SEC_CERT_REV_FAILED\b|\bAMQ9716E\b`),
		"whether the certificate is revoked could not be found out: the CA's OCSP responder or its CRL cannot be reached from here, or the server was to staple an answer and did not"},
	{matching(`\bCLEARTEXT communication .*\bnot permitted\b|\bCode=-1022\b|\bApp Transport Security policy requires\b`),
		"the client's own policy forbids what is not encrypted, and it has not called the server: write https:// in the URL"},
	{matching(`\beither ServerName or InsecureSkipVerify must be specified\b|\bNo server verification option set\b`),
		"the program's own settings do not say how the server is to be verified: give it the server's host, or the CA"},
	{matching(`\bclient_cert_trust_config_not_found\b|_max_name_constraints_exceeded\b`),
		"the load balancer cannot verify any such client: it has no trust configuration, or the CAs above the client's certificate have more name constraints than it takes"},
	{matching(`(?i)\bclient cert using an insecure signature algorithm\b`),
		"the client's certificate, or a CA above it, is signed with SHA-1 or MD5: issue it again with SHA-256"},
	{matching(`(?i)\b1020\b.*\baccess denied\b|\baccess denied\b.*\b1020\b`),
		"a rule of Cloudflare's refuses the client in HTTP: where the rule is about client certificates, none came, or it was not verified"},
	{matching(`\bcannot locate HMAC in incoming packet\b`),
		"no TLS was spoken yet: the key of tls-auth or tls-crypt is missing on one side of OpenVPN, or is another one, or key-direction is the same on both"},
	{matching(`\btls_construct_cert_verify:EVP lib\b`),
		"this side could not sign with its own key: a key in a smart card, TPM or key store that makes no such signature (RSA-PSS, which TLS 1.3 needs), or is not there"},
	{matching(`\breturned -0x7F00\b|\(-32512\)`),
		"the device has not enough memory for TLS (MBEDTLS_ERR_SSL_ALLOC_FAILED): free some, or make the buffers smaller (MBEDTLS_SSL_IN_CONTENT_LEN)"},
	{matching(`\bformat error in certificate's not(Before|After) field\b|\bcertificate contains duplicate extension\b|\bRSA key larger than \d+ bits\b`),
		"the certificate breaks a rule of its form, and is refused for that: have it issued again"},
	{matching(`\bSTARTTLS=(client|server), .*\bverify=FAIL\b`),
		"the certificate of the other side could not be verified, and sendmail went on all the same: give it that side's CA (confCACERT), if it is to count"},
	{matching(`not an SSL/TLS record: (50524f5859|0d0a0d0a000d0a51)`),
		"the first bytes are the PROXY line of a load balancer, which this server does not expect: have it expect that, or the load balancer not send it"},
}

// matching returns a function that reports whether a line matches a pattern.
func matching(pattern string) func(line string) bool {
	compiled := text.Pattern(pattern)
	return func(line string) bool { return compiled().MatchString(line) }
}

// fewLines is how many lines a message has at most that one of them decides.
const fewLines = 12

// SaysElsewhere reports whether a message of a few lines says plainly what is
// wrong, which no scenario shows: Aside has it.
func SaysElsewhere(message string) bool { return saidElsewhere(message) != "" }

// saidElsewhere returns what a message of a few lines says plainly; "": nothing.
func saidElsewhere(message string) string {
	if strings.Count(strings.TrimSpace(message), "\n") >= fewLines {
		return ""
	}
	for _, e := range elsewhere {
		if e.matches(message) {
			return e.says
		}
	}
	return ""
}
