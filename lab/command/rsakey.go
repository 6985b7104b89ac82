package command

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// maxKeyFile is the most that is read of a file of keys, in bytes.
const maxKeyFile = 1 << 20

// loadRSAKeys reads the RSA private keys of a PEM file, which may have
// certificates and other blocks besides, in any order, or those of a file in
// DER or PKCS#12, which password opens.
func loadRSAKeys(file, password string) ([]*rsa.PrivateKey, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, err
	}
	keys, err := rsaKeys(text)
	if err == errNoPEM {
		keys, err = rsaKeysOf(file, password)
	}
	if wrong := (*certfile.FileError)(nil); err != nil && !errors.As(err, &wrong) {
		return nil, &rsaKeyError{file, err}
	}
	return keys, err
}

// rsaKeysOf are the RSA private keys of a file that is not PEM.
func rsaKeysOf(file, password string) (keys []*rsa.PrivateKey, err error) {
	all, err := certfile.LoadKeys(file, password)
	if errors.Is(err, certfile.ErrFormat) {
		return nil, errNoPEM
	}
	if err != nil {
		return nil, err
	}
	for _, key := range all {
		if own, ok := key.(*rsa.PrivateKey); ok {
			keys = append(keys, own)
		}
	}
	if len(keys) == 0 {
		return nil, otherKeyError{keyKind(all[0])}
	}
	return keys, nil
}

// Why a file has no RSA private key that can be read.
var (
	errNoPEM        = errors.New("it is not PEM, DER or PKCS#12")
	errEncryptedKey = errors.New("the key is encrypted")
	errNoKey        = errors.New("it has other things alone, such as certificates")
)

// otherKeyError is a file whose private keys are of other kinds.
type otherKeyError struct{ kind string }

func (e otherKeyError) Error() string { return "the key is " + e.kind }

// rsaKeys are the RSA private keys in PEM text: PKCS #1 or PKCS #8.
func rsaKeys(text []byte) (keys []*rsa.PrivateKey, err error) {
	err = errNoPEM
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, fault := rsaKey(block)
		switch {
		case key != nil:
			keys = append(keys, key)
		case fault != nil: // of a private key: it says more than that others are none
			err = fault
		case err == errNoPEM:
			err = errNoKey
		}
	}
	if len(keys) > 0 {
		return keys, nil
	}
	return nil, err
}

// rsaKey reads a block. It returns neither a key nor an error if that is no
// private key.
func rsaKey(block *pem.Block) (*rsa.PrivateKey, error) {
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"): // RFC 7468 section 11, RFC 1421 section 4.6.1.1
		return nil, errEncryptedKey
	case block.Type == "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		return key, damaged(err)
	case block.Type == "PRIVATE KEY":
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if key, ok := key.(*rsa.PrivateKey); ok || err != nil {
			return key, damaged(err)
		}
		return nil, otherKeyError{keyKind(key)}
	case strings.HasSuffix(block.Type, " PRIVATE KEY"):
		return nil, otherKeyError{strings.TrimSuffix(block.Type, " PRIVATE KEY")}
	}
	return nil, nil
}

// keyKind names the kind of a private key.
func keyKind(key any) string {
	switch name := fmt.Sprintf("%T", key); {
	case strings.Contains(name, "ecdsa"), strings.Contains(name, "ecdh"):
		return "ECDSA"
	case strings.Contains(name, "ed25519"):
		return "Ed25519"
	}
	return "of another kind"
}

// damaged is the error of a private key that does not parse. crypto/x509's has
// nothing for users.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return errors.New("the key does not parse")
}

// rsaKeyError is a file that has no RSA private key.
type rsaKeyError struct {
	file string
	err  error
}

func (e *rsaKeyError) Error() string {
	return fmt.Sprintf("%s has no RSA private key: %v", e.file, e.err)
}
func (e *rsaKeyError) Unwrap() error { return e.err }

// hint returns what to do about it.
func (e *rsaKeyError) hint() string {
	var other otherKeyError
	switch {
	case errors.Is(e.err, errEncryptedKey):
		return "openssl pkey -in " + commandWord(e.file) + " -out decrypted-key.pem asks for its password"
	case errors.As(e.err, &other):
		return "only RSA keys open anything: connections to a server with another key have forward secrecy, and want a key log (--keylog)"
	}
	return "it takes the private key of the server's RSA certificate, such as certs/server-key.pem"
}

// rsaKeyUses counts the connections of a capture by whether the RSA key
// decrypted them.
type rsaKeyUses map[tlsdecrypt.RSAKeyUse]int

// String is the summary: how many connections the key opened, and why not the
// others.
func (u rsaKeyUses) String() string {
	var why []string
	for _, use := range []tlsdecrypt.RSAKeyUse{tlsdecrypt.RSAKeyOpened, tlsdecrypt.RSAForward, tlsdecrypt.RSAOtherKey,
		tlsdecrypt.RSAResumed, tlsdecrypt.RSANotSeen, tlsdecrypt.RSAUnsupported} {
		if u[use] > 0 && use != tlsdecrypt.RSAKeyOpened {
			why = append(why, fmt.Sprintf("%d with %s", u[use], use))
		}
	}
	said := "the RSA key opened " + text.Counted(u[tlsdecrypt.RSAKeyOpened], "connection")
	if len(why) > 0 {
		said += "; it cannot open " + strings.Join(why, ", ")
	}
	return said
}
