package tlswire

import "mtlslab.example/lab/lab/endpoint"

// HandshakeType says which handshake message this is (RFC 9846 section 4).
type HandshakeType uint8

// The handshake messages of TLS 1.2 and 1.3, from IANA's "TLS HandshakeType"
// registry.
const (
	TypeHelloRequest          HandshakeType = 0
	TypeClientHello           HandshakeType = 1
	TypeServerHello           HandshakeType = 2
	TypeNewSessionTicket      HandshakeType = 4
	TypeEndOfEarlyData        HandshakeType = 5
	TypeHelloRetryRequest     HandshakeType = 6 // of drafts: on the wire it is a server_hello
	TypeEncryptedExtensions   HandshakeType = 8
	TypeCertificate           HandshakeType = 11
	TypeServerKeyExchange     HandshakeType = 12
	TypeCertificateRequest    HandshakeType = 13
	TypeServerHelloDone       HandshakeType = 14
	TypeCertificateVerify     HandshakeType = 15
	TypeClientKeyExchange     HandshakeType = 16
	TypeFinished              HandshakeType = 20
	TypeCertificateURL        HandshakeType = 21
	TypeCertificateStatus     HandshakeType = 22
	TypeSupplementalData      HandshakeType = 23
	TypeKeyUpdate             HandshakeType = 24
	TypeCompressedCertificate HandshakeType = 25
	TypeNextProtocol          HandshakeType = 67
	TypeMessageHash           HandshakeType = 254
)

// handshakeTypes gives IANA's name, the RFC's name of the structure, and what
// the message is for.
var handshakeTypes = map[HandshakeType]struct{ iana, message, purpose string }{
	TypeHelloRequest: {"hello_request", "HelloRequest",
		"The server asks the client to renegotiate: for another handshake on this connection (RFC 5246 section 7.4.1.1)."},
	TypeClientHello: {"client_hello", "ClientHello",
		"The client opens the conversation: which versions, ciphers and key agreements it can do, and which server it wants (RFC 9846 section 4.2.2, RFC 5246 section 7.4.1.2)."},
	TypeServerHello: {"server_hello", "ServerHello",
		"The server answers with its choice of version and cipher, and in TLS 1.3 its half of the key agreement (RFC 9846 section 4.2.3, RFC 5246 section 7.4.1.3)."},
	TypeNewSessionTicket: {"new_session_ticket", "NewSessionTicket",
		"The server hands the client a ticket with which a later connection can start faster, without certificates (RFC 9846 section 4.7.1, RFC 5077 section 3.3)."},
	TypeEndOfEarlyData: {"end_of_early_data", "EndOfEarlyData",
		"The client says that its early data ends here and the handshake's keys take over (RFC 9846 section 4.6)."},
	TypeHelloRetryRequest: {"hello_retry_request", "HelloRetryRequest",
		"The server could use the client's offer but needs another key share first, so it asks for a second ClientHello (RFC 9846 section 4.2.4)."},
	TypeEncryptedExtensions: {"encrypted_extensions", "EncryptedExtensions",
		"The server answers, now encrypted, those of the client's wishes that are not needed to set up the keys (RFC 9846 section 4.4.1)."},
	TypeCertificate: {"certificate", "Certificate",
		"The sender shows its certificate and those of the CAs above it (RFC 9846 section 4.5.1, RFC 5246 section 7.4.2)."},
	TypeServerKeyExchange: {"server_key_exchange", "ServerKeyExchange",
		"The server sends its half of the key agreement, signed so that nobody can swap it (RFC 5246 section 7.4.3)."},
	TypeCertificateRequest: {"certificate_request", "CertificateRequest",
		"The server asks the client for a certificate and says which kinds and authorities it takes: TLS is mutual if it shows one (RFC 9846 section 4.4.2, RFC 5246 section 7.4.4)."},
	TypeServerHelloDone: {"server_hello_done", "ServerHelloDone",
		"The server has said its part and waits for the client (RFC 5246 section 7.4.5)."},
	TypeCertificateVerify: {"certificate_verify", "CertificateVerify",
		"The sender signs the handshake so far: proof that it holds the private key of its certificate (RFC 9846 section 4.5.2, RFC 5246 section 7.4.8)."},
	TypeClientKeyExchange: {"client_key_exchange", "ClientKeyExchange",
		"The client sends its half of the key agreement; now both sides can compute the keys (RFC 5246 section 7.4.7)."},
	TypeFinished: {"finished", "Finished",
		"A checksum over the whole handshake under the new keys: proof that nobody changed a byte and that the keys agree (RFC 9846 section 4.5.3, RFC 5246 section 7.4.9)."},
	TypeCertificateURL: {"certificate_url", "CertificateURL",
		"The client says where its certificates can be fetched instead of sending them (RFC 6066 section 5)."},
	TypeCertificateStatus: {"certificate_status", "CertificateStatus",
		"The server attaches a fresh statement of its authority that its certificate is not revoked (RFC 6066 section 8)."},
	TypeSupplementalData: {"supplemental_data", "SupplementalData",
		"Further data that applications agreed to exchange during the handshake (RFC 4680)."},
	TypeKeyUpdate: {"key_update", "KeyUpdate",
		"The sender will encrypt with the next generation of its keys from here on (RFC 9846 section 4.7.3)."},
	TypeCompressedCertificate: {"compressed_certificate", "CompressedCertificate",
		"The sender's Certificate message, compressed to save bytes (RFC 8879 section 4)."},
	TypeNextProtocol: {"next_protocol", "NextProtocol",
		"The client picks the application protocol in the way that came before ALPN (draft-agl-tls-nextprotoneg)."},
	TypeMessageHash: {"message_hash", "message_hash",
		"Never sent: it stands for the first ClientHello in the transcript after a HelloRetryRequest (RFC 9846 section 4.1)."},
}

// String returns IANA's name, as in "client_hello".
func (t HandshakeType) String() string {
	if info, ok := handshakeTypes[t]; ok {
		return info.iana
	}
	return name("handshake_type(%d)", nil, t)
}

// Known reports whether this is a message of IANA's registry.
func (t HandshakeType) Known() bool {
	_, ok := handshakeTypes[t]
	return ok
}

// MessageName returns the RFC's name of the message, as in "ClientHello".
func (t HandshakeType) MessageName() string {
	if info, ok := handshakeTypes[t]; ok {
		return info.message
	}
	return t.String()
}

// kind returns the type, and distinguishes HelloRetryRequest from ServerHello.
func (h Handshake) kind() HandshakeType {
	if h.IsHelloRetryRequest() {
		return TypeHelloRetryRequest
	}
	return h.Type
}

// Name returns the RFC's name of the message, as in "ClientHello" or
// "HelloRetryRequest".
func (h Handshake) Name() string { return h.kind().MessageName() }

// purposes says more of messages whose sender and version are known.
var purposes = map[purpose]string{
	{TypeServerHello, endpoint.Server, false}:       "The server answers with its choice of version and cipher suite (RFC 5246 section 7.4.1.3).",
	{TypeServerHello, endpoint.Server, true}:        "The server answers with its choice of cipher suite and its half of the key agreement; everything after this is encrypted (RFC 9846 section 4.2.3).",
	{TypeCertificate, endpoint.Server, false}:       "The server shows its certificate and those of the CAs above it (RFC 5246 section 7.4.2).",
	{TypeCertificate, endpoint.Server, true}:        "The server shows its certificate and those of the CAs above it, encrypted so that onlookers do not see them (RFC 9846 section 4.5.1).",
	{TypeCertificate, endpoint.Client, false}:       "The client shows its certificate, as asked, in the clear; an empty list says that it has none that fits (RFC 5246 section 7.4.6).",
	{TypeCertificate, endpoint.Client, true}:        "The client shows its certificate, as asked, encrypted; an empty list says that it has none that fits (RFC 9846 section 4.5.1).",
	{TypeCertificateVerify, endpoint.Server, true}:  "The server signs the handshake so far: proof that it holds the private key of its certificate (RFC 9846 section 4.5.2).",
	{TypeCertificateVerify, endpoint.Client, true}:  "The client signs the handshake so far: proof that it holds the private key of its certificate (RFC 9846 section 4.5.2).",
	{TypeCertificateVerify, endpoint.Client, false}: "The client signs the handshake so far: proof that it holds the private key of its certificate (RFC 5246 section 7.4.8).",
	{TypeFinished, endpoint.Server, true}:           "The server's checksum over the whole handshake: proof that nobody changed a byte and that the keys agree (RFC 9846 section 4.5.3).",
	{TypeFinished, endpoint.Client, true}:           "The client's checksum over the whole handshake: proof that nobody changed a byte and that the keys agree (RFC 9846 section 4.5.3).",
	{TypeFinished, endpoint.Server, false}:          "The server's checksum over the whole handshake, its first encrypted message: proof that nobody changed a byte (RFC 5246 section 7.4.9).",
	{TypeFinished, endpoint.Client, false}:          "The client's checksum over the whole handshake, its first encrypted message: proof that nobody changed a byte (RFC 5246 section 7.4.9).",
}

type purpose struct {
	t      HandshakeType
	sender endpoint.Side
	tls13  bool
}

// Purpose says in one sentence what messages of a type are for, with the RFC's
// section. The context may add who sends them and in which version.
func Purpose(t HandshakeType, ctx Context) string {
	if s := purposes[purpose{t, ctx.Sender, ctx.Version >= VersionTLS13}]; s != "" && ctx.Version != 0 {
		return s
	}
	if info, ok := handshakeTypes[t]; ok {
		return info.purpose
	}
	return "A message whose type has no name here."
}

// Purpose says in one sentence what this message is for, with the RFC's
// section.
func (h Handshake) Purpose() string { return Purpose(h.kind(), h.Context) }
