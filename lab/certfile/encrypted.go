package certfile

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"hash"
	"slices"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// encryptedKey is EncryptedPrivateKeyInfo (RFC 5958 section 3).
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// pbes2 are PBES2-params (RFC 8018 appendix A.4).
type pbes2 struct {
	Derivation pkix.AlgorithmIdentifier
	Cipher     pkix.AlgorithmIdentifier
}

// pbkdf2Parameters are PBKDF2-params (RFC 8018 appendix A.2).
type pbkdf2Parameters struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// scryptParameters are scrypt-params (RFC 7914 section 7.1).
type scryptParameters struct {
	Salt                  []byte
	Cost, Block, Parallel int
	KeyLength             int `asn1:"optional"`
}

// maxScrypt is the most memory that a key may take to be decrypted, in bytes.
const maxScrypt = 256 << 20

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
)

// digests are the hash functions of PBKDF2 (RFC 8018 appendix B.1), by OID.
var digests = map[string]func() hash.Hash{
	"":                    sha1.New, // the default
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

// ciphers are those of PBES2 (RFC 8018 appendix B.2), all with CBC, by OID.
var ciphers = map[string]struct {
	keySize int
	new     func([]byte) (cipher.Block, error)
}{
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
}

// isEncryptedKey reports whether DER is an encrypted key in PKCS#8.
func isEncryptedKey(der []byte) bool {
	var e encryptedKey
	rest, err := asn1.Unmarshal(der, &e)
	return err == nil && len(rest) == 0 && len(e.Algorithm.Algorithm) > 0
}

// decryptIt is what to do about a key that is encrypted.
const decryptIt = "write its password into a file, and name that with --password-file FILE; or openssl pkey -out plain.key -in $FILE decrypts it: keep that file to yourself"

// locked is the key of an encrypted file for which the password is missing or
// wrong.
func locked(password string) Key {
	if password == "" {
		return Key{Problem: "has a private key that is encrypted with a password", Next: decryptIt, IsEncrypted: true, Err: ErrNoPassword}
	}
	return Key{Problem: "has a private key that is encrypted with another password", Next: decryptIt, IsEncrypted: true, Err: ErrPassword}
}

// ErrEncryption is the cause where a key is encrypted in a way that is not read
// here, although OpenSSL may.
var ErrEncryption = errors.New("a kind of encryption that is not known here")

var errTooSlow = errors.New("encryption that would take hours to undo")

// otherEncryption is a key under ErrEncryption.
func otherEncryption(scheme string) Key {
	return Key{Problem: "has a private key that is encrypted with " + scheme + ", which is not read here",
		Next: "openssl pkey -out plain.key -in $FILE decrypts it: keep that file to yourself", IsEncrypted: true, Err: ErrEncryption}
}

// otherSchemes are those that OpenSSL reads and that are not PBES2 (RFC 8018
// appendix A.3, RFC 7292 appendix C).
var otherSchemes = map[string]string{
	"1.2.840.113549.1.5.1": "PBE-MD2-DES", "1.2.840.113549.1.5.3": "PBE-MD5-DES", "1.2.840.113549.1.5.4": "PBE-MD2-RC2-64",
	"1.2.840.113549.1.5.6": "PBE-MD5-RC2-64", "1.2.840.113549.1.5.10": "PBE-SHA1-DES", "1.2.840.113549.1.5.11": "PBE-SHA1-RC2-64",
	"1.2.840.113549.1.12.1.1": "PBE-SHA1-RC4-128", "1.2.840.113549.1.12.1.2": "PBE-SHA1-RC4-40", "1.2.840.113549.1.12.1.3": "PBE-SHA1-3DES",
	"1.2.840.113549.1.12.1.4": "PBE-SHA1-2DES", "1.2.840.113549.1.12.1.5": "PBE-SHA1-RC2-128", "1.2.840.113549.1.12.1.6": "PBE-SHA1-RC2-40",
}

// readEncrypted decrypts a key in PKCS#8.
func readEncrypted(der []byte, password string) Key {
	var e encryptedKey
	if _, err := asn1.Unmarshal(der, &e); err == nil && !e.Algorithm.Algorithm.Equal(oidPBES2) {
		return otherEncryption(cmp.Or(otherSchemes[e.Algorithm.Algorithm.String()], e.Algorithm.Algorithm.String()))
	}
	var scheme pbes2
	if _, err := asn1.Unmarshal(e.Algorithm.Parameters.FullBytes, &scheme); err == nil {
		if _, ok := ciphers[scheme.Cipher.Algorithm.String()]; !ok {
			return otherEncryption("PBES2 and the cipher " + scheme.Cipher.Algorithm.String())
		}
	}
	if password == "" {
		return locked(password)
	}
	plain, err := decrypt(der, password)
	if err != nil {
		if errors.Is(err, ErrPassword) {
			return locked(password)
		}
		return Key{Problem: "has a private key with " + err.Error(), Next: "openssl pkey -out plain.key -in $FILE decrypts it: keep that file to yourself", IsEncrypted: true, Err: err}
	}
	key := parseKey(plain)
	if key.Problem != "" && key.Problem != dsaKey.Problem { // it only looked as if it was decrypted
		return locked(password)
	}
	key.IsEncrypted = true
	return key
}

// SeemsRight reports whether a password may be that of a key in PEM (ENCRYPTED
// PRIVATE KEY): what it decrypts has the padding of RFC 8018 section 6.1.1, as
// it has for about one wrong password in 16.
func SeemsRight(text []byte, password string) bool {
	block, _ := pem.Decode(text)
	if block == nil {
		return false
	}
	_, err := decrypt(block.Bytes, password)
	return err == nil
}

// decrypt decrypts EncryptedPrivateKeyInfo under PBES2, which OpenSSL, Java and
// others write (RFC 8018 section 6.2.2). ErrPassword is the error of a wrong
// password.
func decrypt(der []byte, password string) ([]byte, error) {
	var key encryptedKey
	var scheme pbes2
	if _, err := asn1.Unmarshal(der, &key); err != nil || !key.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, ErrEncryption
	}
	if _, err := asn1.Unmarshal(key.Algorithm.Parameters.FullBytes, &scheme); err != nil {
		return nil, ErrEncryption
	}
	of, ok := ciphers[scheme.Cipher.Algorithm.String()]
	if !ok {
		return nil, ErrEncryption
	}
	derived, err := derive(scheme.Derivation, password, of.keySize)
	if err != nil {
		return nil, err
	}
	block, err := of.new(derived)
	if err != nil {
		return nil, ErrEncryption
	}
	iv := scheme.Cipher.Parameters.Bytes
	if len(iv) != block.BlockSize() || len(key.Data) == 0 || len(key.Data)%block.BlockSize() != 0 {
		return nil, ErrEncryption
	}
	plain := make([]byte, len(key.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, key.Data)
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > block.BlockSize() {
		return nil, ErrPassword
	}
	return plain[:len(plain)-padding], nil
}

// derive makes a key of size bytes of a password, with PBKDF2 or scrypt.
func derive(derivation pkix.AlgorithmIdentifier, password string, size int) (key []byte, err error) {
	switch parameters := derivation.Parameters.FullBytes; {
	case derivation.Algorithm.Equal(oidPBKDF2):
		var p pbkdf2Parameters
		if _, err := asn1.Unmarshal(parameters, &p); err != nil {
			return nil, ErrEncryption
		}
		digest, known := digests[p.PRF.Algorithm.String()]
		if !known || p.Iterations < 1 {
			return nil, ErrEncryption
		}
		if p.Iterations > maxIterations {
			return nil, errTooSlow
		}
		key, err = pbkdf2.Key(digest, password, p.Salt, p.Iterations, size)
	case derivation.Algorithm.Equal(oidScrypt):
		var p scryptParameters
		if _, err := asn1.Unmarshal(parameters, &p); err != nil || p.Cost < 2 || p.Block < 1 || p.Parallel < 1 {
			return nil, ErrEncryption
		}
		if p.Parallel > 16 || p.Block > maxScrypt/128/p.Cost {
			return nil, errTooSlow
		}
		key, err = scrypt.Key([]byte(password), p.Salt, p.Cost, p.Block, p.Parallel, size)
	default:
		return nil, ErrEncryption
	}
	if err != nil {
		return nil, ErrEncryption
	}
	return key, nil
}

// oldSchemes are those that crypto/x509 decrypts.
var oldSchemes = []string{"DES-CBC", "DES-EDE3-CBC", "AES-128-CBC", "AES-192-CBC", "AES-256-CBC"}

// readOldEncrypted decrypts a block as OpenSSL wrote it before PKCS#8 (RFC 1421
// section 4.6.1.1).
func readOldEncrypted(block *pem.Block, password string) Key {
	if scheme, _, _ := strings.Cut(block.Headers["DEK-Info"], ","); !slices.Contains(oldSchemes, scheme) {
		return otherEncryption(scheme)
	}
	if password == "" {
		return locked(password)
	}
	//lint:ignore SA1019 people have such keys, and the password is theirs
	plain, err := x509.DecryptPEMBlock(block, []byte(password))
	if err != nil {
		return locked(password)
	}
	if block.Type == "DSA PRIVATE KEY" {
		return dsaKey
	}
	key := parseKey(plain)
	if key.Problem != "" {
		return locked(password)
	}
	key.IsEncrypted = true
	return key
}
