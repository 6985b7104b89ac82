package verdict

import (
	"slices"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// TestHeaderBeforeTLS: a server is said to trip over a PROXY line only where
// that is what shows.
func TestHeaderBeforeTLS(t *testing.T) {
	behind := func(source string, c *tlsdecrypt.Connection) *tlsdecrypt.Connection {
		c.Prologue = &prologue.Prologue{Layers: []*prologue.Layer{{Protocol: "PROXY v1", Kind: prologue.Header, Source: source}}}
		return c
	}
	silent := func() *tlsdecrypt.Connection {
		return &tlsdecrypt.Connection{Opened: start, NotTLSFrom: endpoint.Client, End: tlsdecrypt.Closed, EndedBy: endpoint.Server, EndedAt: start.Add(step)}
	}
	const client = "192.0.2.7:4711"
	server := endpoint.Server
	for _, test := range []struct {
		name string
		c    *tlsdecrypt.Connection
		code Code
		how  How
	}{
		{"unexpected_message", behind(client, ended(talk(0, hello())(alert(server, tlswire.AlertUnexpectedMessage)), server)), ProxyHeader, NotTLS},
		{"an end without an answer", behind(client, ended(talk(0, hello())(), server)), ProxyHeader, Probably},
		{"an end before ClientHello", behind(client, silent()), ProxyHeader, Probably},
		{"internal_error has other causes", behind(client, ended(talk(0, hello())(alert(server, tlswire.AlertInternalError)), server)), Other, ""},
		{"protocol_version for a client with one version", behind(client, ended(talk(0, hello())(alert(server, tlswire.AlertProtocolVersion)), server)), NoCommonVersion, ""},
		{"a health check", behind("", silent()), "", NotTLS},
	} {
		t.Run(test.name, func(t *testing.T) {
			if v := judgeWire(test.c); v.Code != test.code || v.How != test.how {
				t.Errorf("%s (%s): %s, want %s (%s)", v.Code, v.How, v.Reason, test.code, test.how)
			}
		})
	}
}

// A server that takes the PROXY line of lab client for a request answers it in
// plain HTTP, which is no fault of the server's.
func TestHeaderOfItsOwn(t *testing.T) {
	c := plain(ended(talk(0, hello())(), endpoint.Client), endpoint.Server, tlsdecrypt.Plain{}, tlsdecrypt.Plain{HTTP: true, Line: "HTTP/1.1 400 Bad Request"})
	c.Prologue = &prologue.Prologue{Layers: []*prologue.Layer{{Protocol: "PROXY v1", Kind: prologue.Header, Source: "192.0.2.7:4711"}}}
	v := Judge(nil, clientSees(errHTTP), 0, c)
	if v.Code != ProxyHeader || v.RejectedBy != endpoint.Server || v.Reason != headerOfItsOwn.Text || v.Fix != headerOfItsOwn.Fix {
		t.Errorf("%s by %v: %s; %s", v.Code, v.RejectedBy, v.Reason, v.Fix)
	}
}

// A server that has agreed to begin TLS speaks it on that port.
func TestUnanswering(t *testing.T) {
	codes := func(c *tlsdecrypt.Connection) (codes []Code) {
		for _, cause := range judgeWire(c).Causes {
			codes = append(codes, cause.Code)
		}
		return codes
	}
	silent := func() *tlsdecrypt.Connection { return ended(talk(0, hello())(), endpoint.Server) }
	if got := codes(silent()); !slices.Equal(got, []Code{SpokeNoTLS, NoCommonVersion, UnrecognizedName, ProxyHeader}) {
		t.Error(got)
	}
	c := silent()
	c.Prologue = &prologue.Prologue{Layers: []*prologue.Layer{{Protocol: "SMTP", Kind: prologue.StartTLS, Asked: "STARTTLS", Agreed: true}}}
	if got := codes(c); !slices.Equal(got, []Code{NoCommonVersion, UnrecognizedName}) {
		t.Error(got)
	}
}
