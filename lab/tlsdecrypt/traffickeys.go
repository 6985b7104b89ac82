package tlsdecrypt

import (
	"crypto/cipher"

	"mtlslab.example/lab/lab/tlswire"
)

// TrafficKeys protect the records that one side of a TLS 1.3 connection sends
// under one traffic secret (RFC 9846 section 5.2). They count the records, from
// 0, and are for one goroutine.
type TrafficKeys struct {
	suite      tlswire.CipherSuite
	protection *protection
	scratch    [12]byte // a nonce
}

// NewTrafficKeys derives the keys of a traffic secret (RFC 9846 section 7.3).
func NewTrafficKeys(suite tlswire.CipherSuite, secret []byte) (*TrafficKeys, error) {
	p, err := newTLS13(new(protectionTLS13), tlswire.VersionTLS13, suite, secret, Key{Secret: "traffic secret"})
	if err != nil {
		return nil, err
	}
	return &TrafficKeys{suite: suite, protection: p}, nil
}

// Next returns the keys after a KeyUpdate (RFC 9846 section 7.2).
func (k *TrafficKeys) Next() (*TrafficKeys, error) {
	return NewTrafficKeys(k.suite, nextTrafficSecret(tlswire.VersionTLS13, k.protection.secret))
}

// Open opens the next record and returns its TLSInnerPlaintext. A record that
// does not open is not counted.
func (k *TrafficKeys) Open(rec tlswire.Record) ([]byte, error) {
	plain, ok := k.protection.tries(nil, rec)
	if !ok {
		return nil, errOpen
	}
	return plain, nil
}

// Seal appends the next record to dst: inner is its TLSInnerPlaintext, of at
// most 2^14+1 bytes. It panics with AES-CCM, which is only ever opened here.
func (k *TrafficKeys) Seal(dst, inner []byte) []byte {
	a := k.protection.cipher.(*aeadTLS13)
	sealer := a.aead.(cipher.AEAD)
	n := len(inner) + sealer.Overhead()
	header := len(dst)
	dst = append(dst, byte(tlswire.ContentTypeApplicationData), 3, 3, byte(n>>8), byte(n))
	xorNonce(k.scratch[:], a.iv[:], k.protection.seq)
	k.protection.seq++
	return sealer.Seal(dst, k.scratch[:], inner, dst[header:])
}
