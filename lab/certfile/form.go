package certfile

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"unicode/utf8"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/revocation"
)

// Begins reports whether a file that begins with these bytes, four or more of
// them, is one that Read is for: in DER or BER, a key store of Java, PEM with
// the text that openssl writes above it, or an object of Kubernetes. What
// stands before the text, such as a byte order mark, is to be taken off.
func Begins(data []byte) bool {
	for _, begin := range []string{"\x30\x82", "\x30\x81", "\x30\x80", jks, jceks, "-----BEGIN ", "Bag Attributes", "Certificate:"} {
		if bytes.HasPrefix(data, []byte(begin)) {
			return true
		}
	}
	return kubernetesKind().Match(data)
}

// byteOrderMark is that of UTF-8.
var byteOrderMark = []byte("\xef\xbb\xbf")

// decodeText takes a byte order mark off, and refuses UTF-16, which PowerShell
// writes.
func (c *Contents) decodeText(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return nil, c.wrong("is text in UTF-16, as the > of PowerShell writes it, which no TLS program reads",
			"iconv -f UTF-16 -t UTF-8 $FILE >utf-8.pem, or write it with Out-File -Encoding ascii")
	}
	rest, found := bytes.CutPrefix(data, byteOrderMark)
	c.HasMark = found
	return rest, nil
}

// readPEM reads the blocks of a PEM file (RFC 7468). Text between them, such as
// openssl writes above a certificate, is passed over.
func (c *Contents) readPEM(data []byte, password string) error {
	c.Form, c.HasCRLF = PEM, bytes.Contains(data, []byte("-----\r\n"))
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if err := c.addBlock(block, password); err != nil {
			return err
		}
	}
	switch n := len(c.Certificates) + len(c.Keys) + len(c.Others) + len(c.CRLs); {
	case n == 0 && bytes.Contains(data, []byte(" -----BEGIN")):
		return c.wrong("has PEM whose lines are indented, which programs do not find", "the line -----BEGIN must be the first on its line")
	case n == 0:
		return c.wrong("begins as PEM and is cut short or damaged",
			"copy it again: openssl x509 -text -noout -in $FILE must be able to read it")
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return c.wrong("has a PEM block that is cut short or damaged, after "+c.Holds(), "copy it again, to its last line")
	}
	return nil
}

// addBlock adds what a PEM block has.
func (c *Contents) addBlock(block *pem.Block, password string) error {
	switch block.Type {
	case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
		certificate, err := parseCertificate(block)
		if err != nil {
			return c.because(err, "has a certificate that cannot be read: "+strings.TrimPrefix(err.Error(), "x509: "), "")
		}
		c.IsTrusted = c.IsTrusted || block.Type == "TRUSTED CERTIFICATE"
		c.Certificates = append(c.Certificates, certificate)
	case "X509 CRL":
		crl, err := revocation.Parse(block.Bytes)
		if err != nil {
			return c.because(err, "has a CRL that cannot be read: "+strings.TrimPrefix(err.Error(), "x509: "), "")
		}
		c.CRLs = append(c.CRLs, crl)
	case "EC PARAMETERS": // beside a key, of openssl ecparam
	default:
		if isKeyType(block.Type) {
			c.Keys = append(c.Keys, readKey(block, password))
		} else {
			c.Others = append(c.Others, block.Type)
			if request, err := x509.ParseCertificateRequest(block.Bytes); err == nil {
				c.Requests = append(c.Requests, request)
			}
		}
	}
	return nil
}

// parseCertificate reads a block. OpenSSL's TRUSTED CERTIFICATE has its own
// data behind the certificate.
func parseCertificate(block *pem.Block) (*x509.Certificate, error) {
	der := block.Bytes
	if block.Type == "TRUSTED CERTIFICATE" {
		if n := elementLength(der); n > 0 {
			der = der[:n]
		}
	}
	return x509.ParseCertificate(der)
}

// readDER reads certificates one after the other, or one of anything else.
func (c *Contents) readDER(data []byte, password string) error {
	c.Form = DER
	certificates, err := x509.ParseCertificates(data)
	if err == nil && len(certificates) > 0 {
		c.Certificates = certificates
		return nil
	}
	if key, err := certgen.ParseKey(data); err == nil {
		c.Keys = []Key{{Signer: key}}
		return nil
	}
	if isEncryptedKey(data) {
		c.Keys = []Key{readEncrypted(data, password)}
		return nil
	}
	if crl, err := revocation.Parse(data); err == nil {
		c.CRLs = []*x509.RevocationList{crl}
		return nil
	}
	if request, err := x509.ParseCertificateRequest(data); err == nil {
		c.Others, c.Requests = []string{"CERTIFICATE REQUEST"}, []*x509.CertificateRequest{request}
		return nil
	}
	if _, err := x509.ParsePKIXPublicKey(data); err == nil {
		c.Others = []string{"PUBLIC KEY"}
		return nil
	}
	return c.unknown(data)
}

// unknown is the error of what is in none of the forms, with what it may be.
func (c *Contents) unknown(data []byte) error {
	problem, next := "is no certificate and no key in PEM, DER or PKCS#12", ""
	switch text := bytes.TrimSpace(data); {
	case bytes.HasPrefix(data, []byte(jceks)):
		problem, next = "is a key store of Java in the form JCEKS, which other programs do not read",
			"keytool -importkeystore -deststoretype PKCS12 -srckeystore $FILE -destkeystore store.p12"
	case bytes.Contains(firstBytes(data), oidSignedData):
		problem, next = "is PKCS#7, which servers and clients do not load",
			"openssl pkcs7 -print_certs -out chain.pem -inform DER -in $FILE turns it into PEM"
	case bytes.HasPrefix(text, []byte("LS0tLS1CRUdJTi")):
		problem, next = "is PEM in base64, as it stands in a Kubernetes Secret", "base64 -d $FILE >decoded.pem"
		if c.Entry != "" {
			problem, next = "is PEM in base64 once more: it is encoded twice", "encode it once (base64 -w0 FILE.pem), or write the PEM itself in stringData, or: kubectl create secret tls NAME --cert=FILE --key=FILE"
		}
	case bytes.HasPrefix(text, []byte("MI")) && utf8.Valid(firstBytes(text)):
		problem, next = "is base64 without the lines -----BEGIN and -----END of PEM", "base64 -d $FILE >decoded.der"
	}
	return c.because(ErrFormat, problem, next)
}

// oidSignedData is that of PKCS#7 (RFC 2315 section 14), in DER.
var oidSignedData = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")

func firstBytes(data []byte) []byte { return data[:min(32, len(data))] }

// what names what a file holds, for messages: "only a certificate signing
// request".
func (c *Contents) what() string {
	if holds := c.Holds(); holds != nothing {
		return "only " + holds
	}
	return nothing
}

const nothing = "nothing"

// Holds names what there is, the certificates first: "a certificate and a
// private key".
func (c *Contents) Holds() string {
	var things []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			things = append(things, one)
		case n > 1:
			things = append(things, number(n)+" "+many)
		}
	}
	add(len(c.Certificates), "a certificate", "certificates")
	add(len(c.Keys), "a private key", "private keys")
	add(len(c.CRLs), "a CRL", "CRLs")
	for _, other := range slices.Compact(slices.Clone(c.Others)) {
		things = append(things, otherThing(other))
	}
	switch last := len(things) - 1; {
	case last < 0:
		return nothing
	case last == 0:
		return things[0]
	default:
		return strings.Join(things[:last], ", ") + " and " + things[last]
	}
}

// otherThing names a PEM block by its type.
func otherThing(kind string) string {
	switch kind {
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		return "a certificate signing request, which a CA has yet to turn into a certificate"
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return "a public key"
	case "PKCS7":
		return "PKCS#7, which servers and clients do not load (openssl pkcs7 -print_certs turns it into PEM)"
	case "DH PARAMETERS":
		return "Diffie-Hellman parameters"
	}
	return "a PEM block of type " + kind
}
