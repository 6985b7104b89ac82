package certfile

import (
	"crypto"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"math/big"
	"path/filepath"
	"strings"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/tlswire"
)

// Key is a private key of a file, or why it cannot be used.
type Key struct {
	Signer  crypto.Signer // nil when there is a problem
	Problem string        // what follows the file's name
	Next    string        // what to do; $FILE stands for the file
	Err     error         // the cause; may be nil

	IsEncrypted bool // and a password is missing or wrong, if there is a problem
}

// isKeyType reports whether a PEM block is a private key.
func isKeyType(t string) bool { return strings.HasSuffix(t, "PRIVATE KEY") }

// readKey reads a private key in PKCS#8, SEC 1 or PKCS#1.
func readKey(block *pem.Block, password string) Key {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return readEncrypted(block.Bytes, password)
	case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return readOldEncrypted(block, password)
	case block.Type == "OPENSSH PRIVATE KEY":
		return Key{Problem: "has a private key in the form of OpenSSH, which TLS programs do not read",
			Next: "ssh-keygen -p -m PEM -f $FILE rewrites a key in PEM"}
	case block.Type == "DSA PRIVATE KEY":
		return dsaKey
	}
	return parseKey(block.Bytes)
}

// dsaKey: RFC 9846 section 4.3.3 has no signatures with DSA.
var dsaKey = Key{Problem: "has a DSA key, which TLS 1.3 has no signatures for (RFC 9846 section 4.3.3) and current programs do not take",
	Next: "make a new key, with EC or RSA, and have a certificate issued for it"}

const seedSize = 32 // of ML-DSA (FIPS 204)

// parseKey reads a key that is not encrypted.
func parseKey(der []byte) Key {
	key, err := certgen.ParseKey(der)
	if err == nil {
		return Key{Signer: key}
	}
	var info struct { // PrivateKeyInfo (RFC 5208 section 5)
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	if _, e := asn1.Unmarshal(der, &info); e != nil {
		return Key{Problem: "has a private key that cannot be read: " + err.Error(), Err: err}
	}
	var both struct{ Seed, Expanded []byte } // ML-DSA as OpenSSL writes it (RFC 9881 section 6)
	if _, e := asn1.Unmarshal(info.Key, &both); e == nil && len(both.Seed) == seedSize {
		info.Key = append([]byte{0x80, seedSize}, both.Seed...)
		if der, e := asn1.Marshal(info); e == nil {
			if key, e := certgen.ParseKey(der); e == nil {
				return Key{Signer: key}
			}
		}
	}
	algorithm := tlswire.AlgorithmName(info.Algorithm.Algorithm)
	missing := tlswire.Missing(algorithm)
	switch {
	case info.Algorithm.Algorithm.Equal(oidDSA):
		return dsaKey
	case missing != "":
		return Key{Problem: "has a key of " + algorithm + ", which this lab cannot use" + missing, Next: "take a lab that was built with Go 1.27 or newer", Err: ErrAlgorithm}
	case strings.HasPrefix(algorithm, "ML-DSA") && len(info.Key) > 0 && info.Key[0] == asn1.TagOctetString:
		return Key{Problem: "has a key of " + algorithm + " in its expanded form alone, without the seed (RFC 9881 section 6), which this lab cannot use",
			Next: "take the key from where it was made, with its seed, which OpenSSL writes unless it is told not to; or make a new one", Err: ErrAlgorithm}
	}
	return Key{Problem: "has a private key that cannot be read: " + err.Error(), Err: err}
}

// oidDSA is id-dsa (RFC 3279 section 2.3.2).
var oidDSA = asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}

// asKey takes what PKCS#12 had.
func asKey(key any) Key {
	if signer, ok := key.(crypto.Signer); ok {
		return Key{Signer: signer}
	}
	return Key{Problem: fmt.Sprintf("has a key of type %T, which cannot sign", key)}
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

// maxIterations is how often a password may be hashed: OpenSSL does it 2,048
// times, and others up to some 600,000.
const maxIterations = 10_000_000

// iterations returns the highest iteration count in a PFX: an INTEGER behind
// the OCTET STRING of a salt, as in MacData (RFC 7292 section 4),
// pkcs-12PbeParams (appendix C) and PBKDF2-params (RFC 8018 appendix A.2). It
// is 0 for what is not DER.
func iterations(der []byte) (most int64) {
	afterOctets := false
	for len(der) > 0 {
		var element asn1.RawValue
		rest, err := asn1.Unmarshal(der, &element)
		if err != nil {
			return most
		}
		isOctets := element.Class == asn1.ClassUniversal && element.Tag == asn1.TagOctetString
		var n *big.Int
		switch {
		case element.IsCompound, isOctets: // an OCTET STRING may hold more DER
			most = max(most, iterations(element.Bytes))
		case afterOctets && element.Class == asn1.ClassUniversal && element.Tag == asn1.TagInteger:
			if _, err := asn1.Unmarshal(element.FullBytes, &n); err != nil || !n.IsInt64() {
				return math.MaxInt64
			}
			most = max(most, n.Int64())
		}
		afterOctets, der = isOctets, rest
	}
	return most
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

// ErrAlgorithm is the cause where a key is of an algorithm that this program
// does not have, although others may.
var ErrAlgorithm = errors.New("an algorithm that this lab does not have")
