package verdict

import (
	"fmt"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Alert is a TLS alert that ended a connection (RFC 9846 section 6).
type Alert struct {
	Code    uint8         `json:"code"`
	Name    string        `json:"name"`
	SentBy  endpoint.Side `json:"sent_by"`
	Arrived *bool         `json:"arrived,omitempty"` // at the other side; nil when that side is another program's
}

func newAlert(d tlswire.AlertDescription, sentBy endpoint.Side) *Alert {
	return &Alert{Code: uint8(d), Name: d.String(), SentBy: sentBy}
}

// Showing is whether a side has sent a certificate: that which receives an
// alert, by then.
type Showing string

// What a side has sent.
const (
	MayHaveSent     Showing = ""            // it is not known
	SentCertificate Showing = "certificate" // its own
	SentEmpty       Showing = "empty"       // it was asked for one, and had none
	SentNothing     Showing = "nothing"     // it was not asked, or it was not its turn
)

// meaning is what an alert shows by itself, and by what the side that receives
// it has shown.
func meaning(d tlswire.AlertDescription, by endpoint.Side, other Showing) Reason {
	name := d.String()
	switch {
	case other == SentEmpty && d.WantsCertificate():
		d = tlswire.AlertCertificateRequired
	case d == tlswire.AlertNoCertificate && by == endpoint.Server: // mbed TLS
		d = tlswire.AlertCertificateRequired
	}
	why, ok := meanings[d]
	switch {
	case !ok:
		why = Reason{Code: Other, Text: d.Clause()}
	case other == SentNothing && d == tlswire.AlertCertificateRequired:
		why = Reason{Code: Other, Text: "it wants a certificate, and has not asked for one", Fix: lookIntoLog}
	case other == SentCertificate && d == tlswire.AlertCertificateRequired:
		why = Reason{Code: Other, Text: "it wants a certificate, although the {other} has sent one", Fix: lookIntoLog}
	case other == SentNothing && d == tlswire.AlertAccessDenied:
		why = Reason{Code: Other, Text: "it does not let the {other} in, which has shown no certificate by then", Fix: lookIntoLog}
	case other == SentNothing && isAboutCertificate(d):
		why = Reason{Code: Other, Text: "that is about a certificate, and the {other} has shown none by then", Fix: lookIntoLog}
	case d == tlswire.AlertHandshakeFailure && by == endpoint.Server && other == MayHaveSent:
		why.Text += ", or wants a certificate and got none"
	case d == tlswire.AlertHandshakeFailure && other == SentCertificate:
		why.Text += ", which may be its certificate"
	case d == tlswire.AlertDecryptError && other == SentNothing:
		why = wrongChecksum
	case d == tlswire.AlertInternalError && other == SentNothing:
		why.Fix = failedItself
	}
	why.Text = sentence(by, name) + ": " + fixed(why.Text, by)
	why.Fix = fixed(why.Fix, by)
	return why
}

// sentence says that a side sent an alert.
func sentence(by endpoint.Side, name string) string {
	return fmt.Sprintf("the %v sent %s", by, name)
}

// isAboutCertificate reports whether an alert is about the other side's
// certificate.
func isAboutCertificate(d tlswire.AlertDescription) bool {
	return d.RefusesCertificate() || d == tlswire.AlertCertificateUnobtainable || d == tlswire.AlertBadCertificateHashValue
}

// What to change, where several alerts have that in common.
const (
	lookIntoLog  = "look into the log of the {by}"
	updateOne    = "update both programs: one of the two breaks the protocol, or something between them changes it; the log of the {by} may say which message it was"
	compareKeys  = "compare the pre-shared keys of the two sides, their identities and hashes"
	failedItself = "look into the log of the {by}: it has failed, of itself or of its settings, such as a key or a certificate that it cannot use, or does not have"
	findMeddling = "find what lies between the two, such as a proxy or a firewall, and leave it out; if nothing does, look into the log of the {by}"
)

// nothingInCommon explains handshake_failure in place of ServerHello.
const (
	nothingInCommon = "the server sent handshake_failure: it found nothing that both can do, or has no certificate that fits what the client offers"
	compareOffers   = "compare what the client offers with the server's settings; the server's log may say what it misses"
)

// wrongChecksum is decrypt_error where there was no certificate to sign with.
var wrongChecksum = Reason{Code: Other, Text: "a checksum of the {other}'s is wrong", Fix: findMeddling}

// meanings are what alerts show by themselves: {by} is the side that sent it,
// {other} the one that received it. Those of certificates take for granted that
// one was shown.
var meanings = map[tlswire.AlertDescription]Reason{
	tlswire.AlertBadCertificate:         {Code: RefusedByCertificate, Text: "it refuses the {other}'s certificate, and only its own log knows why"},
	tlswire.AlertUnsupportedCertificate: {Code: RefusedByCertificate, Text: "the {other}'s certificate is of a kind, or for a purpose, that it does not take"},
	tlswire.AlertCertificateUnknown:     {Code: RefusedByCertificate, Text: "it refuses the {other}'s certificate, and only its own log knows why"},
	tlswire.AlertCertificateRevoked:     {Code: chain.Revoked, Text: "to it the {other}'s certificate has been revoked"},
	tlswire.AlertCertificateExpired: {Code: chain.Expired, Text: "to it the {other}'s certificate, a CA above it or a CRL has expired, or is not valid yet",
		Fix: "look at the dates of the {other}'s certificate and of the CAs above it, at the clock of the {by}, and at its CRLs; its log may say which it is"},
	tlswire.AlertUnknownCA:           {Code: chain.UnknownCA, Text: "it does not trust the CA of the {other}'s certificate"},
	tlswire.AlertAccessDenied:        {Code: RefusedByCertificate, Text: "it does not let in who the {other}'s certificate names, or refuses the certificate (GnuTLS), and only its own log knows which"},
	tlswire.AlertDecryptError:        {Code: BadSignature, Text: "a signature or checksum of the {other}'s is wrong"},
	tlswire.AlertCertificateRequired: {Code: NoClientCertificate, Text: "it wants a certificate, and got none"},
	tlswire.AlertNoCertificate: {Code: Other, Text: "it says that it has no certificate to show, which no version after SSL 3.0 says by an alert",
		Fix: "give the {by} a certificate and its key, or look into its log"},
	tlswire.AlertBadCertificateStatusResponse: {Code: RefusedByCertificate, Text: "the OCSP response that came with the {other}'s certificate is missing, or does not hold",
		Fix: "renew the {other}'s OCSP response (nginx: ssl_stapling; openssl ocsp shows what the CA's responder says), or the certificate, if it asks for one (must-staple)"},
	tlswire.AlertCertificateUnobtainable: {Code: RefusedByCertificate, Text: "it could not fetch the {other}'s certificate from the address that was given (client_certificate_url)",
		Fix: "have the {other} send the certificate itself"},
	tlswire.AlertBadCertificateHashValue: {Code: RefusedByCertificate, Text: "the certificate that it fetched for the {other} is not the one that was named (client_certificate_url)",
		Fix: "have the {other} send the certificate itself"},

	tlswire.AlertHandshakeFailure: {Code: Other, Text: "it cannot agree to what the {other} offers or has shown"},
	tlswire.AlertProtocolVersion:  {Code: NoCommonVersion, Text: "it does not speak the {other}'s version of TLS"},
	tlswire.AlertInsufficientSecurity: {Code: NoCommonCipherSuite, Text: "what the {other} offers is too weak for it",
		Fix: "have the {other} offer stronger cipher suites, groups and signatures, or the {by} take weaker ones (OpenSSL: SECLEVEL)"},
	tlswire.AlertNoApplicationProtocol: {Code: NoCommonALPN, Text: "it speaks no protocol that the {other} offers"},
	tlswire.AlertUnrecognizedName:      {Code: UnrecognizedName, Text: "it has no host of the name that the {other} asked for"},
	tlswire.AlertInappropriateFallback: {Code: NoCommonVersion, Text: "the {other} called again with an older version (TLS_FALLBACK_SCSV), although the {by} speaks a newer one",
		Fix: "find out why the {other}'s first try failed, with its newest version: something between the two may have broken it off; then have it not fall back"},
	tlswire.AlertMissingExtension: {Code: Other, Text: "a message of the {other}'s lacks an extension that it must have",
		Fix: "have the {other} send it: ClientHello of TLS 1.3 needs supported_groups, key_share and signature_algorithms, or a pre-shared key with psk_key_exchange_modes"},
	tlswire.AlertUnsupportedExtension: {Code: Other, Text: "a message of the {other}'s has an extension that has no place there, or that the {by} did not ask for", Fix: updateOne},
	tlswire.AlertUnknownPSKIdentity:   {Code: Other, Text: "it knows none of the pre-shared keys that the {other} names", Fix: compareKeys},
	tlswire.AlertECHRequired: {Code: Other, Text: "the server could not read the ClientHello that was encrypted in another one (ECH), and it does not go on without",
		Fix: "have the {by} fetch the server's current ECH configuration (the HTTPS record in DNS), or go without ECH"},

	tlswire.AlertUnexpectedMessage:    {Code: Other, Text: "a message of the {other}'s has no place here", Fix: updateOne},
	tlswire.AlertIllegalParameter:     {Code: Other, Text: "a field of a message of the {other}'s holds a value that is not allowed there", Fix: updateOne},
	tlswire.AlertDecodeError:          {Code: Other, Text: "it cannot parse a message of the {other}'s", Fix: updateOne},
	tlswire.AlertBadRecordMAC:         {Code: Other, Text: "it cannot decrypt a record of the {other}'s: the record was changed on the way, was sent unencrypted, or the two sides' keys differ", Fix: findMeddling},
	tlswire.AlertDecryptionFailed:     {Code: Other, Text: "it cannot decrypt a record of the {other}'s (the alert is of old programs alone)", Fix: findMeddling},
	tlswire.AlertRecordOverflow:       {Code: Other, Text: "a record of the {other}'s is longer than allowed", Fix: findMeddling},
	tlswire.AlertDecompressionFailure: {Code: Other, Text: "it cannot unpack what the {other} has compressed", Fix: "switch compression off in both programs"},
	tlswire.AlertExportRestriction:    {Code: NoCommonCipherSuite, Text: "the {other}'s keys are longer than export rules once allowed (the alert is of old programs alone)", Fix: "replace the {by} with a current program"},

	tlswire.AlertInternalError: {Code: Other, Text: "something went wrong in the {by} itself, or a check of its own failed",
		Fix: "look into the log of the {by}: it has failed, of itself or of its settings, such as a key or a certificate that it cannot use; or it checks the {other}'s certificate by itself, its name for one, and refuses it"},
	tlswire.AlertGeneralError: {Code: Other, Text: "something went wrong that no other alert describes", Fix: lookIntoLog},
	tlswire.AlertUserCanceled: {Code: Canceled, Text: "it breaks off of its own accord, and not because of an error"},
	tlswire.AlertNoRenegotiation: {Code: Other, Text: "it does not renegotiate",
		Fix: "have the {other} ask for all that it needs in the first handshake, or speak TLS 1.3"},
}
