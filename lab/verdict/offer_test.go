package verdict

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// offering is a ClientHello: versions 0 are none in an extension.
func offering(suites []tlswire.CipherSuite, groups []tlswire.NamedGroup, schemes []tlswire.SignatureScheme, versions ...tlswire.Version) *tlsdecrypt.Message {
	hello := &tlswire.ClientHello{LegacyVersion: tlswire.VersionTLS12, CipherSuites: suites}
	if len(versions) > 0 {
		hello.Extensions = append(hello.Extensions, tlswire.Extension{Type: tlswire.ExtensionSupportedVersions, Body: &tlswire.SupportedVersions{Versions: versions}})
	}
	if groups != nil {
		hello.Extensions = append(hello.Extensions, tlswire.Extension{Type: tlswire.ExtensionSupportedGroups, Body: &tlswire.NamedGroupList{Groups: groups}})
	}
	if schemes != nil {
		hello.Extensions = append(hello.Extensions, tlswire.Extension{Type: tlswire.ExtensionSignatureAlgorithms, Body: &tlswire.SignatureSchemeList{Schemes: schemes}})
	}
	return said(endpoint.Client, hello)
}

const (
	ecdheRSA   tlswire.CipherSuite = 0xc02f
	ecdheECDSA tlswire.CipherSuite = 0xc02b
	rsaAES     tlswire.CipherSuite = 0x009c
	rsaRC4     tlswire.CipherSuite = 0x0005
	anonymous  tlswire.CipherSuite = 0x00a6
)

// What ClientHello lacks by itself is proven; what all of it demands is the
// likeliest cause; what it does not need is none.
func TestEarlyHandshakeFailure(t *testing.T) {
	type ss = []tlswire.CipherSuite
	v13, v12 := tlswire.VersionTLS13, tlswire.VersionTLS12
	groups, schemes := []tlswire.NamedGroup{tlswire.GroupX25519}, []tlswire.SignatureScheme{tlswire.SchemeEd25519}
	for name, test := range map[string]struct {
		hello  *tlsdecrypt.Message
		code   Code
		says   string
		causes string
		first  string // of the causes
	}{
		"anything":               {offering(ss{tlswire.TLS_AES_128_GCM_SHA256, ecdheRSA}, groups, schemes, v13, v12), Other, "nothing that both can do", "no_common_group no_common_signature_algorithm no_common_cipher_suite", "the client offers one group alone for the key exchange, x25519"},
		"TLS 1.3 alone":          {offering(ss{tlswire.TLS_AES_128_GCM_SHA256}, groups, schemes, v13), Other, "nothing that both can do", "no_common_group no_common_signature_algorithm no_common_cipher_suite no_common_version", "the client offers one group alone"},
		"without a suite of it":  {offering(ss{ecdheRSA}, groups, schemes, v13), NoCommonCipherSuite, "the client offers TLS 1.3 alone, and no cipher suite of TLS 1.3", "", ""},
		"without a group":        {offering(ss{tlswire.TLS_AES_128_GCM_SHA256}, nil, schemes, v13), NoCommonGroup, "no group for the key exchange", "", ""},
		"without a signature":    {offering(ss{tlswire.TLS_AES_128_GCM_SHA256}, groups, nil, v13), NoCommonSignature, "no signature algorithm", "", ""},
		"TLS 1.2 without suites": {offering(ss{tlswire.TLS_AES_128_GCM_SHA256}, groups, schemes), NoCommonCipherSuite, "no version newer than TLS 1.2, and no cipher suite of that", "", ""},
		"ECDSA keys alone":       {offering(ss{ecdheECDSA}, groups, schemes), Other, "nothing that both can do", "no_common_cipher_suite no_common_group no_common_signature_algorithm no_common_version", "the client offers cipher suites for ECDSA keys alone"},
		"weak ciphers":           {offering(ss{rsaRC4}, nil, nil), Other, "nothing that both can do", "no_common_cipher_suite no_common_version", "the client offers weak ciphers alone (RC4_128)"},
		"anonymous":              {offering(ss{anonymous}, nil, nil), Other, "nothing that both can do", "no_common_cipher_suite no_common_version", "the client offers cipher suites without certificates alone"},
		"RSA key exchange":       {offering(ss{rsaAES}, nil, schemes), Other, "nothing that both can do", "no_common_cipher_suite no_common_version", "the client offers cipher suites for RSA keys alone"},
		"an unknown suite":       {offering(ss{0x1234}, groups, schemes, v13), Other, "nothing that both can do", "no_common_cipher_suite no_common_group no_common_signature_algorithm no_common_version", ""},
	} {
		v := judgeWire(ended(talk(0, test.hello)(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server))
		if v.Code != test.code || !strings.Contains(v.Reason, test.says) {
			t.Errorf("%s: %s, %q", name, brief(v), v.Reason)
		}
		if got := strings.Join(codesOf(v.Causes), " "); got != test.causes {
			t.Errorf("%s: %s, want %s", name, got, test.causes)
		}
		if len(v.Causes) > 0 && !strings.HasPrefix(v.Causes[0].Text, test.first) {
			t.Errorf("%s: %q first", name, v.Causes[0].Text)
		}
		if strings.Contains(v.Fix, "TLS 1.2") && test.hello.Handshake.Body.(*tlswire.ClientHello).Extensions != nil && len(v.Offers.Client.Versions) == 1 && v.Offers.Client.Versions[0] == tlswire.VersionTLS13 {
			t.Errorf("%s: fix %q", name, v.Fix)
		}
		if v.Offers == nil || len(v.Offers.Client.CipherSuites) == 0 || v.Offers.Server != nil {
			t.Errorf("%s: offers %+v", name, v.Offers)
		}
	}
}

// A server that has no certificate for what the client offers is among the
// causes, in words that fit the offer.
func TestNoFittingCertificate(t *testing.T) {
	schemes := []tlswire.SignatureScheme{tlswire.SchemeEd25519, 0x0403, 0x0804}
	groups := []tlswire.NamedGroup{tlswire.GroupX25519, tlswire.GroupSecp256r1}
	v13, v12 := tlswire.VersionTLS13, tlswire.VersionTLS12
	all := []tlswire.CipherSuite{tlswire.TLS_AES_128_GCM_SHA256, ecdheRSA, ecdheECDSA}
	withPSK := func(m *tlsdecrypt.Message) *tlsdecrypt.Message {
		hello := m.Body().(*tlswire.ClientHello)
		hello.Extensions = append(hello.Extensions, tlswire.Extension{Type: tlswire.ExtensionPreSharedKey, Body: &tlswire.OfferedPSKs{Identities: []tlswire.PSKIdentity{{Identity: []byte("bob")}}}})
		return m
	}
	for name, test := range map[string]struct {
		hello *tlsdecrypt.Message
		want  string // one of the causes
	}{
		"TLS 1.3":               {offering(all, groups, schemes, v13), "the server has no certificate whose key makes a signature that the client takes, or none at all"},
		"a pre-shared key":      {withPSK(offering(all, groups, schemes, v13)), "the server does not know the pre-shared key that the client names (PSK), and has no certificate whose"},
		"RSA signatures alone":  {offering(all, groups, schemes[2:], v13, v12), "the client takes no signature with ECDSA (rsa_pss_rsae_sha256), and the server's key may be for that"},
		"a curve":               {offering(all, groups, schemes, v12), "the two have no group for the key exchange in common; in TLS 1.2 the server's key must be on one of the client's groups, too (ECDSA)"},
		"ECDSA suites alone":    {offering(all[2:], groups, schemes, v12), "the client offers cipher suites for ECDSA keys alone, and the server may take none of them, or have a key of another kind"},
		"suites with PSK alone": {offering([]tlswire.CipherSuite{0x00a8}, nil, schemes, v12), "the client offers cipher suites for a pre-shared key alone (PSK), and the server may have none"},
	} {
		v := judgeWire(ended(talk(0, test.hello)(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server))
		if !slices.ContainsFunc(v.Causes, func(c Cause) bool { return strings.HasPrefix(c.Text, test.want) }) {
			t.Errorf("%s: %+v, want %s", name, v.Causes, test.want)
		}
		if v.Code != Other || !strings.HasSuffix(v.Reason, "or has no certificate that fits what the client offers") {
			t.Errorf("%s: %s, %s", name, v.Code, v.Reason)
		}
	}
}

// What the server has taken on another connection rules causes out, or points
// at them.
func TestTaken(t *testing.T) {
	type ss = []tlswire.CipherSuite
	addr := netip.MustParseAddrPort("192.0.2.2:443")
	groups, schemes := []tlswire.NamedGroup{tlswire.GroupX25519}, []tlswire.SignatureScheme{tlswire.SchemeEd25519}
	at := func(c *tlsdecrypt.Connection, name string) *tlsdecrypt.Connection {
		c.Server, c.ServerName, c.Number = addr, name, 7
		return c
	}
	taken := handshake(tlswire.VersionTLS12)()
	taken.CipherSuite, taken.Group = ecdheRSA, tlswire.GroupX25519
	var servers Taken
	servers.Learn(ChosenOn(at(taken, "a.example")))
	for name, test := range map[string]struct {
		hello  *tlsdecrypt.Message
		host   string
		known  bool
		causes string
	}{
		"it lacks the suite":              {offering(ss{ecdheECDSA}, groups, schemes), "a.example", true, "no_common_cipher_suite no_common_signature_algorithm"},
		"it lacks the group":              {offering(ss{ecdheRSA}, []tlswire.NamedGroup{tlswire.GroupX448}, schemes), "A.example", true, "no_common_group no_common_signature_algorithm"},
		"it lacks the version":            {offering(ss{tlswire.TLS_AES_128_GCM_SHA256}, groups, schemes, tlswire.VersionTLS13), "a.example", true, "no_common_version no_common_group no_common_signature_algorithm no_common_cipher_suite"},
		"for a newer version, it is open": {offering(ss{tlswire.TLS_AES_128_GCM_SHA256, ecdheRSA}, groups, schemes, tlswire.VersionTLS13, tlswire.VersionTLS12), "a.example", true, "no_common_group no_common_signature_algorithm no_common_cipher_suite"},
		"another host":                    {offering(ss{ecdheECDSA}, groups, schemes), "b.example", false, "no_common_cipher_suite no_common_group no_common_signature_algorithm no_common_version"},
	} {
		c := at(ended(talk(0, test.hello)(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server), test.host)
		v := judgeWire(c)
		if got := servers.Add(&v, c); got != test.known {
			t.Errorf("%s: known %v", name, got)
		}
		if got := strings.Join(codesOf(v.Causes), " "); got != test.causes {
			t.Errorf("%s: %s, want %s", name, got, test.causes)
		}
		if test.known && (*v.Offers.From != 7 || !slices.Equal(v.Offers.Server.CipherSuites, []tlswire.CipherSuite{ecdheRSA})) {
			t.Errorf("%s: %+v", name, v.Offers)
		}
	}
}

// The curve of the server's key is a group that the client must name, too: that
// it names the one of the key exchange rules no group out.
func TestTakenCurve(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.2:443")
	taken := handshake(tlswire.VersionTLS12)(said(endpoint.Server, &tlswire.CertificateTLS12{Certificates: [][]byte{newCertificate(t, nil).Raw}}))
	taken.Server, taken.CipherSuite, taken.Group = addr, ecdheECDSA, tlswire.GroupX25519
	var servers Taken
	servers.Learn(ChosenOn(taken))
	hello := offering([]tlswire.CipherSuite{ecdheECDSA}, []tlswire.NamedGroup{tlswire.GroupX25519}, []tlswire.SignatureScheme{0x0403})
	c := ended(talk(0, hello)(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server)
	c.Server = addr
	v := judgeWire(c)
	if servers.Add(&v, c); len(v.Causes) == 0 || v.Causes[0].Code != NoCommonGroup {
		t.Errorf("causes %v", codesOf(v.Causes))
	}
}

// A HelloRetryRequest shows what the server takes, too.
func TestOffersAfterRetry(t *testing.T) {
	hello := offering([]tlswire.CipherSuite{tlswire.TLS_AES_128_GCM_SHA256}, []tlswire.NamedGroup{tlswire.GroupX25519}, []tlswire.SignatureScheme{tlswire.SchemeEd25519}, tlswire.VersionTLS13)
	retry := &tlswire.ServerHello{CipherSuite: tlswire.TLS_AES_128_GCM_SHA256, Extensions: []tlswire.Extension{{Type: tlswire.ExtensionKeyShare, Body: &tlswire.KeyShareHelloRetryRequest{SelectedGroup: tlswire.GroupX25519}}}}
	copy(retry.Random[:], "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c")
	c := ended(talk(0, hello, said(endpoint.Server, retry), hello)(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server)
	v := judgeWire(c)
	if got := strings.Join(codesOf(v.Causes), " "); got != string(NoCommonSignature) {
		t.Errorf("causes %s", got)
	}
	if v.Offers == nil || v.Offers.Server == nil || !slices.Equal(v.Offers.Server.Groups, []tlswire.NamedGroup{tlswire.GroupX25519}) {
		t.Errorf("%+v", v.Offers)
	}
}

// Without supported_versions a client can do older versions than the one in
// ClientHello, too: a server that has taken one of them takes it again.
func TestTakenOlder(t *testing.T) {
	causes := []Cause{{Code: NoCommonVersion}, {Code: NoCommonCipherSuite}}
	for _, test := range []struct {
		hello *tlsdecrypt.Message
		took  tlswire.Version
		first Code
	}{
		{offering(nil, nil, nil), tlswire.VersionTLS10, NoCommonCipherSuite},
		{offering(nil, nil, nil), tlswire.VersionTLS13, NoCommonVersion},
		{offering(nil, nil, nil, tlswire.VersionTLS12), tlswire.VersionTLS10, NoCommonVersion},
	} {
		o := Offers{Client: tlswire.OfferOf(test.hello.Body().(*tlswire.ClientHello)), Server: &tlswire.Offer{Versions: []tlswire.Version{test.took}}}
		if got := weigh(causes, o, o.Server.Groups); got[0].Code != test.first {
			t.Errorf("%v, and the server took %v: %v, want %s first", o.Client.Versions, test.took, got, test.first)
		}
	}
}

// A server that has no host of a name has taken another one on another
// connection.
func TestTakenName(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.2:443")
	at := func(c *tlsdecrypt.Connection, addr netip.AddrPort, name string) *tlsdecrypt.Connection {
		c.Server, c.ServerName, c.Number = addr, name, 7
		return c
	}
	server := endpoint.Server
	var servers Taken
	for name, more := range map[string][]*tlsdecrypt.Message{"a.example": nil, "": nil, "warned.example": {warning(server, tlswire.AlertUnrecognizedName)}} {
		servers.Learn(ChosenOn(at(handshake(tlswire.VersionTLS12)(more...), addr, name)))
	}
	for name, test := range map[string]struct {
		addr netip.AddrPort
		name string
		want bool
	}{
		"another name": {addr, "b.example", true},
		"no name":      {addr, "", true},
		"the same":     {addr, "A.example", false},
		"elsewhere":    {netip.MustParseAddrPort("192.0.2.3:443"), "b.example", false},
	} {
		c := at(ended(talk(0, hello())(alert(server, tlswire.AlertUnrecognizedName)), server), test.addr, test.name)
		v := judgeWire(c)
		if !servers.IsOpen(&v) || servers.Add(&v, c) != test.want || test.want != strings.HasSuffix(v.Reason, "; on connection 7 it took the name a.example") || test.want != strings.HasPrefix(v.Fix, "call the server by a.example (") {
			t.Errorf("%s: %s; fix: %s", name, v.Reason, v.Fix)
		}
	}
}
