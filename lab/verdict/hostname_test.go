package verdict

import (
	"crypto/x509"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

func TestSameHost(t *testing.T) {
	for _, same := range [][]string{
		{"example.org", "EXAMPLE.org", "example.org:443", "example.org.", "Example.Org.:8443", " example.org "},
		{"bücher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example:443", "BÜCHER.example."},
		{"192.0.2.1", "192.0.2.1:443", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:443"},
		{"2001:db8::1", "[2001:db8::1]", "[2001:DB8:0:0:0:0:0:1]:8443"},
		{"a_b.example", "A_B.example:1"},
		{"localhost", "localhost:8443"},
	} {
		for _, a := range same {
			for _, b := range same {
				if !sameHost(a, b) {
					t.Errorf("%q and %q differ", a, b)
				}
			}
		}
	}
	for _, differ := range [][2]string{{"example.org", "www.example.org"}, {"localhost", "127.0.0.1:8443"}, {"192.0.2.1", "192.0.2.2"}, {"[2001:db8::1]:443", "[2001:db8::2]:443"}, {"a.example", ""}} {
		if sameHost(differ[0], differ[1]) {
			t.Errorf("%q and %q are the same", differ[0], differ[1])
		}
	}
}

// to is a request to a host, in the way of a version of HTTP.
func to(field, host string) *tlsdecrypt.Message {
	m := request()
	m.HTTP.Headers = []httpwire.Header{{Name: field, Value: host}}
	return m
}

// A client may call one host in TLS, and another in HTTP. That is said when
// both can be read, and is a refusal when the server says so.
func TestTwoNames(t *testing.T) {
	const note = "the client asked for example.org in TLS (server_name) and for example.net in HTTP (Host): the certificate was checked against the first, and the request goes by the second"
	leaf := newCertificate(t, func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "www.example.org") }) // for example.org, too
	server, client := endpoint.Server, endpoint.Client
	for name, test := range map[string]struct {
		asked string
		said  []*tlsdecrypt.Message
		want  string
		says  string // "": there is no reason
	}{
		"one name":                     {"example.org", []*tlsdecrypt.Message{to("Host", "EXAMPLE.ORG:443"), answer(200)}, "accepted", ""},
		"two":                          {"example.org", []*tlsdecrypt.Message{to("Host", "example.net"), answer(200)}, "accepted", note},
		"two, in HTTP/2":               {"example.org", []*tlsdecrypt.Message{to(":authority", "example.net"), answer(200)}, "accepted", note},
		"two, and no answer":           {"example.org", []*tlsdecrypt.Message{to("Host", "example.net")}, "accepted", note},
		"two, and 404":                 {"example.org", []*tlsdecrypt.Message{to("Host", "example.net"), answer(404)}, "accepted", note},
		"two, and 421":                 {"example.org", []*tlsdecrypt.Message{to("Host", "example.net"), answer(421)}, "accepted (refused in HTTP): misdirected_request", "421: the client asked for example.org in TLS (server_name) and for example.net in HTTP (Host)"},
		"two, and 400":                 {"example.org", []*tlsdecrypt.Message{to("Host", "example.net"), answer(400)}, "accepted (refused in HTTP): misdirected_request", "400, as some do when the names differ"},
		"one, and 400":                 {"example.org", []*tlsdecrypt.Message{to("Host", "example.org"), answer(400)}, "accepted", ""},
		"one, and 421":                 {"example.org", []*tlsdecrypt.Message{to("Host", "example.org"), answer(421)}, "accepted (refused in HTTP): misdirected_request", "it does not answer for this host on this connection"},
		"none in TLS, and 421":         {"", []*tlsdecrypt.Message{to("Host", "example.org"), answer(421)}, "accepted (refused in HTTP): misdirected_request", "asked for no host in TLS (server_name) and for example.org"},
		"none in TLS":                  {"", []*tlsdecrypt.Message{to("Host", "192.0.2.2"), answer(200)}, "accepted", ""},
		"none in HTTP":                 {"example.org", []*tlsdecrypt.Message{request(), answer(200)}, "accepted", ""},
		"an address":                   {"example.org", []*tlsdecrypt.Message{to("Host", "192.0.2.2:443"), answer(200)}, "accepted", "and for 192.0.2.2:443 in HTTP"},
		"a later one, of another":      {"example.org", []*tlsdecrypt.Message{to("Host", "example.org"), answer(200), to("Host", "example.net"), answer(200)}, "accepted", note},
		"a later one, certified":       {"example.org", []*tlsdecrypt.Message{to("Host", "example.org"), answer(200), to("Host", "example.org:8443"), answer(200)}, "accepted", ""},
		"another of the certificate":   {"example.org", []*tlsdecrypt.Message{to("Host", "example.org"), answer(200), to("Host", "www.example.org"), answer(200)}, "accepted", ""},
		"421 to a third, not a second": {"example.org", []*tlsdecrypt.Message{to("Host", "example.org"), answer(200), to("Host", "a.example"), answer(200), to("Host", "example.net"), answer(421)}, "accepted (refused in HTTP): misdirected_request", "and for example.net in HTTP (Host)"},
		"421 to one that is the same":  {"example.org", []*tlsdecrypt.Message{to("Host", "example.net"), answer(200), to("Host", "example.org"), answer(421)}, "accepted (refused in HTTP): misdirected_request", "it does not answer for this host on this connection"},
		"421 to one certified":         {"example.org", []*tlsdecrypt.Message{to("Host", "example.org"), answer(200), to("Host", "www.example.org"), answer(421)}, "accepted (refused in HTTP): misdirected_request", "and for www.example.org in HTTP (Host)"},
		"400 to one that is the same":  {"example.org", []*tlsdecrypt.Message{to("Host", "example.org"), answer(400), to("Host", "example.net"), answer(200)}, "accepted", ""},
		"a proxy's answer is first":    {"example.org", []*tlsdecrypt.Message{to("Host", "example.net"), answer(100), answer(200)}, "accepted", note},
	} {
		c := ended(talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, leaf.Raw), finished(server), finished(client))(test.said...), client)
		c.ServerName = test.asked
		v := judgeWire(c)
		if got := brief(v); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if test.says == "" && v.Reason != "" || !strings.Contains(v.Reason, test.says) {
			t.Errorf("%s: %q", name, v.Reason)
		}
		if (v.Code == Misdirected) != (v.Fix != "") {
			t.Errorf("%s: fix %q", name, v.Fix)
		}
	}
}

// A server's warning that it has no such host is not its last word.
func TestWarningOfName(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	warned := warning(server, tlswire.AlertUnrecognizedName)
	begun := talk(tlswire.VersionTLS12, hello(), warned, serverHello(), shows(server, nil))
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		want string
		says string
	}{
		"the handshake goes on":  {ended(begun(finished(client), finished(server), request(), answer(200)), client), "accepted", "warned that it has no host of the name example.org (unrecognized_name), and went on"},
		"the client goes away":   {ended(begun(), client), "rejected (aborted) by client: unrecognized_name", "warned that it has no host of the name example.org (unrecognized_name), and the client closed"},
		"at once":                {ended(talk(0, hello(), warned)(), client), "rejected (aborted) by client: unrecognized_name", "warned that it has no host"},
		"the client says why":    {ended(begun(alert(client, tlswire.AlertCertificateUnknown)), client), "rejected by client: certificate_refused; client's certificate_unknown", "; before that the server had sent unrecognized_name as a warning"},
		"the server goes away":   {ended(talk(0, hello(), warned)(), server), "rejected by server: unrecognized_name; server's unrecognized_name", "it has no host of the name that the client asked for: example.org"},
		"or says that it is all": {ended(talk(0, hello(), warned)(warning(server, tlswire.AlertCloseNotify)), server), "rejected by server: unrecognized_name; server's unrecognized_name", "example.org"},
		"for good":               {ended(talk(0, hello())(alert(server, tlswire.AlertUnrecognizedName)), server), "rejected by server: unrecognized_name; server's unrecognized_name", "example.org"},
	} {
		test.c.ServerName = "example.org"
		v := judgeWire(test.c)
		if got := brief(v); got != test.want || !strings.Contains(v.Reason, test.says) {
			t.Errorf("%s: %s, %q, want %s", name, got, v.Reason, test.want)
		}
	}
	nameless := ended(talk(0, hello())(alert(server, tlswire.AlertUnrecognizedName)), server)
	if v := judgeWire(nameless); !strings.Contains(v.Reason, "asked for no host by name") || v.Code != UnrecognizedName {
		t.Errorf("%s, %q", brief(v), v.Reason)
	}
}

// Alerts that do not end a connection by themselves, and after which it ended.
func TestLastWarning(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	begun12 := talk(tlswire.VersionTLS12, hello(), serverHello(), shows(server, nil))
	begun13 := talk(tlswire.VersionTLS13, hello(), serverHello(), shows(server, nil), finished(server))
	bye := func(side endpoint.Side) *tlsdecrypt.Message { return warning(side, tlswire.AlertCloseNotify) }
	for name, test := range map[string]struct {
		c    *tlsdecrypt.Connection
		want string
		says string
	}{
		"canceled":                       {ended(begun13(warning(client, tlswire.AlertUserCanceled), bye(client)), client), "rejected by client: canceled; client's user_canceled", "of its own accord"},
		"canceled, in 1.2":               {ended(begun12(warning(client, tlswire.AlertUserCanceled), bye(client)), client), "rejected by client: canceled; client's user_canceled", "of its own accord"},
		"a warning about a certificate":  {ended(begun12(warning(client, tlswire.AlertBadCertificate)), client), "rejected by client: certificate_refused; client's bad_certificate", "refuses the server's certificate"},
		"on which the other side closes": {ended(begun12(warning(client, tlswire.AlertBadCertificate)), server), "rejected by client: certificate_refused; client's bad_certificate", "refuses the server's certificate"},
		"goodbye gives no reason":        {ended(begun12(bye(client)), client), "rejected (aborted) by client: closed", "with close_notify, which gives no reason"},
		"canceled after success":         {ended(handshake(tlswire.VersionTLS13)(request(), answer(200), warning(client, tlswire.AlertUserCanceled), bye(client)), client), "accepted", ""},
	} {
		v := judgeWire(test.c)
		if got := brief(v); got != test.want || !strings.Contains(v.Reason, test.says) {
			t.Errorf("%s: %s, %q, want %s", name, got, v.Reason, test.want)
		}
	}
}
