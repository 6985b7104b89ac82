package vantage

import (
	"bytes"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// clientHello returns the first ClientHello of a connection and its message;
// nil: it is not there.
func clientHello(c *tlsdecrypt.Connection) (*tlswire.ClientHello, *tlsdecrypt.Message) {
	return first[*tlswire.ClientHello](c)
}

// serverHello returns the first ServerHello that is no HelloRetryRequest.
func serverHello(c *tlsdecrypt.Connection) (*tlswire.ServerHello, *tlsdecrypt.Message) {
	for _, m := range c.Messages {
		if m.Handshake == nil {
			continue
		}
		if hello, ok := m.Body().(*tlswire.ServerHello); ok && !hello.IsHelloRetryRequest() {
			return hello, m
		}
	}
	return nil, nil
}

// first returns the first message with a body of a kind.
func first[B tlswire.Body](c *tlsdecrypt.Connection) (body B, m *tlsdecrypt.Message) {
	for _, m := range c.Messages {
		if m.Handshake == nil {
			continue
		}
		if body, ok := m.Body().(B); ok {
			return body, m
		}
	}
	return body, nil
}

// randomsOf returns the randoms that name a connection: those of its hellos.
func randomsOf(c *tlsdecrypt.Connection) (randoms []string) {
	if c == nil {
		return nil
	}
	if hello, _ := clientHello(c); hello != nil {
		randoms = append(randoms, string(hello.Random[:]))
	}
	if hello, _ := serverHello(c); hello != nil {
		randoms = append(randoms, string(hello.Random[:]))
	}
	return randoms
}

// differ reports whether two connections are known to be two of TLS: a random
// differs that both have.
func differ(a, b *tlsdecrypt.Connection) bool {
	ca, _ := clientHello(a)
	cb, _ := clientHello(b)
	if ca != nil && cb != nil && ca.Random != cb.Random {
		return true
	}
	sa, _ := serverHello(a)
	sb, _ := serverHello(b)
	return sa != nil && sb != nil && sa.Random != sb.Random
}

// certificateOf returns the certificates that a side showed, its own first, and
// the message; nil: none was seen, or it was empty.
func certificateOf(c *tlsdecrypt.Connection, side endpoint.Side) ([][]byte, *tlsdecrypt.Message) {
	for _, m := range c.Messages {
		if m.Handshake == nil || m.From != side {
			continue
		}
		switch body := m.Body().(type) {
		case *tlswire.Certificate:
			if body.CertificateType != tlswire.CertificateTypeRawPublicKey {
				return body.Chain(), m
			}
		case *tlswire.CertificateTLS12:
			return body.Certificates, m
		}
	}
	return nil, nil
}

// sameRaw reports whether two messages have the same bytes.
func sameRaw(a, b *tlsdecrypt.Message) bool {
	return a.Handshake != nil && b.Handshake != nil && bytes.Equal(a.Handshake.Raw, b.Handshake.Raw)
}
