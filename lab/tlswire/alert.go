package tlswire

import "strings"

// AlertLevel is the severity of an alert; TLS 1.3 ignores it
// (RFC 9846 section 6).
type AlertLevel uint8

// The levels.
const (
	AlertWarning AlertLevel = 1
	AlertFatal   AlertLevel = 2
)

func (l AlertLevel) String() string {
	return name("alert_level(%d)", map[AlertLevel]string{AlertWarning: "warning", AlertFatal: "fatal"}, l)
}

// AlertDescription is the kind of an alert (RFC 9846 section 6,
// RFC 5246 section 7.2).
type AlertDescription uint8

// The alerts of IANA's "TLS Alerts" registry.
const (
	AlertCloseNotify                  AlertDescription = 0
	AlertUnexpectedMessage            AlertDescription = 10
	AlertBadRecordMAC                 AlertDescription = 20
	AlertDecryptionFailed             AlertDescription = 21
	AlertRecordOverflow               AlertDescription = 22
	AlertDecompressionFailure         AlertDescription = 30
	AlertHandshakeFailure             AlertDescription = 40
	AlertNoCertificate                AlertDescription = 41
	AlertBadCertificate               AlertDescription = 42
	AlertUnsupportedCertificate       AlertDescription = 43
	AlertCertificateRevoked           AlertDescription = 44
	AlertCertificateExpired           AlertDescription = 45
	AlertCertificateUnknown           AlertDescription = 46
	AlertIllegalParameter             AlertDescription = 47
	AlertUnknownCA                    AlertDescription = 48
	AlertAccessDenied                 AlertDescription = 49
	AlertDecodeError                  AlertDescription = 50
	AlertDecryptError                 AlertDescription = 51
	AlertTooManyCIDsRequested         AlertDescription = 52
	AlertExportRestriction            AlertDescription = 60
	AlertProtocolVersion              AlertDescription = 70
	AlertInsufficientSecurity         AlertDescription = 71
	AlertInternalError                AlertDescription = 80
	AlertInappropriateFallback        AlertDescription = 86
	AlertUserCanceled                 AlertDescription = 90
	AlertNoRenegotiation              AlertDescription = 100
	AlertMissingExtension             AlertDescription = 109
	AlertUnsupportedExtension         AlertDescription = 110
	AlertCertificateUnobtainable      AlertDescription = 111
	AlertUnrecognizedName             AlertDescription = 112
	AlertBadCertificateStatusResponse AlertDescription = 113
	AlertBadCertificateHashValue      AlertDescription = 114
	AlertUnknownPSKIdentity           AlertDescription = 115
	AlertCertificateRequired          AlertDescription = 116
	AlertGeneralError                 AlertDescription = 117
	AlertNoApplicationProtocol        AlertDescription = 120
	AlertECHRequired                  AlertDescription = 121
)

// alerts gives the name of an alert and what its sender means by it.
var alerts = map[AlertDescription]struct{ iana, note string }{
	AlertCloseNotify:                  {"close_notify", "The sender has nothing more to say and closes its side in good order (RFC 9846 section 6.1)."},
	AlertUnexpectedMessage:            {"unexpected_message", "A message came that has no place here (RFC 9846 section 6.2)."},
	AlertBadRecordMAC:                 {"bad_record_mac", "A record could not be decrypted: it was changed on the way, or the two sides' keys differ (RFC 9846 section 6.2)."},
	AlertDecryptionFailed:             {"decryption_failed_RESERVED", "A record could not be decrypted; no longer sent, because it helped attackers (RFC 5246 section 7.2.2)."},
	AlertRecordOverflow:               {"record_overflow", "A record was longer than allowed (RFC 9846 section 6.2)."},
	AlertDecompressionFailure:         {"decompression_failure", "A record could not be unpacked; gone with compression (RFC 5246 section 7.2.2)."},
	AlertHandshakeFailure:             {"handshake_failure", "The sender cannot agree to what the other side offers, or has shown of itself (RFC 9846 section 6.2, RFC 5246 section 7.2.2)."},
	AlertNoCertificate:                {"no_certificate_RESERVED", "The client has no certificate; only SSL 3.0 said so by an alert (RFC 5246 section 7.2.2)."},
	AlertBadCertificate:               {"bad_certificate", "The sender refuses the other side's certificate, for a reason that it does not name (RFC 9846 section 6.2)."},
	AlertUnsupportedCertificate:       {"unsupported_certificate", "The other side's certificate is of a kind, or for a purpose, that will not do here (RFC 9846 section 6.2)."},
	AlertCertificateRevoked:           {"certificate_revoked", "The other side's certificate was revoked by its issuer (RFC 9846 section 6.2)."},
	AlertCertificateExpired:           {"certificate_expired", "The other side's certificate has expired or is not valid yet (RFC 9846 section 6.2)."},
	AlertCertificateUnknown:           {"certificate_unknown", "The other side's certificate is refused for some other reason (RFC 9846 section 6.2)."},
	AlertIllegalParameter:             {"illegal_parameter", "A field of a message holds a value that is not allowed there (RFC 9846 section 6.2)."},
	AlertUnknownCA:                    {"unknown_ca", "The other side's certificate does not lead to an authority that the sender trusts (RFC 9846 section 6.2)."},
	AlertAccessDenied:                 {"access_denied", "The sender does not let the other side in (RFC 9846 section 6.2)."},
	AlertDecodeError:                  {"decode_error", "A message could not be parsed: a length or a field is wrong (RFC 9846 section 6.2)."},
	AlertDecryptError:                 {"decrypt_error", "A signature or a checksum of the other side is wrong (RFC 9846 section 6.2)."},
	AlertTooManyCIDsRequested:         {"too_many_cids_requested", "The peer asked for more connection identifiers than allowed, DTLS only (RFC 9147 section 9)."},
	AlertExportRestriction:            {"export_restriction_RESERVED", "Broken against the export rules of the 1990s; no longer sent (RFC 5246 section 7.2.2)."},
	AlertProtocolVersion:              {"protocol_version", "The version of TLS that the other side wants is known and refused: too old, as a rule (RFC 9846 section 6.2)."},
	AlertInsufficientSecurity:         {"insufficient_security", "The other side's ciphers or keys are too weak for the sender (RFC 9846 section 6.2)."},
	AlertInternalError:                {"internal_error", "Something went wrong in the sender itself (RFC 9846 section 6.2)."},
	AlertInappropriateFallback:        {"inappropriate_fallback", "The client came back with a lower version though the server can do a higher one: somebody may be forcing it down (RFC 7507)."},
	AlertUserCanceled:                 {"user_canceled", "The sender breaks off for a reason that is not an error (RFC 9846 section 6.1)."},
	AlertNoRenegotiation:              {"no_renegotiation", "The sender will not renegotiate on this connection (RFC 5246 section 7.2.2)."},
	AlertMissingExtension:             {"missing_extension", "A message lacks an extension that it must have (RFC 9846 section 6.2)."},
	AlertUnsupportedExtension:         {"unsupported_extension", "A message has an extension that has no place there or was not asked for (RFC 9846 section 6.2)."},
	AlertCertificateUnobtainable:      {"certificate_unobtainable", "The certificate could not be fetched from the address given (RFC 6066 section 9)."},
	AlertUnrecognizedName:             {"unrecognized_name", "The server knows no host of the name in server_name (RFC 9846 section 6.2, RFC 6066 section 3)."},
	AlertBadCertificateStatusResponse: {"bad_certificate_status_response", "The attached proof that the certificate is not revoked is missing or wrong (RFC 9846 section 6.2)."},
	AlertBadCertificateHashValue:      {"bad_certificate_hash_value", "The certificate fetched is not the one that was named (RFC 6066 section 9)."},
	AlertUnknownPSKIdentity:           {"unknown_psk_identity", "The server knows none of the pre-shared keys the client offered (RFC 9846 section 6.2)."},
	AlertCertificateRequired:          {"certificate_required", "The server wants a client certificate and the client sent none (RFC 9846 section 6.2)."},
	AlertGeneralError:                 {"general_error", "Something went wrong that no other alert describes (RFC 9846 section 6.2)."},
	AlertNoApplicationProtocol:        {"no_application_protocol", "The client offered only application protocols that the server does not speak (RFC 7301 section 3.2)."},
	AlertECHRequired:                  {"ech_required", "The server could not read the encrypted ClientHello and the client will not go on without (RFC 9849 section 5)."},
}

func (d AlertDescription) String() string {
	if info, ok := alerts[d]; ok {
		return info.iana
	}
	return name("alert(%d)", nil, d)
}

// Note says in one sentence what the sender of the alert means, with the RFC's
// section.
func (d AlertDescription) Note() string {
	if info, ok := alerts[d]; ok {
		return info.note
	}
	return "An alert that has no name here."
}

// Clause is the Note as a clause, without the RFC's section.
func (d AlertDescription) Clause() string {
	note, _, _ := strings.Cut(d.Note(), " (RFC")
	note = strings.TrimSuffix(note, ".")
	return strings.ToLower(note[:1]) + note[1:]
}

// RefusesCertificate reports whether the sender of the alert refuses the other
// side's certificate. GnuTLS's server sends access_denied for any that it could
// not verify.
func (d AlertDescription) RefusesCertificate() bool {
	return d >= AlertBadCertificate && d <= AlertCertificateUnknown || d == AlertUnknownCA || d == AlertAccessDenied || d == AlertBadCertificateStatusResponse
}

// WantsCertificate reports whether the sender of the alert, having been shown
// an empty Certificate, requires one: TLS 1.2 has no alert for that but
// handshake_failure (RFC 5246 section 7.4.6), and in all versions Java sends
// bad_certificate and mbedTLS no_certificate.
func (d AlertDescription) WantsCertificate() bool {
	return d == AlertCertificateRequired || d == AlertHandshakeFailure || d == AlertNoCertificate || d.RefusesCertificate()
}

// Alert is one message of the alert protocol (RFC 9846 section 6,
// RFC 5246 section 7.2).
type Alert struct {
	Level       AlertLevel
	Description AlertDescription
}

func (a *Alert) wire(c *codec) {
	number(c, 1, "level", &a.Level, "How grave it is; in TLS 1.3 to be ignored (RFC 9846 section 6).")
	number(c, 1, "description", &a.Description, a.Description.Note())
}

// ParseAlert reads the fragment of an alert record, once decrypted.
func ParseAlert(fragment []byte) (Alert, error) {
	var a Alert
	if err := decode(fragment, 0, &a, nil); err != nil {
		return Alert{}, err
	}
	return a, nil
}

// Marshal returns the alert's two bytes.
func (a Alert) Marshal() []byte { return []byte{byte(a.Level), byte(a.Description)} }

// Fields lists the parts of the alert.
func (a Alert) Fields() []Field {
	c := &codec{tracing: true}
	a.wire(c)
	return c.fields
}

// Closes reports whether the alert ends its sender's side of the connection:
// every alert does but, in TLS 1.2, warnings other than close_notify and, in
// TLS 1.3, user_canceled (RFC 9846 section 6, RFC 5246 section 7.2).
func (a Alert) Closes(v Version) bool {
	switch {
	case a.Description == AlertCloseNotify:
		return true
	case v >= VersionTLS13:
		return a.Description != AlertUserCanceled
	}
	return a.Level == AlertFatal
}
