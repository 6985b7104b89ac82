package verdict

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/httpwire"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// withRSA returns a certificate with a short RSA key.
func withRSA(t *testing.T, bits int) *x509.Certificate {
	t.Helper()
	cert, signer := newCertificateAndKey(t, nil)
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return reissued(t, cert, signer, &key.PublicKey)
}

func reissued(t *testing.T, cert *x509.Certificate, signer *ecdsa.PrivateKey, public any) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, &x509.Certificate{Subject: cert.Issuer}, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	again, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// What the capture itself shows comes first, and is named in the reason.
func TestEvident(t *testing.T) {
	calledAt := func(c *tlsdecrypt.Connection, addr string) *tlsdecrypt.Connection {
		c.Server = netip.MustParseAddrPort(addr)
		return c
	}
	nameless := func(c *x509.Certificate) { c.DNSNames = nil }
	leaf := newCertificate(t, nil)
	between := newCertificate(t, func(c *x509.Certificate) { c.Subject.CommonName = "between" })
	stale := shows(endpoint.Client, leaf.Raw)
	stale.Checks = []tlsdecrypt.Check{{Subject: "chain", Result: tlsdecrypt.Unknown, Good: true, Fault: &chain.Fault{Code: chain.CRLStale, Text: "the CRL was out of date", IsClause: true}}}
	good := shows(endpoint.Client, leaf.Raw)
	good.Checks = []tlsdecrypt.Check{{Subject: "chain", Result: tlsdecrypt.Unknown, Good: true}}
	other := newCertificate(t, func(c *x509.Certificate) { c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid = "other", true, true })
	byDNS := newCertificate(t, func(c *x509.Certificate) { c.DNSNames = []string{"192.0.2.7"} })
	for name, test := range map[string]struct {
		c             *tlsdecrypt.Connection
		first, reason string
	}{
		"a client's short key":         {clientOf(shows(endpoint.Client, withRSA(t, 1024).Raw), tlswire.AlertBadCertificate), "weak_key", "has an RSA key of 1,024 bits, which many programs refuse"},
		"a server's short key":         {serverOf(shows(endpoint.Server, withRSA(t, 1024).Raw), tlswire.AlertBadCertificate), "weak_key", "the server's certificate has an RSA key of 1,024 bits"},
		"a key that is long enough":    {serverOf(shows(endpoint.Server, withRSA(t, 2048).Raw), tlswire.AlertBadCertificate), "unknown_ca", "only its own log knows why"},
		"an address":                   {calledAt(serverOf(shows(endpoint.Server, leaf.Raw), tlswire.AlertBadCertificate), "192.0.2.7:443"), "wrong_host", "192.0.2.7 is not in the server's certificate"},
		"an address among DNS names":   {calledAt(serverOf(shows(endpoint.Server, byDNS.Raw), tlswire.AlertBadCertificate), "192.0.2.7:443"), "wrong_host", "in the server's certificate 192.0.2.7 is a DNS name: clients look for an address among the IP addresses"},
		"another CA in its CA's place": {serverOf(shows(endpoint.Server, leaf.Raw, other.Raw), tlswire.AlertCertificateUnknown), "unknown_ca", ""},
		"an address, closed":           {calledAt(ended(talk(tlswire.VersionTLS12, hello(), serverHello(), shows(endpoint.Server, leaf.Raw))(), endpoint.Client), "192.0.2.7:443"), "wrong_host", ""},
		"no alternative names":         {serverOf(shows(endpoint.Server, newCertificate(t, nameless).Raw), tlswire.AlertBadCertificate), "no_san", "no subject alternative name"},
		"a CRL out of date":            {clientOf(stale, tlswire.AlertBadCertificate), "crl_stale", "the CRL was out of date"},
		"a chain that is good":         {clientOf(good, tlswire.AlertBadCertificate), "revoked", ""},
		"with an intermediate":         {clientOf(shows(endpoint.Client, leaf.Raw, between.Raw), tlswire.AlertUnknownCA), "look_alike_ca", ""},
		"a certificate that is hidden": {ended(talk(tlswire.VersionTLS13, hello(), serverHello(), sealed(endpoint.Server, 900))(alert(endpoint.Client, tlswire.AlertBadCertificate)), endpoint.Client), "unknown_ca", ""},
	} {
		v := judgeWire(test.c)
		if len(v.Causes) == 0 || v.Causes[0].Code != Code(test.first) || !strings.Contains(v.Reason, test.reason) {
			t.Errorf("%s: %v first, %q", name, codesOf(v.Causes), v.Reason)
		}
	}
	if text := judgeWire(serverOf(shows(endpoint.Server, leaf.Raw, other.Raw), tlswire.AlertCertificateUnknown)).Causes[0].Text; text != "CN=ca, which issued CN=leaf, was not sent along: CN=other was sent in its place" {
		t.Error(text)
	}
	c := clientOf(shows(endpoint.Client, leaf.Raw, between.Raw), tlswire.AlertBadCertificate)
	if causes := strings.Join(codesOf(judgeWire(c).Causes), " "); !strings.Contains(causes, "path_too_long") || !strings.Contains(causes, "name_constraint") {
		t.Errorf("with an intermediate: %s", causes)
	}
}

// The part of a ClientHello that is narrow comes first, if the rest is usual.
func TestNarrowOffer(t *testing.T) {
	type ss = []tlswire.CipherSuite
	both := ss{ecdheRSA, ecdheECDSA}
	wide := []tlswire.NamedGroup{tlswire.GroupX25519, tlswire.GroupSecp256r1}
	one := wide[:1]
	usual := []tlswire.SignatureScheme{tlswire.SchemeRSAPSSRSAESHA256, tlswire.SchemeECDSASecp256r1SHA256}
	for name, test := range map[string]struct {
		hello *tlsdecrypt.Message
		first Code
		says  string
	}{
		"all is usual":           {offering(both, wide, usual), NoCommonCipherSuite, "no cipher suite in common"},
		"no group":               {offering(both, nil, usual), NoCommonGroup, "the client names no group"},
		"one group":              {offering(both, one, usual), NoCommonGroup, "one group alone for the key exchange, x25519"},
		"one group, and RSA":     {offering(append(ss{rsaAES}, both...), one, usual), NoCommonCipherSuite, ""},
		"signatures by ECDSA":    {offering(both, wide, usual[1:]), NoCommonSignature, "no signature with RSA"},
		"no signatures":          {offering(both, wide, nil), NoCommonSignature, "means SHA-1"},
		"old signatures":         {offering(both, wide, []tlswire.SignatureScheme{tlswire.SchemeRSAPKCS1SHA1}), NoCommonSignature, "old hashes alone"},
		"suites for ECDSA alone": {offering(ss{ecdheECDSA}, one, usual), NoCommonCipherSuite, "for ECDSA keys alone"},
	} {
		v := judgeWire(ended(talk(0, test.hello)(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server))
		if len(v.Causes) == 0 || v.Causes[0].Code != test.first || !strings.Contains(v.Causes[0].Text, test.says) {
			t.Errorf("%s: %+v", name, v.Causes)
		}
	}
}

// A server that breaks off where it should sign cannot, or may not, if the
// client takes what fits its key.
func TestLeftUnsigned(t *testing.T) {
	leaf := newCertificate(t, nil)
	for scheme, says := range map[tlswire.SignatureScheme]string{
		tlswire.SchemeECDSASecp256r1SHA256: "the server cannot or may not sign with this key: the client takes ecdsa_secp256r1_sha256",
		tlswire.SchemeRSAPSSRSAESHA256:     "the client takes no signature that the server's key can make (P-256)",
	} {
		hello := offering([]tlswire.CipherSuite{ecdheECDSA}, nil, []tlswire.SignatureScheme{scheme})
		c := talk(tlswire.VersionTLS12, hello, said(endpoint.Server, &tlswire.ServerHello{CipherSuite: ecdheECDSA}), shows(endpoint.Server, leaf.Raw))(alert(endpoint.Server, tlswire.AlertHandshakeFailure))
		c.CipherSuite = ecdheECDSA
		v := judgeWire(ended(c, endpoint.Server))
		if len(v.Causes) != 1 || v.Causes[0].Code != NoCommonSignature || !strings.HasPrefix(v.Causes[0].Text, says) || !strings.Contains(v.Reason, "it does not sign with the key") {
			t.Errorf("%v: %q, %+v", scheme, v.Reason, v.Causes)
		}
	}
}

// A server in Go says that there is no cipher suite where there is no group.
func TestNameGroup(t *testing.T) {
	usual := []tlswire.SignatureScheme{tlswire.SchemeRSAPSSRSAESHA256, tlswire.SchemeECDSASecp256r1SHA256}
	for name, test := range map[string]struct {
		groups []tlswire.NamedGroup
		server []tlswire.NamedGroup
		want   Code
	}{
		"in common": {[]tlswire.NamedGroup{tlswire.GroupX25519}, []tlswire.NamedGroup{tlswire.GroupX25519}, NoCommonCipherSuite},
		"others":    {[]tlswire.NamedGroup{tlswire.GroupX25519}, []tlswire.NamedGroup{tlswire.GroupSecp521r1}, NoCommonGroup},
		"none":      {nil, nil, NoCommonGroup},
		"not known": {[]tlswire.NamedGroup{tlswire.GroupX25519}, nil, NoCommonCipherSuite},
	} {
		c := ended(talk(0, offering([]tlswire.CipherSuite{ecdheRSA, ecdheECDSA}, test.groups, usual))(alert(endpoint.Server, tlswire.AlertHandshakeFailure)), endpoint.Server)
		v := Verdict{Outcome: Rejected, RejectedBy: endpoint.Server, Code: NoCommonCipherSuite, Offers: &Offers{Server: &tlswire.Offer{Versions: []tlswire.Version{tlswire.VersionTLS12}, Groups: test.server}}}
		if v.nameGroup(c); v.Code != test.want {
			t.Errorf("%s: %s, %q", name, v.Code, v.Reason)
		}
	}
}

// A refusal names the header in which the request says itself who the client is.
func TestClaimedIdentity(t *testing.T) {
	leaf := newCertificate(t, nil)
	for header, want := range map[string]bool{"X-SSL-Client-S-DN": true, "X-Request-Id": false} {
		asks := request()
		asks.HTTP.Headers = append(asks.HTTP.Headers, httpwire.Header{Name: header, Value: "CN=admin"})
		c := asked(talk(tlswire.VersionTLS13, hello(), serverHello(), shows(endpoint.Server, nil), finished(endpoint.Server), shows(endpoint.Client, leaf.Raw), finished(endpoint.Client)))(asks, answer(http.StatusForbidden))
		v := judgeWire(ended(c, endpoint.Client))
		if got := strings.Contains(v.Reason, "says itself who the client is ("+header+")"); v.Code != NotAuthorised || got != want {
			t.Errorf("%s: %s, %q", header, v.Code, v.Reason)
		}
	}
}

// A chain with more CAs between than the usual limits of servers is a cause by
// itself, the first one; with fewer it is one among others, or none.
func TestVerifyDepth(t *testing.T) {
	var chainOf [][]byte // the leaf first
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "ca"}}
	_, signer := newCertificateAndKey(t, nil)
	for i, name := range []string{"far", "near", "leaf"} {
		template, key := newCertificateAndKey(t, func(c *x509.Certificate) {
			c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid = name, i < 2, true
		})
		der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		if issuer, err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		signer, chainOf = key, append([][]byte{der}, chainOf...)
	}
	depth := func(c *tlsdecrypt.Connection) (at int, text string) {
		for i, cause := range judgeWire(c).Causes {
			if strings.Contains(cause.Text, "ssl_verify_depth") {
				return i + 1, cause.Text
			}
		}
		return 0, ""
	}
	at, text := depth(clientOf(shows(endpoint.Client, chainOf...), tlswire.AlertUnknownCA))
	if want := "the client's certificate was sent with 2 intermediate CAs, which may be more than the server allows: nginx takes 1 unless ssl_verify_depth is 2, Apache none unless SSLVerifyDepth is 3"; at != 1 || text != want {
		t.Errorf("number %d: %s", at, text)
	}
	if at, _ := depth(clientOf(shows(endpoint.Client, chainOf[:2]...), tlswire.AlertBadCertificate)); at < 2 {
		t.Errorf("with one CA between it is number %d", at)
	}
	if at, _ := depth(clientOf(shows(endpoint.Client, chainOf[:1]...), tlswire.AlertBadCertificate)); at != 0 {
		t.Errorf("without one it is number %d", at)
	}
	if at, _ := depth(serverOf(shows(endpoint.Server, chainOf...), tlswire.AlertUnknownCA)); at < 2 { // most clients take 100
		t.Errorf("of a server it is number %d", at)
	}
}
