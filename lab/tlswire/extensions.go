package tlswire

// Extension is one extension of a message (RFC 9846 section 4.3).
//
//	+----------------+--------+-----------------+
//	| extension_type | length | extension_data  |
//	|       2        |   2    | length bytes    |
//	+----------------+--------+-----------------+
type Extension struct {
	Type ExtensionType
	in   HandshakeType // the message that it was read in
	at   uint32        // where Data is in it

	Data []byte        // extension_data as it came
	Body ExtensionBody // of one that is made and not read; nil otherwise, see Parse
}

// Parse returns what the extension says: Body if that is there, else what is in
// Data, which is parsed each time, since few extensions of a message are ever
// looked at. It returns nil when the layout is not known, and an error with the
// reason when Data does not have it.
func (e *Extension) Parse() (ExtensionBody, error) {
	if e.Body != nil {
		return e.Body, nil
	}
	body := extensionBody(e.Type, e.in)
	if body == nil {
		return nil, nil
	}
	if err := decode(e.Data, int(e.at), body, nil); err != nil {
		return nil, err
	}
	return body, nil
}

// ExtensionBody is the content of an extension: a pointer to one of the types
// that extensionBody chooses from. Where a layout depends on the message, each
// has its type.
type ExtensionBody interface{ layout }

// Lookup finds the extension of a type and body among those of a message, as
// in Lookup[*ServerNameList](hello.Extensions, ExtensionServerName).
func Lookup[B ExtensionBody](extensions []Extension, t ExtensionType) (body B, ok bool) {
	for i := range extensions {
		if e := &extensions[i]; e.Type == t {
			found, _ := e.Parse()
			body, ok = found.(B)
			return body, ok
		}
	}
	return body, false
}

// Has reports whether there is an extension of a type.
func Has(extensions []Extension, t ExtensionType) bool {
	for _, e := range extensions {
		if e.Type == t {
			return true
		}
	}
	return false
}

// extensions is the block of extensions of message in.
func extensions(c *codec, v *[]Extension, in HandshakeType, note string) {
	if c.readExtensions(v, in) {
		return
	}
	list(c, 2, "extensions", v, note, func(e *Extension) { e.wire(c, in) })
	c.valued(func() string {
		if len(*v) > 0 {
			return ""
		}
		return "(none)"
	})
}

// readExtensions reads a block of extensions directly; false: it is not for
// reading, or malformed, and nothing was read.
func (c *codec) readExtensions(v *[]Extension, in HandshakeType) bool {
	const size, header = 2, 4
	b, ok := c.ahead(size)
	if !ok {
		return false
	}
	next := func(b []byte) int { return header + int(b[2])<<8 + int(b[3]) }
	n := 0
	for rest := b; len(rest) > 0; n++ {
		if len(rest) < header || len(rest) < next(rest) {
			return false
		}
		rest = rest[next(rest):]
	}
	all := c.memory.take(n)
	at := c.end - len(c.in) + size
	c.in = c.in[size+len(b):]
	for i := range all {
		end := next(b)
		e := &all[i]
		e.Type, e.in, e.at, e.Data = ExtensionType(b[0])<<8|ExtensionType(b[1]), in, uint32(at+header), b[header:end]
		b, at = b[end:], at+end
	}
	*v = all
	return true
}

// wire reads an extension whose data does not have the layout it should as
// bytes, with the reason: one peer's mistake must not hide the rest of its
// message.
func (e *Extension) wire(c *codec, in HandshakeType) {
	if c.reading {
		number(c, 2, "extension_type", &e.Type, "")
		opaque(c, 2, "extension_data", &e.Data, "")
		e.in, e.at = in, uint32(c.end-len(c.in)-len(e.Data))
		return
	}
	body, err := e.Parse()
	c.group(e.Type.String(), e.Type.Note(), func() {
		number(c, 2, "extension_type", &e.Type, "IANA's number for the extension (RFC 9846 section 4.3).")
		if c.tracing {
			c.fields[len(c.fields)-1].Value = e.Type.numbered()
		}
		if body == nil {
			opaque(c, 2, "extension_data", &e.Data, "What the extension says (RFC 9846 section 4.3).")
			c.valued(func() string {
				if err != nil {
					return short(e.Data) + ": " + err.Error()
				}
				return short(e.Data)
			})
			return
		}
		c.vector(2, "extension_data", "What the extension says (RFC 9846 section 4.3).", func() { body.wire(c) })
		c.valued(func() string { return c.fields[len(c.fields)-1].inner() })
	})
	c.valued(func() string { return c.fields[len(c.fields)-1].last().Value })
}

// extensionBody chooses the layout of extension t in a message of type in, and
// is nil when it has no known one.
func extensionBody(t ExtensionType, in HandshakeType) ExtensionBody {
	hello := in == TypeClientHello
	if flagOnly(t, in) {
		return &Empty{}
	}
	switch t {
	case ExtensionServerName:
		return pick(hello, &ServerNameList{}, nil)
	case ExtensionMaxFragmentLength:
		return &MaxFragmentLength{}
	case ExtensionStatusRequest:
		return pick(hello, &CertificateStatusRequest{}, &CertificateStatus{})
	case ExtensionSupportedGroups:
		return &NamedGroupList{}
	case ExtensionECPointFormats:
		return &ECPointFormatList{}
	case ExtensionSignatureAlgorithms, ExtensionSignatureAlgorithmsCert:
		return &SignatureSchemeList{}
	case ExtensionDelegatedCredential:
		return pick(in == TypeCertificate, &DelegatedCredential{}, &SignatureSchemeList{})
	case ExtensionHeartbeat:
		return &HeartbeatMode{}
	case ExtensionALPN:
		return &ProtocolNameList{}
	case ExtensionApplicationSettings, ExtensionApplicationSettingsOld:
		return pick(hello, &ProtocolNameList{}, &ApplicationSettings{})
	case ExtensionSignedCertificateTimestamp:
		return &SignedCertificateTimestampList{}
	case ExtensionClientCertificateType, ExtensionServerCertificateType:
		return pick(hello, &CertificateTypeList{}, &SelectedCertificateType{})
	case ExtensionPadding:
		return &Padding{}
	case ExtensionCompressCertificate:
		return &CertificateCompressionAlgorithms{}
	case ExtensionRecordSizeLimit:
		return &RecordSizeLimit{}
	case ExtensionSessionTicket:
		return &SessionTicket{}
	case ExtensionPreSharedKey:
		return pick(hello, &OfferedPSKs{}, &SelectedPSK{})
	case ExtensionEarlyData:
		return &MaxEarlyDataSize{}
	case ExtensionSupportedVersions:
		return pick(hello, &SupportedVersions{}, &SelectedVersion{})
	case ExtensionCookie:
		return &Cookie{}
	case ExtensionPSKKeyExchangeModes:
		return &PSKKeyExchangeModes{}
	case ExtensionCertificateAuthorities:
		return &CertificateAuthorities{}
	case ExtensionOIDFilters:
		return &OIDFilterExtension{}
	case ExtensionKeyShare, ExtensionKeyShareDraft:
		if in == TypeHelloRetryRequest {
			return &KeyShareHelloRetryRequest{}
		}
		return pick(hello, &KeyShareClientHello{}, &KeyShareServerHello{})
	case ExtensionTicketRequest:
		return pick(hello, &TicketRequest{}, &TicketRequestHint{})
	case ExtensionNextProtocolNegotiation:
		return &NextProtocols{}
	case ExtensionTrustAnchors:
		return &TrustAnchorIDs{}
	case ExtensionEncryptedClientHello:
		switch in {
		case TypeClientHello:
			return &ECHClientHello{}
		case TypeHelloRetryRequest:
			return &ECHHelloRetryRequest{}
		}
		return &ECHEncryptedExtensions{}
	case ExtensionECHOuterExtensions:
		return &ECHOuterExtensions{}
	case ExtensionRenegotiationInfo:
		return &RenegotiationInfo{}
	}
	return nil
}

func pick(first bool, a, b ExtensionBody) ExtensionBody {
	if first {
		return a
	}
	return b
}

// flagOnly reports whether an extension has no content: its presence is all.
func flagOnly(t ExtensionType, in HandshakeType) bool {
	hello := in == TypeClientHello
	switch t {
	case ExtensionEncryptThenMAC, ExtensionExtendedMasterSecret, ExtensionPostHandshakeAuth, ExtensionTruncatedHMAC:
		return true
	case ExtensionServerName:
		return !hello // the server's acknowledgement (RFC 6066 section 3)
	case ExtensionStatusRequest:
		return in == TypeServerHello || in == TypeCertificateRequest // RFC 6066 section 8, RFC 9846 section 4.5.1.1
	case ExtensionSignedCertificateTimestamp:
		return hello || in == TypeCertificateRequest // RFC 6962 section 3.3.1, RFC 9846 section 4.5.1.1
	case ExtensionEarlyData:
		return in != TypeNewSessionTicket // RFC 9846 section 4.3.10
	case ExtensionNextProtocolNegotiation:
		return hello
	case ExtensionTrustAnchors:
		return in == TypeCertificate
	}
	return false
}

// Empty is an extension without content.
type Empty struct{}

func (*Empty) wire(*codec) {}
