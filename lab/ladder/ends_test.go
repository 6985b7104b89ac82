package ladder

import (
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// refusedInHTTP is a connection on which the server answers with a status.
func refusedInHTTP(t *testing.T, status int, line string) *tlsdecrypt.Connection {
	t.Helper()
	c := replay(t, "tls13-mutual", true)
	for _, m := range c.Messages {
		if m.HTTP != nil && !m.HTTP.Request {
			m.HTTP.Status, m.HTTP.Line = status, line
			m.HTTP.Headers = append(slices.Clone(m.HTTP.Headers), httpwire.Header{Name: "Server", Value: "nginx"})
		}
	}
	return c
}

// emptied is the same without the client's certificate.
func emptied(c *tlsdecrypt.Connection) *tlsdecrypt.Connection {
	c.Messages = slices.DeleteFunc(c.Messages, func(m *tlsdecrypt.Message) bool {
		return m.From == endpoint.Client && m.Handshake != nil && m.Handshake.Type == tlswire.TypeCertificateVerify
	})
	for _, m := range c.Messages {
		if m.From == endpoint.Client && m.Handshake != nil && m.Handshake.Type == tlswire.TypeCertificate {
			m.Handshake.Body, m.Checks = &tlswire.Certificate{}, nil
		}
	}
	return c
}

// A server that asks for a certificate may let the handshake succeed and refuse
// in HTTP.
func TestRefusedInHTTP(t *testing.T) {
	const nginx = "HTTP/1.1 400 Bad Request"
	golden(t, "tls13-refused-in-http", draw(t, refusedInHTTP(t, 400, nginx), Options{}))
	for status, want := range map[int]string{400: "server: refused_in_http, 400", 401: "server: not_authorised, 401", 403: "server: not_authorised, 403"} {
		if line := lineOf(refusedInHTTP(t, status, nginx), Options{}); !strings.HasPrefix(line, "   1  refused    CN=client     1.3") || !strings.HasSuffix(line, "  "+want) {
			t.Errorf("%d: %q", status, line)
		}
	}
	for name, test := range map[string]struct {
		c            *tlsdecrypt.Connection
		want, absent []string
	}{
		"a certificate": {refusedInHTTP(t, 400, nginx), []string{"HTTP/1.1, mutual ", "by now the server goes on, whatever it thinks of the certificate of CN=client",
			"The handshake succeeded; the server asked for a certificate, and refuses in HTTP with 400: it does not take the one that the client sent"}, []string{"Accepted", "knows the client as"}},
		"no certificate": {emptied(refusedInHTTP(t, 400, nginx)), []string{"HTTP/1.1, not mutual ", "by now the server goes on without knowing who the client is",
			"The handshake succeeded; the server asked for a certificate, and refuses in HTTP with 400: the client sent none."}, []string{"Accepted", "knows the client as", "only its own log", "makes TLS mutual"}},
		"HTTP/2":              {refusedInHTTP(t, 403, "HTTP/2 403"), []string{"by now the server knows the client as CN=client", "The handshake succeeded; the client was authenticated, but is not allowed what it asked for: the server answered 403."}, []string{"Accepted", "nginx"}},
		"nginx's own":         {refusedInHTTP(t, 495, "HTTP/1.1 495"), []string{"refuses in HTTP with 495: it does not take the one that the client sent"}, []string{"Accepted"}},
		"forbidden to nobody": {emptied(refusedInHTTP(t, 403, "HTTP/1.1 403 Forbidden")), []string{"refuses in HTTP with 403: the client sent none."}, []string{"Accepted"}},
		"not found":           {refusedInHTTP(t, 404, "HTTP/1.1 404 Not Found"), []string{"Accepted: the client knows that it talks to CN=server, and the server that it talks to CN=client."}, []string{"refused"}},
		"none needed": {emptied(refusedInHTTP(t, 200, "HTTP/1.1 200 OK")), []string{"HTTP/1.1, not mutual ", `"Show me a certificate issued under CN=client-ca." If the client shows one, TLS is mutual.`,
			"Accepted: the client knows that it talks to CN=server; the server does not know who the client is."}, []string{"makes TLS mutual"}},
	} {
		got := sentences(draw(t, test.c, Options{}))
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q: %s", name, want, got)
			}
		}
		for _, absent := range test.absent {
			if strings.Contains(got, absent) {
				t.Errorf("%s: %q: %s", name, absent, got)
			}
		}
	}
	if line := lineOf(refusedInHTTP(t, 400, nginx), Options{}); !strings.Contains(line, "refused    CN=client ") || !strings.Contains(line, "server: refused_in_http, 400") {
		t.Errorf("%q", line)
	}
	several := refusedInHTTP(t, 200, "HTTP/1.1 200 OK")
	for _, status := range []int{404, 200, 500, 301, 410} {
		several.Messages = append(several.Messages, &tlsdecrypt.Message{From: endpoint.Server, HTTP: &httpwire.Message{Status: status}})
	}
	if line := lineOf(several, Options{}); !strings.HasSuffix(line, " 200, 404, 500 and 2 more") {
		t.Errorf("%q", line)
	}
	c := replay(t, "tls13-one-sided", true)
	for _, m := range c.Messages {
		if m.HTTP != nil && !m.HTTP.Request {
			m.HTTP.Status = 400
		}
	}
	if got := sentences(draw(t, c, Options{})); !strings.Contains(got, "Accepted: ") {
		t.Errorf("a server that asks for no certificate refuses none: %s", got)
	}
}

// Without a certificate there is none to refuse, whatever the alert is called:
// Java sends bad_certificate.
func TestNothingToRefuse(t *testing.T) {
	for _, name := range []string{"tls12-no-certificate", "tls13-no-certificate"} {
		for _, d := range []tlswire.AlertDescription{tlswire.AlertBadCertificate, tlswire.AlertCertificateUnknown, tlswire.AlertUnknownCA,
			tlswire.AlertHandshakeFailure, tlswire.AlertAccessDenied, tlswire.AlertCertificateRequired} {
			c := replay(t, name, true)
			c.Progress().Alert.Alert.Description = d
			got := sentences(draw(t, c, Options{}))
			if !strings.Contains(got, "The server breaks off: the client sent no certificate.") || strings.Contains(got, "the other side's certificate") {
				t.Errorf("%s, %s: %s", name, d, got)
			}
		}
	}
}

// Who could not check a chain cannot say what the other side knows by it.
func TestUncheckedChainsSayIt(t *testing.T) {
	unknown := func(sides ...endpoint.Side) string {
		c := replay(t, "tls13-mutual", true)
		for _, m := range c.Messages {
			for i := range m.Checks {
				if m.Checks[i].Subject == "chain" && slices.Contains(sides, m.From) {
					m.Checks[i].Result = tlsdecrypt.Unknown
				}
			}
		}
		return sentences(draw(t, c, Options{}))
	}
	for want, got := range map[string]string{
		"Accepted: the client was shown CN=server; the server was shown CN=client.":              unknown(endpoint.Client, endpoint.Server),
		"Accepted: the client was shown CN=server; the server knows that it talks to CN=client.": unknown(endpoint.Server),
		"Accepted: the client knows that it talks to CN=server; the server was shown CN=client.": unknown(endpoint.Client),
		"by now the server goes on, and was shown CN=client":                                     unknown(endpoint.Client),
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q: %s", want, got)
		}
	}
}

// The head and the foot of a drawing say why, whatever stands above it.
func TestReasonInHead(t *testing.T) {
	const why = "Rejected by the server: the client sent no certificate."
	for _, below := range []bool{false, true} {
		if got := sentences(draw(t, replay(t, "tls13-no-certificate", true), Options{Below: below})); strings.Count(got, why) != 2 {
			t.Errorf("below %t: %s", below, got)
		}
	}
}
