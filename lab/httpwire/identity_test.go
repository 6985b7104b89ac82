package httpwire

import "testing"

// Headers in which a proxy says who the client is are found however they are
// written, and no others.
func TestIdentityHeaders(t *testing.T) {
	for name, want := range map[string]bool{
		"X-SSL-Client-S-DN": true, "Ssl-Client-Subject-Dn": true, "ssl-client-verify": true, "X-Client-Cert": true, "Client-Cert": true, "Client-Cert-Chain": true,
		"X-Forwarded-Client-Cert": true, "X-Forwarded-Tls-Client-Cert-Info": true, "X-Amzn-Mtls-Clientcert-Leaf": true, "X-ARR-ClientCert": true, "X-Remote-User": true,
		"User-Agent": false, "X-Forwarded-For": false, "Authorization": false, "X-Client-Id": false,
	} {
		m := &Message{Request: true, Headers: []Header{{Name: name, Value: "CN=admin"}}}
		if got := len(m.IdentityHeaders()) == 1; got != want {
			t.Errorf("%s: %v", name, got)
		}
		if m.Request = false; len(m.IdentityHeaders()) > 0 {
			t.Errorf("%s of a response", name)
		}
	}
}
