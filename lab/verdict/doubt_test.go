package verdict

import (
	"strings"
	"testing"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// A client that very probably was let in is doubted for what can be seen of its
// certificate, with what to change about that.
func TestReserve(t *testing.T) {
	server, client := endpoint.Server, endpoint.Client
	leaf := newCertificate(t, nil)
	data := func(from endpoint.Side) *tlsdecrypt.Message {
		return &tlsdecrypt.Message{From: from, Type: tlswire.ContentTypeApplicationData, Encrypted: true}
	}
	after := func(m *tlsdecrypt.Message, alpn string, p *prologue.Prologue) Verdict {
		wanted := &tlswire.CertificateRequestTLS12{CertificateAuthorities: []tlswire.DistinguishedName{leaf.RawSubject}}
		c := asked(talk(tlswire.VersionTLS12, hello(), serverHello(), shows(server, nil), said(server, wanted), m, sealed12(client), sealed12(server)))(data(client), data(server))
		c.ALPN, c.Prologue = alpn, p
		return judgeWire(ended(c, client))
	}
	postgres := &prologue.Prologue{Layers: []*prologue.Layer{{Kind: prologue.StartTLS, Protocol: "PostgreSQL"}}}
	elsewhere := checkedAs(shows(client, leaf.Raw), tlsdecrypt.Unknown, &chain.Fault{Code: chain.UnknownCA, Cert: leaf, Text: "was issued by another"})
	for name, test := range map[string]struct {
		v                    Verdict
		doubt                Code
		reason, fix, confirm string
	}{
		"no certificate":         {after(shows(client), "h2", nil), NoClientCertificate, "refused that in HTTP", "if it did, give the client a certificate", "record it"},
		"none, of PostgreSQL":    {after(shows(client), "", postgres), NoClientCertificate, "refused that in PostgreSQL", "sslcert", "record it"},
		"of another CA":          {after(elsewhere, "", nil), chain.UnknownCA, "refused that is encrypted", "that the server asks for (CN=", "record it"},
		"nothing wrong":          {after(shows(client, leaf.Raw), "http/1.1", nil), "", "both ways", "", "see what the client was answered: 400"},
		"nothing wrong, unknown": {after(shows(client, leaf.Raw), "", nil), "", "both ways", "", "if it was HTTP, see"},
		"nothing wrong, no HTTP": {after(shows(client, leaf.Raw), "", postgres), "", "both ways", "", "record it"},
	} {
		doubt := Code("")
		if test.v.Doubt != nil {
			doubt = test.v.Doubt.Code
		}
		if brief(test.v) != "accepted (very probably)" || doubt != test.doubt || !strings.Contains(test.v.Reason, test.reason) ||
			!strings.Contains(test.v.Fix, test.fix) || (test.fix == "") != (test.v.Fix == "") || !strings.HasPrefix(test.v.Confirm, test.confirm) {
			t.Errorf("%s: %s, doubt %q: %s; fix: %s; to be sure: %s", name, brief(test.v), doubt, test.v.Reason, test.v.Fix, test.v.Confirm)
		}
	}
}

// After STARTTLS and the like the protocol inside TLS is known, and a refusal
// would be in that.
func TestLaterRefusal(t *testing.T) {
	layer := func(kind prologue.Kind, protocol string) *prologue.Prologue {
		return &prologue.Prologue{Layers: []*prologue.Layer{{Kind: kind, Protocol: protocol}}}
	}
	for want, p := range map[string]*prologue.Prologue{"PostgreSQL": layer(prologue.StartTLS, "PostgreSQL"), "": layer(prologue.Proxy, "SOCKS5")} {
		w := wire{Connection: &tlsdecrypt.Connection{Prologue: p}}
		if got := w.within(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	w := wire{Connection: &tlsdecrypt.Connection{Negotiated: tlsdecrypt.Negotiated{ALPN: "h2"}}}
	if got := w.within(); got != "HTTP" {
		t.Errorf("of h2: %q", got)
	}
}
