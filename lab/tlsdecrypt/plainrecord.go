package tlsdecrypt

import (
	"bytes"
	"compress/flate"
	"crypto/hmac"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"mtlslab.example/lab/lab/tlswire"
)

// Records of TLS 1.2 or before may be unencrypted, with the NULL ciphers, or
// compressed, if ServerHello has chosen a compression.

// unencrypted is a protection without encryption whose MACs cannot be checked
// for want of a secret (RFC 5246 section 6.2.3.1).
type unencrypted struct{ macLen int }

func (c unencrypted) open(dst []byte, _ uint64, rec tlswire.Record) ([]byte, error) {
	n := len(rec.Fragment) - c.macLen
	if n < 0 {
		return nil, errOpen
	}
	return append(dst, rec.Fragment[:n]...), nil
}

// integrityTLS13 is the protection of the suites of TLS 1.3 that encrypt
// nothing (RFC 9150 section 4).
type integrityTLS13 struct {
	mac hash.Hash
	iv  []byte
}

func (c *integrityTLS13) open(dst []byte, seq uint64, rec tlswire.Record) ([]byte, error) {
	n := len(rec.Fragment) - c.mac.Size()
	if n < 0 {
		return nil, errOpen
	}
	nonce := make([]byte, len(c.iv))
	xorNonce(nonce, c.iv, seq)
	c.mac.Reset()
	c.mac.Write(nonce)
	c.mac.Write([]byte{byte(rec.Type), byte(rec.Version >> 8), byte(rec.Version), byte(len(rec.Fragment) >> 8), byte(len(rec.Fragment))})
	c.mac.Write(rec.Fragment[:n])
	if !hmac.Equal(c.mac.Sum(nil), rec.Fragment[n:]) {
		return nil, errOpen
	}
	return append(dst, rec.Fragment[:n]...), nil
}

// readUnchecked returns the content of a record of TLS 1.3 that is not
// encrypted, and whose MAC cannot be checked, or false.
func (d *decrypter) readUnchecked(rec *tlsRecord) ([]byte, bool) {
	n := len(rec.Fragment) - d.next.hs.suite.Info().TagLen
	if n < 0 || rec.hole {
		return nil, false
	}
	return rec.Fragment[:n], true
}

// unencryptedTLS13 reports whether the suite of TLS 1.3 encrypts nothing
// (RFC 9150).
func (hs *handshake) unencryptedTLS13() bool {
	return hs.tls13() && hs.suite.Info().TLS13 && hs.suite.Info().Cipher == "NULL"
}

// warnUnencrypted says, once, that a suite encrypts nothing.
func (d *decrypter) warnUnencrypted(rec *tlsRecord) {
	text := nothingEncrypted(d.next.hs.suite)
	if !slices.ContainsFunc(d.conn.Problems, func(p Problem) bool { return p.Text == text }) {
		d.conn.problem(rec.from, rec.Offset, text)
	}
}

func nothingEncrypted(suite tlswire.CipherSuite) string {
	return fmt.Sprintf("nothing is encrypted: %v has checksums alone, and everybody on the way can read this connection", suite)
}

// maxWindow is how far back compressed data refers (RFC 1951 section 2).
const maxWindow = 32 << 10

// inflater decompresses the records of one side, which are one zlib stream
// (RFC 3749 section 2.1). Each record ends where a byte does, as the compressor
// is flushed at its end.
type inflater struct {
	begun  bool
	window []byte // what came before, at most maxWindow
	failed error
}

var errDeflate = errors.New("the records are compressed (DEFLATE), and one before this could not be read or decompressed")

// lose notes that a record is missing: what follows refers to it.
func (z *inflater) lose() { z.failed = errDeflate }

// inflate returns the content of a record, at most [tlswire.MaxPlaintext]
// bytes.
func (z *inflater) inflate(record []byte) ([]byte, error) {
	if z.failed != nil || len(record) == 0 {
		return nil, z.failed
	}
	z.failed = errDeflate // until it is known to be right
	if !z.begun {
		if len(record) < 2 || record[0]&0x0f != 8 || (int(record[0])<<8+int(record[1]))%31 != 0 { // RFC 1950 section 2.2
			return nil, z.failed
		}
		z.begun, record = true, record[2:]
	}
	content, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(bytes.NewReader(record), z.window), tlswire.MaxPlaintext+1))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) || len(content) > tlswire.MaxPlaintext { // the stream goes on
		return nil, z.failed
	}
	z.failed = nil
	z.window = append(z.window, content...)
	z.window = bytes.Clone(z.window[max(0, len(z.window)-maxWindow):])
	return content, nil
}
