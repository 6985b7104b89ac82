package lab

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// rekeyer has a TLS 1.3 client change its keys, which crypto/tls does only when
// asked by the other side: it puts a KeyUpdate (RFC 8446 section 4.6.3) before
// the first record that the client writes after its handshake, and seals that
// record and all after it anew, under the next keys.
type rekeyer struct {
	mu       sync.Mutex
	secret   []byte      // client_application_traffic_secret_0
	old, new *recordKeys // nil until start
	updated  bool
}

// Write takes the lines of a key log.
func (r *rekeyer) Write(line []byte) (int, error) {
	entry, err := keylog.ParseLine(bytes.TrimSuffix(line, []byte{'\n'}))
	if err != nil {
		return 0, err
	}
	if entry.Label == keylog.LabelClientTraffic0 {
		r.mu.Lock()
		r.secret = entry.Secret
		r.mu.Unlock()
	}
	return len(line), nil
}

// start is called when the handshake is complete.
func (r *rekeyer) start(id uint16) (err error) {
	suite := tlswire.CipherSuite(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.secret == nil {
		return errors.New("KeyUpdate needs TLS 1.3")
	}
	if r.old, err = newRecordKeys(suite, r.secret); err != nil {
		return err
	}
	r.new, err = newRecordKeys(suite, tlsdecrypt.ExpandLabel(suite, r.secret, "traffic upd", len(r.secret)))
	return err
}

// records turns what crypto/tls writes, whole records, into what is sent.
func (r *rekeyer) records(b []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.old == nil {
		return b, nil
	}
	var out bytes.Buffer
	if !r.updated {
		update := []byte{byte(tlswire.TypeKeyUpdate), 0, 0, 1, 0} // update_not_requested
		out.Write(r.old.seal(0, append(update, byte(tlswire.ContentTypeHandshake))))
		r.old.sequence = 0 // that of the record which this one pushes aside
		r.updated = true
	}
	for len(b) > 0 {
		_, rest, err := tlswire.ReadRecord(b, 0)
		if err != nil {
			return nil, fmt.Errorf("crypto/tls has not written whole records: %w", err)
		}
		content, err := r.old.open(b[:len(b)-len(rest)])
		if err != nil {
			return nil, err
		}
		out.Write(r.new.seal(r.new.sequence, content))
		b = rest
	}
	return out.Bytes(), nil
}

// recordKeys protect the records of one direction (RFC 8446 section 5.2).
type recordKeys struct {
	aead     cipher.AEAD
	iv       []byte
	sequence uint64 // of the next record
}

// newRecordKeys derives them from a traffic secret (RFC 8446 section 7.3).
func newRecordKeys(suite tlswire.CipherSuite, secret []byte) (*recordKeys, error) {
	info := suite.Info()
	key := tlsdecrypt.ExpandLabel(suite, secret, "key", info.KeyLen)
	keys := &recordKeys{iv: tlsdecrypt.ExpandLabel(suite, secret, "iv", info.FixedIVLen)}
	var err error
	if info.Cipher == "CHACHA20_POLY1305" {
		keys.aead, err = chacha20poly1305.New(key)
		return keys, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	keys.aead, err = cipher.NewGCM(block)
	return keys, err
}

// nonce is that of a record (RFC 8446 section 5.3).
func (k *recordKeys) nonce(sequence uint64) []byte {
	nonce := bytes.Clone(k.iv)
	for i := range 8 {
		nonce[len(nonce)-1-i] ^= byte(sequence >> (8 * i))
	}
	return nonce
}

// open decrypts the next record.
func (k *recordKeys) open(record []byte) ([]byte, error) {
	content, err := k.aead.Open(nil, k.nonce(k.sequence), record[tlswire.RecordHeaderLen:], record[:tlswire.RecordHeaderLen])
	k.sequence++
	return content, err
}

// seal makes a record of content, which ends with its type.
func (k *recordKeys) seal(sequence uint64, content []byte) []byte {
	k.sequence = sequence + 1
	record := []byte{byte(tlswire.ContentTypeApplicationData), 3, 3, 0, 0}
	binary.BigEndian.PutUint16(record[3:], uint16(len(content)+k.aead.Overhead()))
	return k.aead.Seal(record, k.nonce(sequence), content, record)
}
