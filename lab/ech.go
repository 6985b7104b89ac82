package lab

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/crypto/cryptobyte"

	"mtlslab.example/lab/certgen/atomicfile"
)

// echPEM is the type of the PEM block that holds an ECHConfigList.
const echPEM = "ECHCONFIG"

// LoadECH reads the keys of a server that speaks Encrypted ClientHello (RFC
// 9849), and the ECHConfigList for its clients, from a file: a private key and
// the list, in PEM. A file that is not there is made, with publicName as the
// name that onlookers see.
func LoadECH(file, publicName string) ([]tls.EncryptedClientHelloKey, []byte, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = newECH(publicName); err != nil {
			return nil, nil, err
		}
		if err := atomicfile.WriteNew(file, text, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, nil, err
		}
		text, err = os.ReadFile(file) // perhaps another process's
	}
	if err != nil {
		return nil, nil, err
	}
	private, rest := pem.Decode(text)
	list, _ := pem.Decode(rest)
	if private == nil || list == nil || list.Type != echPEM || len(list.Bytes) < 2 {
		return nil, nil, fmt.Errorf("%s is not a key and an ECHConfigList in PEM: remove it", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(private.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := parsed.(*ecdh.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("%s: the key is not of X25519", file)
	}
	return []tls.EncryptedClientHelloKey{{Config: list.Bytes[2:], PrivateKey: key.Bytes(), SendAsRetry: true}}, list.Bytes, nil
}

// newECH makes a key and an ECHConfigList of one ECHConfig (RFC 9849 section 4).
func newECH(publicName string) ([]byte, error) {
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	const (
		version    = 0xfe0d
		x25519     = 0x0020 // HPKE KEM, RFC 9180 section 7.1
		hkdfSHA256 = 0x0001
		aes128GCM  = 0x0001
	)
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(list *cryptobyte.Builder) {
		list.AddUint16(version)
		list.AddUint16LengthPrefixed(func(contents *cryptobyte.Builder) {
			contents.AddUint8(1) // config_id
			contents.AddUint16(x25519)
			contents.AddUint16LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes(key.PublicKey().Bytes()) })
			contents.AddUint16LengthPrefixed(func(suites *cryptobyte.Builder) {
				suites.AddUint16(hkdfSHA256)
				suites.AddUint16(aes128GCM)
			})
			contents.AddUint8(64) // maximum_name_length
			contents.AddUint8LengthPrefixed(func(c *cryptobyte.Builder) { c.AddBytes([]byte(publicName)) })
			contents.AddUint16(0) // no extensions
		})
	})
	list, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	err = errors.Join(pem.Encode(&text, &pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.Encode(&text, &pem.Block{Type: echPEM, Bytes: list}))
	return text.Bytes(), err
}
