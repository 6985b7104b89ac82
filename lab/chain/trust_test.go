package chain

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/endpoint"
)

// trustIn is a Trust in CAs, each by its common name.
func trustIn(cas ...*issuer) *Trust {
	t := &Trust{Now: now, Places: []string{"certs"}}
	for _, ca := range cas {
		t.CAs = append(t.CAs, NamedCA{Name: ca.Subject.CommonName, Certificate: ca.Certificate, In: "certs"})
	}
	return t
}

func ofClient(chain ...*issuer) Question { return Question{DERs: ders(chain...), Of: endpoint.Client} }

func ofServer(host string, chain ...*issuer) Question {
	return Question{DERs: ders(chain...), Of: endpoint.Server, Host: host}
}

func TestVerify(t *testing.T) {
	root, other := newCA(t, "root", nil), newCA(t, "other", nil)
	between := newCA(t, "between", root)
	leaf := newLeaf(t, between)
	v, err := trustIn(other, root).Verify(ofClient(leaf, between), now)
	if err != nil || v.Under != "CN=root in certs" {
		t.Fatalf("%q, %v", v.Under, err)
	}
	for ca, want := range map[*issuer]bool{root: true, between: true, other: false, leaf: false} {
		if got := v.Has(ca.Equal); got != want {
			t.Errorf("%s is among the authorities: %v", Name(ca.Certificate), got)
		}
	}
	// A CA between that is known here stands in for one that was not sent along,
	// and is no root.
	known := trustIn(root, between)
	if _, err := known.Verify(ofClient(leaf), now); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("without the certificate between: %v", err)
	}
	// Where no CA signs itself, all are trusted.
	if v, err := trustIn(between).Verify(ofClient(leaf), now); err != nil || v.Under != "CN=between in certs" {
		t.Errorf("%q, %v", v.Under, err)
	}
	// So are those that a side trusts.
	for _, trust := range []*Trust{{ClientTrusts: sent(root)}, {ServerTrusts: sent(root)}} {
		if v, err := trust.Verify(ofClient(leaf, between), now); err != nil || v.Under != "CN=root" {
			t.Errorf("%q, %v", v.Under, err)
		}
	}
}

func TestTrustedBy(t *testing.T) {
	a, b := newCA(t, "a", nil), newCA(t, "b", nil)
	trust := &Trust{ClientTrusts: sent(a), ServerTrusts: sent(b)}
	if got := trust.TrustedBy(endpoint.Client); len(got) != 1 || !got[0].Equal(a.Certificate) {
		t.Errorf("the client trusts %v", got)
	}
	if got := trust.TrustedBy(endpoint.Server); len(got) != 1 || !got[0].Equal(b.Certificate) {
		t.Errorf("the server trusts %v", got)
	}
}

// A chain that was found good is remembered for its part, its host and the time
// in which all its certificates are valid.
func TestVerifyRemembers(t *testing.T) {
	root := newCA(t, "root", nil)
	between := newCA(t, "between", root, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = now.Add(-2*time.Hour), now.Add(2*time.Hour)
	})
	leaf := newLeaf(t, between, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	trust := trustIn(root)
	for range 2 { // the second time out of memory
		for name, test := range map[string]struct {
			q    Question
			at   time.Time
			want Code // "": it holds
		}{
			"holds":           {ofServer("example.org", leaf, between), now, ""},
			"on its last day": {ofServer("example.org", leaf, between), now.Add(2 * time.Hour), ""},
			"of any name":     {ofServer("", leaf, between), now, ""},
			"another name":    {ofServer("example.net", leaf, between), now, WrongHost},
			"another part":    {ofClient(leaf, between), now, WrongUsage},
			"alone":           {ofServer("example.org", leaf), now, UnknownCA},
			"a CA is over":    {ofServer("example.org", leaf, between), now.Add(3 * time.Hour), Expired},
			"a CA is not on":  {ofServer("example.org", leaf, between), now.Add(-3 * time.Hour), NotYetValid},
			"all is over":     {ofServer("example.org", leaf, between), now.AddDate(1, 0, 0), Expired},
		} {
			_, err := trust.Verify(test.q, test.at)
			got := Code("")
			if err != nil {
				f := trust.Explain(err, test.q)
				got = f.Code
			}
			if got != test.want {
				t.Errorf("%s: %q, want %q: %v", name, got, test.want, err)
			}
		}
	}
}

// Verify finds a revocation as it was known at the time of the connection, or
// as it is known now.
func TestVerifyRevoked(t *testing.T) {
	root := newCA(t, "root", nil)
	between := newCA(t, "between", root)
	leaf, twin := newLeaf(t, between), newCA(t, "between", nil)
	hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
	delta := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}
	deltaOf := func(thisUpdate time.Time, revoked ...*issuer) *x509.RevocationList {
		template := &x509.RevocationList{Number: big.NewInt(2), ThisUpdate: thisUpdate, NextUpdate: thisUpdate.Add(time.Hour), ExtraExtensions: []pkix.Extension{delta}}
		for _, c := range revoked {
			template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: thisUpdate})
		}
		der, err := x509.CreateRevocationList(rand.Reader, template, between.Certificate, between.key)
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for name, test := range map[string]struct {
		crls []*x509.RevocationList
		now  time.Time
		want string // of whom; "": nobody
	}{
		"no list":                      {nil, now, ""},
		"an empty list":                {[]*x509.RevocationList{crl(t, between, hour(-1))}, now, ""},
		"the leaf":                     {[]*x509.RevocationList{crl(t, between, hour(-1), leaf)}, now, "CN=leaf by CN=between"},
		"the CA above":                 {[]*x509.RevocationList{crl(t, root, hour(-1), between)}, now, "CA CN=between by CN=root"},
		"both: the CA first":           {[]*x509.RevocationList{crl(t, between, hour(-1), leaf), crl(t, root, hour(-1), between)}, now, "CA CN=between by CN=root"},
		"by another of its name":       {[]*x509.RevocationList{crl(t, twin, hour(-1), leaf)}, now, ""},
		"a number of another issuer's": {[]*x509.RevocationList{crl(t, root, hour(-1), leaf)}, now, ""},
		"cleared by a newer list":      {[]*x509.RevocationList{crl(t, between, hour(-2), leaf), crl(t, between, hour(-1))}, now, ""},
		"not by an older one":          {[]*x509.RevocationList{crl(t, between, hour(-2)), crl(t, between, hour(-1), leaf)}, now, "CN=leaf by CN=between"},
		"nor by one from the future":   {[]*x509.RevocationList{crl(t, between, hour(-1), leaf), crl(t, between, hour(9))}, now, "CN=leaf by CN=between"},
		"nor by a delta":               {[]*x509.RevocationList{crl(t, between, hour(-2), leaf), deltaOf(hour(-1))}, now, "CN=leaf by CN=between"},
		"a delta revokes":              {[]*x509.RevocationList{crl(t, between, hour(-2)), deltaOf(hour(-1), leaf)}, now, "CN=leaf by CN=between"},
		"out of date, and revoked":     {[]*x509.RevocationList{crl(t, between, hour(-9), leaf)}, now, "CN=leaf by CN=between"},
		"by a list from the future":    {[]*x509.RevocationList{crl(t, between, hour(9), leaf)}, now, "CN=leaf by CN=between"},
		"revoked after the connection": {[]*x509.RevocationList{crl(t, between, hour(1), leaf)}, hour(2), ""},
	} {
		trust := trustIn(root)
		trust.CRLs, trust.Now = test.crls, test.now
		_, err := trust.Verify(ofClient(leaf, between), now)
		got := ""
		var revoked *RevokedError
		if errors.As(err, &revoked) {
			got = revoked.Subject + " by " + revoked.Issuer
			if revoked.CA {
				got = "CA " + got
			}
		}
		if got != test.want || (got == "") != (err == nil) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
		if err != nil {
			if f := trust.Explain(err, ofClient(leaf, between)); f.Code != map[bool]Code{true: IssuerRevoked, false: Revoked}[revoked.CA] {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
	// One chain of two that is not revoked will do.
	cross := newCA(t, "second", nil)
	again, err := x509.CreateCertificate(rand.Reader, between.Certificate, cross.Certificate, between.key.Public(), cross.key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(again)
	if err != nil {
		t.Fatal(err)
	}
	trust := trustIn(root, cross)
	trust.CRLs = []*x509.RevocationList{crl(t, root, hour(-1), between)}
	if _, err := trust.Verify(ofClient(leaf, between, &issuer{signed, between.key}), now); err != nil {
		t.Error(err)
	}
}

// What the CAs of a Trust show about a chain that leads to none of them.
func TestTrustExplain(t *testing.T) {
	root, twin, stranger := newCA(t, "root", nil), newCA(t, "root", nil), newCA(t, "stranger", nil)
	between := newCA(t, "between", root)
	betweenTwin := newCA(t, "between", twin)
	below := newCA(t, "below", stranger)
	self := newLeaf(t, nil)
	mute := newCA(t, "mute", nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	leaf, old := newLeaf(t, root), newLeaf(t, root, func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) })
	for name, test := range map[string]struct {
		q     Question
		trust *Trust
		code  Code
		want  string
	}{
		"a look-alike":             {ofClient(leaf), trustIn(twin), LookAlikeCA, "it was issued by CN=root, but not by the CA of that name in certs: " + keys(root, twin)},
		"a look-alike above":       {ofClient(newLeaf(t, betweenTwin), betweenTwin), trustIn(root), LookAlikeCA, "it leads over CN=between (sent along) to CN=root, but not to the CA of that name in certs: " + keys(twin, root)},
		"a look-alike, sent along": {ofClient(leaf, root), trustIn(twin), LookAlikeCA, "it leads to CN=root (sent along), but not to the CA of that name in certs: " + keys(root, twin)},
		"another CA":               {ofClient(newLeaf(t, stranger)), trustIn(root), UnknownCA, "it was issued by CN=stranger, which was not sent along and is not in certs"},
		"another CA above":         {ofClient(newLeaf(t, below), below), trustIn(root), UnknownCA, "it leads over CN=below (sent along) to CN=stranger, which is not in certs"},
		"another CA, sent along":   {ofClient(newLeaf(t, below), below, stranger), trustIn(root), UnknownCA, "it leads over CN=below (sent along) to CN=stranger (sent along), which is not in certs"},
		"sent in another order":    {ofClient(newLeaf(t, below), stranger, below), trustIn(root), UnknownCA, "it leads over CN=below (sent along) to CN=stranger (sent along), which is not in certs"},
		"a missing intermediate":   {ofClient(newLeaf(t, between)), trustIn(root, between), UnknownCA, "it was issued by CN=between, an intermediate CA that was not sent along (it is in certs)"},
		"another one of its name":  {ofClient(newLeaf(t, between), betweenTwin), trustIn(root), LookAlikeCA, "it names CN=between as its issuer, but is not signed with the key of the one that was sent along"},
		"signed by itself":         {ofClient(self), trustIn(root), SelfSigned, "it is signed by itself, and is not in certs"},
		"by a CA that must not":    {ofClient(newLeaf(t, mute)), trustIn(mute), NotACA, "it leads through CN=mute, which may not sign certificates (key usage)"},
		"expired":                  {ofClient(old), trustIn(root), Expired, "it has expired: it was valid until 2031-05-01 11:00:00 UTC"},
		"another host":             {ofServer("example.net", leaf), trustIn(root), WrongHost, "it is not for example.net: it is for example.org"},
	} {
		_, err := test.trust.Verify(test.q, now)
		if err == nil {
			t.Errorf("%s: the chain holds", name)
			continue
		}
		f := test.trust.Explain(err, test.q)
		if got := f.Of("it", test.q.Chain()[0]); f.Code != test.code || got != test.want {
			t.Errorf("%s: %s, %q, want %s, %q", name, f.Code, got, test.code, test.want)
		}
	}
	trust, q := trustIn(root), Question{DERs: [][]byte{{0x30, 0}}, Of: endpoint.Client}
	if _, err := trust.Verify(q, now); err == nil {
		t.Error("what is no certificate holds")
	} else if f := trust.Explain(err, q); f.Code != Invalid || !f.IsClause || f.Text == "" {
		t.Errorf("%+v", f)
	}
}

// Where a chain leads that is not known to be wrong.
func TestLeads(t *testing.T) {
	root, twin, stranger := newCA(t, "root", nil), newCA(t, "root", nil), newCA(t, "stranger", nil)
	between, below := newCA(t, "between", root), newCA(t, "below", stranger)
	lowest := newCA(t, "lowest", below)
	mute := newCA(t, "mute", nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	located := newLeaf(t, below, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://ca.example/below.der"} })
	for want, test := range map[string]struct {
		trust *Trust
		chain []*issuer
	}{
		"CN=leaf leads over CN=below (sent along) to CN=stranger, which is not in certs":                                            {trustIn(root), []*issuer{newLeaf(t, below), below}},
		"CN=leaf leads over CN=lowest and CN=below (sent along) to CN=stranger, which is not in certs":                              {trustIn(root), []*issuer{newLeaf(t, lowest), lowest, below}},
		"CN=leaf leads over CN=below (sent along) to CN=stranger (sent along), which is not in certs":                               {trustIn(root), []*issuer{newLeaf(t, below), stranger, below}},
		"CN=leaf was issued by CN=below, which was not sent along and is not in certs (to be had from http://ca.example/below.der)": {trustIn(root), []*issuer{located}},
		"CN=leaf was issued by CN=root, but not by the CA of that name in certs: " + keys(twin, root):                               {trustIn(root), []*issuer{newLeaf(t, twin)}},
		"CN=leaf was issued by CN=between, an intermediate CA that was not sent along (it is in certs)":                             {trustIn(root, between), []*issuer{newLeaf(t, between)}},
		"CN=leaf is signed by itself, and is not in certs":                                                                          {trustIn(root), []*issuer{newLeaf(t, nil)}},
		"CN=leaf was issued by CN=mute in certs, whose certificate does not allow to sign others":                                   {trustIn(mute), []*issuer{newLeaf(t, mute)}},
	} {
		f := test.trust.Leads(ofClient(test.chain...), now)
		if got := f.Of("CN=leaf", test.chain[0].Certificate); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if f := trustIn(root).Leads(Question{DERs: [][]byte{{1}}}, now); f.Text != "its certificate does not parse" || !f.IsClause {
		t.Errorf("%+v", f)
	}
}

// What crypto/x509 does not look at is not known to be wrong.
func TestUnverifiable(t *testing.T) {
	root := newCA(t, "root", nil)
	sha1 := newLeaf(t, root, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })
	for want, q := range map[string]Question{
		"": ofClient(newLeaf(t, root), root),
		"the signature on CN=leaf is of a kind (ECDSA-SHA1) that is not taken here": ofClient(sha1),
		"a certificate of its chain does not parse: malformed tbs certificate":      {DERs: append(ders(newLeaf(t, root)), []byte{0x30, 0})},
	} {
		if got := trustIn(root).Unverifiable(q); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What a certificate shows by itself is known without any CA.
func TestEvident(t *testing.T) {
	root := newCA(t, "root", nil)
	names := func(names ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = names }
	}
	use := func(usage x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{usage} }
	}
	leaf := newLeaf(t, root)
	for name, test := range map[string]struct {
		q    Question
		at   time.Time
		want Code // "": none
	}{
		"good":                              {ofServer("example.org", leaf), now, ""},
		"good, of a client":                 {ofClient(leaf), now, ""},
		"expired when it was captured":      {ofClient(leaf), now.AddDate(1, 0, 0), Expired},
		"not valid when it was captured":    {ofClient(leaf), now.AddDate(-1, 0, 0), NotYetValid},
		"in its last second":                {ofClient(leaf), leaf.NotAfter, ""},
		"a second later":                    {ofClient(leaf), leaf.NotAfter.Add(time.Second), Expired},
		"in its first second":               {ofClient(leaf), leaf.NotBefore, ""},
		"a second before":                   {ofClient(leaf), leaf.NotBefore.Add(-time.Second), NotYetValid},
		"a capture without times":           {ofClient(leaf), time.Time{}, ""},
		"a capture of 1970":                 {ofClient(leaf), time.Unix(0, 0), ""},
		"a client's for servers":            {ofClient(newLeaf(t, root, use(x509.ExtKeyUsageServerAuth))), now, WrongUsage},
		"a server's for clients":            {ofServer("example.org", newLeaf(t, root, use(x509.ExtKeyUsageClientAuth))), now, WrongUsage},
		"without a usage":                   {ofClient(newLeaf(t, root, func(c *x509.Certificate) { c.ExtKeyUsage = nil })), now, ""},
		"another host":                      {ofServer("example.net", leaf), now, WrongHost},
		"no host is asked for":              {ofServer("", leaf), now, ""},
		"no names":                          {ofServer("example.org", newLeaf(t, root, names())), now, NoSAN},
		"a name in the subject alone":       {ofServer("leaf", newLeaf(t, root, names())), now, ""},
		"a wildcard":                        {ofServer("a.example.org", newLeaf(t, root, names("*.example.org"))), now, ""},
		"a wildcard of a deeper name":       {ofServer("a.b.example.org", newLeaf(t, root, names("*.example.org"))), now, WrongHost},
		"a wildcard that some take":         {ofServer("ab.example.org", newLeaf(t, root, names("a*.example.org"))), now, ""},
		"a certificate that cannot be read": {Question{DERs: [][]byte{{0x30, 0}}, Of: endpoint.Client}, now, ""},
	} {
		got := Code("")
		if f := Evident(test.q, test.at); f != nil {
			got = f.Code
			if f.Cert == nil || f.Text == "" || f.IsClause || strings.HasSuffix(f.Text, ".") {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestOddNames(t *testing.T) {
	root := newCA(t, "root", nil)
	with := func(names ...string) *x509.Certificate {
		return newLeaf(t, root, func(c *x509.Certificate) { c.DNSNames = names }).Certificate
	}
	for name, test := range map[string]struct {
		leaf *x509.Certificate
		host string
		want bool
	}{
		"names":                     {with("example.org"), "example.org", false},
		"the subject alone":         {with(), "LEAF", true},
		"the subject of another":    {with(), "example.org", false},
		"the subject, among others": {with("example.org"), "leaf", false},
		"a wildcard":                {with("*.example.org"), "a.example.org", false},
		"a wildcard in a label":     {with("example.org", "a*.example.org"), "ab.example.org", true},
		"a wildcard further right":  {with("a.*.org"), "a.example.org", true},
	} {
		if got := OddNames(test.leaf, test.host); got != "" != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// The sentence about a fault.
func TestFaultOf(t *testing.T) {
	root := newCA(t, "root", nil)
	leaf, other := newLeaf(t, root).Certificate, newCA(t, "other", nil).Certificate
	for want, f := range map[string]Fault{
		"it has expired":                          {Cert: leaf, Text: "has expired"},
		"it is odd":                               {Text: "is odd"},
		"it leads through CN=other, which is on":  {Cert: other, Text: "is on"},
		"the server has no CRL, and requires one": {Cert: other, Text: "the server has no CRL, and requires one", IsClause: true},
	} {
		if got := f.Of("it", leaf); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f := Fault{Cert: other, Text: "has expired"}
	if got := f.Of("it", nil); got != "it has expired" {
		t.Errorf("%q", got)
	}
}

// What many programs refuse because it is weak.
func TestWeak(t *testing.T) {
	root, oldRoot := newCA(t, "root", nil), newCA(t, "root", nil, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 })
	sha1 := func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }
	short := newLeaf(t, root)
	short.PublicKey = &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	template := *short.Certificate
	der, err := x509.CreateCertificate(rand.Reader, &template, root.Certificate, short.PublicKey, root.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		q    Question
		code Code // "": nothing
		want string
	}{
		"good":                   {ofClient(newLeaf(t, root), root), "", ""},
		"a root's own":           {ofClient(newLeaf(t, oldRoot), oldRoot), "", ""},
		"SHA-1":                  {ofClient(newLeaf(t, root, sha1)), WeakSignature, "is signed with ECDSA-SHA1, which programs refuse nowadays"},
		"SHA-1 above":            {ofClient(newLeaf(t, root), newCA(t, "between", root, sha1)), WeakSignature, "is signed with ECDSA-SHA1, which programs refuse nowadays"},
		"an RSA key of 1024 bit": {Question{DERs: [][]byte{der}, Of: endpoint.Client}, WeakKey, "has an RSA key of 1,024 bits, which many programs refuse"},
	} {
		f := Weak(test.q)
		if (f != nil) != (test.code != "") || f != nil && (f.Code != test.code || f.Text != test.want) {
			t.Errorf("%s: %+v, want %s, %q", name, f, test.code, test.want)
		}
	}
}

// keys says which of two CAs of one name has signed.
func keys(signer, known *issuer) string {
	return "the keys differ (SHA-256 " + KeyID(signer.Certificate) + ", there " + KeyID(known.Certificate) + ")"
}
