package tlswire

import "fmt"

// ExtensionType is the number of an extension (RFC 9846 section 4.3).
type ExtensionType uint16

// The extensions that have a layout here, from IANA's "TLS ExtensionType
// Values" registry and, where it has none, the code of those who send them.
const (
	ExtensionServerName                 ExtensionType = 0
	ExtensionMaxFragmentLength          ExtensionType = 1
	ExtensionTruncatedHMAC              ExtensionType = 4
	ExtensionStatusRequest              ExtensionType = 5
	ExtensionSupportedGroups            ExtensionType = 10
	ExtensionECPointFormats             ExtensionType = 11
	ExtensionSignatureAlgorithms        ExtensionType = 13
	ExtensionHeartbeat                  ExtensionType = 15
	ExtensionALPN                       ExtensionType = 16
	ExtensionSignedCertificateTimestamp ExtensionType = 18
	ExtensionClientCertificateType      ExtensionType = 19
	ExtensionServerCertificateType      ExtensionType = 20
	ExtensionPadding                    ExtensionType = 21
	ExtensionEncryptThenMAC             ExtensionType = 22
	ExtensionExtendedMasterSecret       ExtensionType = 23
	ExtensionCompressCertificate        ExtensionType = 27
	ExtensionRecordSizeLimit            ExtensionType = 28
	ExtensionDelegatedCredential        ExtensionType = 34
	ExtensionSessionTicket              ExtensionType = 35
	ExtensionKeyShareDraft              ExtensionType = 40
	ExtensionPreSharedKey               ExtensionType = 41
	ExtensionEarlyData                  ExtensionType = 42
	ExtensionSupportedVersions          ExtensionType = 43
	ExtensionCookie                     ExtensionType = 44
	ExtensionPSKKeyExchangeModes        ExtensionType = 45
	ExtensionCertificateAuthorities     ExtensionType = 47
	ExtensionOIDFilters                 ExtensionType = 48
	ExtensionPostHandshakeAuth          ExtensionType = 49
	ExtensionSignatureAlgorithmsCert    ExtensionType = 50
	ExtensionKeyShare                   ExtensionType = 51
	ExtensionQUICTransportParameters    ExtensionType = 57
	ExtensionTicketRequest              ExtensionType = 58
	ExtensionNextProtocolNegotiation    ExtensionType = 13172
	ExtensionApplicationSettingsOld     ExtensionType = 17513
	ExtensionApplicationSettings        ExtensionType = 17613
	ExtensionTrustAnchors               ExtensionType = 0xca34
	ExtensionECHOuterExtensions         ExtensionType = 0xfd00
	ExtensionEncryptedClientHello       ExtensionType = 0xfe0d
	ExtensionRenegotiationInfo          ExtensionType = 0xff01
)

// extensionTypes gives the name of an extension and what it is for.
var extensionTypes = map[ExtensionType]struct{ iana, note string }{
	ExtensionServerName:                 {"server_name", "The name of the host the client wants, so that a server with many can show the right certificate (RFC 6066 section 3)."},
	ExtensionMaxFragmentLength:          {"max_fragment_length", "Asks for small records, for devices with little memory (RFC 6066 section 4)."},
	2:                                   {"client_certificate_url", "The client may send the address of its certificate instead of the certificate (RFC 6066 section 5)."},
	3:                                   {"trusted_ca_keys", "Which authorities a TLS 1.2 client trusts (RFC 6066 section 6)."},
	ExtensionTruncatedHMAC:              {"truncated_hmac", "Shorter checksums on TLS 1.2 records, no longer advised (RFC 6066 section 7)."},
	ExtensionStatusRequest:              {"status_request", "Asks the other side to attach proof that its certificate is not revoked (RFC 6066 section 8, RFC 9846 section 4.5.1.1)."},
	6:                                   {"user_mapping", "Hints about the user's account (RFC 4681)."},
	7:                                   {"client_authz", "The client's authorizations (RFC 5878)."},
	8:                                   {"server_authz", "The server's authorizations (RFC 5878)."},
	9:                                   {"cert_type", "Asks for OpenPGP keys instead of X.509, now gone (RFC 6091)."},
	ExtensionSupportedGroups:            {"supported_groups", "The groups, such as elliptic curves, in which the sender can agree on a key (RFC 9846 section 4.3.7)."},
	ExtensionECPointFormats:             {"ec_point_formats", "How points of elliptic curves are written in TLS 1.2 (RFC 8422 section 5.1.2)."},
	12:                                  {"srp", "Log in with a password, TLS 1.2 only (RFC 5054)."},
	ExtensionSignatureAlgorithms:        {"signature_algorithms", "The signatures the sender can check, above all in CertificateVerify (RFC 9846 section 4.3.3)."},
	14:                                  {"use_srtp", "Keys for encrypted telephony (RFC 5764)."},
	ExtensionHeartbeat:                  {"heartbeat", "Whether the peer may ask for signs of life (RFC 6520)."},
	ExtensionALPN:                       {"application_layer_protocol_negotiation", "Agrees on what is spoken over TLS, such as HTTP/2 (RFC 7301)."},
	17:                                  {"status_request_v2", "Asks for revocation proof of all certificates, TLS 1.2 only (RFC 6961)."},
	ExtensionSignedCertificateTimestamp: {"signed_certificate_timestamp", "Proof that the certificate is in public logs, so that a wrongly issued one is noticed (RFC 6962 section 3.3)."},
	ExtensionClientCertificateType:      {"client_certificate_type", "What kind of certificate the client may show: X.509 or a bare key (RFC 7250)."},
	ExtensionServerCertificateType:      {"server_certificate_type", "What kind of certificate the server may show: X.509 or a bare key (RFC 7250)."},
	ExtensionPadding:                    {"padding", "Makes the ClientHello longer, around servers that choke on certain lengths (RFC 7685)."},
	ExtensionEncryptThenMAC:             {"encrypt_then_mac", "Encrypt first, then checksum: the safe order for CBC ciphers in TLS 1.2 (RFC 7366)."},
	ExtensionExtendedMasterSecret:       {"extended_master_secret", "Ties the TLS 1.2 keys to the whole handshake, so that two connections cannot be made to share them (RFC 7627)."},
	24:                                  {"token_binding", "Ties cookies and tokens to the client's key (RFC 8472)."},
	25:                                  {"cached_info", "Leaves out what the client already has, such as certificates (RFC 7924)."},
	ExtensionCompressCertificate:        {"compress_certificate", "The sender can unpack compressed certificates (RFC 8879 section 3)."},
	ExtensionRecordSizeLimit:            {"record_size_limit", "The largest record the sender takes (RFC 8449 section 4)."},
	29:                                  {"pwd_protect", "Hides the user's name for login with a password (RFC 8492)."},
	30:                                  {"pwd_clear", "The user's name for login with a password (RFC 8492)."},
	31:                                  {"password_salt", "Salt for login with a password (RFC 8492)."},
	32:                                  {"ticket_pinning", "Remembers a server across connections (RFC 8672)."},
	33:                                  {"tls_cert_with_extern_psk", "Certificates and a configured key together (RFC 8773)."},
	ExtensionDelegatedCredential:        {"delegated_credential", "The owner of a certificate lets a short-lived key act for it (RFC 9345)."},
	ExtensionSessionTicket:              {"session_ticket", "Takes up an earlier TLS 1.2 session, or says that the sender can do tickets (RFC 5077 section 3.2)."},
	ExtensionKeyShareDraft:              {"key_share (draft)", "The sender's half of the key agreement, under the number that it had before draft 23 of TLS 1.3 (draft-ietf-tls-tls13-22 section 4.2.7)."},
	ExtensionPreSharedKey:               {"pre_shared_key", "Keys both sides already have, mostly tickets from earlier connections: no certificates are needed then (RFC 9846 section 4.3.11)."},
	ExtensionEarlyData:                  {"early_data", "The client sends data before the handshake ends; it can be replayed by an attacker (RFC 9846 section 4.3.10)."},
	ExtensionSupportedVersions:          {"supported_versions", "The versions the client can do, or the one the server picked (RFC 9846 section 4.3.1)."},
	ExtensionCookie:                     {"cookie", "The server lets the client keep its state across a HelloRetryRequest (RFC 9846 section 4.3.2)."},
	ExtensionPSKKeyExchangeModes:        {"psk_key_exchange_modes", "How the client is ready to use pre-shared keys and tickets (RFC 9846 section 4.3.9)."},
	ExtensionCertificateAuthorities:     {"certificate_authorities", "The authorities the sender trusts, so that the other side picks a certificate that will do (RFC 9846 section 4.3.4)."},
	ExtensionOIDFilters:                 {"oid_filters", "What the client's certificate must contain (RFC 9846 section 4.3.5)."},
	ExtensionPostHandshakeAuth:          {"post_handshake_auth", "The client is ready to show a certificate later, after the handshake (RFC 9846 section 4.3.6)."},
	ExtensionSignatureAlgorithmsCert:    {"signature_algorithms_cert", "The signatures the sender can check on certificates, where they differ (RFC 9846 section 4.3.3)."},
	ExtensionKeyShare:                   {"key_share", "The sender's half of the key agreement: from both halves each side computes the same secret (RFC 9846 section 4.3.8)."},
	52:                                  {"transparency_info", "Proof that the certificate is in public logs (RFC 9162)."},
	54:                                  {"connection_id", "A name for a DTLS connection that survives a change of address (RFC 9146)."},
	55:                                  {"external_id_hash", "Ties the handshake to an identity from elsewhere (RFC 8844)."},
	56:                                  {"external_session_id", "Ties the handshake to a session from elsewhere (RFC 8844)."},
	ExtensionQUICTransportParameters:    {"quic_transport_parameters", "Settings of QUIC (RFC 9001 section 8.2)."},
	ExtensionTicketRequest:              {"ticket_request", "How many tickets the client wants (RFC 9149)."},
	59:                                  {"dnssec_chain", "Proof from DNS of what the server's certificate is (RFC 9102)."},
	62:                                  {"tls_flags", "Extensions that are yes or no, packed into bits (draft-ietf-tls-tlsflags)."},
	ExtensionNextProtocolNegotiation:    {"next_protocol_negotiation", "Agrees on what is spoken over TLS, in the way that came before ALPN (draft-agl-tls-nextprotoneg)."},
	ExtensionApplicationSettingsOld:     {"application_settings_old", "Settings of HTTP/2 exchanged within the handshake, under the number Chromium used first (draft-vvv-tls-alps)."},
	ExtensionApplicationSettings:        {"application_settings", "Settings of HTTP/2 exchanged within the handshake, sent by Chromium (draft-vvv-tls-alps)."},
	30032:                               {"channel_id", "A key of the client's to recognise it by, now gone (draft-balfanz-tls-channelid)."},
	ExtensionTrustAnchors:               {"trust_anchors", "Short names of authorities the client trusts, so that the server picks a certificate that will do (draft-ietf-tls-trust-anchor-ids)."},
	ExtensionECHOuterExtensions:         {"ech_outer_extensions", "Extensions of the inner ClientHello to be copied from the outer (RFC 9849 section 5.1)."},
	ExtensionEncryptedClientHello:       {"encrypted_client_hello", "Hides the true ClientHello, with the name of the host, from onlookers; often only noise, so that real use does not stand out (RFC 9849)."},
	ExtensionRenegotiationInfo:          {"renegotiation_info", "Makes a second handshake on a TLS 1.2 connection safe against an attacker who made the first (RFC 5746)."},
	65445:                               {"quic_transport_parameters_draft", "Settings of QUIC, under the number of its drafts (RFC 9001 section 8.2)."},
}

func (t ExtensionType) String() string {
	if info, ok := extensionTypes[t]; ok {
		return info.iana
	}
	return name("extension(%d)", nil, t)
}

// numbered is the name with the number.
func (t ExtensionType) numbered() string {
	if _, ok := extensionTypes[t]; ok {
		return fmt.Sprintf("%s (%d)", t, uint16(t))
	}
	return t.String()
}

// Note says in one sentence what the extension is for, with the RFC's section.
func (t ExtensionType) Note() string {
	if info, ok := extensionTypes[t]; ok {
		return info.note
	}
	if isGREASE(uint32(t)) {
		return "A number that means nothing, sent so that peers keep ignoring what they do not know (RFC 8701)."
	}
	return "An extension that has no name here; peers ignore what they do not know (RFC 9846 section 4.3)."
}
