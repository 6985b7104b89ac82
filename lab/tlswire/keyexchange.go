package tlswire

// serverParams reports whether the layout of ServerKeyExchange is known for
// this key exchange.
func (kx KeyExchange) serverParams() bool {
	return kx.dh() || kx.ecdh() || kx.IsPSK()
}

// clientParams reports whether the layout of ClientKeyExchange is known for
// this key exchange.
func (kx KeyExchange) clientParams() bool {
	return kx.serverParams() || kx == KeyExchangeRSA || kx == KeyExchangeDH || kx == KeyExchangeECDH
}

func (kx KeyExchange) dh() bool {
	return kx == KeyExchangeDHE || kx == KeyExchangeDHanon || kx == KeyExchangeDHEPSK
}

func (kx KeyExchange) ecdh() bool {
	return kx == KeyExchangeECDHE || kx == KeyExchangeECDHanon || kx == KeyExchangeECDHEPSK
}

// ForwardSecret reports whether both sides make keys for this connection alone,
// so that the key of a certificate does not decrypt it later
// (RFC 5246 appendix F.1.1.3).
func (kx KeyExchange) ForwardSecret() bool { return kx.dh() || kx.ecdh() }

// IsPSK reports whether the two sides prove to each other that they have a key
// which both were given (RFC 4279, RFC 5489).
func (kx KeyExchange) IsPSK() bool {
	return kx == KeyExchangePSK || kx == KeyExchangeDHEPSK || kx == KeyExchangeECDHEPSK || kx == KeyExchangeRSAPSK
}

func (kx KeyExchange) rsa() bool { return kx == KeyExchangeRSA || kx == KeyExchangeRSAPSK }

// signed makes room for the signature of a ServerKeyExchange where there is
// one.
func (kx KeyExchange) signed(legacy bool) *DigitallySigned {
	if kx == KeyExchangeDHE || kx == KeyExchangeECDHE {
		return &DigitallySigned{Legacy: legacy}
	}
	return nil
}

// DigitallySigned is a signature and the algorithm that made it
// (RFC 9846 section 4.5.2, RFC 5246 section 4.7).
type DigitallySigned struct {
	Legacy    bool // TLS 1.0 and 1.1: the algorithm follows from the key and is not sent
	Algorithm SignatureScheme
	Signature []byte
}

func (s *DigitallySigned) wire(c *codec) {
	if !s.Legacy {
		number(c, 2, "algorithm", &s.Algorithm, "How the signature was made (RFC 9846 section 4.5.2, RFC 5246 section 4.7).")
	}
	opaque(c, 2, "signature", &s.Signature, "Only the holder of the private key could make it; anyone with the certificate can check it (RFC 9846 section 4.5.2, RFC 5246 section 4.7).")
}

// ServerDHParams is a finite-field key agreement (RFC 5246 section 7.4.3).
type ServerDHParams struct {
	P, G, Ys []byte
}

// ServerECDHParams is an elliptic-curve key agreement (RFC 8422 section 5.4).
type ServerECDHParams struct {
	CurveType ECCurveType
	Curve     NamedGroup
	Public    []byte
}

// ServerKeyExchange is the server's part of the key agreement in TLS 1.2
// (RFC 5246 section 7.4.3, RFC 8422 section 5.4, RFC 4279, RFC 5489).
type ServerKeyExchange struct {
	KeyExchange     KeyExchange
	PSKIdentityHint []byte // with a pre-shared key
	DH              ServerDHParams
	ECDH            ServerECDHParams
	Signed          *DigitallySigned // nil when anonymous or with a pre-shared key
	Params          []byte           // the bytes of DH or ECDH, which the signature covers
}

// Type is server_key_exchange.
func (*ServerKeyExchange) Type() HandshakeType { return TypeServerKeyExchange }

func (m *ServerKeyExchange) wire(c *codec) {
	if m.KeyExchange.IsPSK() {
		opaque(c, 2, "psk_identity_hint", &m.PSKIdentityHint, "Helps the client to pick the right pre-shared key (RFC 4279 section 5.2).")
	}
	before := c.in
	switch {
	case m.KeyExchange.dh():
		c.group("ServerDHParams", "The server's half of a Diffie-Hellman key agreement (RFC 5246 section 7.4.3).", func() {
			opaque(c, 2, "dh_p", &m.DH.P, "The prime to compute modulo of (RFC 5246 section 7.4.3).")
			opaque(c, 2, "dh_g", &m.DH.G, "The generator (RFC 5246 section 7.4.3).")
			opaque(c, 2, "dh_Ys", &m.DH.Ys, "The server's public value, made for this connection only (RFC 5246 section 7.4.3).")
		})
	case m.KeyExchange.ecdh():
		c.group("ServerECDHParams", "The server's half of a key agreement on an elliptic curve (RFC 8422 section 5.4).", m.ECDH.fields(c))
	}
	if c.reading && c.err == nil {
		m.Params = before[:len(before)-len(c.in)]
	}
	if m.Signed != nil {
		c.group("signed_params", "The server's signature over both randoms and these parameters (RFC 5246 section 7.4.3).", func() { m.Signed.wire(c) })
	}
}

func (p *ServerECDHParams) fields(c *codec) func() {
	return func() {
		number(c, 1, "curve_type", &p.CurveType, "Curves are named; spelling them out is forbidden now (RFC 8422 section 5.4).")
		if c.err == nil && p.CurveType != NamedCurve {
			c.fail("curve_type", "only named_curve has a known layout")
		}
		number(c, 2, "namedcurve", &p.Curve, "The curve the server picked from the client's supported_groups (RFC 8422 section 5.4).")
		opaque(c, 1, "public", &p.Public, "The server's public point, made for this connection only (RFC 8422 section 5.4).")
	}
}

// ClientKeyExchange is the client's part of the key agreement in TLS 1.2
// (RFC 5246 section 7.4.7, RFC 8422 section 5.7, RFC 4279, RFC 5489).
type ClientKeyExchange struct {
	KeyExchange              KeyExchange
	PSKIdentity              []byte // with a pre-shared key
	Public                   []byte // dh_Yc or ecdh_Yc; nil when the client's certificate holds it
	EncryptedPreMasterSecret []byte // with RSA
	SSL30                    bool   // it has no length prefix (RFC 6101 section 5.6.7)
}

// Type is client_key_exchange.
func (*ClientKeyExchange) Type() HandshakeType { return TypeClientKeyExchange }

func (m *ClientKeyExchange) wire(c *codec) {
	kx := m.KeyExchange
	if kx.IsPSK() {
		opaque(c, 2, "psk_identity", &m.PSKIdentity, "Says which pre-shared key the client uses (RFC 4279 section 2).")
	}
	switch {
	case kx.rsa() && m.SSL30:
		c.rest("EncryptedPreMasterSecret", &m.EncryptedPreMasterSecret, "A secret of the client's under the server's RSA key: who gets hold of that key later can read this connection (RFC 6101 section 5.6.7.1).")
	case kx.rsa():
		opaque(c, 2, "EncryptedPreMasterSecret", &m.EncryptedPreMasterSecret, "A secret of the client's under the server's RSA key: who gets hold of that key later can read this connection (RFC 5246 section 7.4.7.1).")
	case kx.dh():
		opaque(c, 2, "dh_Yc", &m.Public, "The client's public value, made for this connection only (RFC 5246 section 7.4.7.2).")
	case kx.ecdh():
		opaque(c, 1, "ecdh_Yc", &m.Public, "The client's public point, made for this connection only (RFC 8422 section 5.7).")
	case kx == KeyExchangeDH && c.has(m.Public != nil):
		opaque(c, 2, "dh_Yc", &m.Public, "The client's public value (RFC 5246 section 7.4.7.2).")
	case kx == KeyExchangeECDH && c.has(m.Public != nil):
		opaque(c, 1, "ecdh_Yc", &m.Public, "The client's public point (RFC 8422 section 5.7).")
	}
}

// CertificateVerify proves possession of the certificate's private key
// (RFC 9846 section 4.5.2, RFC 5246 section 7.4.8).
type CertificateVerify struct {
	DigitallySigned
}

// Type is certificate_verify.
func (*CertificateVerify) Type() HandshakeType { return TypeCertificateVerify }
