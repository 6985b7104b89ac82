package chain

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"mtlslab.example/lab/lab/endpoint"
)

// inUTF8 has a certificate be for CN=name in a UTF8String, as OpenSSL writes
// it. Go writes a PrintableString where it can.
func inUTF8(t *testing.T, name string) func(*x509.Certificate) {
	t.Helper()
	value := asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(name)}
	der, err := asn1.Marshal(pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value}}})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *x509.Certificate) { c.RawSubject = der }
}

// A name is the same in other strings, other case and other space
// (RFC 5280 section 7.1); a text within it is not.
func TestNamesIssuer(t *testing.T) {
	named := func(cn string, change func(*x509.Certificate)) *x509.Certificate {
		return newCert(t, cn, nil, change).Certificate
	}
	root := named("Shop Root", nil)
	for _, same := range []*x509.Certificate{root, named("Shop Root", inUTF8(t, "Shop Root")), named("shop  ROOT ", nil)} {
		if !HaveOneName(root, same) || !NamesIssuer(root, same) {
			t.Errorf("%q is another name", same.Subject)
		}
	}
	for _, other := range []*x509.Certificate{
		named("ShopRoot", nil), named("Shop Roots", inUTF8(t, "Shop Roots")),
		named("", func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{"Shop Root"}} }),
		named("", func(c *x509.Certificate) { c.Subject = pkix.Name{} }),
	} {
		if HaveOneName(root, other) || NamesIssuer(root, other) {
			t.Errorf("%q is the same name", other.Subject)
		}
	}
	if empty := named("", func(c *x509.Certificate) { c.Subject = pkix.Name{} }); !HaveOneName(empty, empty) {
		t.Error("no name is not the same as itself")
	}
}

// One CA whose name two certificates write in two ways is the one; with another
// key it is another of the same name.
func TestRespelled(t *testing.T) {
	root := newCA(t, "root", nil)
	renamed := *root.Certificate
	inUTF8(t, "root")(&renamed)
	leaf, ofTwin := newLeaf(t, &issuer{&renamed, root.key}), newLeaf(t, newCA(t, "root", nil, inUTF8(t, "root")))
	const notAlike = "whose name the two do not write alike (in the type of a string, in case or in space): OpenSSL takes that, Go and GnuTLS do not"

	f := trustIn(root).Leads(ofClient(leaf), now)
	if got := f.Of("it", leaf.Certificate); f.Code != Invalid || got != "it was issued by CN=root in certs, "+notAlike || f.Fix == "" {
		t.Errorf("%s: %q, fix %q", f.Code, got, f.Fix)
	}
	if f = trustIn(root).Leads(ofClient(ofTwin), now); f.Code != LookAlikeCA {
		t.Errorf("%s: %q", f.Code, f.Text)
	}

	for chained, want := range map[*issuer]Code{leaf: UnknownCA, ofTwin: LookAlikeCA} {
		err := &TrustedError{verify(t, root, "", x509.ExtKeyUsageClientAuth, chained), []*x509.Certificate{root.Certificate}}
		f, ok := Explain(err, sent(chained), endpoint.Server)
		if !ok || f.Code != want || want == UnknownCA && f.Text != "was issued by CN=root, which the server trusts, but "+notAlike {
			t.Errorf("%s, not %s: %q", f.Code, want, f.Text)
		}
	}
}
