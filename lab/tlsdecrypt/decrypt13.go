package tlsdecrypt

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// secretName is the name of a secret in the RFC, and its label in the key log.
type secretName struct{ name, label string }

// trafficSecrets are the secrets of TLS 1.3 by epoch and side
// (RFC 9846 section 7.1, RFC 9850 section 2).
var trafficSecrets = [epochs]endpoint.Pair[secretName]{
	early: {
		Client: secretName{"client_early_traffic_secret", keylog.LabelClientEarlyTraffic},
	},
	handshaking: {
		Client: secretName{"client_handshake_traffic_secret", keylog.LabelClientHandshakeTraffic},
		Server: secretName{"server_handshake_traffic_secret", keylog.LabelServerHandshakeTraffic},
	},
	application: {
		Client: secretName{"client_application_traffic_secret", keylog.LabelClientTraffic0},
		Server: secretName{"server_application_traffic_secret", keylog.LabelServerTraffic0},
	},
}

// openTLS13 opens a record of TLS 1.3 (RFC 9846 section 5.2).
func (d *decrypter) openTLS13(w *writeState, rec *tlsRecord, m *Message) ([]byte, bool) {
	inner, p := d.unprotect(w, rec)
	if d.next.hs.unencryptedTLS13() && w.epoch != plain {
		d.warnUnencrypted(rec)
		if p == nil {
			if unchecked, ok := d.readUnchecked(rec); ok {
				inner, p = unchecked, &protection{}
			}
		}
	}
	if p == nil {
		m.Key = Key{Secret: trafficSecrets[w.epoch].Of(rec.from).name}
		if now := w.keys[w.epoch]; now != nil {
			m.Key = now.key
		}
		return nil, false
	}
	m.Key = p.key
	content, t, _, err := tlswire.InnerPlaintext(inner)
	if err != nil {
		m.Err = err
		return nil, false
	}
	m.Type = t
	return content, true
}

// unprotect opens a record with the key of its side's epoch, or with that of a
// later one: a side leaves the early epoch without a message if the server
// rejects early data, and the message that ends the handshake may be missing or
// closed. Some servers send their alert with the key of the handshake still. It
// returns what opened the record, or nil.
func (d *decrypter) unprotect(w *writeState, rec *tlsRecord) ([]byte, *protection) {
	if w.epoch == plain {
		d.noSecret(rec, "")
		return nil, nil
	}
	if why := tooEarly(d.next.hs.version); why != "" {
		d.conn.problem(endpoint.Unknown, -1, why)
		return nil, nil
	}
	for e := w.epoch; e < epochs && !rec.hole; e++ {
		key, err := d.protection(w, e, rec)
		if err != nil {
			d.conn.problem(rec.from, rec.Offset, err.Error())
			return nil, nil
		}
		if key == nil {
			continue
		}
		if inner, ok := key.tries(d.scratch[:0], rec.Record); ok {
			d.scratch = inner[:0]
			w.epoch = e
			return inner, key
		}
		if inner, err := w.recount(d.scratch[:0], key, rec.Record); err == nil {
			d.scratch = inner[:0]
			w.epoch = e
			return inner, key
		}
	}
	if old := w.keys[handshaking]; old != nil && w.epoch == application && !rec.hole { // mbedTLS refuses a client so
		if inner, ok := old.tries(d.scratch[:0], rec.Record); ok {
			d.scratch = inner[:0]
			return inner, old
		}
	}
	now, _ := d.protection(w, w.epoch, rec)
	switch {
	case now != nil && w.epoch != early:
		now.seq++
		if !rec.hole && !d.next.hs.unencryptedTLS13() {
			d.conn.problem(rec.from, rec.Offset, unopenedTLS13(w, now))
		}
	case now == nil && !rec.hole && !d.next.hs.unencryptedTLS13():
		d.noSecret(rec, trafficSecrets[w.epoch].Of(rec.from).label)
	}
	return nil, nil
}

// protection returns the key of an epoch, and nil if its secret is not known.
func (d *decrypter) protection(w *writeState, e epoch, rec *tlsRecord) (*protection, error) {
	if w.keys[e] != nil {
		return w.keys[e], nil
	}
	secret := d.trafficSecret(rec, e)
	if secret == nil {
		return nil, nil
	}
	key := Key{Secret: trafficSecrets[e].Of(rec.from).name}
	if e == early {
		w.keys[early] = d.earlyProtection(secret, key, rec)
		return w.keys[early], nil
	}
	hs := d.next.hs
	if hs.version == 0 {
		return nil, nil
	}
	made, err := newTLS13(d.conn.arena.keys.add(keyBlock, &protectionTLS13{}), hs.version, hs.suite, secret, key)
	if err == nil {
		w.keys[e] = made
		switch e {
		case handshaking:
			*hs.secrets.Of(rec.from) = secret
		case application:
			*hs.application.Of(rec.from) = secret
		}
	}
	return made, err
}

// earlyProtection returns the key of early data. Its suite is that of an
// earlier connection, which the server has not named yet: it is the one that
// opens the first record. It is nil if none does.
func (d *decrypter) earlyProtection(secret []byte, key Key, first *tlsRecord) *protection {
	hello := d.next.hs.hello
	if hello == nil {
		return nil
	}
	for _, suite := range hello.CipherSuites {
		if !suite.Info().TLS13 || hashLen(suite.Info()) != len(secret) {
			continue
		}
		made, err := newTLS13(new(protectionTLS13), tlswire.VersionTLS13, suite, secret, key)
		if err != nil {
			continue
		}
		if _, err := made.cipher.open(nil, 0, first.Record); err == nil {
			return made
		}
	}
	return nil
}

// unopenedTLS13 notes why a record does not open with a key although its secret
// is known.
func unopenedTLS13(w *writeState, p *protection) string {
	why := "it was changed on the way, or the key log is of another connection"
	if w.lost {
		why = "records before it are missing, and how many is needed to decrypt it"
	} else if w.incomplete {
		why = "a record before it, which may have changed the key, has bytes missing"
	}
	return fmt.Sprintf("a record does not open with %s: %s", p.key.Secret, why)
}
