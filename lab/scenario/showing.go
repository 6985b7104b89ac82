package scenario

import (
	"slices"
	"strings"
	"sync"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/prologue"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// Showing returns the name of a built-in scenario with the fault that a verdict
// on c has found. It is empty where nothing is wrong, or where the reason is
// not known.
func Showing(v *verdict.Verdict, c *tlsdecrypt.Connection) string {
	if v.Code == "" || v.IsVague() || v.Outcome == verdict.Broken {
		return ""
	}
	by := v.RejectedBy
	switch {
	case v.How == verdict.InHTTP && v.Code == verdict.NoClientCertificate:
		return "refused-in-http"
	case v.How == verdict.InHTTP && v.Code == verdict.SpokeNoTLS: // what ends TLS to a server behind it
		return "plain-http-to-tls"
	case v.How == verdict.InHTTP && v.Code == verdict.NotAsked && wantsHTTP11(c):
		return "renegotiation"
	case v.How == verdict.Inside && v.Code == verdict.NoClientCertificate:
		return "" // the scenarios speak HTTP
	case v.Code == verdict.NotAuthorised && claims(c):
		return "header-spoofed-identity"
	case v.IsDenied():
		by = endpoint.Server
	case v.Code == verdict.NoCommonVersion && !slices.Contains(c.Offer().Versions, tlswire.VersionTLS13):
		return "client-too-old"
	case v.Code == verdict.SpokeNoTLS && demandsTLS(c):
		return "" // no scenario has a protocol with STARTTLS
	case v.Code == verdict.SpokeNoTLS && by == endpoint.Server && !c.Plain.Client.HTTP:
		return "garbage"
	case v.Outcome == verdict.Accepted && v.Code == chain.WrongHost:
		by = endpoint.Client
	case v.Code == chain.UnknownCA && (strings.Contains(v.Reason, "an intermediate CA that was not sent along") || hasGap(c, by.Other())):
		return missingIntermediate[by]
	}
	if name, ok := plainest[lesson{v.Code, by}]; ok {
		return name
	}
	if name := expecting(v.Code, by); name != "" || !verdict.IsEithers(v.Code) {
		return name
	}
	return expecting(v.Code, by.Other()) // the same fault of the other side's chain
}

// expecting returns the first scenario in which a side refuses with a code.
func expecting(code verdict.Code, by endpoint.Side) string {
	for _, s := range builtIn() {
		for _, e := range s.Expect {
			if e.Code == code && e.RejectedBy == by {
				return s.Name
			}
		}
	}
	return ""
}

// hasGap reports whether the chain that a side has shown lacks a CA by itself.
func hasGap(c *tlsdecrypt.Connection, side endpoint.Side) bool {
	shown := shownBy(c, side)
	return len(shown) > 0 && chain.GapIn(chain.Question{DERs: shown, Of: side}) != nil
}

// missingIntermediate are the scenarios in which a side refuses a chain that
// lacks an intermediate CA.
var missingIntermediate = map[endpoint.Side]string{endpoint.Client: "server-missing-intermediate", endpoint.Server: "client-missing-intermediate"}

// Alike returns the names of other scenarios that look the same on the wire as
// the one that Showing has named.
func Alike(name string, v *verdict.Verdict, c *tlsdecrypt.Connection) []string {
	switch name {
	case "no-client-cert":
		if namesCAs(c) {
			return []string{"untrusted-client-withheld", "client-withheld-for-eku"} // it has one, of another CA or purpose
		}
	case "untrusted-server", "untrusted-client-forced": // whether the issuer is a root is not known
		if chain := shownBy(c, v.RejectedBy.Other()); len(chain) == 1 {
			return []string{missingIntermediate[v.RejectedBy]}
		}
	}
	return nil
}

// wantsHTTP11 reports whether a side gives up a request of HTTP/2, and wants it
// over HTTP/1.1.
func wantsHTTP11(c *tlsdecrypt.Connection) bool {
	return slices.ContainsFunc(c.Messages, func(m *tlsdecrypt.Message) bool {
		return slices.ContainsFunc(m.Resets, func(r httpwire.Reset) bool { return r.Error == httpwire.HTTP11Required })
	})
}

// demandsTLS reports whether the server told a client that had not asked for
// TLS to do so.
func demandsTLS(c *tlsdecrypt.Connection) bool {
	return c.Prologue != nil && slices.ContainsFunc(c.Prologue.Layers, func(l *prologue.Layer) bool { return l.Demanded != "" })
}

// claims reports whether a request says itself who the client is.
func claims(c *tlsdecrypt.Connection) bool {
	return slices.ContainsFunc(c.Messages, func(m *tlsdecrypt.Message) bool {
		return m.From == endpoint.Client && m.HTTP != nil && len(m.HTTP.IdentityHeaders()) > 0
	})
}

// namesCAs reports whether the server names the CAs of which it wants a
// certificate.
func namesCAs(c *tlsdecrypt.Connection) bool {
	return slices.ContainsFunc(c.Messages, func(m *tlsdecrypt.Message) bool {
		if m.Handshake == nil {
			return false
		}
		switch body := m.Body().(type) {
		case *tlswire.CertificateRequest:
			return tlswire.Has(body.Extensions, tlswire.ExtensionCertificateAuthorities)
		case *tlswire.CertificateRequestTLS12:
			return len(body.CertificateAuthorities) > 0
		}
		return false
	})
}

// shownBy returns the last certificates that a side has sent.
func shownBy(c *tlsdecrypt.Connection, side endpoint.Side) (ders [][]byte) {
	for _, m := range c.Messages {
		if sent, ok := m.Certificates(); ok && m.From == side {
			ders = sent
		}
	}
	return ders
}

// lesson is what is wrong, and who refuses it.
type lesson struct {
	code verdict.Code
	by   endpoint.Side
}

// plainest are the scenarios that show a fault by itself, where there are
// several with it.
var plainest = map[lesson]string{
	{chain.UnknownCA, endpoint.Server}:             "untrusted-client-forced",
	{chain.UnknownCA, endpoint.Client}:             "untrusted-server",
	{chain.WrongHost, endpoint.Client}:             "wrong-host",
	{chain.NoSAN, endpoint.Client}:                 "cn-only",
	{chain.Revoked, endpoint.Server}:               "revoked-client",
	{verdict.NoClientCertificate, endpoint.Server}: "no-client-cert",
	{verdict.NoCommonVersion, endpoint.Server}:     "server-too-old",
	{verdict.NoCommonCipherSuite, endpoint.Server}: "no-common-cipher",
	{verdict.NotAsked, endpoint.Unknown}:           "server-does-not-ask",
	{verdict.NotAsked, endpoint.Server}:            "server-does-not-ask",
	{chain.WrongUsage, endpoint.Server}:            "client-wrong-eku",
	{verdict.SpokeNoTLS, endpoint.Server}:          "plain-http-to-tls",
	{verdict.NotAuthorised, endpoint.Server}:       "authenticated-but-not-authorised",
}

// builtIn are the scenarios of the program.
var builtIn = sync.OnceValue(func() []*Scenario {
	all, _ := All()
	return all
})
