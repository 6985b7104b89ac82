package tlsdecrypt

import (
	"errors"
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// trafficSecrets are the RFC's names of the secrets of TLS 1.3 and their
// labels in the key log, by phase and side (RFC 8446 7.1, RFC 9850 2).
var trafficSecrets = [phases]endpoint.Pair[struct{ name, label string }]{
	early: {
		Client: struct{ name, label string }{"client_early_traffic_secret", keylog.LabelClientEarlyTraffic},
	},
	handshaking: {
		Client: struct{ name, label string }{"client_handshake_traffic_secret", keylog.LabelClientHandshakeTraffic},
		Server: struct{ name, label string }{"server_handshake_traffic_secret", keylog.LabelServerHandshakeTraffic},
	},
	application: {
		Client: struct{ name, label string }{"client_application_traffic_secret", keylog.LabelClientTraffic0},
		Server: struct{ name, label string }{"server_application_traffic_secret", keylog.LabelServerTraffic0},
	},
}

// trafficSecret is the first one of a side in a phase, or nil.
func (f *flow) trafficSecret(d *direction, p phase) []byte {
	return f.secret(trafficSecrets[p].Of(d.side).label, f.hs.clientRandom)
}

// lacksSecret tells whether a record cannot be read for want of a secret.
func (f *flow) lacksSecret(d *direction, rec tlswire.Record) bool {
	if d.encrypting != nil {
		return d.current == nil && d.failed == nil && !plainAlert(rec) && d.encrypting.version != tlswire.VersionSSL30 && !f.findMaster(d.encrypting)
	}
	if rec.Type != tlswire.ContentTypeApplicationData || d.keys[d.phase] != nil {
		return false
	}
	switch d.phase {
	case early:
		return !f.anySecret()
	case handshaking:
		return f.trafficSecret(d, handshaking) == nil && f.trafficSecret(d, application) == nil
	case application:
		return f.trafficSecret(d, application) == nil
	}
	return false
}

// plainAlert tells whether an alert is in the clear: encrypted ones are longer.
func plainAlert(rec tlswire.Record) bool {
	return rec.Type == tlswire.ContentTypeAlert && len(rec.Fragment) == 2
}

// read reads one record.
func (f *flow) read(w waiting) {
	d, rec := w.from, w.rec
	m := Message{
		From: d.side, Time: w.time, Type: rec.Type,
		Records: []Span{{Offset: rec.Offset, Length: tlswire.RecordHeaderLen + len(rec.Fragment)}},
	}
	switch {
	case d.blind && !plainAlert(rec):
		f.noSecret(d, rec.Offset, "")
		f.closed(m)
	case d.encrypting != nil && !plainAlert(rec):
		f.readTLS12(d, w, m)
	case rec.Type == tlswire.ContentTypeApplicationData:
		f.readTLS13(d, w, m)
	case w.hole:
		f.closed(m)
		if rec.Type == tlswire.ContentTypeChangeCipherSpec { // its one byte says no more than its type
			f.changeCipherSpec(d)
		}
	default:
		f.content(d, rec.Fragment, m)
	}
}

// readTLS13 opens a record of TLS 1.3 (RFC 8446 5.2).
func (f *flow) readTLS13(d *direction, w waiting, m Message) {
	inner, p := f.open(d, w)
	if p == nil {
		m.Key = Key{Secret: trafficSecrets[d.phase].Of(d.side).name}
		if now := d.keys[d.phase]; now != nil {
			m.Key = now.key
		}
		f.closed(m)
		return
	}
	m.Key = p.key
	content, t, _, err := tlswire.InnerPlaintext(inner)
	if err != nil {
		m.Err = err
		f.closed(m)
		return
	}
	m.Type = t
	f.content(d, content, m)
}

// open opens a record with the key of its phase, or with one of a later phase:
// a side leaves the early phase without a word when the server rejects early
// data, and the message that ends the handshake may be missing or closed. It
// returns what opened it, or nil.
func (f *flow) open(d *direction, w waiting) ([]byte, *protection) {
	if d.phase == plain {
		f.noSecret(d, w.rec.Offset, "")
		return nil, nil
	}
	for p := d.phase; p < phases && !w.hole; p++ {
		key, err := f.protection(d, p, w.rec)
		if err != nil {
			f.problem(d.side, w.rec.Offset, err.Error())
			return nil, nil
		}
		if key == nil {
			continue
		}
		if inner, ok := key.tries(f.plaintext[:0], w.rec); ok {
			f.plaintext = inner[:0]
			d.phase = p
			return inner, key
		}
	}
	now, _ := f.protection(d, d.phase, w.rec)
	switch {
	case now != nil && d.phase != early:
		now.seq++
		if !w.hole {
			why := "it was changed on the way, or the key log is of another connection"
			if d.incomplete {
				why = "a record before it, which may have changed the key, has bytes missing"
			}
			f.problem(d.side, w.rec.Offset, fmt.Sprintf("a record does not open with %s: %s", now.key.Secret, why))
		}
	case now == nil && !w.hole:
		f.noSecret(d, w.rec.Offset, trafficSecrets[d.phase].Of(d.side).label)
	}
	return nil, nil
}

// protection returns the key of a phase, nil when its secret is not known. The
// suite of early data is that of an earlier connection, which the server has
// not named yet: it is the one that opens the first record.
func (f *flow) protection(d *direction, p phase, rec tlswire.Record) (*protection, error) {
	if d.keys[p] != nil {
		return d.keys[p], nil
	}
	secret := f.trafficSecret(d, p)
	if secret == nil {
		return nil, nil
	}
	key := Key{Secret: trafficSecrets[p].Of(d.side).name}
	if p != early {
		if f.hs.version == 0 {
			return nil, nil
		}
		made, err := newTLS13(f.hs.suite, secret, key)
		if err == nil {
			d.keys[p] = made
			if p == handshaking {
				*f.hs.secrets.Of(d.side) = secret
			}
		}
		return made, err
	}
	if f.hs.hello == nil {
		return nil, nil
	}
	for _, suite := range f.hs.hello.CipherSuites {
		h := hashOf(suite.Info())
		if !suite.Info().TLS13 || h == nil || h().Size() != len(secret) {
			continue
		}
		made, err := newTLS13(suite, secret, key)
		if err != nil {
			continue
		}
		if _, err := made.cipher.open(nil, 0, rec); err == nil {
			d.keys[p] = made
			return made, nil
		}
	}
	return nil, nil
}

// updateKey takes a side to its next generation of keys (RFC 8446 7.2).
func (f *flow) updateKey(d *direction) {
	now := d.keys[application]
	h := hashOf(f.hs.suite.Info())
	if d.phase != application || now == nil || h == nil {
		return
	}
	key := Key{Secret: now.key.Secret, Generation: now.key.Generation + 1}
	if next, err := newTLS13(f.hs.suite, nextTrafficSecret(h, now.secret), key); err == nil {
		d.keys[application] = next
	}
}

// masterSecret is the name of the secret of TLS 1.2 that all keys come from (RFC 5246 8.1).
const masterSecret = "master_secret"

var errNoSecret = errors.New("the master secret is not known")

// readTLS12 opens a record that follows a ChangeCipherSpec of TLS 1.2 or before.
func (f *flow) readTLS12(d *direction, w waiting, m Message) {
	hs := d.encrypting
	m.Key = Key{Secret: masterSecret, Generation: hs.generation}
	if d.current == nil && d.failed == nil {
		if hs.version == tlswire.VersionSSL30 {
			d.failed = errSSL30
		} else if f.findMaster(hs) {
			d.current, d.failed = hs.keys(d.side)
		} else if info := hs.suite.Info(); info.Cipher == "NULL" {
			d.current = &protection{cipher: unencrypted{info.MACLen}}
		} else {
			d.failed = errNoSecret
			f.noSecretTLS12(d, w.rec.Offset)
		}
	}
	if d.failed != nil {
		if d.failed != errNoSecret {
			f.problem(endpoint.Unknown, -1, d.failed.Error())
		}
		f.closed(m)
		return
	}
	content, err := d.current.open(f.plaintext[:0], w.rec)
	if err != nil {
		if !w.hole {
			f.problem(d.side, w.rec.Offset, hs.unopened(d))
		}
		d.inflater.lose()
		f.closed(m)
		return
	}
	f.plaintext = content[:0]
	if hs.suite.Info().Cipher == "NULL" {
		m.Key = d.current.key // none when the checksums could not be checked
		f.warnUnencrypted(d, w.rec.Offset)
	}
	switch hs.compression {
	case tlswire.CompressionNull:
	case tlswire.CompressionDeflate:
		if content, err = d.inflater.inflate(content); err != nil {
			f.problem(d.side, w.rec.Offset, err.Error())
			f.closed(m)
			return
		}
	default:
		f.problem(endpoint.Unknown, -1, fmt.Sprintf("the records are compressed with %v, which cannot be decompressed here", hs.compression))
		f.closed(m)
		return
	}
	f.content(d, content, m)
}

// unopened says why a record does not open although there is a master secret.
func (hs *handshake) unopened(d *direction) string {
	switch {
	case hs.derived && hs.extendedMaster && hs.missed != "":
		return "the keys cannot be derived: extended_master_secret covers the whole handshake (RFC 7627 4), and " + hs.missed
	case d.incomplete && hs.suite.Info().Cipher == "RC4_128", d.incomplete && hs.suite.Info().CBC && hs.version < tlswire.VersionTLS11:
		return "a record does not open: bytes of the one before it are missing, without which it cannot be decrypted"
	case hs.derived:
		return "a record does not open with the keys of master_secret: it was changed on the way, or the secret is of another connection"
	}
	return "a record does not open with the keys of master_secret: it was changed on the way, or the key log is of another connection"
}

func (f *flow) noSecretTLS12(d *direction, offset int64) {
	if d.encrypting.resumed && f.hs.clientRandom != nil && !f.anySecret() {
		f.noKeys("the session was resumed, and its secret is that of an earlier connection, which has to be in the capture too")
		return
	}
	f.noSecret(d, offset, keylog.LabelClientRandom)
}
