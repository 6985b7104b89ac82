package tlsdecrypt

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"mtlslab.example/lab/lab/chain"
)

// CAs that have the names of a connection's, and other keys, are those of
// another PKI perhaps: they leave open why a certificate was refused.
func TestNamesakes(t *testing.T) {
	p := testPKI()
	tomorrow := time.Now().Add(24 * time.Hour)
	namesakes := &chain.Trust{}
	for _, name := range []string{"server-ca", "client-ca"} {
		namesakes.CAs = append(namesakes.CAs, chain.NamedCA{Name: name, Certificate: newAuthority(name).cert})
	}
	for name, test := range map[string]struct {
		issuer authority
		code   chain.Code
		open   bool
		says   string
	}{
		"of a CA that was not asked for": {p.serverCA, chain.UnknownCA, false, "the server asked for a certificate of CN=client-ca"},
		"of a third CA of that name":     {newAuthority("client-ca"), chain.LookAlikeCA, true, "if the CAs that are known here are those of this connection"},
	} {
		shows := test.issuer.issue("stranger", "ecdsa", tomorrow, x509.ExtKeyUsageClientAuth)
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			client := clientConfig()
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shows, nil }
			_, shown := chains(t, version, client, namesakes)
			if f := shown.Fault; f == nil || f.Code != test.code || f.Reported != test.open || !strings.Contains(shown.Text, test.says) {
				t.Errorf("%s, %x: %s: %q, %+v", name, version, shown.Result, shown.Text, f)
			}
		}
	}
}
