package tlswire

// ClientHello is the client's offer (RFC 9846 section 4.2.2,
// RFC 5246 section 7.4.1.2).
type ClientHello struct {
	LegacyVersion            Version
	Random                   [32]byte
	LegacySessionID          []byte
	CipherSuites             []CipherSuite
	LegacyCompressionMethods []CompressionMethod
	Extensions               []Extension // nil when the block is absent, as TLS 1.2 allows

	V2 *ClientHelloV2 // of one in the form of SSL 2.0, which the other fields are made from; nil otherwise
}

// Type is client_hello.
func (*ClientHello) Type() HandshakeType { return TypeClientHello }

func (m *ClientHello) wire(c *codec) {
	number(c, 2, "legacy_version", &m.LegacyVersion, "The client's highest version up to TLS 1.2; newer ones are in supported_versions (RFC 9846 section 4.2.2).")
	c.fixed("random", m.Random[:], "Random bytes that make this handshake unlike any other; key logs use them to name it (RFC 9846 section 4.2.2).")
	opaque(c, 1, "legacy_session_id", &m.LegacySessionID, "In TLS 1.2 the session to take up again; in TLS 1.3 only there to look familiar to firewalls and the like on the way (RFC 9846 section 4.2.2 and appendix E.4).")
	numbers(c, 2, 2, "cipher_suites", "CipherSuite", &m.CipherSuites, "The combinations of ciphers and hashes the client can do, the ones it likes best first (RFC 9846 section 4.2.2).")
	numbers(c, 1, 1, "legacy_compression_methods", "CompressionMethod", &m.LegacyCompressionMethods, "Compression leaks secrets, so null is the only one left (RFC 9846 section 4.2.2).")
	if c.has(m.Extensions != nil) {
		extensions(c, &m.Extensions, TypeClientHello, "Everything else the client wants or can do (RFC 9846 section 4.3).")
	}
}

// helloRetryRandom in a ServerHello makes it a HelloRetryRequest: the SHA-256
// of "HelloRetryRequest" (RFC 9846 section 4.2.3).
var helloRetryRandom = [32]byte{
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
}

// ServerHello is the server's choice (RFC 9846 section 4.2.3,
// RFC 5246 section 7.4.1.3), or a HelloRetryRequest, which has the same layout
// (RFC 9846 section 4.2.4).
type ServerHello struct {
	LegacyVersion           Version
	Random                  [32]byte
	LegacySessionIDEcho     []byte
	CipherSuite             CipherSuite
	LegacyCompressionMethod CompressionMethod
	Extensions              []Extension // nil when the block is absent, as TLS 1.2 allows
}

// Type is server_hello.
func (*ServerHello) Type() HandshakeType { return TypeServerHello }

// IsHelloRetryRequest reports whether this is a HelloRetryRequest
// (RFC 9846 section 4.2.4).
func (m *ServerHello) IsHelloRetryRequest() bool { return m.Random == helloRetryRandom }

// Version is the version the server chose: that of supported_versions when it
// is there, else legacy_version (RFC 9846 section 4.3.1).
func (m *ServerHello) Version() Version {
	if v, ok := Lookup[*SelectedVersion](m.Extensions, ExtensionSupportedVersions); ok {
		return v.Version
	}
	return m.LegacyVersion
}

// Downgrade returns the version that the last bytes of Random stand for: a
// server that supports a later one was made to fall back to it; or 0
// (RFC 9846 section 4.2.3).
func (m *ServerHello) Downgrade() Version {
	switch string(m.Random[24:]) {
	case "DOWNGRD\x01":
		return VersionTLS12
	case "DOWNGRD\x00":
		return VersionTLS11
	}
	return 0
}

func (m *ServerHello) wire(c *codec) {
	number(c, 2, "legacy_version", &m.LegacyVersion, "The version in TLS 1.2; TLS 1.3 puts TLS 1.2 here and the truth in supported_versions (RFC 9846 section 4.2.3).")
	c.fixed("random", m.Random[:], "Random bytes of the server's; certain values mark a HelloRetryRequest or warn of a downgrade (RFC 9846 section 4.2.3).")
	c.valued(func() string {
		switch {
		case m.IsHelloRetryRequest():
			return short(m.Random[:]) + ": HelloRetryRequest"
		case m.Downgrade() != 0:
			return short(m.Random[:]) + ": could do more than " + m.Downgrade().String()
		}
		return short(m.Random[:])
	})
	old := m.LegacyVersion.isBefore(draftMiddleboxes)
	if !old {
		opaque(c, 1, "legacy_session_id_echo", &m.LegacySessionIDEcho, "TLS 1.3 repeats the client's; in TLS 1.2 it names the session, and repeating the client's takes that session up again (RFC 9846 section 4.2.3, RFC 5246 section 7.4.1.3).")
	}
	number(c, 2, "cipher_suite", &m.CipherSuite, "The one the server picked from the client's list (RFC 9846 section 4.2.3).")
	if !old {
		number(c, 1, "legacy_compression_method", &m.LegacyCompressionMethod, "Always null in TLS 1.3 (RFC 9846 section 4.2.3).")
	}
	if c.has(m.Extensions != nil) {
		in := TypeServerHello
		if m.IsHelloRetryRequest() {
			in = TypeHelloRetryRequest
		}
		extensions(c, &m.Extensions, in, "The server's answers to the client's extensions; in TLS 1.3 only those needed to set up the keys (RFC 9846 section 4.2.3).")
	}
}

// EncryptedExtensions is the rest of the server's answers
// (RFC 9846 section 4.4.1). A client that does ALPS sends one too.
type EncryptedExtensions struct {
	Extensions []Extension
}

// Type is encrypted_extensions.
func (*EncryptedExtensions) Type() HandshakeType { return TypeEncryptedExtensions }

func (m *EncryptedExtensions) wire(c *codec) {
	extensions(c, &m.Extensions, TypeEncryptedExtensions, "Answers that need not be seen to set up the keys (RFC 9846 section 4.4.1).")
}

// HelloRequest has no content (RFC 5246 section 7.4.1.1).
type HelloRequest struct{}

// Type is hello_request.
func (*HelloRequest) Type() HandshakeType { return TypeHelloRequest }

func (*HelloRequest) wire(*codec) {}

// ServerHelloDone has no content (RFC 5246 section 7.4.5).
type ServerHelloDone struct{}

// Type is server_hello_done.
func (*ServerHelloDone) Type() HandshakeType { return TypeServerHelloDone }

func (*ServerHelloDone) wire(*codec) {}

// EndOfEarlyData has no content (RFC 9846 section 4.6).
type EndOfEarlyData struct{}

// Type is end_of_early_data.
func (*EndOfEarlyData) Type() HandshakeType { return TypeEndOfEarlyData }

func (*EndOfEarlyData) wire(*codec) {}
