package tlsdecrypt

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/chain"
)

// shownAs is a chain of links as a side shows it.
func shownAs(links ...*link) tls.Certificate {
	shown := tls.Certificate{PrivateKey: links[0].key}
	for _, l := range links {
		shown.Certificate = append(shown.Certificate, l.cert.Raw)
	}
	return shown
}

// inFolder is what is known of a folder with CAs.
func inFolder(cas ...*link) *chain.Trust {
	trust := &chain.Trust{Places: []string{"certs"}}
	for _, ca := range cas {
		trust.CAs = append(trust.CAs, chain.NamedCA{Name: ca.cert.Subject.CommonName, Certificate: ca.cert, In: "certs"})
	}
	return trust
}

// trusting is a server that verifies its clients under a CA alone, be it a root
// or not.
func trusting(ca *link) *tls.Config {
	server := serverConfig()
	server.ClientCAs = x509.NewCertPool()
	server.ClientCAs.AddCert(ca.cert)
	return server
}

// What a chain shows by itself is why a server refuses it, whatever CAs are
// known here, or none.
func TestFaultsAboveTheLeaf(t *testing.T) {
	root := linkOf("root", nil, nil, asCA)
	policy := linkOf("policy", root, nil, asCA)
	under := func(change ...func(*x509.Certificate)) []*link {
		ca := linkOf("issuing", policy, nil, append([]func(*x509.Certificate){asCA}, change...)...)
		return []*link{linkOf("client", ca, nil, asLeaf), ca, policy}
	}
	issuing := linkOf("issuing", policy, nil, asCA)
	short := linkOf("short", root, nil, asCA, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	below := linkOf("below", short, nil, asCA)
	for name, test := range map[string]struct {
		shown []*link
		code  chain.Code
		want  string
	}{
		"no CA":            {under(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 }), chain.NotACA, "CN=client leads through CN=issuing, which is no CA (basic constraints)."},
		"may not sign":     {under(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), chain.NotACA, "CN=client leads through CN=issuing, which may not sign certificates (key usage)."},
		"another use":      {under(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), chain.WrongUsage, "CN=client leads through CN=issuing, which is not for authenticating a client (extended key usage)."},
		"name constraints": {under(func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"localhost"} }), chain.NameConstraint, "CN=client leads through CN=issuing, which may not issue certificates for a name in CN=client (name constraints)."},
		"expired":          {under(over), chain.Expired, "CN=client leads through CN=issuing, which has expired: it was valid until "},
		"path length":      {[]*link{linkOf("client", below, nil, asLeaf), below, short}, chain.PathTooLong, "CN=client leads through CN=short, which allows 0 CAs below it, and has 1 (path length)."},
		"a look-alike":     {[]*link{linkOf("client", issuing, nil, asLeaf), linkOf("issuing", policy, nil, asCA), policy}, chain.LookAlikeCA, "CN=client names CN=issuing as its issuer, but is not signed with the key of the one that was sent along."},
	} {
		for folder, trust := range map[string]*chain.Trust{"none": inFolder(), "root": inFolder(root), "another root of its name": inFolder(linkOf("root", nil, nil, asCA))} {
			got := shownTo(t, trusting(root), shownAs(test.shown...), trust)
			if got.Result != Fails || got.Fault == nil || got.Fault.Code != test.code || !strings.Contains(got.Text, test.want) {
				t.Errorf("%s, under %s: %s: %q, %+v, want %q", name, folder, got.Result, got.Text, got.Fault, test.want)
			}
		}
		got := shownTo(t, lenient(), shownAs(test.shown...), inFolder())
		if got.Result != Unknown || !strings.Contains(got.Text, "CN=root, which is not in certs") && test.code != chain.LookAlikeCA {
			t.Errorf("%s, taken: %s: %q", name, got.Result, got.Text)
		}
	}
}

// A server may trust an intermediate alone, or have it from elsewhere.
func TestIntermediateIsTrusted(t *testing.T) {
	root := linkOf("root", nil, nil, asCA)
	issuing := linkOf("issuing", root, nil, asCA)
	client := linkOf("client", issuing, nil, asLeaf, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://ca.example/issuing.der"} })
	for name, test := range map[string]struct {
		server *tls.Config
		shown  []*link
		trust  *chain.Trust
		result Result
		want   string
	}{
		"no CA is here":         {trusting(issuing), []*link{client}, inFolder(), Unknown, "Cannot be checked: CN=client was issued by CN=issuing, which was not sent along and is not in certs (to be had from http://ca.example/issuing.der); the server asked for a certificate of that CA, and takes this one."},
		"its root is here":      {trusting(issuing), []*link{client}, inFolder(root), Unknown, "which was not sent along and is not in certs"},
		"it is here":            {trusting(issuing), []*link{client}, inFolder(issuing), Holds, "The chain holds under CN=issuing in certs: CN=client is good for a client."},
		"both are here":         {trusting(issuing), []*link{client}, inFolder(root, issuing), Holds, "The chain holds under CN=issuing in certs: CN=client is good for a client. The server must have that CA: it was not sent along."},
		"sent along":            {trusting(issuing), []*link{client, issuing}, inFolder(), Unknown, "CN=client leads over CN=issuing (sent along) to CN=root, which is not in certs."},
		"sent along, and here":  {trusting(issuing), []*link{client, issuing}, inFolder(issuing), Holds, "The chain holds under CN=issuing in certs"},
		"refused, and not here": {trusting(root), []*link{client}, inFolder(root), Fails, "CN=client was issued by CN=issuing (to be had from http://ca.example/issuing.der); the server asked for a certificate of CN=root, and nothing between the two was sent along."},
		"refused, and here":     {trusting(root), []*link{client}, inFolder(root, issuing), Fails, "CN=client was issued by CN=issuing, an intermediate CA that was not sent along (it is in certs)"},
	} {
		if got := shownTo(t, test.server, shownAs(test.shown...), test.trust); got.Result != test.result || !strings.Contains(got.Text, test.want) {
			t.Errorf("%s: %s: %q, want %s: %q", name, got.Result, got.Text, test.result, test.want)
		}
	}
}

// What is odd about how a chain was sent does not make it wrong.
func TestRemarksOnAChain(t *testing.T) {
	root, stranger := linkOf("root", nil, nil, asCA), linkOf("stranger", nil, nil, asCA)
	policy := linkOf("policy", root, nil, asCA)
	issuing := linkOf("issuing", policy, nil, asCA)
	client := linkOf("client", issuing, nil, asLeaf)
	const holds = "The chain holds under CN=root in certs: CN=client is good for a client."
	for want, shown := range map[string][]*link{
		holds: {client, issuing, policy},
		holds + " The root CN=root did not need to be sent along: whoever trusts it already has it.":                                                  {client, issuing, policy, root},
		holds + " CN=policy stands before CN=issuing, which it issued, and should come after it (RFC 9846 section 4.5.1): some programs refuse that.": {client, policy, issuing},
		holds + " CN=stranger did not need to be sent along: the chain does not lead there.":                                                          {client, stranger, issuing, policy},
	} {
		if got := shownTo(t, lenient(), shownAs(shown...), inFolder(root)); got.Result != Unknown && got.Result != Holds || !strings.HasSuffix(got.Text, strings.TrimPrefix(want, holds)) {
			t.Errorf("%s: %q, want %q", got.Result, got.Text, want)
		}
		if got := shownTo(t, trusting(root), shownAs(shown...), inFolder(root)); got.Result != Holds || got.Text != want {
			t.Errorf("%s: %q, want %q", got.Result, got.Text, want)
		}
	}
}
