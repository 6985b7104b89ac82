package tlsdecrypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"mtlslab.example/lab/lab/tlswire"
)

// macThenCipher is the record protection with a separate MAC: CBC, RC4 and
// NULL (RFC 5246 sections 6.2.3.1 and 6.2.3.2, RFC 7366).
type macThenCipher struct {
	mac            hash.Hash
	block          cipher.Block  // of CBC
	stream         cipher.Stream // of RC4
	chained        []byte        // TLS 1.0: the IV of the next record (RFC 2246 section 6.2.3.2)
	encryptThenMAC bool
}

var macs = map[string]func() hash.Hash{"MD5": md5.New, "SHA": sha1.New, "SHA256": sha256.New, "SHA384": sha512.New384}

func newMACThenCipher(hs *handshake, macKey, key, iv []byte) (recordCipher, error) {
	info := hs.suite.Info()
	mac := macs[info.MAC]
	if mac == nil {
		return nil, unsupportedError{hs.suite}
	}
	c := &macThenCipher{mac: hmac.New(mac, macKey), encryptThenMAC: hs.encryptThenMAC && info.CBC}
	var err error
	switch info.Cipher {
	case "AES_128_CBC", "AES_256_CBC":
		c.block, err = aes.NewCipher(key)
	case "3DES_EDE_CBC":
		c.block, err = des.NewTripleDESCipher(key)
	case "RC4_128":
		c.stream, err = rc4.NewCipher(key)
	case "NULL":
	default:
		return nil, unsupportedError{hs.suite}
	}
	if c.block != nil && hs.version < tlswire.VersionTLS11 {
		c.chained = iv
	}
	return c, err
}

func (c *macThenCipher) open(dst []byte, seq uint64, rec tlswire.Record) ([]byte, error) {
	body := rec.Fragment
	if c.encryptThenMAC {
		n := len(body) - c.mac.Size()
		if n < 0 || !c.holds(seq, rec, body[:n], body[n:]) {
			return nil, errOpen
		}
		body = body[:n]
	}
	start := len(dst)
	switch {
	case c.stream != nil:
		dst = append(dst, body...)
		c.stream.XORKeyStream(dst[start:], dst[start:])
	case c.block != nil:
		var ok bool
		if dst, ok = c.decryptCBC(dst, body); !ok {
			return nil, errOpen
		}
	default:
		dst = append(dst, body...)
	}
	if c.encryptThenMAC {
		return dst, nil
	}
	n := len(dst) - c.mac.Size()
	if n < start || !c.holds(seq, rec, dst[start:n], dst[n:]) {
		return nil, errOpen
	}
	return dst[:n], nil
}

func (c *macThenCipher) holds(seq uint64, rec tlswire.Record, content, want []byte) bool {
	c.mac.Reset()
	c.mac.Write(macHeader(seq, rec, len(content)))
	c.mac.Write(content)
	return hmac.Equal(c.mac.Sum(nil), want)
}

// decryptCBC appends the plaintext of body, without its padding.
func (c *macThenCipher) decryptCBC(dst, body []byte) ([]byte, bool) {
	size := c.block.BlockSize()
	iv := c.chained
	if iv == nil {
		if len(body) < size {
			return nil, false
		}
		iv, body = body[:size], body[size:]
	}
	if len(body) == 0 || len(body)%size != 0 {
		return nil, false
	}
	start := len(dst)
	dst = append(dst, body...)
	cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(dst[start:], dst[start:])
	if c.chained != nil {
		c.chained = append([]byte(nil), body[len(body)-size:]...)
	}
	padding := 1 + int(dst[len(dst)-1])
	if padding > len(dst)-start {
		return nil, false
	}
	return dst[:len(dst)-padding], true
}
