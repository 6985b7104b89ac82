package tlsdecrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"mtlslab.example/lab/lab/tlswire"
)

// protection opens the records of one side while it uses one key.
type protection struct {
	key    Key
	secret []byte // of TLS 1.3: what the key was derived from
	seq    uint64 // of the next record (RFC 9846 section 5.3, RFC 5246 section 6.1)
	cipher recordCipher
}

// recordCipher opens a record. The plaintext is appended to dst; in TLS 1.3 it
// is a TLSInnerPlaintext.
type recordCipher interface {
	open(dst []byte, seq uint64, rec tlswire.Record) ([]byte, error)
}

// open opens the next record. Whether it does or not, the record is counted.
func (p *protection) open(dst []byte, rec tlswire.Record) ([]byte, error) {
	plain, err := p.cipher.open(dst, p.seq, rec)
	p.seq++
	return plain, err
}

// tries opens rec if it is the next record under this key, and counts it only
// then.
func (p *protection) tries(dst []byte, rec tlswire.Record) ([]byte, bool) {
	plain, err := p.cipher.open(dst, p.seq, rec)
	if err != nil {
		return nil, false
	}
	p.seq++
	return plain, true
}

// unsupportedError is a cipher that this package does not implement.
type unsupportedError struct{ suite tlswire.CipherSuite }

func (e unsupportedError) Error() string {
	return fmt.Sprintf("the cipher of %v cannot be decrypted here; Wireshark may be able to", e.suite)
}

// opener is the part of cipher.AEAD that decrypts.
type opener interface {
	Open(dst, nonce, sealed, additional []byte) ([]byte, error)
}

// newAEAD makes the AEAD of a suite.
func newAEAD(suite tlswire.CipherSuite, key []byte) (opener, error) {
	info := suite.Info()
	switch info.Cipher {
	case "CHACHA20_POLY1305":
		return chacha20poly1305.New(key)
	case "AES_128_GCM", "AES_256_GCM":
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(block)
	case "AES_128_CCM", "AES_256_CCM", "AES_128_CCM_8", "AES_256_CCM_8":
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return ccm{block, info.TagLen}, nil
	}
	return nil, unsupportedError{suite}
}

// errSSL30 is returned for SSL 3.0, whose keys and MACs are made differently
// (RFC 6101 sections 6.2.2 and 5.2.3.1).
var errSSL30 = errors.New("SSL 3.0 cannot be decrypted here; Wireshark may be able to")

// aeadTLS13 is the record protection of TLS 1.3 (RFC 9846 sections 5.2 and
// 5.3).
type aeadTLS13 struct {
	aead       opener
	bare       bool // the header is not covered
	iv         [12]byte
	nonce      [12]byte // of the record that is opened, as is additional
	additional [tlswire.RecordHeaderLen]byte
}

// protectionTLS13 is a protection together with its cipher, and with the memory
// that iv and key were derived in.
type protectionTLS13 struct {
	protection
	aead    aeadTLS13
	derived [12 + sha512.Size384]byte
}

// newTLS13 derives in p the key of a traffic secret (RFC 9846 section 7.3).
func newTLS13(p *protectionTLS13, v tlswire.Version, suite tlswire.CipherSuite, secret []byte, key Key) (*protection, error) {
	info := suite.Info()
	if hashLen(info) == 0 || !info.TLS13 {
		return nil, unsupportedError{suite}
	}
	if len(secret) != hashLen(info) {
		return nil, fmt.Errorf("%s in the key log has %d bytes, which is not the length for %v: it is of another connection",
			key.Secret, len(secret), suite)
	}
	p.protection = protection{key: key, secret: secret}
	iv := appendLabel(p.derived[:0], v, secret, "iv", nil, info.FixedIVLen)
	k := appendLabel(iv, v, secret, "key", nil, info.KeyLen)[len(iv):]
	if info.Cipher == "NULL" {
		return &protection{key: key, secret: secret, cipher: &integrityTLS13{mac: hmac.New(hashOf(info), k), iv: iv}}, nil
	}
	aead, err := newAEAD(suite, k)
	if err != nil {
		return nil, err
	}
	p.aead = aeadTLS13{aead: aead, iv: [12]byte(iv), bare: !coversHeader(v)}
	p.cipher = &p.aead
	return &p.protection, nil
}

func (a *aeadTLS13) open(dst []byte, seq uint64, rec tlswire.Record) ([]byte, error) {
	xorNonce(a.nonce[:], a.iv[:], seq)
	a.additional = [...]byte{byte(rec.Type), byte(rec.Version >> 8), byte(rec.Version),
		byte(len(rec.Fragment) >> 8), byte(len(rec.Fragment))}
	additional := a.additional[:]
	if a.bare {
		additional = nil
	}
	return a.aead.Open(dst, a.nonce[:], rec.Fragment, additional)
}

// xorNonce is the per-record nonce of RFC 9846 section 5.3 and
// RFC 7905 section 2.
func xorNonce(nonce, iv []byte, seq uint64) {
	copy(nonce, iv)
	for i := range 8 {
		nonce[len(nonce)-1-i] ^= byte(seq >> (8 * i))
	}
}

// aeadTLS12 is the record protection of TLS 1.2 with an AEAD
// (RFC 5246 section 6.2.3.3, RFC 5288 section 3, RFC 7905 section 2).
type aeadTLS12 struct {
	aead   opener
	iv     []byte
	record int // bytes of nonce in each record
	tag    int
}

func (a aeadTLS12) open(dst []byte, seq uint64, rec tlswire.Record) ([]byte, error) {
	n := len(rec.Fragment) - a.record - a.tag
	if n < 0 {
		return nil, errOpen
	}
	var nonce [12]byte
	if a.record > 0 {
		copy(nonce[copy(nonce[:], a.iv):], rec.Fragment[:a.record])
	} else {
		xorNonce(nonce[:], a.iv, seq)
	}
	return a.aead.Open(dst, nonce[:], rec.Fragment[a.record:], macHeader(seq, rec, n))
}

// macHeader is what MACs and AEADs of TLS 1.2 cover besides the plaintext of n
// bytes (RFC 5246 section 6.2.3.1).
func macHeader(seq uint64, rec tlswire.Record, n int) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 13), seq)
	return append(b, byte(rec.Type), byte(rec.Version>>8), byte(rec.Version), byte(n>>8), byte(n))
}
