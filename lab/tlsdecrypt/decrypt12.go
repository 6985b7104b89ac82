package tlsdecrypt

import (
	"bytes"
	"errors"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// masterSecret is the name of the secret of TLS 1.2 that all keys come from
// (RFC 5246 section 8.1).
const masterSecret = "master_secret"

var errNoSecret = errors.New("the master secret is not known")

// openTLS12 opens a record that follows a ChangeCipherSpec of TLS 1.2 or
// before.
func (d *decrypter) openTLS12(w *writeState, rec *tlsRecord, m *Message) ([]byte, bool) {
	hs := w.encrypting
	m.Key = Key{Secret: masterSecret, Generation: hs.generation}
	if w.current == nil && w.failed == nil {
		w.current, w.failed = d.protectionTLS12(hs, rec)
	}
	if w.failed != nil {
		if w.failed != errNoSecret {
			d.conn.problem(endpoint.Unknown, -1, w.failed.Error())
		}
		return nil, false
	}
	content, err := w.current.open(d.scratch[:0], rec.Record)
	if err != nil {
		content, err = w.recount(d.scratch[:0], w.current, rec.Record)
	}
	if err != nil {
		if !rec.hole {
			d.conn.problem(rec.from, rec.Offset, unopenedTLS12(w))
		}
		w.inflater.lose()
		return nil, false
	}
	d.scratch = content[:0]
	if hs.suite.Info().Cipher == "NULL" {
		m.Key = w.current.key // none if the checksums could not be checked
		d.warnUnencrypted(rec)
	}
	return d.decompress(w, rec, content)
}

// protectionTLS12 returns the key that a side uses since its ChangeCipherSpec,
// or why there is none.
func (d *decrypter) protectionTLS12(hs *handshake, rec *tlsRecord) (*protection, error) {
	info := hs.suite.Info()
	switch {
	case hs.version == tlswire.VersionSSL30:
		return nil, errSSL30
	case d.secrets.findMaster(hs):
		return hs.protection(rec.from)
	case info.Cipher == "NULL":
		return &protection{cipher: unencrypted{info.MACLen}}, nil
	}
	d.noMasterSecret(hs, rec)
	return nil, errNoSecret
}

// noMasterSecret notes that a record stays encrypted because the master secret
// is not known.
func (d *decrypter) noMasterSecret(hs *handshake, rec *tlsRecord) {
	if latest := d.next.hs; hs.resumed && latest.clientRandom != nil && !d.secrets.any(latest) {
		d.noKeys("the session was resumed, and its secret is that of an earlier connection, which has to be in the capture too")
		return
	}
	d.noSecret(rec, keylog.LabelClientRandom)
}

// decompress returns the content of a record, and false if it cannot be
// decompressed.
func (d *decrypter) decompress(w *writeState, rec *tlsRecord, content []byte) ([]byte, bool) {
	switch method := w.encrypting.compression; method {
	case tlswire.CompressionNull:
	case tlswire.CompressionDeflate:
		inflated, err := w.inflater.inflate(content)
		if err != nil {
			d.conn.problem(rec.from, rec.Offset, err.Error())
			return nil, false
		}
		content = inflated
	default:
		d.conn.problem(endpoint.Unknown, -1, compressed(method))
		return nil, false
	}
	return content, true
}

// unopenedTLS12 notes why a record does not open although the master secret is
// known.
func unopenedTLS12(w *writeState) string {
	hs := w.encrypting
	switch info := hs.suite.Info(); {
	case hs.derived && hs.extendedMaster && hs.missed != "":
		return "the keys cannot be derived: extended_master_secret covers the whole handshake (RFC 7627 section 4), and " + hs.missed
	case w.lost:
		return "a record does not open: records before it are missing, and how many is needed to decrypt it"
	case w.incomplete && info.Cipher == "RC4_128", w.incomplete && info.CBC && hs.version < tlswire.VersionTLS11:
		return "a record does not open: bytes of the one before it are missing, without which it cannot be decrypted"
	case hs.derived:
		return "a record does not open with the keys of master_secret: it was changed on the way, or the secret is of another connection"
	}
	return "a record does not open with the keys of master_secret: it was changed on the way, or the key log is of another connection"
}

// protection derives the keys for the records of a side in TLS 1.2
// (RFC 5246 section 6.3).
func (hs *handshake) protection(side endpoint.Side) (*protection, error) {
	info := hs.suite.Info()
	p := prfOf(hs.version, info)
	if hs.version == tlswire.VersionSSL30 {
		return nil, errSSL30
	}
	if p == nil || info.Cipher == "" {
		return nil, unsupportedError{hs.suite}
	}
	macKey, key, iv := hs.writeKeys(p, side)
	prot := &protection{key: Key{Secret: masterSecret, Generation: hs.generation}}
	var err error
	if info.AEAD {
		var aead opener
		aead, err = newAEAD(hs.suite, key)
		prot.cipher = aeadTLS12{aead: aead, iv: iv, record: info.RecordIVLen, tag: info.TagLen}
	} else {
		prot.cipher, err = newMACThenCipher(hs, macKey, key, iv)
	}
	return prot, err
}

// writeKeys are the parts of the key_block that one side writes with
// (RFC 5246 section 6.3).
func (hs *handshake) writeKeys(p prf, side endpoint.Side) (macKey, key, iv []byte) {
	info := hs.suite.Info()
	ivLen := info.FixedIVLen
	if info.CBC && hs.version < tlswire.VersionTLS11 {
		ivLen = info.BlockLen
	}
	block := make([]byte, 2*(info.MACLen+info.KeyLen+ivLen))
	p(block, hs.master, "key expansion", append(bytes.Clone(hs.serverRandom), hs.clientRandom...))
	take := func(n int) (own []byte) { // the client's comes first
		own = block[:n]
		if side == endpoint.Server {
			own = block[n : 2*n]
		}
		block = block[2*n:]
		return own
	}
	return take(info.MACLen), take(info.KeyLen), take(ivLen)
}
