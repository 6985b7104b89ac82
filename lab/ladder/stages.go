package ladder

import (
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// Stage is what a message works towards. TLS 1.2 and 1.3 have the same stages,
// with other messages in another order.
type Stage string

// The stages.
const (
	Offer          Stage = "agree on how to talk"
	KeyExchange    Stage = "agree on keys"
	ServerProof    Stage = "show who the server is"
	Request        Stage = "ask who the client is"
	ClientProof    Stage = "show who the client is"
	ServerFinished Stage = "the server confirms that nobody changed a byte"
	ClientFinished Stage = "the client confirms that nobody changed a byte"
	Use            Stage = "use the connection"
	Later          Stage = "make it faster next time"
	End            Stage = "end it"
)

// stageOf returns the stage of a message; "": it cannot be read, or means
// nothing.
func stageOf(m *tlsdecrypt.Message) Stage {
	switch {
	case m.Encrypted:
		return ""
	case m.Alert != nil:
		return End
	case m.Type == tlswire.ContentTypeApplicationData:
		return Use
	case m.Handshake == nil:
		return ""
	}
	switch m.Handshake.Type {
	case tlswire.TypeClientHello, tlswire.TypeServerHello, tlswire.TypeEncryptedExtensions:
		return Offer
	case tlswire.TypeServerKeyExchange, tlswire.TypeClientKeyExchange, tlswire.TypeKeyUpdate:
		return KeyExchange
	case tlswire.TypeCertificateRequest, tlswire.TypeServerHelloDone:
		return Request
	case tlswire.TypeFinished:
		if m.From == endpoint.Client {
			return ClientFinished
		}
		return ServerFinished
	case tlswire.TypeNewSessionTicket:
		return Later
	case tlswire.TypeCertificate, tlswire.TypeCompressedCertificate, tlswire.TypeCertificateVerify, tlswire.TypeCertificateStatus:
		if m.From == endpoint.Client {
			return ClientProof
		}
		return ServerProof
	}
	return ""
}
