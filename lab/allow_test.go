package lab

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/url"
	"testing"
)

// Every attribute of an entry must be that of the client, to the letter.
func TestAllow(t *testing.T) {
	name := pkix.Name{Names: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "ann"},
		{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: "Finance"},
		{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: "A, B"},
		{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "Example"},
	}}
	spiffe, _ := url.Parse("spiffe://example.org/a/b")
	climbing, _ := url.Parse("spiffe://example.org/a/../c")
	leaf := &x509.Certificate{Subject: name, URIs: []*url.URL{spiffe}}
	for entry, want := range map[string]bool{
		"OU=Finance": true, "ou = Finance": true, "OU=Finance,O=Example": true, "O=Example, OU=Finance + OU=A\\, B": true, "CN=ann": true, "2.5.4.11=Finance": true,
		"OU=finance": false, "OU=Fin": false, "OU=Finance,O=Other": false, "CN=Finance": false, "L=Finance": false,
		"spiffe://example.org/a/b": true, "URI:spiffe://example.org/a/b": true, "spiffe://example.org/a/*": true, "spiffe://example.org/*": true,
		"spiffe://example.org/a": false, "spiffe://example.org/a/b/*": false, "spiffe://example.org/a/b/c": false, "spiffe://example.com/*": false,
	} {
		p, err := parsePermit(entry)
		if err != nil || p.admits(leaf) != want {
			t.Errorf("%s: %v, %v", entry, err, !want)
		}
	}
	p, err := parsePermit("spiffe://example.org/a/*")
	if err != nil || p.admits(&x509.Certificate{URIs: []*url.URL{climbing}}) {
		t.Errorf("%s is below %s: %v", climbing, p.uri, err)
	}
	for _, entry := range []string{"", "Finance", "OU=", "CN=ann,OU=", "colour=red", "spiffe://", "spiffe://example.org/a*", "spiffe://*/a", "spiffe://example.org*", "URI:x"} {
		if err := CheckAllow(entry); err == nil {
			t.Errorf("%q is taken", entry)
		}
	}
}
