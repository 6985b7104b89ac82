package certgen

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"github.com/tsaarni/certyaml"

	"mtlslab.example/lab/lab/dn"
)

// issuable are the attribute types that certyaml v0.11.0 writes into a
// certificate, by their OID. It leaves out all others.
var issuable = map[string]string{
	"2.5.4.6": "C", "2.5.4.8": "ST", "2.5.4.7": "L", "2.5.4.9": "STREET", "2.5.4.17": "postalCode",
	"2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.3": "CN", "2.5.4.5": "serialNumber",
	"0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "emailAddress",
}

// subject is a distinguished name in the forms that are needed of it.
type subject struct {
	commonName string // the last one; may be empty
	der        []byte // of the RDNSequence, RFC 5280 section 4.1.2.4
	issuable   string // what certyaml can write of it, in its own syntax
	issued     []byte // DER of what certyaml makes of it; der itself if that is all
}

// parseSubject reads a distinguished name in the syntax of RFC 4514. As with
// certyaml the order in the certificate is that of pkix.Name, "+" is as good as
// ",", and values are PrintableString or UTF8String, or IA5String in DC and
// emailAddress. An attribute without a value is left out: none may be empty
// (RFC 5280 appendix A.1).
func parseSubject(text string) (subject, error) {
	attributes, err := dn.Parse(text)
	if err != nil {
		return subject{}, err
	}
	attributes = slices.DeleteFunc(attributes, func(a pkix.AttributeTypeAndValue) bool { return a.Value == "" })
	kinds := make([]string, len(attributes)) // certyaml's names of their types; empty: it writes none of that type
	count := map[string]int{}
	for i, a := range attributes {
		kinds[i] = issuable[a.Type.String()]
		count[kinds[i]]++
	}
	var name pkix.Name
	name.FillFromRDNSequence(&pkix.RDNSequence{attributes})
	issued := name // as certyaml has it, which leaves out what pkix.Name has no field for
	for i, a := range attributes {
		kind := kinds[i]
		ia5 := kind == "DC" || kind == "emailAddress"
		twice := count[kind] > 1 && (kind == "CN" || kind == "serialNumber")
		switch {
		case ia5 && !isASCII(a.Value.(string)):
			return subject{}, errors.New("DC and emailAddress are ASCII")
		case ia5:
			a.Value = asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(a.Value.(string))}
			issued.ExtraNames = append(issued.ExtraNames, a)
		case kind != "" && !twice:
			continue
		}
		name.ExtraNames = append(name.ExtraNames, a)
	}
	s := subject{commonName: name.CommonName, issuable: issuableText(attributes, kinds)}
	if s.der, err = asn1.Marshal(name.ToRDNSequence()); err != nil {
		return subject{}, err
	}
	s.issued = s.der
	if len(issued.ExtraNames) < len(name.ExtraNames) {
		s.issued, err = asn1.Marshal(issued.ToRDNSequence())
	}
	return s, err
}

// plain are the characters that mean themselves wherever they stand in a value.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."

// issuableText writes the attributes that certyaml can write, those that have a
// kind. In their values all but what is plain is escaped.
func issuableText(attributes []pkix.AttributeTypeAndValue, kinds []string) string {
	var parts []string
	for i, a := range attributes {
		if kinds[i] == "" {
			continue
		}
		part := []byte(kinds[i] + "=")
		for _, octet := range []byte(a.Value.(string)) {
			if strings.IndexByte(plain, octet) >= 0 {
				part = append(part, octet)
				continue
			}
			part = hex.AppendEncode(append(part, '\\'), []byte{octet})
		}
		parts = append(parts, string(part))
	}
	return strings.Join(parts, ",")
}

// signAgain puts the whole subject into a certificate from which certyaml left
// a part of it out, and signs it again.
func (c *Certificate) signAgain(request *certyaml.Certificate, leaf *x509.Certificate) (*x509.Certificate, error) {
	template := *leaf
	template.RawSubject = c.subject.der
	template.ExtraExtensions = c.extensions
	parent, key := &template, request.GeneratedCert.PrivateKey
	if request.Issuer != nil {
		var err error
		key = request.Issuer.GeneratedCert.PrivateKey
		if parent, err = x509.ParseCertificate(request.Issuer.GeneratedCert.Certificate[0]); err != nil {
			return nil, err
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, parent, leaf.PublicKey, key)
	if err != nil {
		return nil, err
	}
	request.GeneratedCert.Certificate[0] = der
	return x509.ParseCertificate(der)
}

// isCertyamls reports whether a certificate that the lab did not write has the
// subject that certyaml gives it, which leaves out a part of the manifest's. It
// is not replaced for that.
func (f *folder) isCertyamls(c *Certificate, leaf *x509.Certificate) bool {
	return bytes.Equal(leaf.RawSubject, c.subject.issued) && !f.isIntact(c.CertificateFile())
}
