package tlswire

import "fmt"

// name returns v's name in a table of IANA's; else GREASE (RFC 8701) or the
// number.
func name[T ~uint8 | ~uint16](format string, names map[T]string, v T) string {
	if s, ok := names[v]; ok {
		return s
	}
	if isGREASE(uint32(v)) {
		return fmt.Sprintf("GREASE (0x%04x)", uint16(v))
	}
	return fmt.Sprintf(format, uint16(v))
}

// isGREASE reports whether v is one of the 16-bit values that clients send so
// that servers keep ignoring unknown ones: 0x0a0a, 0x1a1a to 0xfafa
// (RFC 8701 section 2).
func isGREASE(v uint32) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// Version is a protocol version (RFC 9846 section 4.3.1).
type Version uint16

// The protocol versions.
const (
	VersionSSL20 Version = 0x0002
	VersionSSL30 Version = 0x0300
	VersionTLS10 Version = 0x0301
	VersionTLS11 Version = 0x0302
	VersionTLS12 Version = 0x0303
	VersionTLS13 Version = 0x0304
)

var versionNames = map[Version]string{
	VersionSSL20: "SSL 2.0",
	VersionSSL30: "SSL 3.0",
	VersionTLS10: "TLS 1.0",
	VersionTLS11: "TLS 1.1",
	VersionTLS12: "TLS 1.2",
	VersionTLS13: "TLS 1.3",
}

func (v Version) String() string {
	if draft := v.draftName(); draft != "" {
		return draft
	}
	return name("version(0x%04x)", versionNames, v)
}

// NamedGroup is a group for key agreement (RFC 9846 section 4.3.7).
type NamedGroup uint16

// The groups that are in use.
const (
	GroupSecp256r1          NamedGroup = 23
	GroupSecp384r1          NamedGroup = 24
	GroupSecp521r1          NamedGroup = 25
	GroupX25519             NamedGroup = 29
	GroupX448               NamedGroup = 30
	GroupFFDHE2048          NamedGroup = 256
	GroupSecP256r1MLKEM768  NamedGroup = 4587
	GroupX25519MLKEM768     NamedGroup = 4588
	GroupSecP384r1MLKEM1024 NamedGroup = 4589
)

// IANA's "TLS Supported Groups" registry.
var namedGroupNames = map[NamedGroup]string{
	1: "sect163k1", 2: "sect163r1", 3: "sect163r2", 4: "sect193r1", 5: "sect193r2", 6: "sect233k1", 7: "sect233r1",
	8: "sect239k1", 9: "sect283k1", 10: "sect283r1", 11: "sect409k1", 12: "sect409r1", 13: "sect571k1", 14: "sect571r1",
	15: "secp160k1", 16: "secp160r1", 17: "secp160r2", 18: "secp192k1", 19: "secp192r1", 20: "secp224k1", 21: "secp224r1",
	22: "secp256k1", 23: "secp256r1", 24: "secp384r1", 25: "secp521r1",
	26: "brainpoolP256r1", 27: "brainpoolP384r1", 28: "brainpoolP512r1",
	29: "x25519", 30: "x448",
	31: "brainpoolP256r1tls13", 32: "brainpoolP384r1tls13", 33: "brainpoolP512r1tls13",
	34: "GC256A", 35: "GC256B", 36: "GC256C", 37: "GC256D", 38: "GC512A", 39: "GC512B", 40: "GC512C",
	41:  "curveSM2",
	256: "ffdhe2048", 257: "ffdhe3072", 258: "ffdhe4096", 259: "ffdhe6144", 260: "ffdhe8192",
	512: "MLKEM512", 513: "MLKEM768", 514: "MLKEM1024",
	4587: "SecP256r1MLKEM768", 4588: "X25519MLKEM768", 4589: "SecP384r1MLKEM1024", 4590: "curveSM2MLKEM768",
	25497: "X25519Kyber768Draft00", 25498: "SecP256r1Kyber768Draft00",
	0xff01: "arbitrary_explicit_prime_curves", 0xff02: "arbitrary_explicit_char2_curves",
}

func (g NamedGroup) String() string { return name("group(%d)", namedGroupNames, g) }

// SignatureScheme is an algorithm for signatures (RFC 9846 section 4.3.3); in
// TLS 1.2 a pair of hash and signature algorithm (RFC 5246 section 7.4.1.4.1).
type SignatureScheme uint16

// The signature schemes that are in use.
const (
	SchemeRSAPKCS1SHA1         SignatureScheme = 0x0201
	SchemeECDSASHA1            SignatureScheme = 0x0203
	SchemeRSAPKCS1SHA256       SignatureScheme = 0x0401
	SchemeRSAPKCS1SHA384       SignatureScheme = 0x0501
	SchemeRSAPKCS1SHA512       SignatureScheme = 0x0601
	SchemeECDSASecp256r1SHA256 SignatureScheme = 0x0403
	SchemeECDSASecp384r1SHA384 SignatureScheme = 0x0503
	SchemeECDSASecp521r1SHA512 SignatureScheme = 0x0603
	SchemeRSAPSSRSAESHA256     SignatureScheme = 0x0804
	SchemeRSAPSSRSAESHA384     SignatureScheme = 0x0805
	SchemeRSAPSSRSAESHA512     SignatureScheme = 0x0806
	SchemeEd25519              SignatureScheme = 0x0807
	SchemeEd448                SignatureScheme = 0x0808
	SchemeRSAPSSPSSSHA256      SignatureScheme = 0x0809
	SchemeRSAPSSPSSSHA384      SignatureScheme = 0x080a
	SchemeRSAPSSPSSSHA512      SignatureScheme = 0x080b
	SchemeMLDSA44              SignatureScheme = 0x0904
	SchemeMLDSA65              SignatureScheme = 0x0905
	SchemeMLDSA87              SignatureScheme = 0x0906
)

// IANA's "TLS SignatureScheme" registry, and the pairs of its forerunners "TLS
// HashAlgorithm" and "TLS SignatureAlgorithm" that TLS 1.2 peers still send.
var signatureSchemeNames = map[SignatureScheme]string{
	0x0101: "rsa_md5",
	0x0201: "rsa_pkcs1_sha1", 0x0202: "dsa_sha1", 0x0203: "ecdsa_sha1",
	0x0301: "rsa_sha224", 0x0302: "dsa_sha224", 0x0303: "ecdsa_sha224",
	0x0401: "rsa_pkcs1_sha256", 0x0402: "dsa_sha256", 0x0403: "ecdsa_secp256r1_sha256", 0x0420: "rsa_pkcs1_sha256_legacy",
	0x0501: "rsa_pkcs1_sha384", 0x0502: "dsa_sha384", 0x0503: "ecdsa_secp384r1_sha384", 0x0520: "rsa_pkcs1_sha384_legacy",
	0x0601: "rsa_pkcs1_sha512", 0x0602: "dsa_sha512", 0x0603: "ecdsa_secp521r1_sha512", 0x0620: "rsa_pkcs1_sha512_legacy",
	0x0704: "eccsi_sha256", 0x0705: "iso_ibs1", 0x0706: "iso_ibs2", 0x0707: "iso_chinese_ibs", 0x0708: "sm2sig_sm3",
	0x0709: "gostr34102012_256a", 0x070a: "gostr34102012_256b", 0x070b: "gostr34102012_256c", 0x070c: "gostr34102012_256d",
	0x070d: "gostr34102012_512a", 0x070e: "gostr34102012_512b", 0x070f: "gostr34102012_512c",
	0x0804: "rsa_pss_rsae_sha256", 0x0805: "rsa_pss_rsae_sha384", 0x0806: "rsa_pss_rsae_sha512",
	0x0807: "ed25519", 0x0808: "ed448",
	0x0809: "rsa_pss_pss_sha256", 0x080a: "rsa_pss_pss_sha384", 0x080b: "rsa_pss_pss_sha512",
	0x081a: "ecdsa_brainpoolP256r1tls13_sha256", 0x081b: "ecdsa_brainpoolP384r1tls13_sha384", 0x081c: "ecdsa_brainpoolP512r1tls13_sha512",
	0x0904: "mldsa44", 0x0905: "mldsa65", 0x0906: "mldsa87",
}

func (s SignatureScheme) String() string {
	return name("signature_scheme(0x%04x)", signatureSchemeNames, s)
}

// CertificateType says what a Certificate holds (RFC 7250,
// RFC 9846 section 4.5.1).
type CertificateType uint8

// The certificate types; X.509 when nothing else was agreed.
const (
	CertificateTypeX509         CertificateType = 0
	CertificateTypeOpenPGP      CertificateType = 1
	CertificateTypeRawPublicKey CertificateType = 2
)

var certificateTypeNames = map[CertificateType]string{
	CertificateTypeX509: "X509", CertificateTypeOpenPGP: "OpenPGP", CertificateTypeRawPublicKey: "RawPublicKey", 3: "1609Dot2",
}

func (t CertificateType) String() string {
	return name("certificate_type(%d)", certificateTypeNames, t)
}

// ClientCertificateType is a kind of client certificate a TLS 1.2 server takes
// (RFC 5246 section 7.4.4).
type ClientCertificateType uint8

func (t ClientCertificateType) String() string {
	return name("client_certificate_type(%d)", map[ClientCertificateType]string{
		1: "rsa_sign", 2: "dss_sign", 3: "rsa_fixed_dh", 4: "dss_fixed_dh", 5: "rsa_ephemeral_dh_RESERVED",
		6: "dss_ephemeral_dh_RESERVED", 20: "fortezza_dms_RESERVED", 64: "ecdsa_sign", 65: "rsa_fixed_ecdh",
		66: "ecdsa_fixed_ecdh", 67: "gost_sign256", 68: "gost_sign512",
	}, t)
}

// CompressionMethod is a way to compress records; all but null are gone
// (RFC 9846 section 4.2.2).
type CompressionMethod uint8

// The ways to compress records (RFC 3749 section 2).
const (
	CompressionNull    CompressionMethod = 0
	CompressionDeflate CompressionMethod = 1
)

func (m CompressionMethod) String() string {
	return name("compression_method(%d)", map[CompressionMethod]string{0: "null", 1: "DEFLATE", 64: "LZS"}, m)
}

// CertificateCompressionAlgorithm is how a CompressedCertificate is compressed
// (RFC 8879 section 7.3).
type CertificateCompressionAlgorithm uint16

// The algorithms for compressed certificates.
const (
	CompressionZlib   CertificateCompressionAlgorithm = 1
	CompressionBrotli CertificateCompressionAlgorithm = 2
	CompressionZstd   CertificateCompressionAlgorithm = 3
)

func (a CertificateCompressionAlgorithm) String() string {
	return name("compression_algorithm(%d)", map[CertificateCompressionAlgorithm]string{
		CompressionZlib: "zlib", CompressionBrotli: "brotli", CompressionZstd: "zstd",
	}, a)
}

// ECPointFormat is a way to write a point of a curve (RFC 8422 section 5.1.2).
type ECPointFormat uint8

func (f ECPointFormat) String() string {
	return name("ec_point_format(%d)", map[ECPointFormat]string{
		0: "uncompressed", 1: "ansiX962_compressed_prime", 2: "ansiX962_compressed_char2",
	}, f)
}

// ECCurveType says how a TLS 1.2 server names its curve (RFC 8422 section 5.4).
type ECCurveType uint8

// NamedCurve is the only curve type still allowed.
const NamedCurve ECCurveType = 3

func (t ECCurveType) String() string {
	return name("ec_curve_type(%d)", map[ECCurveType]string{1: "explicit_prime", 2: "explicit_char2", NamedCurve: "named_curve"}, t)
}

// PSKKeyExchangeMode is how a pre-shared key may be used
// (RFC 9846 section 4.3.9).
type PSKKeyExchangeMode uint8

func (m PSKKeyExchangeMode) String() string {
	if m >= 0x0b && (m-0x0b)%0x1f == 0 { // RFC 8701 section 2 has GREASE of its own for this one
		return fmt.Sprintf("GREASE (0x%02x)", uint8(m))
	}
	return name("psk_key_exchange_mode(%d)", map[PSKKeyExchangeMode]string{0: "psk_ke", 1: "psk_dhe_ke"}, m)
}

// KeyUpdateRequest says whether the peer is to change its keys too
// (RFC 9846 section 4.7.3).
type KeyUpdateRequest uint8

func (r KeyUpdateRequest) String() string {
	return name("key_update_request(%d)", map[KeyUpdateRequest]string{0: "update_not_requested", 1: "update_requested"}, r)
}

// CertificateStatusType is a way to ask about revocation (RFC 6066 section 8,
// RFC 6961).
type CertificateStatusType uint8

func (t CertificateStatusType) String() string {
	return name("status_type(%d)", map[CertificateStatusType]string{1: "ocsp", 2: "ocsp_multi"}, t)
}

// NameType is a kind of server name (RFC 6066 section 3).
type NameType uint8

func (t NameType) String() string {
	return name("name_type(%d)", map[NameType]string{0: "host_name"}, t)
}

// MaxFragmentCode is a smaller limit for fragments (RFC 6066 section 4).
type MaxFragmentCode uint8

func (m MaxFragmentCode) String() string {
	return name("max_fragment_length(%d)", map[MaxFragmentCode]string{1: "2^9", 2: "2^10", 3: "2^11", 4: "2^12"}, m)
}

// HPKEKDF and HPKEAEAD are the parts of an HPKE cipher suite
// (RFC 9180 section 7).
type (
	HPKEKEM  uint16
	HPKEKDF  uint16
	HPKEAEAD uint16
)

func (k HPKEKEM) String() string {
	return name("kem(0x%04x)", map[HPKEKEM]string{
		0x10: "DHKEM(P-256, HKDF-SHA256)", 0x11: "DHKEM(P-384, HKDF-SHA384)", 0x12: "DHKEM(P-521, HKDF-SHA512)",
		0x20: "DHKEM(X25519, HKDF-SHA256)", 0x21: "DHKEM(X448, HKDF-SHA512)",
	}, k)
}

func (k HPKEKDF) String() string {
	return name("kdf(0x%04x)", map[HPKEKDF]string{1: "HKDF-SHA256", 2: "HKDF-SHA384", 3: "HKDF-SHA512"}, k)
}

func (a HPKEAEAD) String() string {
	return name("aead(0x%04x)", map[HPKEAEAD]string{1: "AES-128-GCM", 2: "AES-256-GCM", 3: "ChaCha20Poly1305", 0xffff: "Export-only"}, a)
}
