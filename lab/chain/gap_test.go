package chain

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

// A chain shows by itself that a CA is missing if the root was sent in its
// place, whatever is trusted.
func TestGap(t *testing.T) {
	root, other := newCA(t, "root", nil), newCA(t, "other", nil)
	between := newCA(t, "between", root)
	below := newCA(t, "below", between)
	leaf := newLeaf(t, between)
	for name, test := range map[string]struct {
		chain   []*issuer
		instead string // "": there is no gap
	}{
		"the root in its place":        {[]*issuer{leaf, root}, "CN=root was sent in its place"},
		"two others in its place":      {[]*issuer{leaf, root, other}, "CN=root and CN=other were sent in its place"},
		"alone":                        {[]*issuer{leaf}, ""},
		"whole":                        {[]*issuer{leaf, between}, ""},
		"whole, and the root":          {[]*issuer{leaf, between, root}, ""},
		"in another order":             {[]*issuer{leaf, root, between}, ""},
		"a needless CA above a CA":     {[]*issuer{leaf, between, other}, ""},
		"of the root":                  {[]*issuer{newLeaf(t, root), root}, ""},
		"another leaf":                 {[]*issuer{leaf, newLeaf(t, root)}, ""},
		"a CA of the name":             {[]*issuer{leaf, newCA(t, "between", root)}, ""},
		"an intermediate below it":     {[]*issuer{leaf, below}, "CN=below was sent in its place"},
		"itself, as it is its own":     {[]*issuer{root, other}, ""},
		"the leaf's CA, and a foreign": {[]*issuer{leaf, other, between}, ""},
	} {
		if got := GapIn(ofServer("", test.chain...)).Instead(); got != test.instead {
			t.Errorf("%s: %q", name, got)
		}
	}
	q := ofServer("example.org", leaf, root)
	_, err := trustIn(root).Verify(q, now)
	f := trustIn(root).Explain(err, q)
	if f.Code != UnknownCA || f.Text != "was issued by CN=between, which was not sent along and is not in certs (CN=root was sent in its place)" ||
		f.Fix != "send the certificate of CN=between along, behind that of CN=leaf and in place of CN=root" {
		t.Errorf("%+v", f)
	}
	if said := Remarks(q, true); len(said) != 1 || said[0] != "CN=between, which issued CN=leaf, was not sent along: CN=root was sent in its place" {
		t.Errorf("%q", said)
	}
	if leading, others := Above(q); leading != 0 || others != 1 {
		t.Errorf("%d, %d", leading, others)
	}
	if leading, others := Above(ofServer("", leaf, between, root, other)); leading != 2 || others != 1 {
		t.Errorf("%d, %d", leading, others)
	}
}

// A renewed certificate that was put behind the old one is not looked at, and
// is not said to be above it. What is to be done is to put it first.
func TestRenewedBehindTheOld(t *testing.T) {
	root := newCA(t, "root", nil)
	old := newLeaf(t, root, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) })
	again := func(of *issuer, change func(*x509.Certificate)) *issuer {
		return newCertFor(t, of.key.Public(), "leaf", root, func(c *x509.Certificate) {
			c.DNSNames = []string{"example.org"}
			change(c)
		})
	}
	renewed := again(old, func(*x509.Certificate) {})
	for name, test := range map[string]struct {
		chain []*issuer
		fix   string
	}{
		"renewed":               {[]*issuer{old, renewed}, "put certificate number 2 first in the file of the client's certificate, and remove the one that is there now: no new one is needed"},
		"behind the CA":         {[]*issuer{old, root, renewed}, "put certificate number 3 first in the file of the client's certificate, and remove the one that is there now: no new one is needed"},
		"out of date, too":      {[]*issuer{old, again(old, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })}, ""},
		"for another key":       {[]*issuer{old, newLeaf(t, root)}, ""},
		"for servers alone":     {[]*issuer{old, again(old, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })}, ""},
		"itself, a second time": {[]*issuer{old, old}, ""},
	} {
		f := Evident(ofClient(test.chain...), now)
		if f == nil || f.Code != Expired || f.Fix != test.fix || strings.Contains(f.Text, "for the same key that is right") != (test.fix != "") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if said := Remarks(ofClient(old, renewed), true); len(said) != 1 || said[0] != "Number 2, CN=leaf, valid from 2031-04-30 to 2031-05-02, is another certificate for the key of the first, and above nothing: the other side looks at the first alone" {
		t.Errorf("%q", said)
	}
	if said := Remarks(ofClient(old, old), true); len(said) != 1 || said[0] != "CN=leaf was sent twice" {
		t.Errorf("%q", said)
	}
	if leading, others := Above(ofClient(old, renewed)); leading != 0 || others != 1 {
		t.Errorf("%d, %d", leading, others)
	}
	// The same of the certificate for the other side, and of the wrong host.
	wrong := newLeaf(t, root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	if f := Evident(ofClient(wrong, again(wrong, func(*x509.Certificate) {})), now); f == nil || f.Code != WrongUsage || f.Fix == "" {
		t.Errorf("%+v", f)
	}
	if f := Evident(ofServer("example.com", wrong, again(wrong, func(c *x509.Certificate) { c.DNSNames = []string{"example.com"} })), now); f == nil || f.Code != WrongHost || f.Fix == "" {
		t.Errorf("%+v", f)
	}
}

// An address among the DNS names is said to be there, and to be of no use.
func TestMisnomer(t *testing.T) {
	root := newCA(t, "root", nil)
	leaf := newLeaf(t, root, func(c *x509.Certificate) { c.DNSNames = []string{"localhost", "192.0.2.7", "api.test:443"} })
	for host, want := range map[string]string{
		"192.0.2.7": "is not for 192.0.2.7: 192.0.2.7 is in it as a DNS name, and clients look for an address among the IP addresses",
		"api.test":  "is not for api.test: api.test:443 is in it as a DNS name, and clients look for the host alone, api.test",
		"192.0.2.8": "is not for 192.0.2.8: it is for localhost, 192.0.2.7, api.test:443",
	} {
		f := Evident(ofServer(host, leaf), now)
		if f == nil || f.Code != WrongHost || f.Text != want || (f.Fix != "") != strings.Contains(want, "is in it") {
			t.Errorf("%s: %+v", host, f)
		}
	}
}

// newCertFor is newCert for a key that there is.
func newCertFor(t *testing.T, key crypto.PublicKey, name string, by *issuer, change func(*x509.Certificate)) *issuer {
	t.Helper()
	made := newCert(t, name, by, change)
	template := *made.Certificate
	der, err := x509.CreateCertificate(rand.Reader, &template, by.Certificate, key, by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{Certificate: cert}
}
