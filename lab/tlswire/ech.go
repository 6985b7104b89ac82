package tlswire

// ECHClientHelloType distinguishes the two ClientHellos of Encrypted
// ClientHello (RFC 9849 section 5).
type ECHClientHelloType uint8

// The outer ClientHello is visible; the inner is encrypted in it.
const (
	ECHOuter ECHClientHelloType = 0
	ECHInner ECHClientHelloType = 1
)

func (t ECHClientHelloType) String() string {
	return name("ech_client_hello_type(%d)", map[ECHClientHelloType]string{ECHOuter: "outer", ECHInner: "inner"}, t)
}

// HPKESymmetricCipherSuite is how ECH encrypts (RFC 9849 section 4).
type HPKESymmetricCipherSuite struct {
	KDF  HPKEKDF
	AEAD HPKEAEAD
}

func (s *HPKESymmetricCipherSuite) wire(c *codec) {
	c.group("cipher_suite", "How the inner ClientHello is encrypted (RFC 9849 section 4).", func() {
		number(c, 2, "kdf_id", &s.KDF, "How keys are derived (RFC 9180 section 7.2).")
		number(c, 2, "aead_id", &s.AEAD, "How the payload is encrypted (RFC 9180 section 7.3).")
	})
	c.valued(func() string { return s.KDF.String() + ", " + s.AEAD.String() })
}

// ECHClientHello is encrypted_client_hello in a ClientHello
// (RFC 9849 section 5).
type ECHClientHello struct {
	HelloType   ECHClientHelloType
	CipherSuite HPKESymmetricCipherSuite // outer only, and so what follows
	ConfigID    uint8
	Enc         []byte
	Payload     []byte
	Other       []byte // of an unknown type
}

func (x *ECHClientHello) wire(c *codec) {
	number(c, 1, "type", &x.HelloType, "Outer is what onlookers see, inner the encrypted truth; without a key of the server's, outer is only for show (RFC 9849 sections 5 and 6.2).")
	switch x.HelloType {
	case ECHOuter:
		x.CipherSuite.wire(c)
		number(c, 1, "config_id", &x.ConfigID, "Which of the server's configurations the client used (RFC 9849 section 5).")
		opaque(c, 2, "enc", &x.Enc, "The client's half of the key agreement with the server's published key (RFC 9849 section 5).")
		opaque(c, 2, "payload", &x.Payload, "The inner ClientHello, encrypted; or noise, when there is none (RFC 9849 sections 5 and 6.2).")
	case ECHInner:
	default:
		c.rest("ECHClientHello", &x.Other, "Of a type without a known layout.")
	}
}

// ECHHelloRetryRequest is encrypted_client_hello in a HelloRetryRequest
// (RFC 9849 section 5).
type ECHHelloRetryRequest struct {
	Confirmation [8]byte
}

func (x *ECHHelloRetryRequest) wire(c *codec) {
	c.fixed("confirmation", x.Confirmation[:], "Tells the client that the server could read the inner ClientHello (RFC 9849 section 7.2.1).")
}

// ECHConfig is a server's published configuration (RFC 9849 section 4).
type ECHConfig struct {
	Version           uint16 // 0xfe0d
	ConfigID          uint8
	KEM               HPKEKEM
	PublicKey         []byte
	CipherSuites      []HPKESymmetricCipherSuite
	MaximumNameLength uint8
	PublicName        string
	Extensions        []ECHConfigExtension
	Other             []byte // of an unknown version
}

// ECHConfigExtension is an extension of a configuration (RFC 9849 section 4.2).
type ECHConfigExtension struct {
	Type uint16
	Data []byte
}

// ECHEncryptedExtensions is encrypted_client_hello in EncryptedExtensions:
// configurations to use the next time (RFC 9849 section 5).
type ECHEncryptedExtensions struct {
	RetryConfigs []ECHConfig
}

func (x *ECHEncryptedExtensions) wire(c *codec) {
	list(c, 2, "retry_configs", &x.RetryConfigs, "The server could not read the inner ClientHello: these are the keys to try again with (RFC 9849 section 5).", func(e *ECHConfig) {
		c.group("ECHConfig", "", func() { e.wire(c) })
		c.valued(func() string { return text(e.PublicName) })
	})
}

func (e *ECHConfig) wire(c *codec) {
	number(c, 2, "version", &e.Version, "The number of the extension this is for (RFC 9849 section 4).")
	c.vector(2, "contents", "", func() {
		if e.Version != uint16(ExtensionEncryptedClientHello) {
			c.rest("contents", &e.Other, "Of a version without a known layout.")
			return
		}
		number(c, 1, "config_id", &e.ConfigID, "A number for this configuration (RFC 9849 section 4).")
		number(c, 2, "kem_id", &e.KEM, "The kind of key (RFC 9180 section 7.1).")
		opaque(c, 2, "public_key", &e.PublicKey, "The server's key for encrypting inner ClientHellos (RFC 9849 section 4).")
		list(c, 2, "cipher_suites", &e.CipherSuites, "How the client may encrypt (RFC 9849 section 4).", func(s *HPKESymmetricCipherSuite) { s.wire(c) })
		number(c, 1, "maximum_name_length", &e.MaximumNameLength, "The longest name to hide; shorter ones are padded (RFC 9849 section 4).")
		opaque(c, 1, "public_name", &e.PublicName, "The name the outer ClientHello shows (RFC 9849 section 4).")
		list(c, 2, "extensions", &e.Extensions, "Extensions of the configuration (RFC 9849 section 4.2).", func(x *ECHConfigExtension) {
			c.group("ECHConfigExtension", "", func() {
				number(c, 2, "type", &x.Type, "")
				opaque(c, 2, "data", &x.Data, "")
			})
		})
	})
}

// ECHOuterExtensions is ech_outer_extensions in an encoded inner ClientHello
// (RFC 9849 section 5.1).
type ECHOuterExtensions struct {
	Types []ExtensionType
}

func (x *ECHOuterExtensions) wire(c *codec) {
	numbers(c, 1, 2, "OuterExtensions", "ExtensionType", &x.Types, "Extensions that are the same in the outer ClientHello and not repeated (RFC 9849 section 5.1).")
}
