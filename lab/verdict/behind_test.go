package verdict

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// A server that refuses what it cannot have seen passes on what one behind it
// says.
func TestRefusedBehind(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	leaf := newCertificate(t, nil)
	says := func(title httpwire.Complaint) *tlsdecrypt.Message {
		m := answer(400, nginx)
		m.HTTP.Begins = []byte("<html>\r\n<head><title>400 " + string(title) + "</title></head>")
		return m
	}
	to := func(host string) *tlsdecrypt.Message {
		m := request()
		m.HTTP.Headers = []httpwire.Header{{Name: "Host", Value: host}}
		return m
	}
	unasked := func(messages ...*tlsdecrypt.Message) *tlsdecrypt.Connection {
		own, key := newCertificateAndKey(t, nil)
		var c *tlsdecrypt.Connection
		d := tlsdecrypt.New(tlsdecrypt.Options{Done: func(read *tlsdecrypt.Connection) { c = read }})
		answered(t, d, 1, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{own.Raw}, PrivateKey: key}}}, &tls.Config{InsecureSkipVerify: true, ServerName: "a.example"}, 400)
		c.Messages = slices.DeleteFunc(c.Messages, func(m *tlsdecrypt.Message) bool { return m.HTTP != nil })
		c.Messages = append(c.Messages, messages...)
		return c
	}
	mutual := asked(talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil), finished(server), checkedAs(shows(client, leaf.Raw), tlsdecrypt.Holds), finished(client), ticket()))
	empty := asked(handshakeWithout(tlswire.VersionTLS13))
	resumed := func(messages ...*tlsdecrypt.Message) *tlsdecrypt.Connection {
		c := unasked(messages...)
		c.Resumption = tlsdecrypt.ByPSK
		return c
	}
	for name, test := range map[string]struct {
		c            *tlsdecrypt.Connection
		want, reason string
	}{
		"none was asked for":            {unasked(to("a.example"), says(httpwire.NoCertificate)), "accepted (refused in HTTP): certificate_not_passed_on", "a server behind it wants one"},
		"a bad one, and none asked for": {unasked(to("a.example"), says(httpwire.CertificateError)), "accepted (refused in HTTP): certificate_not_passed_on", "a server behind it refuses the one"},
		"for another host":              {unasked(to("b.example"), says(httpwire.NoCertificate)), "accepted (refused in HTTP): certificate_not_requested", "for b.example alone, and the client asked for a.example"},
		"although one was sent":         {mutual(to("a.example"), says(httpwire.NoCertificate)), "accepted (refused in HTTP): certificate_not_passed_on", "the client sent its certificate"},
		"and none was":                  {empty(to("a.example"), says(httpwire.NoCertificate)), "accepted (refused in HTTP): no_client_certificate", "the client sent none"},
		"a bad one, of this server":     {mutual(to("a.example"), says(httpwire.CertificateError)), "accepted (refused in HTTP): refused_in_http", "does not take the one"},
		"another 400":                   {mutual(to("a.example"), says("Request Header Or Cookie Too Large")), "accepted", ""},
		"no TLS behind":                 {unasked(to("a.example"), says(httpwire.PlainToTLS)), "accepted (refused in HTTP): not_tls", "wants TLS"},
		"in an earlier session":         {resumed(to("a.example"), says(httpwire.NoCertificate)), "accepted", ""},
	} {
		test.c.ServerName = "a.example"
		if v := judgeWire(ended(test.c, client)); brief(v) != test.want || !strings.Contains(v.Reason, test.reason) || v.Code != "" && v.Fix == "" {
			t.Errorf("%s: %s: %s (%s)", name, brief(v), v.Reason, v.Fix)
		}
	}
}
