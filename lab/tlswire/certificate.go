package tlswire

// CertificateEntry is one certificate of a TLS 1.3 Certificate
// (RFC 9846 section 4.5.1).
type CertificateEntry struct {
	Data       []byte // X.509 in DER, or a SubjectPublicKeyInfo (RFC 7250)
	Extensions []Extension
}

// Certificate is that of TLS 1.3 (RFC 9846 section 4.5.1).
type Certificate struct {
	CertificateType CertificateType // of the entries, from the negotiation
	RequestContext  []byte
	Entries         []CertificateEntry
}

// Chain returns the data of the entries, the sender's own certificate first. It
// shares memory with them.
func (m *Certificate) Chain() [][]byte {
	chain := make([][]byte, len(m.Entries))
	for i, e := range m.Entries {
		chain[i] = e.Data
	}
	return chain
}

// Type is certificate.
func (*Certificate) Type() HandshakeType { return TypeCertificate }

func (m *Certificate) wire(c *codec) {
	opaque(c, 1, "certificate_request_context", &m.RequestContext, "Repeats the request this answers; empty during the handshake (RFC 9846 section 4.5.1).")
	list(c, 3, "certificate_list", &m.Entries, "The sender's own certificate first, then those that lead towards a root; empty when it has none (RFC 9846 section 4.5.1).", func(e *CertificateEntry) {
		c.group("CertificateEntry", "", func() {
			if m.CertificateType == CertificateTypeRawPublicKey {
				opaque(c, 3, "ASN1_subjectPublicKeyInfo", &e.Data, "A bare public key instead of a certificate (RFC 7250 section 3).")
			} else {
				certData(c, "cert_data", &e.Data)
			}
			extensions(c, &e.Extensions, TypeCertificate, "What goes with this certificate, such as a statement that it is not revoked (RFC 9846 section 4.5.1.1).")
		})
		c.valued(func() string { return certSubject(e.Data) })
	})
}

// CertificateTLS12 is that of TLS 1.2 (RFC 5246 section 7.4.2).
type CertificateTLS12 struct {
	Certificates [][]byte // X.509 in DER
}

// Type is certificate.
func (*CertificateTLS12) Type() HandshakeType { return TypeCertificate }

func (m *CertificateTLS12) wire(c *codec) {
	list(c, 3, "certificate_list", &m.Certificates, "The sender's own certificate first, then those that lead towards a root; empty when it has none (RFC 5246 section 7.4.2).", func(der *[]byte) {
		certData(c, "ASN.1Cert", der)
	})
}

// RawPublicKeyTLS12 is a TLS 1.2 Certificate that is a bare key
// (RFC 7250 section 3).
type RawPublicKeyTLS12 struct {
	PublicKeyInfo []byte
}

// Type is certificate.
func (*RawPublicKeyTLS12) Type() HandshakeType { return TypeCertificate }

func (m *RawPublicKeyTLS12) wire(c *codec) {
	opaque(c, 3, "ASN1_subjectPublicKeyInfo", &m.PublicKeyInfo, "A bare public key instead of a certificate (RFC 7250 section 3).")
}

// CompressedCertificate is a Certificate, compressed (RFC 8879 section 4).
type CompressedCertificate struct {
	Algorithm          CertificateCompressionAlgorithm
	UncompressedLength uint32 // as claimed: a limit, not a size to allocate
	Compressed         []byte // the body of the Certificate message, without its header
}

// Type is compressed_certificate.
func (*CompressedCertificate) Type() HandshakeType { return TypeCompressedCertificate }

func (m *CompressedCertificate) wire(c *codec) {
	number(c, 2, "algorithm", &m.Algorithm, "How it is compressed, one of those in the peer's compress_certificate (RFC 8879 section 4).")
	number(c, 3, "uncompressed_length", &m.UncompressedLength, "How long the Certificate message is when unpacked (RFC 8879 section 4).")
	opaque(c, 3, "compressed_certificate_message", &m.Compressed, "The Certificate message, compressed (RFC 8879 section 4).")
}

// CertificateRequest is that of TLS 1.3 (RFC 9846 section 4.4.2).
type CertificateRequest struct {
	RequestContext []byte
	Extensions     []Extension
}

// Type is certificate_request.
func (*CertificateRequest) Type() HandshakeType { return TypeCertificateRequest }

func (m *CertificateRequest) wire(c *codec) {
	opaque(c, 1, "certificate_request_context", &m.RequestContext, "Tells apart requests made after the handshake; empty during it (RFC 9846 section 4.4.2).")
	extensions(c, &m.Extensions, TypeCertificateRequest, "Which signatures, authorities and kinds of certificate the server takes (RFC 9846 section 4.4.2).")
}

// CertificateRequestTLS12 is that of TLS 1.2 (RFC 5246 section 7.4.4).
type CertificateRequestTLS12 struct {
	Legacy                 bool // TLS 1.0 and 1.1: there are no signature algorithms
	CertificateTypes       []ClientCertificateType
	SignatureAlgorithms    []SignatureScheme
	CertificateAuthorities []DistinguishedName
}

// Type is certificate_request.
func (*CertificateRequestTLS12) Type() HandshakeType { return TypeCertificateRequest }

func (m *CertificateRequestTLS12) wire(c *codec) {
	numbers(c, 1, 1, "certificate_types", "ClientCertificateType", &m.CertificateTypes, "Which kinds of keys the client's certificate may have (RFC 5246 section 7.4.4).")
	if !m.Legacy {
		numbers(c, 2, 2, "supported_signature_algorithms", "SignatureAndHashAlgorithm", &m.SignatureAlgorithms, "Which signatures the server can check (RFC 5246 section 7.4.4).")
	}
	distinguishedNames(c, "certificate_authorities", &m.CertificateAuthorities, "Whose certificates the server takes; an empty list means any (RFC 5246 section 7.4.4).")
}

// CertificateStatus is a statement about revocation: a message of TLS 1.2
// (RFC 6066 section 8) and an extension of a TLS 1.3 CertificateEntry
// (RFC 9846 section 4.5.1.1).
type CertificateStatus struct {
	StatusType CertificateStatusType
	Response   []byte   // ocsp: a DER OCSPResponse
	Responses  [][]byte // ocsp_multi (RFC 6961): one for each certificate, empty where there is none
	Other      []byte   // what an unknown status_type holds
}

// Type is certificate_status.
func (*CertificateStatus) Type() HandshakeType { return TypeCertificateStatus }

func (m *CertificateStatus) wire(c *codec) {
	const note = "A statement signed on behalf of the issuer that the certificate is good, revoked or unknown (RFC 6960)."
	number(c, 1, "status_type", &m.StatusType, "How the statement is made: ocsp (RFC 6066 section 8).")
	switch m.StatusType {
	case 1:
		opaque(c, 3, "OCSPResponse", &m.Response, note)
	case 2:
		list(c, 3, "OCSPResponseList", &m.Responses, "One for each certificate of the chain (RFC 6961 section 2.2).", func(r *[]byte) {
			opaque(c, 3, "OCSPResponse", r, note)
		})
	default:
		c.rest("response", &m.Other, "A statement of a kind without a known layout.")
	}
}

// CertificateURL has the URLs of certificates (RFC 6066 section 5).
type CertificateURL struct {
	ChainType uint8 // 0: one URL for each certificate, 1: one for all (PkiPath)
	URLs      []URLAndHash
}

// URLAndHash is where a certificate is, and its SHA-1.
type URLAndHash struct {
	URL     string
	Padding uint8
	SHA1    [20]byte
}

// Type is certificate_url.
func (*CertificateURL) Type() HandshakeType { return TypeCertificateURL }

func (m *CertificateURL) wire(c *codec) {
	number(c, 1, "type", &m.ChainType, "Says 0 for one URL a certificate, 1 for one URL for the chain (RFC 6066 section 5).")
	list(c, 2, "url_and_hash_list", &m.URLs, "Where the certificates are (RFC 6066 section 5).", func(u *URLAndHash) {
		c.group("URLAndHash", "", func() {
			opaque(c, 2, "url", &u.URL, "Where to fetch it (RFC 6066 section 5).")
			number(c, 1, "padding", &u.Padding, "Always 1 (RFC 6066 section 5).")
			c.fixed("SHA1Hash", u.SHA1[:], "What the fetched bytes must hash to (RFC 6066 section 5).")
		})
		c.valued(func() string { return text(u.URL) })
	})
}
