package certgen

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"mtlslab.example/lab/certgen/atomicfile"
)

// maxPEM is the size in bytes beyond which a file is not one of the PKI's.
const maxPEM = 16 << 20

// The PEM types (RFC 7468) in the three kinds of files. Keys are written as the
// first and read as any.
var (
	certificateTypes = []string{"CERTIFICATE"}
	keyTypes         = []string{"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"}
	crlTypes         = []string{"X509 CRL"}
)

const encryptedKey = "a private key that is encrypted with a password"

var (
	errEmpty     = errors.New("it is empty")
	errTruncated = errors.New("it is truncated")

	// ErrEncrypted is the cause where a key is encrypted with a password.
	ErrEncrypted = errors.New("it is " + encryptedKey)
)

// Load returns the certificate called name with its intermediates, key and
// Leaf, from the folder dir. The key is NAME-key.pem or, if there is no such
// file, NAME.key. Errors are *MissingError, *DamagedError, *KeyMismatchError,
// or *fs.PathError. While another process is between writing the key and the
// certificate, the two do not match.
func Load(dir, name string) (tls.Certificate, error) {
	h := readOwnHolding(dir, name)
	if err := h.err(); err != nil {
		return tls.Certificate{}, unusable(name, err)
	}
	return tls.Certificate{Certificate: h.chain, PrivateKey: h.key, Leaf: h.leaf}, nil
}

// LoadCertificates returns the certificate called name and its intermediates
// from the folder dir, without the key: what a trust pool needs. Errors are
// those of Load.
func LoadCertificates(dir, name string) ([]*x509.Certificate, error) {
	file := filepath.Join(dir, certificateFile(name))
	blocks, _, err := readBlocks(name, file, certificateTypes)
	if err != nil {
		return nil, unusable(name, err)
	}
	certificates := make([]*x509.Certificate, len(blocks))
	for i, der := range blocks {
		if certificates[i], err = x509.ParseCertificate(der); err != nil {
			return nil, &DamagedError{Name: name, File: file, Err: err}
		}
	}
	return certificates, nil
}

// holding is what a folder holds of one certificate.
type holding struct {
	chain          [][]byte // DER: the certificate, then its intermediates
	leaf           *x509.Certificate
	key            crypto.Signer
	keyFileMode    fs.FileMode
	certificateErr error // why chain and leaf are nil
	keyErr         error // why key is nil
	matchErr       error // *KeyMismatchError
}

// unusable turns an *InTheWayError, which is about writing a file, into a
// *DamagedError for callers that only read it.
func unusable(name string, err error) error {
	var way *InTheWayError
	if errors.As(err, &way) && way.Is == encryptedKey {
		return &DamagedError{Name: name, File: way.File, Err: ErrEncrypted}
	}
	if errors.As(err, &way) {
		return &DamagedError{Name: name, File: way.File, Err: errors.New("it is " + way.Is)}
	}
	return err
}

// readOwnHolding is readHolding for callers that only read: the key may also be
// called NAME.key, as other programs name it.
func readOwnHolding(dir, name string) *holding {
	h := readHolding(dir, name)
	var missing *MissingError
	if !errors.As(h.keyErr, &missing) {
		return h
	}
	path := filepath.Join(dir, name+".key")
	key, mode, err := readKey(name, path)
	if errors.As(err, &missing) {
		return h // by its first name
	}
	h.key, h.keyFileMode, h.keyErr = key, mode, err
	h.match(dir, name, path)
	return h
}

// readHolding reads the certificate and key called name. What is wrong with
// them is in the result.
func readHolding(dir, name string) *holding {
	h := &holding{}
	certificatePath := filepath.Join(dir, certificateFile(name))
	keyPath := filepath.Join(dir, keyFile(name))
	h.chain, _, h.certificateErr = readBlocks(name, certificatePath, certificateTypes)
	if h.certificateErr == nil {
		var err error
		if h.leaf, err = x509.ParseCertificate(h.chain[0]); err != nil {
			h.certificateErr = &DamagedError{Name: name, File: certificatePath, Err: err}
		}
	}
	h.key, h.keyFileMode, h.keyErr = readKey(name, keyPath)
	h.match(dir, name, keyPath)
	return h
}

// match sets matchErr if the key is not that of the certificate.
func (h *holding) match(dir, name, keyPath string) {
	if h.leaf == nil || h.key == nil || IsKeyOf(h.leaf, h.key) {
		return
	}
	unfinished, _ := isFolder(filepath.Join(dir, readyFolder)) // an error is not about this
	h.matchErr = &KeyMismatchError{name, filepath.Join(dir, certificateFile(name)), keyPath, unfinished}
}

// err returns the first thing wrong with the holding. A missing file's error
// names its counterpart if that is there.
func (h *holding) err() error {
	var certificateMissing, keyMissing *MissingError
	errors.As(h.certificateErr, &certificateMissing)
	errors.As(h.keyErr, &keyMissing)
	switch {
	case certificateMissing != nil && keyMissing == nil:
		certificateMissing.Other = strings.TrimSuffix(certificateMissing.File, ".pem") + "-key.pem"
	case keyMissing != nil && certificateMissing == nil:
		keyMissing.Other = strings.TrimSuffix(keyMissing.File, "-key.pem") + ".pem"
	}
	for _, err := range []error{h.certificateErr, h.keyErr, h.matchErr} {
		if err != nil {
			return err
		}
	}
	return nil
}

// IsKeyOf reports whether key is the private key of certificate.
func IsKeyOf(certificate *x509.Certificate, key crypto.Signer) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(certificate.PublicKey)
}

// readKey reads a private key in PKCS#8, SEC 1 or PKCS#1.
func readKey(name, file string) (crypto.Signer, fs.FileMode, error) {
	blocks, mode, err := readBlocks(name, file, keyTypes)
	if err != nil {
		return nil, mode, err
	}
	key, err := ParseKey(blocks[0])
	if err != nil {
		return nil, mode, &DamagedError{Name: name, File: file, Err: err}
	}
	return key, mode, nil
}

// ParseKey parses the DER of a private key: PKCS#8 (RFC 5208), SEC 1 (RFC 5915)
// or PKCS#1 (RFC 8017 appendix A.1.2). One that cannot sign is an error.
func ParseKey(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		if ec, e := x509.ParseECPrivateKey(der); e == nil {
			return ec, nil
		}
		if rsa, e := x509.ParsePKCS1PrivateKey(der); e == nil {
			return rsa, nil
		}
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign", key)
	}
	return signer, nil
}

// readBlocks returns the contents of the PEM blocks of the given types, at
// least one, and the mode of the file. Errors are *MissingError, *DamagedError
// for what may be left of the lab's own file, *InTheWayError for anything else,
// or *fs.PathError.
func readBlocks(name, file string, types []string) ([][]byte, fs.FileMode, error) {
	data, mode, err := readFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, mode, &MissingError{Name: name, File: file}
	case err != nil:
		return nil, mode, err
	case !mode.IsRegular():
		return nil, mode, &InTheWayError{File: file, Is: atomicfile.Kind(mode)}
	case len(data) > maxPEM:
		return nil, mode, &InTheWayError{File: file, Is: "larger than any file of a PKI"}
	}
	blocks := decodeBlocks(data, types)
	switch {
	case len(blocks) > 0:
		return blocks, mode, nil
	case isBlank(data):
		return nil, mode, &DamagedError{Name: name, File: file, Err: errEmpty}
	case len(decodeBlocks(data, []string{"ENCRYPTED PRIVATE KEY"})) > 0:
		return nil, mode, &InTheWayError{File: file, Is: encryptedKey}
	case beginsAsPEM(data, types):
		return nil, mode, &DamagedError{Name: name, File: file, Err: errTruncated}
	}
	return nil, mode, &InTheWayError{File: file, Is: "not PEM of type " + types[0]}
}

// decodeBlocks returns the contents of the PEM blocks that have one of types.
func decodeBlocks(data []byte, types []string) (blocks [][]byte) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return blocks
		}
		if slices.Contains(types, block.Type) {
			blocks = append(blocks, block.Bytes)
		}
	}
}

// beginsAsPEM reports whether data may be the beginning of a block of one of
// types.
func beginsAsPEM(data []byte, types []string) bool {
	for _, t := range types {
		marker := "-----BEGIN " + t + "-----"
		if n := min(len(data), len(marker)); string(data[:n]) == marker[:n] {
			return true
		}
	}
	return false
}
