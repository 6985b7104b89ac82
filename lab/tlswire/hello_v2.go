package tlswire

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
)

// ClientHelloV2 is what only a ClientHello in the form of SSL 2.0 has, with
// which clients offered TLS to servers that might know SSL 2.0 alone
// (RFC 5246 appendix E.2).
//
//	+----------+---------+--------------------+-------------------+------------------+
//	| msg_type | version | cipher_spec_length | session_id_length | challenge_length |
//	|    1     |    2    |         2          |         2         |        2         |
//	+----------+---------+--------------------+-------------------+------------------+
//	| cipher_specs, 3 bytes each | session_id | challenge |
type ClientHelloV2 struct {
	CipherSpecs []CipherSpecV2
	SessionID   []byte
	Challenge   []byte
}

// CipherSpecV2 is a cipher of SSL 2.0, or one of TLS behind a byte of zero.
type CipherSpecV2 uint32

// headerLenV2 is the length of the header of a record of SSL 2.0 without
// padding.
const headerLenV2 = 2

// IsServerHelloV2 reports whether b begins with the SERVER-HELLO of SSL 2.0, of
// which the connection is then: msg_type 4, session_id_hit, certificate_type
// and version come after the header (draft-hickman-netscape-ssl-00,
// SERVER-HELLO).
func IsServerHelloV2(b []byte) bool {
	return len(b) >= headerLenV2+5 && b[0]&0x80 != 0 && b[2] == 4 && b[3] <= 1 && Version(bigEndian(b[5:7])) == VersionSSL20
}

// ReadClientHelloV2 reads a ClientHello in the form of SSL 2.0, most of which
// offer SSL 3.0 or TLS, at the start of a client's bytes. It keeps no reference
// to b. Raw is what transcript hashes take, without the 2 bytes of length
// before it. ok is false if b is something else; the error is a ShortError when
// it may be the start of one.
func ReadClientHelloV2(b []byte) (h Handshake, rest []byte, ok bool, err error) {
	const start = headerLenV2 + 3
	if len(b) == 0 || b[0]&0x80 == 0 {
		return Handshake{}, b, false, nil
	}
	if len(b) < start {
		return Handshake{}, b, true, ShortError{Need: start - len(b)}
	}
	if version := Version(bigEndian(b[3:start])); b[2] != byte(TypeClientHello) || version != VersionSSL20 && (b[3] != 3 || b[4] > 4) {
		return Handshake{}, b, false, nil
	}
	n := headerLenV2 + int(b[0]&0x7f)<<8 + int(b[1])
	if n < start {
		return Handshake{}, b, false, nil
	}
	if n > len(b) {
		return Handshake{}, b, true, ShortError{Need: n - len(b)}
	}
	raw := bytes.Clone(b[headerLenV2:n])
	hello, parsed := parseClientHelloV2(raw)
	if !parsed {
		return Handshake{}, b, false, nil
	}
	return Handshake{Type: TypeClientHello, Raw: raw, Body: hello}, b[n:], true, nil
}

func parseClientHelloV2(raw []byte) (*ClientHello, bool) {
	v2, hello := &ClientHelloV2{}, &ClientHello{LegacyCompressionMethods: []CompressionMethod{CompressionNull}}
	var version, specs, id, challenge uint16
	s := cryptobyte.String(raw[1:]) // after msg_type
	if !s.ReadUint16(&version) || !s.ReadUint16(&specs) || !s.ReadUint16(&id) || !s.ReadUint16(&challenge) ||
		specs%3 != 0 || challenge < 16 || challenge > 32 || len(s) != int(specs)+int(id)+int(challenge) {
		return nil, false
	}
	for range specs / 3 {
		var spec uint32
		s.ReadUint24(&spec)
		v2.CipherSpecs = append(v2.CipherSpecs, CipherSpecV2(spec))
		if spec <= 0xffff {
			hello.CipherSuites = append(hello.CipherSuites, CipherSuite(spec))
		}
	}
	s.ReadBytes(&v2.SessionID, int(id))
	s.ReadBytes(&v2.Challenge, int(challenge))
	copy(hello.Random[len(hello.Random)-len(v2.Challenge):], v2.Challenge)
	hello.LegacyVersion, hello.V2 = Version(version), v2
	return hello, true
}

// wireV2 is the layout of a ClientHello in the form of SSL 2.0, msg_type
// included.
func (m *ClientHello) wireV2(c *codec) {
	t, v2 := TypeClientHello, m.V2
	number(c, 1, "msg_type", &t, "Which handshake message this is: a ClientHello in the form that SSL 2.0 had (RFC 5246 appendix E.2).")
	number(c, 2, "version", &m.LegacyVersion, "The client's highest version (RFC 5246 appendix E.2).")
	specs, id, challenge := uint16(3*len(v2.CipherSpecs)), uint16(len(v2.SessionID)), uint16(len(v2.Challenge))
	number(c, 2, "cipher_spec_length", &specs, "How many bytes of cipher_specs follow (RFC 5246 appendix E.2).")
	number(c, 2, "session_id_length", &id, "None: a session is taken up again in the newer form (RFC 5246 appendix E.2).")
	number(c, 2, "challenge_length", &challenge, "How many bytes of challenge follow (RFC 5246 appendix E.2).")
	for i := range v2.CipherSpecs {
		spec := v2.CipherSpecs[i]
		number(c, 3, "cipher_spec", &spec, "A cipher that the client can do: one of TLS, or one that SSL 2.0 alone has (RFC 5246 appendix E.2).")
	}
	c.fixed("session_id", v2.SessionID, "Empty (RFC 5246 appendix E.2).")
	c.fixed("challenge", v2.Challenge, "Random bytes of the client's: with zeros before them, the random of its ClientHello (RFC 5246 appendix E.2).")
}

func (s CipherSpecV2) String() string {
	if s <= 0xffff {
		return CipherSuite(s).String()
	}
	if n, ok := cipherSpecNamesV2[s]; ok {
		return n
	}
	return "a cipher of SSL 2.0"
}

// cipherSpecNamesV2 are the ciphers of SSL 2.0, by their names there.
var cipherSpecNamesV2 = map[CipherSpecV2]string{
	0x010080: "SSL_CK_RC4_128_WITH_MD5", 0x020080: "SSL_CK_RC4_128_EXPORT40_WITH_MD5", 0x030080: "SSL_CK_RC2_128_CBC_WITH_MD5",
	0x040080: "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5", 0x050080: "SSL_CK_IDEA_128_CBC_WITH_MD5", 0x060040: "SSL_CK_DES_64_CBC_WITH_MD5",
	0x0700c0: "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
}
