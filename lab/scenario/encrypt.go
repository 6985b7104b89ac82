package scenario

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
)

// encryptedKey returns a private key as EncryptedPrivateKeyInfo (RFC 5958
// section 3) in PEM: by PBES2 with PBKDF2, SHA-256 and AES-256-CBC (RFC 8018
// section 6.2), as OpenSSL 3 writes it.
func encryptedKey(key any, password string) ([]byte, error) {
	const iterations = 2048 // OpenSSL's default
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	_, _ = rand.Read(salt) // never fails
	_, _ = rand.Read(iv)
	secret, err := pbkdf2.Key(sha256.New, password, salt, iterations, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	sealed := append(plain, bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)

	type pbkdf2Parameters struct {
		Salt       []byte
		Iterations int
		PRF        pkix.AlgorithmIdentifier
	}
	type algorithm struct {
		OID        asn1.ObjectIdentifier
		Parameters any
	}
	type pbes2Parameters struct{ Derivation, Encryption algorithm }
	der, err := asn1.Marshal(struct {
		Algorithm algorithm
		Data      []byte
	}{algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, pbes2Parameters{
		Derivation: algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}, pbkdf2Parameters{salt, iterations,
			pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, Parameters: asn1.NullRawValue}}},
		Encryption: algorithm{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, iv},
	}}, sealed})
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), err
}
