package certfile

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"mtlslab.example/lab/certgen"
)

func number(n int) string { return strconv.Itoa(n) }

// nameItsPassword is what to do about a password that is missing or wrong.
const nameItsPassword = "write its password into a file, and name that with --password-file FILE"

// The causes where a password is missing or wrong.
var (
	ErrPassword   = errors.New("no password, or a wrong one")
	ErrNoPassword = fmt.Errorf("%w: none was given", ErrPassword)
)

// passwordError is the error of a password that is missing or wrong.
func (c *Contents) passwordError(password string) *FileError {
	if password == "" {
		return c.because(ErrNoPassword, "has a password", nameItsPassword)
	}
	return c.because(ErrPassword, "has another password", nameItsPassword)
}

// readPKCS12 reads a PFX (RFC 7292): a key with its chain, or else a trust
// store, or else whatever it has.
func (c *Contents) readPKCS12(data []byte, password string) error {
	c.Form = PKCS12
	if der, err := toDER(data); err == nil {
		data = der
	}
	c.OldCipher = oldCipher(data)
	if n := iterations(data); n > maxIterations {
		return c.wrong(fmt.Sprintf("is PKCS#12 that would take hours to open: it hashes the password %d times", n), "")
	}
	err := c.addChain(data, password)
	if errors.Is(err, pkcs12.ErrIncorrectPassword) && password != "" && c.addChain(data, "") == nil { // the password is that of another file, perhaps
		err = nil
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return c.passwordError(password)
	}
	if anchors, e := pkcs12.DecodeTrustStore(data, password); e == nil {
		c.Certificates = anchors
		return nil
	}
	if again, e := rewritten(data, password); e == nil {
		if c.addChain(again, password) == nil {
			return nil
		}
		if c.addBags(again, password) { // it does not take those that are marked
			c.IsUnmarked = len(c.Keys) == 0
			return nil
		}
	}
	return c.because(err, "is PKCS#12 that cannot be read: "+err.Error(), "openssl pkcs12 -nodes -out both.pem -in $FILE turns it into PEM")
}

// oldCipher names the cipher in PKCS#12 that OpenSSL 3 leaves to its legacy
// provider (RFC 7292 appendix C: pkcs-12PbeIds), "" if there is none.
func oldCipher(der []byte) string {
	for arc, name := range oldCiphers {
		if bytes.Contains(der, append([]byte("\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01"), arc)) {
			return name
		}
	}
	return ""
}

var oldCiphers = map[byte]string{1: "RC4-128", 2: "RC4-40", 5: "RC2-128", 6: "RC2-40"}

// addChain adds a key with its chain, if there is nothing else.
func (c *Contents) addChain(data []byte, password string) error {
	key, leaf, chain, err := pkcs12.DecodeChain(data, password)
	if err == nil {
		c.Certificates = append([]*x509.Certificate{leaf}, chain...)
		c.Keys = []Key{asKey(key)}
		c.ownFirst()
	}
	return err
}

// addBags adds what is neither one key with its chain nor a trust store of
// Java's: several keys, or certificates that are not marked as trusted, as
// openssl pkcs12 -nokeys writes them.
func (c *Contents) addBags(data []byte, password string) bool {
	//lint:ignore SA1019 nothing else reads such files, and they are read here to say what they are
	blocks, err := pkcs12.ToPEM(data, password)
	if err != nil {
		return false
	}
	for _, block := range blocks {
		if c.addBlock(&pem.Block{Type: block.Type, Bytes: block.Bytes}, "") != nil {
			return false
		}
	}
	c.ownFirst()
	return len(blocks) > 0
}

// ownFirst puts the certificate of the key first: in PKCS#12 their order means
// nothing.
func (c *Contents) ownFirst() {
	if len(c.Keys) == 0 || c.Keys[0].Signer == nil {
		return
	}
	for i, cert := range c.Certificates {
		if certgen.IsKeyOf(cert, c.Keys[0].Signer) {
			c.Certificates = slices.Insert(slices.Delete(c.Certificates, i, i+1), 0, cert)
			return
		}
	}
}

// What key stores in Java's own forms begin with.
const (
	jks   = "\xfe\xed\xfe\xed"
	jceks = "\xce\xce\xce\xce"
)

func isJKS(data []byte) bool { return bytes.HasPrefix(data, []byte(jks)) }

// readJKS reads a key store, an entry a part, in the order of the aliases.
func readJKS(file string, data []byte, password string) ([]*Contents, error) {
	whole := &Contents{File: file, Form: JKS}
	if !isWhole(data) {
		return nil, whole.wrong("is a key store of Java (JKS) that is cut short or damaged", "copy it again: keytool -list -keystore $FILE must be able to read it")
	}
	store := keystore.New(keystore.WithCaseExactAliases())
	if err := store.Load(bytes.NewReader(data), []byte(password)); err != nil {
		return nil, whole.passwordError(password) // its lengths are right, and its digest is not
	}
	var parts []*Contents
	aliases := store.Aliases()
	slices.Sort(aliases)
	for _, alias := range aliases {
		c := &Contents{File: file, Form: JKS, Entry: alias}
		if err := c.readEntry(store, alias, password); err != nil {
			return nil, err
		}
		parts = append(parts, c)
	}
	if len(parts) == 0 {
		return nil, whole.wrong("is a key store of Java without an entry", "")
	}
	return parts, nil
}

// readEntry reads an entry of a key store: a key with its chain, or a trusted
// certificate.
func (c *Contents) readEntry(store keystore.KeyStore, alias, password string) error {
	var chain []keystore.Certificate
	if trusted, err := store.GetTrustedCertificateEntry(alias); err == nil {
		chain = []keystore.Certificate{trusted.Certificate}
	} else if chain, err = store.GetPrivateKeyEntryCertificateChain(alias); err != nil {
		return nil // of a kind that has neither
	} else if entry, err := store.GetPrivateKeyEntry(alias, []byte(password)); err != nil {
		c.Keys = []Key{{Problem: "has a private key with another password than the store's", Next: "keytool -keypasswd sets the store's", IsEncrypted: true, Err: err}}
	} else {
		c.Keys = []Key{parseKey(entry.PrivateKey)}
	}
	for _, one := range chain {
		if err := c.addBlock(&pem.Block{Type: "CERTIFICATE", Bytes: one.Content}, ""); err != nil {
			return err
		}
	}
	return nil
}

// isWhole reports whether the lengths in a JKS file are those of the file, so
// that whoever believes them takes no more memory than it. The form is that of
// sun.security.provider.JavaKeyStore: a head of 12 bytes, the entries, and a
// SHA-1 digest.
func isWhole(data []byte) bool {
	const head, digest = 12, 20
	if len(data) < head+digest {
		return false
	}
	r := lengths{rest: data[head : len(data)-digest]}
	version, entries := binary.BigEndian.Uint32(data[4:]), binary.BigEndian.Uint32(data[8:])
	for ; entries > 0 && !r.bad; entries-- {
		kind := r.number(4)
		r.skip(r.number(2)) // the alias
		r.skip(8)           // the date
		certificates := uint32(1)
		if kind == 1 { // a private key
			r.skip(r.number(4))
			certificates = r.number(4)
			r.bad = r.bad || int64(certificates) > int64(len(r.rest))
		}
		for ; certificates > 0 && !r.bad; certificates-- {
			if version == 2 {
				r.skip(r.number(2)) // the type
			}
			r.skip(r.number(4))
		}
	}
	return !r.bad && len(r.rest) == 0
}

// lengths steps over fields of given lengths.
type lengths struct {
	rest []byte
	bad  bool // a field goes beyond the end
}

// number reads a length of n bytes.
func (r *lengths) number(n uint32) (value uint32) {
	if uint64(n) > uint64(len(r.rest)) {
		r.bad = true
		return 0
	}
	for _, b := range r.rest[:n] {
		value = value<<8 | uint32(b)
	}
	r.skip(n)
	return value
}

func (r *lengths) skip(n uint32) {
	if uint64(n) > uint64(len(r.rest)) {
		r.bad = true
		return
	}
	r.rest = r.rest[n:]
}
