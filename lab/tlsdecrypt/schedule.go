package tlsdecrypt

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// hashOf is the hash of a suite's PRF or HKDF, and nil when it is not known
// here.
func hashOf(suite *tlswire.SuiteInfo) func() hash.Hash {
	switch suite.Hash {
	case "SHA256":
		return sha256.New
	case "SHA384":
		return sha512.New384
	}
	return nil
}

// hashLen is how many bytes the output of that hash has; 0: it is not known
// here.
func hashLen(suite *tlswire.SuiteInfo) int {
	switch suite.Hash {
	case "SHA256":
		return sha256.Size
	case "SHA384":
		return sha512.Size384
	}
	return 0
}

// expandLabel is HKDF-Expand-Label (RFC 9846 section 7.1). The hash is that
// whose output is as long as the secret. TLS never asks for more than one
// output of it, which is one HMAC (RFC 5869 section 2.3).
func expandLabel(v tlswire.Version, secret []byte, label string, context []byte, length int) []byte {
	return appendLabel(nil, v, secret, label, context, length)
}

// appendLabel appends HKDF-Expand-Label.
func appendLabel(to []byte, v tlswire.Version, secret []byte, label string, context []byte, length int) []byte {
	prefix := labelPrefix(v)
	info := make([]byte, 0, 80)
	info = append(info, byte(length>>8), byte(length), byte(len(prefix)+len(label)))
	info = append(info, prefix...)
	info = append(info, label...)
	info = append(info, byte(len(context)))
	info = append(info, context...)
	info = append(info, 1)
	return appendHMAC(to, secret, info)[:len(to)+length]
}

// ipad and opad are the constants of HMAC.
var ipad, opad = bytes.Repeat([]byte{0x36}, sha512.BlockSize), bytes.Repeat([]byte{0x5c}, sha512.BlockSize)

// appendHMAC appends the HMAC of one message (RFC 2104 section 2) with the
// hash, of SHA-256 and SHA-384, whose output is as long as the key. That of
// crypto/hmac is made for many messages under one key, and takes twice as long
// for one.
func appendHMAC(to, key, message []byte) []byte {
	block := sha256.BlockSize
	if len(key) == sha512.Size384 {
		block = sha512.BlockSize
	}
	var b [2 * sha512.BlockSize]byte
	copy(b[:], ipad[:block])
	subtle.XORBytes(b[:], key, ipad)
	outer := appendSum(b[:block], len(key), append(b[:block], message...))
	copy(outer, opad[:block])
	subtle.XORBytes(outer, key, opad)
	return appendSum(to, len(key), outer)
}

// appendSum appends the hash of message that has size bytes, SHA-256 or
// SHA-384.
func appendSum(to []byte, size int, message []byte) []byte {
	if size == sha512.Size384 {
		sum := sha512.Sum384(message)
		return append(to, sum[:]...)
	}
	sum := sha256.Sum256(message)
	return append(to, sum[:]...)
}

// nextTrafficSecret is application_traffic_secret_N+1 (RFC 9846 section 7.2).
func nextTrafficSecret(v tlswire.Version, secret []byte) []byte {
	return expandLabel(v, secret, updateLabel(v), nil, len(secret))
}

// finishedTLS13 is verify_data over the hash of the transcript
// (RFC 9846 section 4.5.3).
func finishedTLS13(v tlswire.Version, baseKey, transcriptHash []byte) []byte {
	return appendHMAC(nil, expandLabel(v, baseKey, "finished", nil, len(baseKey)), transcriptHash)
}

// prf is the pseudorandom function of a version (RFC 5246 section 5,
// RFC 2246 section 5).
type prf func(out, secret []byte, label string, seed []byte)

// prfOf is nil when the suite's hash is not known here.
func prfOf(v tlswire.Version, suite *tlswire.SuiteInfo) prf {
	if v < tlswire.VersionTLS12 {
		return prfTLS10
	}
	h := hashOf(suite)
	if h == nil {
		return nil
	}
	return func(out, secret []byte, label string, seed []byte) {
		pHash(h, out, secret, append([]byte(label), seed...))
	}
}

// pHash is P_hash (RFC 5246 section 5).
func pHash(h func() hash.Hash, out, secret, seed []byte) {
	mac := hmac.New(h, secret)
	mac.Write(seed)
	a := mac.Sum(nil)
	for len(out) > 0 {
		mac.Reset()
		mac.Write(a)
		mac.Write(seed)
		out = out[copy(out, mac.Sum(nil)):]
		mac.Reset()
		mac.Write(a)
		a = mac.Sum(a[:0])
	}
}

// prfTLS10 is the PRF of TLS 1.0 and 1.1: MD5 with one half of the secret,
// SHA-1 with the other (RFC 2246 section 5).
func prfTLS10(out, secret []byte, label string, seed []byte) {
	seed = append([]byte(label), seed...)
	half := (len(secret) + 1) / 2
	pHash(md5.New, out, secret[:half], seed)
	other := make([]byte, len(out))
	pHash(sha1.New, other, secret[len(secret)-half:], seed)
	for i := range out {
		out[i] ^= other[i]
	}
}

// masterLen is the length of a master_secret (RFC 5246 section 8.1).
const masterLen = 48

// finishedTLS12 is verify_data over the hash of the handshake
// (RFC 5246 section 7.4.9).
func finishedTLS12(p prf, master []byte, sender endpoint.Side, handshakeHash []byte) []byte {
	out := make([]byte, 12)
	p(out, master, sender.String()+" finished", handshakeHash)
	return out
}

// handshakeHash is the hash that Finished of TLS 1.2 and before takes, and the
// session_hash of RFC 7627 section 3.
func handshakeHash(v tlswire.Version, suite *tlswire.SuiteInfo, messages []byte) []byte {
	if v < tlswire.VersionTLS12 {
		m, s := md5.Sum(messages), sha1.Sum(messages)
		return append(m[:], s[:]...)
	}
	h := hashOf(suite)()
	h.Write(messages)
	return h.Sum(nil)
}

// cryptoHashes are the hashes of signatures, by the first byte of a
// SignatureScheme of TLS 1.2.
var cryptoHashes = map[byte]crypto.Hash{1: crypto.MD5, 2: crypto.SHA1, 3: crypto.SHA224, 4: crypto.SHA256, 5: crypto.SHA384, 6: crypto.SHA512}
