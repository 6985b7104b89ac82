package tlswire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"mtlslab.example/lab/lab/dn"
)

// maxRemembered bounds the certificates that ParseCertificate remembers, and
// their size in bytes.
const (
	maxRemembered     = 128
	maxRememberedSize = 8 << 10
)

// remembered is the cache, by DER.
var remembered struct {
	sync.Mutex
	certificates map[string]*x509.Certificate
}

// ParseCertificate reads an X.509 certificate. It caches the results, since
// connections show the same few certificates over and over. It keeps no
// reference to der. The result is shared: do not change it.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	remembered.Lock()
	cert := remembered.certificates[string(der)]
	remembered.Unlock()
	if cert != nil {
		return cert, nil
	}
	cert, err := x509.ParseCertificate(bytes.Clone(der)) // which it keeps
	if err != nil || len(der) > maxRememberedSize {
		return cert, err
	}
	remembered.Lock()
	defer remembered.Unlock()
	if remembered.certificates == nil || len(remembered.certificates) >= maxRemembered {
		remembered.certificates = make(map[string]*x509.Certificate)
	}
	remembered.certificates[string(der)] = cert
	return cert, nil
}

// certData is a certificate; its fields are those of RFC 5280 that decide
// whether it is trusted.
func certData(c *codec, name string, der *[]byte) {
	at := len(c.out)
	opaque(c, 3, name, der, "An X.509 certificate: a name and a public key, signed by an authority (RFC 5280 section 4.1).")
	if c.tracing && c.err == nil {
		f := &c.fields[len(c.fields)-1]
		f.Value = certSubject(*der)
		f.Fields = certFields(*der, at+f.Prefix)
	}
}

// certSubject returns the subject of a certificate.
func certSubject(der []byte) string {
	cert, err := ParseCertificate(der)
	if err != nil {
		return short(der)
	}
	if s := dn.Subject(cert); s != "" {
		return text(s)
	}
	return "(no subject) " + altNames(cert)
}

// derReader walks the elements of DER and knows where in the message each
// stands.
type derReader struct {
	in  cryptobyte.String
	end int // offset in the message of the end of in
}

// next returns the next element and a reader of what is in it. At the end, or
// where there is no DER, it returns an empty element.
func (r *derReader) next() (at, length int, inner derReader) {
	var element, content cryptobyte.String
	var tag cbasn1.Tag
	at = r.end - len(r.in)
	if !r.in.ReadAnyASN1Element(&element, &tag) {
		return at, 0, derReader{end: r.end}
	}
	length = len(element)
	if !element.ReadAnyASN1(&content, &tag) {
		return at, 0, derReader{end: r.end}
	}
	return at, length, derReader{in: content, end: at + length}
}

// certFields lists the parts of a certificate that starts at the given offset
// of its message (RFC 5280 section 4.1). Certificates that do not parse have
// none.
func certFields(der []byte, offset int) []Field {
	cert, err := ParseCertificate(der)
	if err != nil {
		return nil
	}
	whole := derReader{in: der, end: offset + len(der)}
	_, _, certificate := whole.next()
	_, _, tbs := certificate.next()

	var fields []Field
	add := func(r *derReader, name, value, note string) {
		if at, length, _ := r.next(); length > 0 {
			fields = append(fields, Field{Name: name, Offset: at, Length: length, Value: value, Note: note})
		}
	}
	if cert.Version > 1 {
		add(&tbs, "version", fmt.Sprintf("v%d", cert.Version), "The version of X.509 (RFC 5280 section 4.1.2.1).")
	}
	add(&tbs, "serialNumber", dn.Serial(cert), "The number the issuer gave this certificate; revocation lists name it (RFC 5280 section 4.1.2.2).")
	add(&tbs, "signature", SignatureAlgorithm(cert), "How the issuer signed (RFC 5280 section 4.1.2.3).")
	add(&tbs, "issuer", text(dn.Issuer(cert)), "The authority that signed the certificate (RFC 5280 section 4.1.2.4).")
	add(&tbs, "validity", cert.NotBefore.UTC().Format(time.DateTime)+" to "+cert.NotAfter.UTC().Format(time.DateTime)+" UTC", "From when until when it may be used (RFC 5280 section 4.1.2.5).")
	add(&tbs, "subject", text(dn.Subject(cert)), "Whom the certificate is for (RFC 5280 section 4.1.2.6).")
	add(&tbs, "subjectPublicKeyInfo", keyName(cert), "The public key; CertificateVerify proves that the sender has its private half (RFC 5280 section 4.1.2.7).")
	fields = append(fields, certExtensions(cert, &tbs)...)
	add(&certificate, "signatureAlgorithm", SignatureAlgorithm(cert), "How the issuer signed, once more (RFC 5280 section 4.1.1.2).")
	add(&certificate, "signatureValue", short(cert.Signature), "The issuer's signature over everything from version to the last extension (RFC 5280 section 4.1.1.3).")
	return fields
}

// certExtensions lists the extensions, which are all that is left of a
// TBSCertificate but for the unique identifiers nobody uses.
func certExtensions(cert *x509.Certificate, tbs *derReader) (fields []Field) {
	const tagExtensions = 0xa3
	for len(tbs.in) > 0 && tbs.in[0] != tagExtensions {
		if _, length, _ := tbs.next(); length == 0 {
			return nil
		}
	}
	_, _, explicit := tbs.next()
	_, _, extensions := explicit.next()
	for _, e := range cert.Extensions {
		name, value, note := certExtension(cert, e)
		if at, length, _ := extensions.next(); length > 0 {
			fields = append(fields, Field{Name: name, Offset: at, Length: length, Value: value, Note: note})
		}
	}
	return fields
}

func keyName(cert *x509.Certificate) string {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA, %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA, " + key.Params().Name
	}
	return KeyAlgorithm(cert.RawSubjectPublicKeyInfo)
}

// certExtension explains an extension of a certificate.
func certExtension(cert *x509.Certificate, e pkix.Extension) (name, value, note string) {
	switch e.Id.String() {
	case "2.5.29.14":
		return "subjectKeyIdentifier", short(cert.SubjectKeyId), "A short name of the public key (RFC 5280 section 4.2.1.2)."
	case "2.5.29.35":
		return "authorityKeyIdentifier", short(cert.AuthorityKeyId), "A short name of the issuer's public key, to find the issuer by (RFC 5280 section 4.2.1.1)."
	case "2.5.29.31":
		return "cRLDistributionPoints", text(strings.Join(cert.CRLDistributionPoints, ", ")), "Where the issuer lists what it revoked (RFC 5280 section 4.2.1.13)."
	case "2.5.29.15":
		return "keyUsage", keyUsages(cert.KeyUsage), "What the key may do: digitalSignature for a CertificateVerify, keyCertSign for issuing certificates (RFC 5280 section 4.2.1.3)."
	case "2.5.29.17":
		return "subjectAltName", altNames(cert), "The names it is good for: a client compares the host it wanted with these (RFC 5280 section 4.2.1.6, RFC 9525 section 6)."
	case "2.5.29.19":
		value = "not a CA"
		if cert.IsCA {
			value = "CA"
			if cert.MaxPathLen > 0 || cert.MaxPathLenZero {
				value = fmt.Sprintf("CA, pathLenConstraint %d", cert.MaxPathLen)
			}
		}
		return "basicConstraints", value, "Whether it may sign other certificates (RFC 5280 section 4.2.1.9)."
	case "2.5.29.37":
		return "extKeyUsage", extKeyUsages(cert), "What it is for: serverAuth, clientAuth or both (RFC 5280 section 4.2.1.12)."
	}
	return "extension " + e.Id.String(), short(e.Value), "An extension of the certificate (RFC 5280 section 4.2)."
}

func altNames(cert *x509.Certificate) string {
	var names []string
	for _, s := range cert.DNSNames {
		names = append(names, "DNS:"+s)
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, "IP:"+ip.String())
	}
	for _, s := range cert.EmailAddresses {
		names = append(names, "email:"+s)
	}
	for _, u := range cert.URIs {
		names = append(names, "URI:"+u.String())
	}
	return text(strings.Join(names, ", "))
}

func keyUsages(usage x509.KeyUsage) string {
	var names []string
	for i, s := range []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment",
		"keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"} {
		if usage&(1<<i) != 0 {
			names = append(names, s)
		}
	}
	return text(strings.Join(names, ", "))
}

func extKeyUsages(cert *x509.Certificate) string {
	known := map[x509.ExtKeyUsage]string{
		x509.ExtKeyUsageAny: "anyExtendedKeyUsage", x509.ExtKeyUsageServerAuth: "serverAuth", x509.ExtKeyUsageClientAuth: "clientAuth",
		x509.ExtKeyUsageCodeSigning: "codeSigning", x509.ExtKeyUsageEmailProtection: "emailProtection",
		x509.ExtKeyUsageTimeStamping: "timeStamping", x509.ExtKeyUsageOCSPSigning: "OCSPSigning",
	}
	var names []string
	for _, u := range cert.ExtKeyUsage {
		if s, ok := known[u]; ok {
			names = append(names, s)
		} else {
			names = append(names, fmt.Sprintf("usage %d", u))
		}
	}
	for _, oid := range cert.UnknownExtKeyUsage {
		names = append(names, oid.String())
	}
	return text(strings.Join(names, ", "))
}

// DistinguishedName is the DER of a name, as in "CN=ca"
// (RFC 5280 section 4.1.2.4).
type DistinguishedName []byte

func (n DistinguishedName) String() string {
	s, err := dn.Text(n)
	if err != nil {
		return short(n)
	}
	return text(s)
}

// distinguishedNames is a list of CAs (RFC 9846 section 4.3.4,
// RFC 5246 section 7.4.4).
func distinguishedNames(c *codec, name string, v *[]DistinguishedName, note string) {
	list(c, 2, name, v, note, func(n *DistinguishedName) {
		opaque(c, 2, "DistinguishedName", n, "")
		c.valued(n.String)
	})
}
