package tlswire

import (
	"encoding/json"
	"testing"
)

// TestOffer: what clients send to be ignored is no offer, in any list.
func TestOffer(t *testing.T) {
	hello := &ClientHello{
		LegacyVersion: VersionTLS12,
		CipherSuites:  []CipherSuite{0x0a0a, TLS_AES_128_GCM_SHA256, TLS_FALLBACK_SCSV, TLS_EMPTY_RENEGOTIATION_INFO_SCSV, TLS_AES_128_GCM_SHA256},
		Extensions: []Extension{
			{Type: ExtensionSupportedVersions, Body: &SupportedVersions{Versions: []Version{0x1a1a, VersionTLS13, VersionTLS12}}},
			{Type: ExtensionSupportedGroups, Body: &NamedGroupList{Groups: []NamedGroup{0x2a2a, GroupX25519}}},
			{Type: ExtensionSignatureAlgorithms, Body: &SignatureSchemeList{Schemes: []SignatureScheme{SchemeEd25519, 0x3a3a}}},
			{Type: ExtensionALPN, Body: &ProtocolNameList{Protocols: []string{"\x4a\x4a", "h2"}}},
		},
	}
	const want = `{"versions":["TLS 1.3","TLS 1.2"],"cipher_suites":["TLS_AES_128_GCM_SHA256"],"groups":["x25519"],"signature_schemes":["ed25519"],"alpn":["h2"]}`
	if got, err := json.Marshal(OfferOf(hello)); err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
	hello.Extensions = nil
	if got := OfferOf(hello).Versions; len(got) != 1 || got[0] != VersionTLS12 {
		t.Errorf("without supported_versions: %v", got)
	}
}

// TestNewest: a draft of TLS 1.3 is older than TLS 1.3, and newer than TLS 1.2,
// although its number is the largest.
func TestNewest(t *testing.T) {
	const draft28, draft23, facebook Version = 0x7f1c, 0x7f17, 0xfb17
	for _, test := range []struct {
		versions []Version
		want     Version
	}{
		{nil, 0},
		{[]Version{VersionTLS12, VersionTLS13, VersionTLS11}, VersionTLS13},
		{[]Version{draft28, VersionTLS13}, VersionTLS13},
		{[]Version{VersionTLS12, draft23, draft28}, draft28},
		{[]Version{facebook, VersionTLS12}, facebook},
		{[]Version{VersionSSL30, VersionTLS10}, VersionTLS10},
	} {
		if got := (Offer{Versions: test.versions}).Newest(); got != test.want {
			t.Errorf("of %v: %v", test.versions, got)
		}
	}
}
