package tlswire

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
)

// Context is what a message's layout and meaning depend on beyond its bytes.
// The zero value is right for hellos.
type Context struct {
	Version         Version         // as negotiated
	CipherSuite     CipherSuite     // as negotiated; TLS 1.2 key exchange messages need it
	CertificateType CertificateType // what the sender's Certificate holds (RFC 7250)
	Sender          endpoint.Side
}

// Handshake is one handshake message (RFC 9846 section 4).
//
//	+----------+--------+---------------+
//	| msg_type | length | body          |
//	|    1     |   3    | length bytes  |
//	+----------+--------+---------------+
type Handshake struct {
	Type    HandshakeType
	Raw     []byte // the message as it came, header included; what transcript hashes take
	Body    Body
	Context Context
}

// Body is what a handshake message says: a pointer to one of ClientHello,
// ServerHello, EncryptedExtensions, Certificate and so on, or *Opaque.
type Body interface {
	layout
	Type() HandshakeType
}

// Opaque is a body whose layout is not known: the type is, or what it depends
// on was not seen, or it did not parse.
type Opaque struct {
	Of   HandshakeType
	Data []byte
}

// Type returns the type the message's header gave.
func (m *Opaque) Type() HandshakeType { return m.Of }

func (m *Opaque) wire(c *codec) {
	c.rest("body", &m.Data, "Bytes whose layout is not known.")
}

// ParseHandshake reads one whole message, header included. When the body does
// not parse, the error says where and the message has an *Opaque body; when
// raw is not one message, it is the zero Handshake.
func ParseHandshake(raw []byte, ctx Context) (Handshake, error) {
	return (*Memory)(nil).ParseHandshake(raw, ctx)
}

// ParseHandshake does what the function of that name does, and stores the
// message's extensions in m.
func (m *Memory) ParseHandshake(raw []byte, ctx Context) (Handshake, error) {
	if len(raw) < HandshakeHeaderLen {
		return Handshake{}, &Error{Field: "msg_type", Reason: fmt.Sprintf("wants a header of 4 bytes, %d are there", len(raw))}
	}
	t, n := HandshakeType(raw[0]), int(bigEndian(raw[1:HandshakeHeaderLen]))
	data := raw[HandshakeHeaderLen:]
	if n != len(data) {
		return Handshake{}, &Error{Field: "length", Offset: 1, Reason: fmt.Sprintf("says %d bytes, %d follow", n, len(data))}
	}
	h := Handshake{Type: t, Raw: raw, Body: newBody(t, ctx), Context: ctx}
	err := decode(data, HandshakeHeaderLen, h.Body, m)
	if err != nil {
		h.Body = &Opaque{Of: t, Data: data}
		err = fmt.Errorf("%s: %w", h.Name(), err)
	}
	return h, err
}

// newBody chooses the layout of a message.
func newBody(t HandshakeType, ctx Context) Body {
	tls13 := ctx.Version >= VersionTLS13
	legacy := ctx.Version != 0 && ctx.Version < VersionTLS12
	switch t {
	case TypeHelloRequest:
		return &HelloRequest{}
	case TypeClientHello:
		return &ClientHello{}
	case TypeServerHello:
		return &ServerHello{}
	case TypeNewSessionTicket:
		switch {
		case ctx.Version.isBefore(draftNonce):
			return &Opaque{Of: t}
		case tls13:
			return &NewSessionTicket{}
		}
		return &NewSessionTicketTLS12{}
	case TypeHelloRetryRequest:
		return &HelloRetryRequest{}
	case TypeEndOfEarlyData:
		return &EndOfEarlyData{}
	case TypeEncryptedExtensions:
		return &EncryptedExtensions{}
	case TypeCertificate:
		switch {
		case tls13:
			return &Certificate{CertificateType: ctx.CertificateType}
		case ctx.CertificateType == CertificateTypeRawPublicKey:
			return &RawPublicKeyTLS12{}
		}
		return &CertificateTLS12{}
	case TypeServerKeyExchange:
		if kx := ctx.CipherSuite.Info().KeyExchange; kx.serverParams() {
			return &ServerKeyExchange{KeyExchange: kx, Signed: kx.signed(legacy)}
		}
	case TypeCertificateRequest:
		switch {
		case ctx.Version.isBefore(draftExtensions):
			return &Opaque{Of: t}
		case tls13:
			return &CertificateRequest{}
		}
		return &CertificateRequestTLS12{Legacy: legacy}
	case TypeServerHelloDone:
		return &ServerHelloDone{}
	case TypeCertificateVerify:
		return &CertificateVerify{DigitallySigned{Legacy: legacy}}
	case TypeClientKeyExchange:
		if kx := ctx.CipherSuite.Info().KeyExchange; kx.clientParams() {
			return &ClientKeyExchange{KeyExchange: kx, SSL30: ctx.Version == VersionSSL30}
		}
	case TypeFinished:
		return &Finished{}
	case TypeCertificateURL:
		return &CertificateURL{}
	case TypeCertificateStatus:
		return &CertificateStatus{}
	case TypeSupplementalData:
		return &SupplementalData{}
	case TypeKeyUpdate:
		return &KeyUpdate{}
	case TypeCompressedCertificate:
		return &CompressedCertificate{}
	case TypeNextProtocol:
		return &NextProtocol{}
	case TypeMessageHash:
		return &MessageHash{}
	}
	return &Opaque{Of: t}
}

func (h Handshake) walk(tracing bool) *codec {
	c := &codec{tracing: tracing}
	if hello, ok := h.Body.(*ClientHello); ok && hello.V2 != nil {
		hello.wireV2(c)
		return c
	}
	number(c, 1, "msg_type", &h.Type, "Which handshake message this is (RFC 9846 section 4).")
	at := c.open(3)
	if tracing {
		c.note(Field{Name: "length", Offset: at, Length: 3, Note: "How many bytes of message follow (RFC 9846 section 4)."})
	}
	if h.Body != nil {
		h.Body.wire(c)
	}
	c.close("length", at, 3)
	return c
}

// Marshal writes the body anew, behind its header. It is nil when a value does
// not fit its length field.
func (h Handshake) Marshal() []byte {
	if c := h.walk(false); c.err == nil {
		return c.out
	}
	return nil
}

// Fields lists the parts of the message, its header first.
func (h Handshake) Fields() []Field {
	c := h.walk(true)
	if hello, ok := h.Body.(*ClientHello); !ok || hello.V2 == nil {
		c.fields[1].Value = fmt.Sprint(len(c.out) - HandshakeHeaderLen)
	}
	return c.fields
}

// IsHelloRetryRequest reports whether the message is a ServerHello in name only
// (RFC 9846 section 4.2.4), or the HelloRetryRequest of a draft.
func (h Handshake) IsHelloRetryRequest() bool {
	if h.Type == TypeHelloRetryRequest {
		return true
	}
	sh, ok := h.Body.(*ServerHello)
	return ok && sh.IsHelloRetryRequest()
}
