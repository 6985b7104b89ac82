package tlswire

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
)

// newHandshake makes the message of a body. Raw is nil if a value does not fit
// its length field.
func newHandshake(body Body, ctx Context) Handshake {
	h := Handshake{Type: body.Type(), Body: body, Context: ctx}
	h.Raw = h.Marshal()
	return h
}

// made are messages that no peer at hand sends, built from their RFCs.
var made = func() []flowMessage {
	var all []flowMessage
	add := func(body Body, ctx Context) {
		all = append(all, flowMessage{flow: "made", raw: newHandshake(body, ctx).Raw, ctx: ctx})
	}
	tls13 := Context{Version: VersionTLS13, CipherSuite: TLS_AES_128_GCM_SHA256, Sender: endpoint.Server}
	tls12 := Context{Version: VersionTLS12, CipherSuite: 0xc02f, Sender: endpoint.Client}
	ext := func(t ExtensionType, body ExtensionBody) Extension { return Extension{Type: t, Body: body} }
	config := ECHConfig{Version: 0xfe0d, ConfigID: 7, KEM: 0x20, PublicKey: bytes.Repeat([]byte{9}, 32),
		CipherSuites: []HPKESymmetricCipherSuite{{KDF: 1, AEAD: 1}, {KDF: 1, AEAD: 3}}, MaximumNameLength: 64, PublicName: "public.example",
		Extensions: []ECHConfigExtension{{Type: 0x8001, Data: []byte{1}}}}

	// What Chromium offers, and some things nobody offers any more.
	add(&ClientHello{LegacyVersion: VersionTLS12, LegacySessionID: make([]byte, 32), CipherSuites: []CipherSuite{0x1a1a, TLS_AES_128_GCM_SHA256, 0xc02b, 0xfffe},
		LegacyCompressionMethods: []CompressionMethod{0}, Extensions: []Extension{
			{Type: 0x1a1a, Data: []byte{}},
			ext(ExtensionServerName, &ServerNameList{[]ServerName{{Name: "localhost"}}}),
			ext(ExtensionALPN, &ProtocolNameList{[]string{"\x0a\x0a", "h2", "http/1.1"}}),
			ext(ExtensionApplicationSettingsOld, &ProtocolNameList{[]string{"h2"}}),
			ext(ExtensionApplicationSettings, &ProtocolNameList{[]string{"h2"}}),
			ext(ExtensionCompressCertificate, &CertificateCompressionAlgorithms{[]CertificateCompressionAlgorithm{CompressionBrotli, 9}}),
			ext(ExtensionSupportedGroups, &NamedGroupList{[]NamedGroup{0x1a1a, GroupX25519MLKEM768, GroupX25519}}),
			ext(ExtensionKeyShare, &KeyShareClientHello{[]KeyShareEntry{{Group: 0x1a1a, KeyExchange: []byte{0}}, {Group: GroupX25519MLKEM768, KeyExchange: make([]byte, 1216)}, {Group: GroupSecP256r1MLKEM768, KeyExchange: make([]byte, 65+1184)}}}),
			ext(ExtensionSupportedVersions, &SupportedVersions{[]Version{0x1a1a, VersionTLS13, VersionTLS12}}),
			ext(ExtensionEncryptedClientHello, &ECHClientHello{CipherSuite: HPKESymmetricCipherSuite{1, 1}, ConfigID: 3, Enc: make([]byte, 32), Payload: make([]byte, 144)}),
			ext(ExtensionTrustAnchors, &TrustAnchorIDs{[][]byte{{0x82, 0x9a, 1}}}),
			ext(ExtensionSignedCertificateTimestamp, &Empty{}),
			ext(ExtensionClientCertificateType, &CertificateTypeList{[]CertificateType{CertificateTypeRawPublicKey, CertificateTypeX509}}),
			ext(ExtensionTicketRequest, &TicketRequest{2, 1}),
			ext(ExtensionHeartbeat, &HeartbeatMode{2}),
			ext(ExtensionMaxFragmentLength, &MaxFragmentLength{3}),
			ext(ExtensionStatusRequest, &CertificateStatusRequest{StatusType: 1, ResponderIDs: [][]byte{{0x30, 0}}, RequestExtensions: []byte{0x30, 0}}),
			ext(ExtensionNextProtocolNegotiation, &Empty{}),
			ext(ExtensionPSKKeyExchangeModes, &PSKKeyExchangeModes{[]PSKKeyExchangeMode{0x2a, 1}}),
			{Type: 4321, Data: []byte("who knows")},
			ext(ExtensionPadding, &Padding{make([]byte, 40)}),
		}}, Context{})
	add(&ClientHello{CipherSuites: []CipherSuite{TLS_AES_128_GCM_SHA256}, LegacyCompressionMethods: []CompressionMethod{0}, Extensions: []Extension{
		ext(ExtensionEncryptedClientHello, &ECHClientHello{HelloType: ECHInner}),
		ext(ExtensionECHOuterExtensions, &ECHOuterExtensions{[]ExtensionType{ExtensionKeyShare}})}}, Context{})
	add(&ClientHello{LegacyVersion: VersionTLS12, CipherSuites: []CipherSuite{0x002f}, LegacyCompressionMethods: []CompressionMethod{0}}, Context{})
	add(&ServerHello{LegacyVersion: VersionTLS12, Random: helloRetryRandom, CipherSuite: TLS_AES_256_GCM_SHA384, Extensions: []Extension{
		ext(ExtensionSupportedVersions, &SelectedVersion{VersionTLS13}), ext(ExtensionKeyShare, &KeyShareHelloRetryRequest{GroupX25519}),
		ext(ExtensionEncryptedClientHello, &ECHHelloRetryRequest{[8]byte{1, 2, 3}})}}, Context{})
	add(&EncryptedExtensions{[]Extension{ext(ExtensionEncryptedClientHello, &ECHEncryptedExtensions{[]ECHConfig{config, {Version: 0xfe0e, Other: []byte("new")}}}),
		ext(ExtensionApplicationSettings, &ApplicationSettings{[]byte{1, 2}}), ext(ExtensionServerName, &Empty{}), ext(ExtensionTicketRequest, &TicketRequestHint{2}),
		ext(ExtensionServerCertificateType, &SelectedCertificateType{CertificateTypeRawPublicKey}), ext(ExtensionEarlyData, &Empty{})}}, tls13)
	add(&CertificateRequest{RequestContext: []byte{1}, Extensions: []Extension{ext(ExtensionSignatureAlgorithms, &SignatureSchemeList{[]SignatureScheme{SchemeMLDSA65, SchemeEd25519, 0x1a1a, 0x7777}}),
		ext(ExtensionOIDFilters, &OIDFilterExtension{[]OIDFilter{{OID: []byte{6, 3, 0x55, 0x1d, 0x25}, Values: []byte{0x30, 0}}}}),
		ext(ExtensionCertificateAuthorities, &CertificateAuthorities{[]DistinguishedName{[]byte("not DER")}}), ext(ExtensionCompressCertificate, &CertificateCompressionAlgorithms{[]CertificateCompressionAlgorithm{CompressionZlib}})}}, tls13)
	add(&Certificate{Entries: []CertificateEntry{{Data: []byte("not X.509"), Extensions: []Extension{
		ext(ExtensionSignedCertificateTimestamp, &SignedCertificateTimestampList{[][]byte{[]byte("promise")}}), ext(ExtensionStatusRequest, &CertificateStatus{StatusType: 1, Response: []byte{0x30, 0}}),
		ext(ExtensionTrustAnchors, &Empty{}), ext(ExtensionDelegatedCredential, &DelegatedCredential{ValidTime: 3600, Algorithm: SchemeEd25519, PublicKeyInfo: []byte{0x30, 0},
			Signed: DigitallySigned{Algorithm: SchemeECDSASecp256r1SHA256, Signature: []byte{1}}})}}}}, tls13)
	add(&Certificate{Entries: []CertificateEntry{}}, tls13)
	add(&CompressedCertificate{Algorithm: CompressionZstd, UncompressedLength: 1 << 23, Compressed: []byte{1, 2, 3}}, tls13)
	add(&NewSessionTicket{Lifetime: 60, AgeAdd: 1, Nonce: []byte{0}, Ticket: []byte{2}, Extensions: []Extension{ext(ExtensionEarlyData, &MaxEarlyDataSize{0xffffffff}), {Type: 0x2a2a, Data: []byte{}}}}, tls13)
	add(&CertificateURL{ChainType: 1, URLs: []URLAndHash{{URL: "http://localhost/", Padding: 1}}}, tls12)
	add(&SupplementalData{[]SupplementalDataEntry{{Type: 16386, Data: []byte{1}}}}, tls12)
	add(&CertificateStatus{StatusType: 2, Responses: [][]byte{{}, {0x30, 0}}}, tls12)
	add(&CertificateStatus{StatusType: 77, Other: []byte{1}}, tls12)
	add(&ClientKeyExchange{KeyExchange: KeyExchangeECDH}, Context{Version: VersionTLS12, CipherSuite: 0xc02d})
	add(&ClientKeyExchange{KeyExchange: KeyExchangeDH, Public: []byte{1}}, Context{Version: VersionTLS12, CipherSuite: 0x00a0})
	add(&ServerKeyExchange{KeyExchange: KeyExchangeDHanon, DH: ServerDHParams{[]byte{23}, []byte{5}, []byte{8}}}, Context{Version: VersionTLS12, CipherSuite: 0x006c})
	add(&MessageHash{bytes.Repeat([]byte{1}, 32)}, tls13)
	add(&KeyUpdate{2}, tls13)
	add(&Opaque{Of: 99, Data: []byte("who knows")}, tls13)
	add(&Opaque{Of: TypeServerKeyExchange, Data: []byte("of no known suite")}, Context{Version: VersionTLS12, CipherSuite: 0xfffe})
	return all
}()

func TestMadeMessagesParseAndRoundTrip(t *testing.T) {
	for _, m := range made {
		if m.raw == nil {
			t.Fatalf("%v was not made", m)
		}
		h, err := ParseHandshake(m.raw, m.ctx)
		if err != nil {
			t.Errorf("%v: %v", m, err)
			continue
		}
		for _, e := range extensionsOf(h) {
			if _, err := e.Parse(); err != nil {
				t.Errorf("%v: %v: %v", m, e.Type, err)
			}
		}
		if got := h.Marshal(); !bytes.Equal(got, m.raw) {
			t.Errorf("%v: round trip\n got %x\nwant %x", m, got, m.raw)
		}
		checkFields(t, m.String(), h.Fields(), 0, len(m.raw))
		for n := range len(m.raw) {
			if _, err := ParseHandshake(m.raw[:n], m.ctx); err == nil {
				t.Fatalf("%v parses when cut to %d of %d bytes", m, n, len(m.raw))
			}
		}
		if strings.Contains(h.Purpose(), "\n") {
			t.Errorf("%v: purpose of several lines", m)
		}
	}
}

// find walks a path of field names.
func find(fields []Field, path ...string) *Field {
	for i := range fields {
		if fields[i].Name == path[0] {
			if len(path) == 1 {
				return &fields[i]
			}
			if f := find(fields[i].Fields, path[1:]...); f != nil {
				return f
			}
		}
	}
	return nil
}

func TestFieldsSayWhatTheBytesSay(t *testing.T) {
	hello, err := ParseHandshake(made[0].raw, Context{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path []string
		want string
	}{
		{[]string{"legacy_version"}, "TLS 1.2"},
		{[]string{"cipher_suites"}, "GREASE (0x1a1a), TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, cipher_suite(0xfffe)"},
		{[]string{"extensions", "GREASE (0x1a1a)"}, "(empty)"},
		{[]string{"extensions", "server_name"}, "localhost"},
		{[]string{"extensions", "application_layer_protocol_negotiation"}, "GREASE (0x0a0a), h2, http/1.1"},
		{[]string{"extensions", "application_settings_old", "extension_type"}, "application_settings_old (17513)"},
		{[]string{"extensions", "application_settings", "extension_type"}, "application_settings (17613)"},
		{[]string{"extensions", "compress_certificate"}, "brotli, compression_algorithm(9)"},
		{[]string{"extensions", "key_share"}, "GREASE (0x1a1a), X25519MLKEM768, SecP256r1MLKEM768"},
		{[]string{"extensions", "supported_versions"}, "GREASE (0x1a1a), TLS 1.3, TLS 1.2"},
		{[]string{"extensions", "psk_key_exchange_modes"}, "GREASE (0x2a), psk_dhe_ke"},
		{[]string{"extensions", "encrypted_client_hello"}, "outer"},
		{[]string{"extensions", "encrypted_client_hello", "extension_data", "cipher_suite"}, "HKDF-SHA256, AES-128-GCM"},
		{[]string{"extensions", "max_fragment_length"}, "2^11"},
		{[]string{"extensions", "client_certificate_type"}, "RawPublicKey, X509"},
		{[]string{"extensions", "extension(4321)"}, "77686f206b6e6f7773"},
	} {
		f := find(hello.Fields(), test.path...)
		if f == nil {
			t.Errorf("no field %v", test.path)
		} else if f.Value != test.want {
			t.Errorf("%v is %q, want %q", test.path, f.Value, test.want)
		}
	}
}

// One extension that does not have its layout must not hide the others.
func TestMalformedExtensionKeepsItsBytes(t *testing.T) {
	raw := newHandshake(&EncryptedExtensions{[]Extension{
		{Type: ExtensionALPN, Data: []byte{0, 9, 1}},
		{Type: ExtensionRecordSizeLimit, Body: &RecordSizeLimit{64}}}}, Context{}).Raw
	h, err := ParseHandshake(raw, Context{Version: VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	exts := h.Body.(*EncryptedExtensions).Extensions
	if body, err := exts[0].Parse(); err == nil || body != nil || len(exts[0].Data) != 3 {
		t.Errorf("malformed extension is %+v, %v", exts[0], err)
	}
	if limit, ok := Lookup[*RecordSizeLimit](exts, ExtensionRecordSizeLimit); !ok || limit.Limit != 64 {
		t.Errorf("the one after it is %+v", exts[1])
	}
	if !bytes.Equal(h.Marshal(), raw) {
		t.Error("does not round-trip")
	}
	const want = "000901: protocol_name_list at byte 12: wants 9 bytes, 1 are left"
	if f := find(h.Fields(), "extensions", "application_layer_protocol_negotiation"); f.Value != want {
		t.Errorf("its value is %q, want %q", f.Value, want)
	}
}

func TestUnparsableBodyIsKept(t *testing.T) {
	raw := []byte{byte(TypeKeyUpdate), 0, 0, 2, 1, 1}
	h, err := ParseHandshake(raw, Context{Version: VersionTLS13})
	if err == nil || err.Error() != "KeyUpdate: end of message at byte 5: 1 bytes too many" {
		t.Errorf("error %v", err)
	}
	if !reflect.DeepEqual(h.Body, &Opaque{Of: TypeKeyUpdate, Data: []byte{1, 1}}) || !bytes.Equal(h.Marshal(), raw) {
		t.Errorf("message %+v", h)
	}
}

func TestMarshalRefusesWhatDoesNotFit(t *testing.T) {
	if h := newHandshake(&NewSessionTicket{Nonce: make([]byte, 256)}, Context{Version: VersionTLS13}); h.Raw != nil {
		t.Errorf("a nonce of 256 bytes became %x…", h.Raw[:8])
	}
}
