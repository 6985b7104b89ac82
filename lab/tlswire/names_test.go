package tlswire

import (
	"crypto/tls"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/peertest"
)

func TestNames(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{ExtensionType(17614).String(), "extension(17614)"},
		{ExtensionType(0x1a1a).String(), "GREASE (0x1a1a)"},
		{ExtensionType(0x1a2a).String(), "extension(6698)"},
		{ExtensionType(51).String(), "key_share"},
		{CipherSuite(0xfafa).String(), "GREASE (0xfafa)"},
		{CipherSuite(0xabcd).String(), "cipher_suite(0xabcd)"},
		{NamedGroup(4588).String(), "X25519MLKEM768"},
		{NamedGroup(4587).String(), "SecP256r1MLKEM768"},
		{NamedGroup(4589).String(), "SecP384r1MLKEM1024"},
		{NamedGroup(9).String(), "sect283k1"},
		{NamedGroup(99).String(), "group(99)"},
		{SignatureScheme(0x0807).String(), "ed25519"},
		{SignatureScheme(0x0001).String(), "signature_scheme(0x0001)"},
		{Version(0x0304).String(), "TLS 1.3"},
		{Version(0x7f1c).String(), "TLS 1.3 draft 28"},
		{Version(0x7f12).String(), "TLS 1.3 draft 18"},
		{Version(0xfb1a).String(), "TLS 1.3 draft 26 (Facebook)"},
		{Version(0x7f1d).String(), "version(0x7f1d)"},
		{Version(0x7f00).String(), "version(0x7f00)"},
		{Version(0x7a7a).String(), "GREASE (0x7a7a)"},
		{HandshakeType(11).String(), "certificate"},
		{HandshakeType(11).MessageName(), "Certificate"},
		{HandshakeType(77).MessageName(), "handshake_type(77)"},
		{ContentType(22).String(), "handshake"},
		{ContentType(99).String(), "content_type(99)"},
		{AlertDescription(116).String(), "certificate_required"},
		{AlertDescription(99).String(), "alert(99)"},
		{AlertLevel(2).String(), "fatal"},
		{PSKKeyExchangeMode(0xe4).String(), "GREASE (0xe4)"},
		{PSKKeyExchangeMode(0x0c).String(), "psk_key_exchange_mode(12)"},
		{Seconds(7200).String(), "7200 s (2h0m0s)"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

// Each explanation is one sentence that ends by naming where it comes from.
func TestNotesNameTheirSource(t *testing.T) {
	sentence := regexp.MustCompile(`^[A-Z].*\((RFC \d+|draft-)[^()]*\)\.$`)
	of := map[string]string{}
	for t := range extensionTypes {
		of[t.Note()] = t.String()
	}
	for d := range alerts {
		of[d.Note()] = d.String()
	}
	for k, purpose := range purposes {
		of[purpose] = k.t.String()
	}
	for k, info := range handshakeTypes {
		of[info.purpose] = k.String()
	}
	var walk func(fields []Field)
	walk = func(fields []Field) {
		for _, f := range fields {
			unknown := strings.HasPrefix(f.Note, "Bytes whose layout") || strings.Contains(f.Note, "without a known layout")
			if f.Note != "" && !unknown {
				of[f.Note] = f.Name
			}
			walk(f.Fields)
		}
	}
	for _, m := range append(handshakes(t), made...) {
		h, err := ParseHandshake(m.raw, m.ctx)
		if err != nil {
			t.Fatal(err)
		}
		walk(h.Fields())
	}
	for note, name := range of {
		if !sentence.MatchString(note) {
			t.Errorf("%s: %s", name, note)
		}
	}
}

func TestCipherSuitesAgreeWithCryptoTLS(t *testing.T) {
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if got := CipherSuite(suite.ID).String(); got != suite.Name {
			t.Errorf("%#04x is %s, crypto/tls says %s", suite.ID, got, suite.Name)
		}
		if info := CipherSuite(suite.ID).Info(); info.KeyLen == 0 {
			t.Errorf("%s has no parameters", suite.Name)
		}
	}
}

func TestCipherSuiteInfo(t *testing.T) {
	for id, want := range map[CipherSuite]SuiteInfo{
		0x1302: {TLS13: true, Cipher: "AES_256_GCM", AEAD: true, KeyLen: 32, FixedIVLen: 12, TagLen: 16, Hash: "SHA384"},
		0x1305: {TLS13: true, Cipher: "AES_128_CCM_8", AEAD: true, KeyLen: 16, FixedIVLen: 12, TagLen: 8, Hash: "SHA256"},
		0xc02f: {KeyExchange: KeyExchangeECDHE, Authentication: "RSA", Cipher: "AES_128_GCM", AEAD: true, KeyLen: 16, FixedIVLen: 4, RecordIVLen: 8, TagLen: 16, Hash: "SHA256"},
		0xcca9: {KeyExchange: KeyExchangeECDHE, Authentication: "ECDSA", Cipher: "CHACHA20_POLY1305", AEAD: true, KeyLen: 32, FixedIVLen: 12, TagLen: 16, Hash: "SHA256"},
		0xc0ae: {KeyExchange: KeyExchangeECDHE, Authentication: "ECDSA", Cipher: "AES_128_CCM_8", AEAD: true, KeyLen: 16, FixedIVLen: 4, RecordIVLen: 8, TagLen: 8, Hash: "SHA256"},
		0xc028: {KeyExchange: KeyExchangeECDHE, Authentication: "RSA", Cipher: "AES_256_CBC", CBC: true, KeyLen: 32, RecordIVLen: 16, BlockLen: 16, MAC: "SHA384", MACLen: 48, Hash: "SHA384"},
		0x002f: {KeyExchange: KeyExchangeRSA, Authentication: "RSA", Cipher: "AES_128_CBC", CBC: true, KeyLen: 16, RecordIVLen: 16, BlockLen: 16, MAC: "SHA", MACLen: 20, Hash: "SHA256"},
		0x000a: {KeyExchange: KeyExchangeRSA, Authentication: "RSA", Cipher: "3DES_EDE_CBC", CBC: true, KeyLen: 24, RecordIVLen: 8, BlockLen: 8, MAC: "SHA", MACLen: 20, Hash: "SHA256"},
		0x0005: {KeyExchange: KeyExchangeRSA, Authentication: "RSA", Cipher: "RC4_128", KeyLen: 16, MAC: "SHA", MACLen: 20, Hash: "SHA256"},
		0xc0aa: {KeyExchange: KeyExchangeDHEPSK, Authentication: "PSK", Cipher: "AES_128_CCM_8", AEAD: true, KeyLen: 16, FixedIVLen: 4, RecordIVLen: 8, TagLen: 8, Hash: "SHA256"},
		0x00b6: {KeyExchange: KeyExchangeRSAPSK, Authentication: "RSA", Cipher: "AES_128_CBC", CBC: true, KeyLen: 16, RecordIVLen: 16, BlockLen: 16, MAC: "SHA256", MACLen: 32, Hash: "SHA256"},
		0xc018: {KeyExchange: KeyExchangeECDHanon, Authentication: "anon", Cipher: "AES_128_CBC", CBC: true, KeyLen: 16, RecordIVLen: 16, BlockLen: 16, MAC: "SHA", MACLen: 20, Hash: "SHA256"},
		0x00ff: {},
		0x1a1a: {},
	} {
		if got := id.Info(); *got != want {
			t.Errorf("%v is %+v, want %+v", id, got, want)
		}
	}
}

// openssl lists each suite with its number, IANA name and parameters.
func TestCipherSuitesAgreeWithOpenSSL(t *testing.T) {
	peertest.Need(t, "openssl")
	out, err := exec.Command("openssl", "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0").Output()
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`0x(..),0x(..) - (TLS_\S+) .* Kx=(\S+) +Au=(\S+) +Enc=(\S+?)(?:\((\d+)\))? +Mac=(\S+)`)
	exchanges := map[string]KeyExchange{"ECDH": KeyExchangeECDHE, "DH": KeyExchangeDHE, "RSA": KeyExchangeRSA, "PSK": KeyExchangePSK,
		"RSAPSK": KeyExchangeRSAPSK, "DHEPSK": KeyExchangeDHEPSK, "ECDHEPSK": KeyExchangeECDHEPSK, "any": KeyExchangeUnknown, "SRP": KeyExchangeUnknown}
	macs := map[string]string{"SHA1": "SHA", "AEAD": ""}
	n := 0
	for text := range strings.Lines(string(out)) {
		m := line.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		n++
		number, _ := strconv.ParseUint(m[1]+m[2], 16, 16)
		suite := CipherSuite(number)
		if suite.String() != m[3] {
			t.Errorf("%s %s is %v", m[1]+m[2], m[3], suite)
			continue
		}
		info := suite.Info()
		kx := exchanges[m[4]]
		if m[5] == "None" && kx != "" {
			kx = map[KeyExchange]KeyExchange{KeyExchangeDHE: KeyExchangeDHanon, KeyExchangeECDHE: KeyExchangeECDHanon}[kx]
		}
		if info.KeyExchange != kx {
			t.Errorf("%v: key exchange %s, openssl says %s", suite, info.KeyExchange, m[4])
		}
		bits, _ := strconv.Atoi(m[7])
		if m[6] == "3DES" {
			bits = 192 // openssl leaves out the parity bits
		}
		if info.KeyLen*8 != bits {
			t.Errorf("%v: a key of %d bytes, openssl says %d bits", suite, info.KeyLen, bits)
		}
		mac, other := macs[m[8]]
		if !other {
			mac = m[8]
		}
		if info.MAC != mac || info.AEAD != (m[8] == "AEAD") {
			t.Errorf("%v: MAC %q, openssl says %s", suite, info.MAC, m[8])
		}
	}
	if n < 100 {
		t.Errorf("understood only %d of openssl's lines", n)
	}
}
