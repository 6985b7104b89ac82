package tlswire

import (
	"strings"
	"sync/atomic"
)

// CipherSuite is the number of a cipher suite (RFC 9846 appendix B.4,
// RFC 5246 appendix A.5).
type CipherSuite uint16

func (s CipherSuite) String() string { return name("cipher_suite(0x%04x)", cipherSuiteNames, s) }

// The cipher suites of TLS 1.3 (RFC 9846 appendix B.4), and the two numbers
// that are signals and no suites (RFC 5746 section 3.3, RFC 7507).
const (
	TLS_AES_128_GCM_SHA256            CipherSuite = 0x1301
	TLS_AES_256_GCM_SHA384            CipherSuite = 0x1302
	TLS_CHACHA20_POLY1305_SHA256      CipherSuite = 0x1303
	TLS_AES_128_CCM_SHA256            CipherSuite = 0x1304
	TLS_AES_128_CCM_8_SHA256          CipherSuite = 0x1305
	TLS_EMPTY_RENEGOTIATION_INFO_SCSV CipherSuite = 0x00ff
	TLS_FALLBACK_SCSV                 CipherSuite = 0x5600
)

// KeyExchange is how a cipher suite of TLS 1.2 agrees on the premaster secret.
type KeyExchange string

// The key exchanges, named as in the names of cipher suites.
const (
	KeyExchangeUnknown  KeyExchange = ""
	KeyExchangeRSA      KeyExchange = "RSA"
	KeyExchangeDH       KeyExchange = "DH" // static: the certificate's own key
	KeyExchangeDHE      KeyExchange = "DHE"
	KeyExchangeDHanon   KeyExchange = "DH_anon"
	KeyExchangeECDH     KeyExchange = "ECDH" // static: the certificate's own key
	KeyExchangeECDHE    KeyExchange = "ECDHE"
	KeyExchangeECDHanon KeyExchange = "ECDH_anon"
	KeyExchangePSK      KeyExchange = "PSK"
	KeyExchangeDHEPSK   KeyExchange = "DHE_PSK"
	KeyExchangeECDHEPSK KeyExchange = "ECDHE_PSK"
	KeyExchangeRSAPSK   KeyExchange = "RSA_PSK"
)

// SuiteInfo is what a cipher suite is made of. All of it is in the suite's
// name; numbers that are no known suite have the zero SuiteInfo.
type SuiteInfo struct {
	TLS13          bool        // a suite of TLS 1.3: it names no key exchange and no authentication
	KeyExchange    KeyExchange // TLS 1.2 only
	Authentication string      // "RSA", "ECDSA", "DSS", "PSK", "anon"; TLS 1.2 only
	Cipher         string      // "AES_128_GCM", "CHACHA20_POLY1305", "AES_256_CBC", "3DES_EDE_CBC", "RC4_128", "NULL" …
	AEAD           bool
	CBC            bool
	KeyLen         int    // bytes of a key
	FixedIVLen     int    // bytes of IV from the key block (RFC 5246 section 6.3) or the key schedule (RFC 9846 section 7.3)
	RecordIVLen    int    // bytes of nonce or IV that each TLS 1.2 record carries
	TagLen         int    // bytes of an AEAD's tag
	BlockLen       int    // bytes of a CBC cipher's block
	MAC            string // "MD5", "SHA", "SHA256", "SHA384", "SM3"; none for an AEAD
	MACLen         int    // bytes of a MAC and of its key
	Hash           string // of the PRF (TLS 1.2) or HKDF (TLS 1.3): "SHA256", "SHA384", "SM3"
}

// suiteInfos are those of the suites that were asked for, by the first byte of
// the number and the second: records ask for them too often for a map.
var suiteInfos [256]atomic.Pointer[[256]atomic.Pointer[SuiteInfo]]

var noSuite SuiteInfo

// Info says what the suite is made of. The result is shared: do not change it.
func (s CipherSuite) Info() *SuiteInfo {
	if row := suiteInfos[s>>8].Load(); row != nil {
		if info := row[s&0xff].Load(); info != nil {
			return info
		}
	}
	return s.addInfo()
}

// addInfo adds what Info returns to suiteInfos, if the suite is known.
func (s CipherSuite) addInfo() *SuiteInfo {
	name, known := cipherSuiteNames[s]
	if !known {
		return &noSuite
	}
	info := suiteInfo(name)
	suiteInfos[s>>8].CompareAndSwap(nil, new([256]atomic.Pointer[SuiteInfo]))
	at := &suiteInfos[s>>8].Load()[s&0xff]
	at.CompareAndSwap(nil, &info)
	return at.Load()
}

// ciphers gives the lengths of a key and of a block, in bytes.
var ciphers = map[string]struct{ key, block int }{
	"NULL":              {0, 0},
	"RC4_128":           {16, 0},
	"DES_CBC":           {8, 8},
	"3DES_EDE_CBC":      {24, 8},
	"IDEA_CBC":          {16, 8},
	"SEED_CBC":          {16, 16},
	"AES_128_CBC":       {16, 16},
	"AES_256_CBC":       {32, 16},
	"CAMELLIA_128_CBC":  {16, 16},
	"CAMELLIA_256_CBC":  {32, 16},
	"ARIA_128_CBC":      {16, 16},
	"ARIA_256_CBC":      {32, 16},
	"AES_128_GCM":       {16, 0},
	"AES_256_GCM":       {32, 0},
	"AES_128_CCM":       {16, 0},
	"AES_256_CCM":       {32, 0},
	"AES_128_CCM_8":     {16, 0},
	"AES_256_CCM_8":     {32, 0},
	"CAMELLIA_128_GCM":  {16, 0},
	"CAMELLIA_256_GCM":  {32, 0},
	"ARIA_128_GCM":      {16, 0},
	"ARIA_256_GCM":      {32, 0},
	"CHACHA20_POLY1305": {32, 0},
	"SM4_GCM":           {16, 0},
	"SM4_CCM":           {16, 0},
}

var macLens = map[string]int{"MD5": 16, "SHA": 20, "SHA256": 32, "SHA384": 48, "SM3": 32}

// suiteInfo reads a suite's name: TLS_CIPHER_HASH in TLS 1.3, with a hash as
// the cipher where nothing is encrypted, and before it
// TLS_KEYEXCHANGE_AUTHENTICATION_WITH_CIPHER_MAC, where a CCM suite leaves out
// its SHA256 (RFC 6655 section 3, RFC 7251 section 2).
func suiteInfo(name string) SuiteInfo {
	var s SuiteInfo
	body := strings.TrimPrefix(name, "TLS_")
	exchange, cipher, old := strings.Cut(body, "_WITH_")
	if !old {
		exchange, cipher = "", body
	}
	hash := "SHA256"
	if i := strings.LastIndexByte(cipher, '_'); i > 0 && macLens[cipher[i+1:]] > 0 {
		cipher, hash = cipher[:i], cipher[i+1:]
	}
	if n := macLens[cipher]; !old && n > 0 { // RFC 9150 section 6
		return SuiteInfo{TLS13: true, Cipher: "NULL", KeyLen: n, FixedIVLen: n, TagLen: n, Hash: hash}
	}
	lens, known := ciphers[cipher]
	if !known {
		return SuiteInfo{}
	}
	s.TLS13 = !old
	s.KeyExchange, s.Authentication = keyExchange(exchange)
	s.Cipher, s.KeyLen, s.BlockLen = cipher, lens.key, lens.block
	s.CBC = lens.block > 0
	s.Hash = "SHA256" // TLS 1.2's own, unless the suite names a stronger one (RFC 5246 section 5)
	if hash == "SHA384" || hash == "SM3" {
		s.Hash = hash
	}
	s.AEAD = strings.Contains(cipher, "GCM") || strings.Contains(cipher, "CCM") || cipher == "CHACHA20_POLY1305"
	switch {
	case !s.AEAD:
		s.MAC, s.MACLen, s.RecordIVLen = hash, macLens[hash], lens.block
		return s
	case s.TLS13, cipher == "CHACHA20_POLY1305": // RFC 9846 section 5.3, RFC 7905 section 2
		s.FixedIVLen = 12
	default: // RFC 5288 section 3, RFC 6655 section 3
		s.FixedIVLen, s.RecordIVLen = 4, 8
	}
	s.TagLen = 16
	if strings.HasSuffix(cipher, "CCM_8") {
		s.TagLen = 8
	}
	return s
}

// keyExchange splits "ECDHE_RSA" into key exchange and authentication.
func keyExchange(s string) (KeyExchange, string) {
	kx, auth, both := strings.Cut(s, "_")
	switch {
	case s == "RSA" || s == "PSK":
		return KeyExchange(s), s
	case s == "PSK_DHE": // so IANA writes two CCM suites of RFC 6655
		return KeyExchangeDHEPSK, "PSK"
	case s == "RSA_PSK":
		return KeyExchangeRSAPSK, "RSA"
	case auth == "PSK" || auth == "anon":
		return KeyExchange(s), auth
	case both && (kx == "DH" || kx == "DHE" || kx == "ECDH" || kx == "ECDHE") && (auth == "RSA" || auth == "DSS" || auth == "ECDSA"):
		return KeyExchange(kx), auth
	}
	return KeyExchangeUnknown, ""
}
