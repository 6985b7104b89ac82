package chain

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// verify returns the error of crypto/x509 about a chain as it was sent, in its
// words for a server's.
func verify(t *testing.T, trusted *issuer, host string, usage x509.ExtKeyUsage, chain ...*issuer) error {
	t.Helper()
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}}
	options.Roots.AddCert(trusted.Certificate)
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c.Certificate)
	}
	_, err := chain[0].Verify(options)
	if err == nil {
		t.Error("the chain holds")
	}
	return err
}

// Each kind of chain that crypto/x509 refuses gets a code, and a sentence that
// names what is wrong, with the certificate that it is wrong of.
func TestExplain(t *testing.T) {
	root, twin, stranger := newCA(t, "root", nil), newCA(t, "root", nil), newCA(t, "stranger", nil)
	between := newCA(t, "between", root)
	expired := func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) }
	early := func(c *x509.Certificate) { c.NotBefore = now.Add(time.Hour) }
	forServers := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	names := func(names ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = names }
	}
	notCA := newCert(t, "no-ca", root, nil)
	short := newCA(t, "short", root, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	bounded := newCA(t, "bounded", root, func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.net"}
	})
	restricted := newCA(t, "restricted", root, forServers)
	for name, test := range map[string]struct {
		trusted *issuer
		host    string
		chain   []*issuer
		code    Code
		want    string // of "the certificate"
	}{
		"another CA":               {root, "", []*issuer{newLeaf(t, stranger)}, UnknownCA, "the certificate is not signed by a CA that the server trusts: it was issued by CN=stranger, which was not sent along and which the server does not have"},
		"another CA, sent along":   {root, "", []*issuer{newLeaf(t, stranger), stranger}, UnknownCA, "the certificate is not signed by a CA that the server trusts: the chain ends with CN=stranger"},
		"a missing intermediate":   {root, "", []*issuer{newLeaf(t, between)}, UnknownCA, "the certificate is not signed by a CA that the server trusts: it was issued by CN=between, which was not sent along and which the server does not have"},
		"another root above":       {stranger, "", []*issuer{newLeaf(t, between), between}, UnknownCA, "the certificate is not signed by a CA that the server trusts: CN=between above it was issued by CN=root, which was not sent along and which the server does not have"},
		"a look-alike CA":          {twin, "", []*issuer{newLeaf(t, root)}, LookAlikeCA, "the certificate names a CA that the server trusts, CN=root, but another key has signed it"},
		"a look-alike above":       {twin, "", []*issuer{newLeaf(t, between), between}, LookAlikeCA, "the certificate leads through CN=between, which names a CA that the server trusts, CN=root, but another key has signed it"},
		"a look-alike, sent along": {twin, "", []*issuer{newLeaf(t, root), root}, LookAlikeCA, "the certificate leads through CN=root, which names a CA that the server trusts, CN=root, but another key has signed it"},
		"issued above by no CA":    {root, "", aboveLeaf(t, newCA(t, "below", notCA), notCA), NotACA, "the certificate leads through CN=no-ca, which is no CA (basic constraints)"},
		"signed by itself":         {root, "", []*issuer{newLeaf(t, nil)}, SelfSigned, "the certificate is signed by itself, and the server does not trust it"},
		"issued by no CA":          {root, "", []*issuer{newLeaf(t, notCA), notCA}, NotACA, "the certificate leads through CN=no-ca, which is no CA (basic constraints)"},
		"expired":                  {root, "", []*issuer{newLeaf(t, root, expired)}, Expired, "the certificate has expired: it was valid until 2031-05-01 11:00:00 UTC"},
		"not valid yet":            {root, "", []*issuer{newLeaf(t, root, early)}, NotYetValid, "the certificate is not valid yet: it is valid from 2031-05-01 13:00:00 UTC, 60 minutes ahead of the server's clock"},
		"a CA above expired":       {root, "", aboveLeaf(t, newCA(t, "old", root, expired)), Expired, "the certificate leads through CN=old, which has expired: it was valid until 2031-05-01 11:00:00 UTC"},
		"a CA above not valid":     {root, "", aboveLeaf(t, newCA(t, "new", root, early)), NotYetValid, "the certificate leads through CN=new, which is not valid yet: it is valid from 2031-05-01 13:00:00 UTC, 60 minutes ahead of the server's clock"},
		"for servers":              {root, "", []*issuer{newLeaf(t, root, forServers)}, WrongUsage, "the certificate is not for authenticating a client (extended key usage)"},
		"a CA above for servers":   {root, "", aboveLeaf(t, restricted), WrongUsage, "the certificate leads through CN=restricted, which is not for authenticating a client (extended key usage)"},
		"another host":             {root, "example.net", []*issuer{newLeaf(t, root)}, WrongHost, "the certificate is not for example.net: it is for example.org"},
		"three hosts":              {root, "example.net", []*issuer{newLeaf(t, root, names("a", "b", "c"))}, WrongHost, "the certificate is not for example.net: it is for a, b, c"},
		"many hosts":               {root, "example.net", []*issuer{newLeaf(t, root, names("a", "b", "c", "d", "e"))}, WrongHost, "the certificate is not for example.net: it is for a, b, c, 2 more"},
		"an address":               {root, "example.net", []*issuer{newLeaf(t, root, names(), func(c *x509.Certificate) { c.IPAddresses = []net.IP{{192, 0, 2, 1}} })}, WrongHost, "the certificate is not for example.net: it is for 192.0.2.1"},
		"no names":                 {root, "example.net", []*issuer{newLeaf(t, root, names())}, NoSAN, "the certificate is not for example.net: it has no subject alternative name"},
		"too many CAs":             {root, "", aboveLeaf(t, newCA(t, "deep", short), short), PathTooLong, "the certificate leads through CN=short, which allows 0 CAs below it, and has 1 (path length)"},
		"a name out of bounds":     {root, "", aboveLeaf(t, bounded), NameConstraint, "the certificate leads through CN=bounded, which may not issue certificates for a name in CN=leaf (name constraints)"},
		"an unknown extension": {root, "", []*issuer{newLeaf(t, root, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		})}, UnknownCritical, "the certificate has a critical extension that the server does not know"},
	} {
		err := verify(t, test.trusted, test.host, x509.ExtKeyUsageClientAuth, test.chain...)
		for wrapped, err := range map[string]error{
			"as it is":      err,
			"by crypto/tls": fmt.Errorf("handshake: %w", &tls.CertificateVerificationError{UnverifiedCertificates: sent(test.chain...), Err: err}),
		} {
			chain := sent(test.chain...)
			if wrapped != "as it is" {
				chain = nil
			}
			f, ok := Explain(err, chain, endpoint.Server)
			if got := f.Of("the certificate", test.chain[0].Certificate); !ok || f.Code != test.code || got != test.want || f.IsClause || f.Reported {
				t.Errorf("%s, %s: %v, %s, %q, want %s, %q", name, wrapped, ok, f.Code, got, test.code, test.want)
			}
		}
	}
}

// aboveLeaf is a chain of a leaf that the first of above issues.
func aboveLeaf(t *testing.T, above ...*issuer) []*issuer {
	t.Helper()
	return append([]*issuer{newLeaf(t, above[0])}, above...)
}

// A certificate is for the part that its side plays.
func TestExplainUsageOfAServer(t *testing.T) {
	root := newCA(t, "root", nil)
	leaf := newLeaf(t, root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	f, ok := Explain(verify(t, root, "", x509.ExtKeyUsageServerAuth, leaf), sent(leaf), endpoint.Client)
	if !ok || f.Code != WrongUsage || f.Text != "is not for authenticating a server (extended key usage)" {
		t.Errorf("%v, %+v", ok, f)
	}
}

// The verifier's clock counts, and not that of the machine of the lab: an error
// says which of the two dates was missed.
func TestExplainAtTheVerifiersTime(t *testing.T) {
	root := newCA(t, "root", nil)
	leaf := newLeaf(t, root) // valid in 2031 alone
	for want, at := range map[Code]time.Time{NotYetValid: now.AddDate(-20, 0, 0), Expired: now.AddDate(1, 0, 0)} {
		pool := x509.NewCertPool()
		pool.AddCert(root.Certificate)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: at})
		if f, ok := Explain(err, sent(leaf), endpoint.Server); !ok || f.Code != want || f.Cert == nil {
			t.Errorf("%v: %v, %+v, want %s", at, ok, f, want)
		}
	}
	for name, test := range map[string]struct {
		err  x509.CertificateInvalidError
		want Code
	}{
		"without detail":         {x509.CertificateInvalidError{Reason: x509.Expired, Cert: newLeaf(t, nil, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }).Certificate}, NotYetValid},
		"without a certificate":  {x509.CertificateInvalidError{Reason: x509.Expired}, Expired},
		"of what has no reason":  {x509.CertificateInvalidError{Reason: x509.NameMismatch}, Invalid},
		"no CA above":            {x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign, Cert: newCert(t, "no-ca", nil, nil).Certificate}, NotACA},
		"not authorized to sign": {x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}, NotACA},
	} {
		if f, ok := Explain(test.err, nil, endpoint.Server); !ok || f.Code != test.want || f.Text == "" {
			t.Errorf("%s: %v, %+v, want %s", name, ok, f, test.want)
		}
	}
}

// What the lab looks at beyond crypto/tls.
func TestExplainOwnErrors(t *testing.T) {
	day := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	leaf := newLeaf(t, nil).Certificate
	for _, test := range []struct {
		err   error
		code  Code
		alone bool
		text  string
	}{
		{&RevokedError{Subject: "CN=leaf", Serial: "1f", Issuer: "CN=ca", Date: day}, Revoked, false, "with serial 1f was revoked by CN=ca on 2031-01-02"},
		{&RevokedError{Subject: "CN=between", Serial: "1f", Issuer: "CN=root", Date: day, CA: true}, IssuerRevoked, false, "comes from a CA that is revoked: CN=between with serial 1f was revoked by CN=root on 2031-01-02"},
		{&CRLError{Issuer: "CN=ca"}, CRLMissing, true, "the server has no CRL of CN=ca, and requires one"},
		{&CRLError{Issuer: "CN=ca", Unfit: "is a delta CRL"}, CRLMissing, true, "the server has no complete CRL of CN=ca, and requires one: the one that it has is a delta CRL"},
		{&CRLError{Issuer: "CN=ca", NextUpdate: day}, CRLStale, true, "the server's CRL of CN=ca is out of date since 2031-01-02"},
		{&KeyUsageError{Subject: "CN=leaf"}, WrongKeyUsage, false, "is not for signatures (key usage)"},
		{&KeyUsageError{Subject: "CN=leaf", CA: true}, WrongKeyUsage, false, "is that of a CA, which is for issuing certificates and not for signing in (key usage)"},
		{&WeakKeyError{Subject: "CN=leaf", Bits: 1024, Min: 2048}, WeakKey, false, "has too weak a key: CN=leaf has 1024 bits, less than 2048"},
	} {
		f, ok := Explain(fmt.Errorf("tls: %w", test.err), []*x509.Certificate{leaf}, endpoint.Server)
		if !ok || f.Code != test.code || f.Text != test.text || f.IsClause != test.alone || f.IsClause != (f.Cert == nil) {
			t.Errorf("%v: %v, %+v", test.err, ok, f)
		}
		if test.err.Error() == "" || strings.HasSuffix(test.err.Error(), ".") {
			t.Errorf("%q", test.err)
		}
	}
	for _, err := range []error{nil, io.EOF, errors.New("tls: something"), &net.OpError{Op: "read", Err: io.EOF}} {
		if f, ok := Explain(err, nil, endpoint.Server); ok {
			t.Errorf("%v: %+v", err, f)
		}
	}
}

func TestErrors(t *testing.T) {
	day := time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, err := range map[string]error{
		"certificate CN=leaf, serial 1f, was revoked by CN=ca on 2031-01-02": &RevokedError{Subject: "CN=leaf", Serial: "1f", Issuer: "CN=ca", Date: day},
		"there is no CRL of CN=ca": &CRLError{Issuer: "CN=ca"},
		"there is no complete CRL of CN=ca: the one that there is is a delta CRL": &CRLError{Issuer: "CN=ca", Unfit: "is a delta CRL"},
		"the CRL of CN=ca is out of date since 2031-01-02T03:04:05Z":              &CRLError{Issuer: "CN=ca", NextUpdate: day},
		"keyUsage of CN=leaf does not allow digitalSignature":                     &KeyUsageError{Subject: "CN=leaf"},
		"RSA key of CN=leaf has 1024 bits, less than 2048":                        &WeakKeyError{Subject: "CN=leaf", Bits: 1024, Min: 2048},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

func TestName(t *testing.T) {
	uri, err := url.Parse("spiffe://example.org/a")
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*x509.Certificate){
		"CN=leaf":                      func(*x509.Certificate) {},
		"(no subject) DNS:example.org": func(c *x509.Certificate) { c.Subject = pkix.Name{} },
		"(no subject) IP:192.0.2.1": func(c *x509.Certificate) {
			c.Subject, c.DNSNames, c.IPAddresses = pkix.Name{}, nil, []net.IP{{192, 0, 2, 1}}
		},
		"(no subject) URI:spiffe://example.org/a": func(c *x509.Certificate) { c.Subject, c.DNSNames, c.URIs = pkix.Name{}, nil, []*url.URL{uri} },
		"(no subject) email:a@example.org": func(c *x509.Certificate) {
			c.Subject, c.DNSNames, c.EmailAddresses = pkix.Name{}, nil, []string{"a@example.org"}
		},
		"(no subject)": func(c *x509.Certificate) { c.Subject, c.DNSNames = pkix.Name{}, nil },
	} {
		root := newCA(t, "root", nil)
		if got := Name(newLeaf(t, root, change).Certificate); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestForbids(t *testing.T) {
	root := newCA(t, "root", nil)
	for name, test := range map[string]struct {
		usages  []x509.ExtKeyUsage
		unknown bool
		want    bool
	}{
		"none":           {nil, false, false},
		"the right one":  {[]x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageClientAuth}, false, false},
		"any":            {[]x509.ExtKeyUsage{x509.ExtKeyUsageAny}, false, false},
		"another":        {[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, false, true},
		"an unknown one": {nil, true, true},
	} {
		leaf := newLeaf(t, root, func(c *x509.Certificate) {
			if c.ExtKeyUsage = test.usages; test.unknown {
				c.UnknownExtKeyUsage = append(c.UnknownExtKeyUsage, []int{1, 2, 3})
			}
		})
		if got := Forbids(leaf.Certificate, x509.ExtKeyUsageClientAuth); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
