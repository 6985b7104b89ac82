package verdict

import (
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// exchanged is what the two sides offered, chose, asked for and warned of.
type exchanged struct {
	hello     *tlswire.ClientHello  // the last one; nil: none was seen
	choice    *tlswire.ServerHello  // the last one, which may be a HelloRetryRequest; nil: none was seen
	retried   bool                  // there was a HelloRetryRequest
	request   tlswire.Body          // the last CertificateRequest; nil: none was seen
	asksLater bool                  // the server may have asked for a certificate after the first handshake
	goodbyes  endpoint.Pair[bool]   // it sent close_notify
	warnings  []*tlsdecrypt.Message // alerts that do not end the connection
}

// takeHello keeps what a message offers, chooses or asks for.
func (w *wire) takeHello(m *tlsdecrypt.Message) {
	if m.Alert != nil {
		w.takeAlert(m)
	}
	if m.Handshake == nil {
		return
	}
	switch body := m.Body().(type) {
	case *tlswire.ClientHello:
		w.hello = body
	case *tlswire.ServerHello:
		w.choice = body
		w.retried = w.retried || body.IsHelloRetryRequest()
	case *tlswire.HelloRequest:
		w.asksLater = true
	case *tlswire.CertificateRequest, *tlswire.CertificateRequestTLS12:
		w.request = body
	}
}

func (w *wire) takeAlert(m *tlsdecrypt.Message) {
	switch d := m.Alert.Description; {
	case d == tlswire.AlertCloseNotify:
		*w.goodbyes.Of(m.From) = true
	case m != w.Alert:
		w.warnings = append(w.warnings, m)
		if d == tlswire.AlertNoRenegotiation {
			w.refusesRenegotiation = m.From
		}
	}
}
