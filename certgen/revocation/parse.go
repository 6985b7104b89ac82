package revocation

import (
	"crypto/x509"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Parse reads a CRL in DER, of version 2 or 1. crypto/x509 reads version 2
// only; `openssl ca -gencrl` writes version 1 where its configuration does not
// name crl_extensions.
func Parse(der []byte) (*x509.RevocationList, error) {
	var whole, outer, tbs, fields cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1Element(&whole, cryptobyte_asn1.SEQUENCE) {
		return nil, errors.New("it is not a CRL")
	}
	in = whole
	if !in.ReadASN1(&outer, cryptobyte_asn1.SEQUENCE) || !outer.ReadASN1Element(&tbs, cryptobyte_asn1.SEQUENCE) {
		return nil, errors.New("it is not a CRL")
	}
	content := tbs
	if !content.ReadASN1(&fields, cryptobyte_asn1.SEQUENCE) || !fields.PeekASN1Tag(cryptobyte_asn1.SEQUENCE) {
		return x509.ParseRevocationList(der)
	}
	second, err := asVersion2(fields, outer)
	if err != nil {
		return nil, err
	}
	crl, err := x509.ParseRevocationList(second)
	if err == nil {
		crl.Raw, crl.RawTBSRevocationList = whole, tbs // which is what was signed
	}
	return crl, err
}

// asVersion2 returns the CRL with these fields in its TBSCertList, which is the
// same but for the version (RFC 5280 section 5.1), and what follows that.
func asVersion2(fields, signature []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1) // v2
			b.AddBytes(fields)
		})
		b.AddBytes(signature)
	})
	return b.Bytes()
}

// IsVerifiable reports whether crypto/x509 checks signatures of the algorithm
// of a CRL. It takes none with MD5, and only the usual parameters of RSA-PSS.
func IsVerifiable(crl *x509.RevocationList) bool {
	switch crl.SignatureAlgorithm {
	case x509.UnknownSignatureAlgorithm, x509.MD2WithRSA, x509.MD5WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return false
	}
	return true
}
