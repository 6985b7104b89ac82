package certfile

import (
	"crypto"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/certgen"
)

// privateKey is a key of a file, or why it cannot be used.
type privateKey struct {
	signer  crypto.Signer // nil when there is a problem
	problem string
	next    string // what to do
	err     error
}

// isKeyType reports whether a PEM block is a private key.
func isKeyType(t string) bool { return strings.HasSuffix(t, "PRIVATE KEY") }

// readKey reads a private key in PKCS#8, SEC 1 or PKCS#1.
func readKey(file string, block *pem.Block) privateKey {
	if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return privateKey{problem: "has a private key that is encrypted with a password",
			next: "openssl pkey -out plain.key -in " + file + " decrypts it: keep that file to yourself"}
	}
	key, err := certgen.ParseKey(block.Bytes)
	if err != nil {
		return privateKey{problem: "has a private key that cannot be read: " + err.Error(), err: err}
	}
	return privateKey{signer: key}
}

// asPrivateKey takes what PKCS#12 had.
func asPrivateKey(key any) privateKey {
	if signer, ok := key.(crypto.Signer); ok {
		return privateKey{signer: signer}
	}
	return privateKey{problem: fmt.Sprintf("has a key of type %T, which cannot sign", key)}
}

// isPKCS12 reports whether DER is a PFX, a SEQUENCE that begins with its
// version 3 (RFC 7292 section 4).
func isPKCS12(data []byte) bool {
	var pfx struct {
		Version int
		Content asn1.RawValue
		MAC     asn1.RawValue `asn1:"optional"`
	}
	_, err := asn1.Unmarshal(data, &pfx)
	return err == nil && pfx.Version == 3 && pfx.Content.Tag == asn1.TagSequence
}

// hasPKCS12Name reports whether a file is called as PKCS#12 is. Some of those
// are BER, which encoding/asn1 does not read.
func hasPKCS12Name(file string) bool {
	ext := strings.ToLower(filepath.Ext(file))
	return ext == ".p12" || ext == ".pfx"
}

// elementLength returns the length in bytes of the first element of DER, 0 if
// it cannot be read.
func elementLength(der []byte) int {
	var element asn1.RawValue
	if _, err := asn1.Unmarshal(der, &element); err != nil {
		return 0
	}
	return len(element.FullBytes)
}
