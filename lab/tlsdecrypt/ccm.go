package tlsdecrypt

import (
	"crypto/cipher"
	"crypto/subtle"
	"errors"
)

var errOpen = errors.New("it does not open with this key")

// ccm opens AES-CCM with a nonce of 12 bytes (RFC 3610, RFC 5116 section 5.3,
// RFC 6655 section 6.1).
type ccm struct {
	block  cipher.Block
	tagLen int
}

// Open checks and decrypts sealed, and appends the plaintext to dst.
func (c ccm) Open(dst, nonce, sealed, additional []byte) ([]byte, error) {
	n := len(sealed) - c.tagLen
	if n < 0 || n >= 1<<24 || len(nonce) != 12 {
		return nil, errOpen
	}
	// A counter block is flags, nonce and a counter of 3 bytes; the one of
	// counter 0 hides the tag (RFC 3610 section 2.3).
	var counter [16]byte
	counter[0] = 2
	copy(counter[1:], nonce)
	ctr := cipher.NewCTR(c.block, counter[:])
	var mask [16]byte
	ctr.XORKeyStream(mask[:], mask[:])
	start := len(dst)
	dst = append(dst, sealed[:n]...)
	plain := dst[start:]
	ctr.XORKeyStream(plain, plain)

	tag := c.tag(nonce, plain, additional)
	subtle.XORBytes(tag[:], tag[:], mask[:])
	if subtle.ConstantTimeCompare(tag[:c.tagLen], sealed[n:]) != 1 {
		return nil, errOpen
	}
	return dst, nil
}

// tag is the CBC-MAC (RFC 3610 section 2.2).
func (c ccm) tag(nonce, plain, additional []byte) (x [16]byte) {
	x[0] = 2 | byte(c.tagLen-2)/2<<3
	if len(additional) > 0 {
		x[0] |= 0x40
	}
	copy(x[1:], nonce)
	x[13], x[14], x[15] = byte(len(plain)>>16), byte(len(plain)>>8), byte(len(plain))
	c.block.Encrypt(x[:], x[:])
	mix := func(b []byte) {
		for len(b) > 0 {
			b = b[subtle.XORBytes(x[:], x[:], b[:min(16, len(b))]):]
			c.block.Encrypt(x[:], x[:])
		}
	}
	if len(additional) > 0 {
		mix(append([]byte{byte(len(additional) >> 8), byte(len(additional))}, additional...))
	}
	mix(plain)
	return x
}
