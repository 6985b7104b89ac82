package keyshim

import (
	"bytes"
	"errors"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlsdecrypt"
	"mtlslab.example/lab/lab/tlswire"
)

// If the server accepts Encrypted ClientHello (RFC 9849), secrets are logged
// under the random of the encrypted ClientHello. The server's first encrypted
// record proves which connection they belong to: only one of them opens it.

// offersECH reports whether another ClientHello may be encrypted in hello.
func offersECH(hello *tlswire.ClientHello) bool {
	ech, ok := tlswire.Lookup[*tlswire.ECHClientHello](hello.Extensions, tlswire.ExtensionEncryptedClientHello)
	return ok && ech.HelloType == tlswire.ECHOuter
}

// sealedRecord is the first encrypted record of a server of TLS 1.3.
type sealedRecord struct {
	suite  tlswire.CipherSuite
	record tlswire.Record
}

// opensWith reports whether a traffic secret opens the record, which proves
// that the secret is of that connection.
func (s *sealedRecord) opensWith(secret []byte) bool {
	keys, err := tlsdecrypt.NewTrafficKeys(s.suite, secret)
	if err != nil {
		return false
	}
	_, err = keys.Open(s.record)
	return err == nil
}

// sealedFinder finds it in what a server writes.
type sealedFinder struct {
	found   func(sealedRecord) // is called once at most
	suite   tlswire.CipherSuite
	records []byte // not whole yet
	done    bool
	sealing bool // the server has sent something encrypted, or is about to
}

// Write takes the next bytes of the stream. It never fails.
func (s *sealedFinder) Write(p []byte) (int, error) {
	if s.done {
		return len(p), nil
	}
	s.records = append(s.records, p...)
	for !s.done {
		record, rest, err := tlswire.ReadRecord(s.records, 0)
		if short := (tlswire.ShortError{}); errors.As(err, &short) {
			return len(p), nil
		}
		s.records = rest
		switch {
		case err != nil && s.suite == 0: // what comes before TLS, such as the greeting of a mail server
			s.records = nil
			return len(p), nil
		case err != nil, record.Type == tlswire.ContentTypeAlert:
			s.done = true
		case record.Type == tlswire.ContentTypeHandshake:
			message, err := tlswire.ParseHandshake(record.Fragment, tlswire.Context{})
			if hello, ok := message.Body.(*tlswire.ServerHello); ok && err == nil {
				s.suite = hello.CipherSuite
			}
		case record.Type == tlswire.ContentTypeChangeCipherSpec:
			s.sealing = true
		case record.Type == tlswire.ContentTypeApplicationData:
			s.done, s.sealing = true, true
			record.Fragment = bytes.Clone(record.Fragment)
			s.found(sealedRecord{s.suite, record})
		}
	}
	s.records = nil
	return len(p), nil
}

// seal stores the first encrypted record of the server of a connection.
func (f *follower) seal(keys *connKeys, sealed sealedRecord) {
	f.mu.Lock()
	defer f.mu.Unlock()
	keys.sealed = &sealed
	for _, entry := range f.recent {
		f.match(keys, entry)
	}
}

// match gives a connection with an encrypted ClientHello the secrets of an
// entry, if its sealed record proves that they are its own.
func (f *follower) match(keys *connKeys, entry keylog.Entry) {
	random := clientRandom(entry.ClientRandom)
	if !keys.hides || keys.sealed == nil || keys.labels != 0 || entry.Label != keylog.LabelServerHandshakeTraffic || f.conns[random] != nil {
		return
	}
	if !keys.sealed.opensWith(entry.Secret) {
		return
	}
	keys.hidden = random
	f.conns[random] = keys
	f.handOver(keys, random)
}
