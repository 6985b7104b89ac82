package httpwire

import (
	"slices"
	"strings"
)

// identityHeaders are how headers begin in which a proxy that ends TLS tells
// the server behind it who the client is, in lower case (RFC 9440; nginx,
// HAProxy, Apache, Envoy, Traefik, AWS, Azure, Kubernetes).
var identityHeaders = []string{
	"x-ssl-client", "ssl-client", "ssl_client", "x-ssl-cert", "x-client-cert", "x-clientcert", "x-client-dn", "x-client-subject", "x-client-verify",
	"client-cert", "x-forwarded-client-cert", "x-forwarded-tls-client", "x-forwarded-ssl-client", "x-amzn-mtls-clientcert", "x-arr-clientcert",
	"x-remote-user", "remote-user", "x-forwarded-user",
}

// IdentityHeaders returns the headers of a request in which it says itself who
// the client is. Who reads them must know that a proxy has set them: anybody
// can write a header.
func (m *Message) IdentityHeaders() (headers []Header) {
	if !m.Request {
		return nil
	}
	for _, h := range m.Headers {
		name := strings.ToLower(h.Name)
		if slices.ContainsFunc(identityHeaders, func(start string) bool { return strings.HasPrefix(name, start) }) {
			headers = append(headers, h)
		}
	}
	return headers
}
