package fault

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
	"net"
	"os"

	"golang.org/x/crypto/cryptobyte"

	"mtlslab.example/lab/certgen/atomicfile"
)

// echPEM is the type of the PEM block that holds an ECHConfigList.
const echPEM = "ECHCONFIG"

// ECH are the keys of Encrypted ClientHello (RFC 9849) of a server, and the
// ECHConfigList for its clients.
type ECH struct {
	keys []tls.EncryptedClientHelloKey
	list []byte
}

// Server has a server accept Encrypted ClientHello.
func (e *ECH) Server(conn net.Conn, config *tls.Config) net.Conn {
	config.EncryptedClientHelloKeys = e.keys
	return conn
}

// Client has a client send Encrypted ClientHello.
func (e *ECH) Client(conn net.Conn, config *tls.Config) net.Conn {
	config.EncryptedClientHelloConfigList = e.list
	return conn
}

// LoadECH reads a private key and its ECHConfigList, both in PEM, from a file.
// A file that is not there is made, with publicName as the name that onlookers
// see.
func LoadECH(file, publicName string) (*ECH, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = newECH(publicName); err != nil {
			return nil, err
		}
		if err := atomicfile.WriteNew(file, text, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		text, err = os.ReadFile(file) // perhaps another process's
	}
	if err != nil {
		return nil, err
	}
	private, rest := pem.Decode(text)
	list, _ := pem.Decode(rest)
	if private == nil || list == nil || list.Type != echPEM || len(list.Bytes) < 2 {
		return nil, fmt.Errorf("%s is not a key and an ECHConfigList in PEM: remove it", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(private.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := parsed.(*ecdh.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: the key is not of X25519", file)
	}
	return &ECH{[]tls.EncryptedClientHelloKey{{Config: list.Bytes[2:], PrivateKey: key.Bytes(), SendAsRetry: true}}, list.Bytes}, nil
}

// newECH makes a key and an ECHConfigList of one ECHConfig
// (RFC 9849 section 4).
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
