package tlsdecrypt

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
)

// What a server says of a CRL, the drawing says too: a list of a part clears
// nothing, a newer complete one does. What is known by now of a time that has
// passed counts for that time.
func TestRevocationIsJudgedAsTheServerDoes(t *testing.T) {
	p := testPKI()
	leaf := must(x509.ParseCertificate(p.client["ecdsa"].Certificate[0]))
	issuer := *p.clientCA.cert
	issuer.KeyUsage |= x509.KeyUsageCRLSign
	now := time.Now()
	list := func(thisUpdate, revoked time.Time, extensions ...pkix.Extension) *x509.RevocationList {
		template := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: thisUpdate, NextUpdate: thisUpdate.Add(24 * time.Hour), ExtraExtensions: extensions}
		if !revoked.IsZero() {
			template.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: leaf.SerialNumber, RevocationTime: revoked}}
		}
		return must(x509.ParseRevocationList(must(x509.CreateRevocationList(rand.Reader, template, &issuer, p.clientCA.key))))
	}
	delta := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}
	hour := func(n int) time.Time { return now.Add(time.Duration(n) * time.Hour) }
	var never time.Time
	for name, test := range map[string]struct {
		crls   []*x509.RevocationList
		now    time.Time
		result Result
		want   string
	}{
		"newer delta":                {[]*x509.RevocationList{list(hour(-2), hour(-2)), list(hour(-1), never, delta)}, never, Fails, "was revoked by CN=client-ca"},
		"newer complete list":        {[]*x509.RevocationList{list(hour(-2), hour(-2)), list(hour(-1), never)}, never, Holds, "The chain holds"},
		"delta that lists":           {[]*x509.RevocationList{list(hour(-2), never), list(hour(-1), hour(-1), delta)}, never, Fails, "was revoked by CN=client-ca"},
		"from the future":            {[]*x509.RevocationList{list(hour(9), hour(-9))}, never, Fails, "was revoked by CN=client-ca"},
		"of the future":              {[]*x509.RevocationList{list(hour(9), hour(9))}, never, Fails, "was revoked by CN=client-ca"},
		"clears in the future":       {[]*x509.RevocationList{list(hour(-1), hour(-1)), list(hour(9), never)}, never, Fails, "was revoked by CN=client-ca"},
		"listed later, dated before": {[]*x509.RevocationList{list(hour(1), hour(-1))}, hour(2), Fails, "was revoked by CN=client-ca"},
		"listed later, dated after":  {[]*x509.RevocationList{list(hour(2), hour(1))}, hour(3), Holds, "It does not any more: CN=client with serial "},
		"cleared later":              {[]*x509.RevocationList{list(hour(-1), hour(-1)), list(hour(1), never)}, hour(2), Fails, "was revoked by CN=client-ca"},
	} {
		trust := &chain.Trust{CAs: []chain.NamedCA{{Name: "client-ca", Certificate: &issuer}, {Name: "server-ca", Certificate: p.serverCA.cert}}, CRLs: test.crls, Now: test.now}
		if _, shown := chains(t, tls.VersionTLS13, clientConfig(), trust); shown.Result != test.result || !strings.Contains(shown.Text, test.want) {
			t.Errorf("%s: %s: %q, want %q", name, shown.Result, shown.Text, test.want)
		}
	}
}
