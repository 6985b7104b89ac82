package tlswire

// ServerName is one name of a ServerNameList (RFC 6066 section 3).
type ServerName struct {
	Type NameType
	Name string
}

// ServerNameList is server_name: the server that the client wants
// (RFC 6066 section 3).
type ServerNameList struct {
	Names []ServerName
}

func (x *ServerNameList) wire(c *codec) {
	list(c, 2, "server_name_list", &x.Names, "", func(n *ServerName) {
		c.group("ServerName", "", func() {
			number(c, 1, "name_type", &n.Type, "What kind of name this is; there is only host_name (RFC 6066 section 3).")
			opaque(c, 2, "name", &n.Name, "The host the client wants to talk to; a server with many certificates picks by it (RFC 6066 section 3).")
		})
		c.valued(func() string { return text(n.Name) })
	})
}

// MaxFragmentLength is max_fragment_length (RFC 6066 section 4).
type MaxFragmentLength struct {
	Code MaxFragmentCode
}

func (x *MaxFragmentLength) wire(c *codec) {
	number(c, 1, "max_fragment_length", &x.Code, "The most bytes a record may carry (RFC 6066 section 4).")
}

// CertificateStatusRequest is status_request in a ClientHello
// (RFC 6066 section 8).
type CertificateStatusRequest struct {
	StatusType        CertificateStatusType
	ResponderIDs      [][]byte // ocsp: whose answers the client takes, in DER
	RequestExtensions []byte   // ocsp: Extensions in DER
	Other             []byte   // what an unknown status_type asks
}

func (x *CertificateStatusRequest) wire(c *codec) {
	number(c, 1, "status_type", &x.StatusType, "How revocation is to be checked: ocsp (RFC 6066 section 8).")
	if x.StatusType != 1 {
		c.rest("request", &x.Other, "A request of a kind without a known layout.")
		return
	}
	list(c, 2, "responder_id_list", &x.ResponderIDs, "Whose statements the client trusts; empty leaves it to the server (RFC 6066 section 8).", func(id *[]byte) {
		opaque(c, 2, "ResponderID", id, "")
	})
	opaque(c, 2, "request_extensions", &x.RequestExtensions, "Extensions of the OCSP request, most often none (RFC 6066 section 8).")
}

// NamedGroupList is supported_groups (RFC 9846 section 4.3.7).
type NamedGroupList struct {
	Groups []NamedGroup
}

func (x *NamedGroupList) wire(c *codec) {
	numbers(c, 2, 2, "named_group_list", "NamedGroup", &x.Groups, "The groups the sender can use to agree on a key, the ones it likes best first (RFC 9846 section 4.3.7).")
}

// ECPointFormatList is ec_point_formats (RFC 8422 section 5.1.2).
type ECPointFormatList struct {
	Formats []ECPointFormat
}

func (x *ECPointFormatList) wire(c *codec) {
	numbers(c, 1, 1, "ec_point_format_list", "ECPointFormat", &x.Formats, "How points of curves may be written; only uncompressed is left (RFC 8422 section 5.1.2).")
}

// SignatureSchemeList is signature_algorithms, signature_algorithms_cert
// (RFC 9846 section 4.3.3) and, in hellos and requests, delegated_credential
// (RFC 9345 section 4.1.1).
type SignatureSchemeList struct {
	Schemes []SignatureScheme
}

func (x *SignatureSchemeList) wire(c *codec) {
	numbers(c, 2, 2, "supported_signature_algorithms", "SignatureScheme", &x.Schemes, "The signatures the sender can check, the ones it likes best first (RFC 9846 section 4.3.3).")
}

// HeartbeatMode is heartbeat (RFC 6520 section 2).
type HeartbeatMode struct {
	Mode uint8 // 1: peer_allowed_to_send, 2: peer_not_allowed_to_send
}

func (x *HeartbeatMode) wire(c *codec) {
	number(c, 1, "mode", &x.Mode, "Says 1 if the peer may send heartbeats, 2 if not (RFC 6520 section 2).")
}

// ProtocolNameList is application_layer_protocol_negotiation
// (RFC 7301 section 3.1), and the client's offer of application_settings.
type ProtocolNameList struct {
	Protocols []string
}

func (x *ProtocolNameList) wire(c *codec) {
	list(c, 2, "protocol_name_list", &x.Protocols, "What is to be spoken over TLS: the client lists what it can, the server answers with one (RFC 7301 section 3.1).", func(s *string) {
		opaque(c, 1, "ProtocolName", s, "")
		c.valued(func() string {
			if len(*s) == 2 && isGREASE(bigEndian([]byte(*s))) {
				return name[uint16]("", nil, uint16(bigEndian([]byte(*s))))
			}
			return text(*s)
		})
	})
}

// ApplicationSettings is application_settings in EncryptedExtensions
// (draft-vvv-tls-alps).
type ApplicationSettings struct {
	Settings []byte
}

func (x *ApplicationSettings) wire(c *codec) {
	c.rest("settings", &x.Settings, "Settings of the application protocol, such as HTTP/2's (draft-vvv-tls-alps).")
}

// SignedCertificateTimestampList is signed_certificate_timestamp
// (RFC 6962 section 3.3).
type SignedCertificateTimestampList struct {
	SCTs [][]byte
}

func (x *SignedCertificateTimestampList) wire(c *codec) {
	list(c, 2, "sct_list", &x.SCTs, "Promises of public logs to list the certificate (RFC 6962 section 3.3).", func(sct *[]byte) {
		opaque(c, 2, "SerializedSCT", sct, "")
	})
}

// CertificateTypeList is client_certificate_type or server_certificate_type in
// a ClientHello (RFC 7250 section 3).
type CertificateTypeList struct {
	Types []CertificateType
}

func (x *CertificateTypeList) wire(c *codec) {
	numbers(c, 1, 1, "certificate_types", "CertificateType", &x.Types, "The kinds the client can do, the ones it likes best first (RFC 7250 section 3).")
}

// SelectedCertificateType is the server's choice of kind (RFC 7250 section 3).
type SelectedCertificateType struct {
	Type CertificateType
}

func (x *SelectedCertificateType) wire(c *codec) {
	number(c, 1, "certificate_type", &x.Type, "The kind the server picked (RFC 7250 section 3).")
}

// Padding is padding: bytes that only take up room (RFC 7685 section 3).
type Padding struct {
	Zeros []byte
}

func (x *Padding) wire(c *codec) {
	c.rest("padding", &x.Zeros, "Zeros, so that the message is not of a length that trips broken servers (RFC 7685 section 3).")
}

// CertificateCompressionAlgorithms is compress_certificate
// (RFC 8879 section 3).
type CertificateCompressionAlgorithms struct {
	Algorithms []CertificateCompressionAlgorithm
}

func (x *CertificateCompressionAlgorithms) wire(c *codec) {
	numbers(c, 1, 2, "algorithms", "CertificateCompressionAlgorithm", &x.Algorithms, "How the peer may compress its certificates (RFC 8879 section 3).")
}

// RecordSizeLimit is record_size_limit (RFC 8449 section 4).
type RecordSizeLimit struct {
	Limit uint16
}

func (x *RecordSizeLimit) wire(c *codec) {
	number(c, 2, "RecordSizeLimit", &x.Limit, "The most bytes of plaintext the sender takes in one record (RFC 8449 section 4).")
}

// SessionTicket is session_ticket of TLS 1.2 (RFC 5077 section 3.2).
type SessionTicket struct {
	Ticket []byte
}

func (x *SessionTicket) wire(c *codec) {
	c.rest("ticket", &x.Ticket, "A ticket from an earlier connection; empty says that the sender can do tickets (RFC 5077 section 3.2).")
}

// NextProtocols is the server's next_protocol_negotiation
// (draft-agl-tls-nextprotoneg-04).
type NextProtocols struct {
	Protocols []string
}

func (x *NextProtocols) wire(c *codec) {
	for i := 0; c.has(i < len(x.Protocols)); i++ {
		if c.reading {
			x.Protocols = append(x.Protocols, "")
		}
		opaque(c, 1, "protocol", &x.Protocols[i], "A protocol the server speaks (draft-agl-tls-nextprotoneg-04).")
	}
}

// RenegotiationInfo is renegotiation_info (RFC 5746 section 3.2).
type RenegotiationInfo struct {
	RenegotiatedConnection []byte
}

func (x *RenegotiationInfo) wire(c *codec) {
	opaque(c, 1, "renegotiated_connection", &x.RenegotiatedConnection, "Ties a new handshake to the one before it; empty in a first one (RFC 5746 section 3.2).")
}

// TrustAnchorIDs is trust_anchors in a ClientHello or EncryptedExtensions
// (draft-ietf-tls-trust-anchor-ids).
type TrustAnchorIDs struct {
	IDs [][]byte
}

func (x *TrustAnchorIDs) wire(c *codec) {
	list(c, 2, "TrustAnchorIDList", &x.IDs, "Short names of the authorities the client trusts or the server has certificates from (draft-ietf-tls-trust-anchor-ids).", func(id *[]byte) {
		opaque(c, 1, "TrustAnchorID", id, "")
	})
}

// TicketRequest is ticket_request in a ClientHello (RFC 9149 section 3).
type TicketRequest struct {
	NewSessionCount uint8
	ResumptionCount uint8
}

func (x *TicketRequest) wire(c *codec) {
	number(c, 1, "new_session_count", &x.NewSessionCount, "How many tickets the client wants after a full handshake (RFC 9149 section 3).")
	number(c, 1, "resumption_count", &x.ResumptionCount, "How many tickets the client wants after a resumption (RFC 9149 section 3).")
}

// TicketRequestHint is ticket_request in EncryptedExtensions
// (RFC 9149 section 3).
type TicketRequestHint struct {
	ExpectedCount uint8
}

func (x *TicketRequestHint) wire(c *codec) {
	number(c, 1, "expected_count", &x.ExpectedCount, "How many tickets the server means to send (RFC 9149 section 3).")
}
