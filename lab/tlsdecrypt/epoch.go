package tlsdecrypt

import (
	"mtlslab.example/lab/lab/endpoint"
)

// What the conversation learns of keys: the only way back from it to the decrypter.

// epoch is which of its keys a side uses in TLS 1.3 (DTLS 1.3 counts them so, RFC 9147 section 6.1).
type epoch int

const (
	plain epoch = iota
	early
	handshaking
	application
	epochs
)

// writeState is how a side encrypts (RFC 5246 section 6.1 calls it so).
type writeState struct {
	blind      bool // it encrypts, and the hellos were not seen
	stopped    bool // no more of its records come
	incomplete bool // bytes of one of its records were missing

	// TLS 1.3
	epoch epoch
	keys  [epochs]*protection // nil while the secret is not known

	// TLS 1.2
	encrypting *handshake  // whose keys it uses since its ChangeCipherSpec
	current    *protection // made when it is first needed
	failed     error       // why it cannot be made
	inflater   inflater    // of compressed records
}

// enter is called when a side uses the keys of another epoch.
func (d *decrypter) enter(side endpoint.Side, e epoch) { d.sides.Of(side).epoch = e }

// epoch is the one that a side is in.
func (d *decrypter) epoch(side endpoint.Side) epoch { return d.sides.Of(side).epoch }

// encrypt is called when a side begins to encrypt in TLS 1.2, or may do so: the version may not be
// known.
func (d *decrypter) encrypt(side endpoint.Side) {
	w, hs := d.sides.Of(side), d.next.hs
	if hs.version == 0 {
		answered := d.conn.Retried || w.epoch == early // it comes before ServerHello then
		w.blind = hs.hello == nil || (d.next.headless || d.sides.Server.stopped) && !answered
		return
	}
	w.encrypting, w.current, w.failed, w.inflater = hs, nil, nil, inflater{}
}

// updateKey takes a side to its next generation of keys (RFC 9846 section 7.2).
func (d *decrypter) updateKey(side endpoint.Side) {
	w := d.sides.Of(side)
	now, suite := w.keys[application], d.next.hs.suite
	h := hashOf(suite.Info())
	if w.epoch != application || now == nil || h == nil {
		return
	}
	key := Key{Secret: now.key.Secret, Generation: now.key.Generation + 1}
	if next, err := newTLS13(suite, nextTrafficSecret(h, now.secret), key); err == nil {
		w.keys[application] = next
	}
}

// applicationSecret is the traffic secret that a side uses after its handshake, or nil.
func (d *decrypter) applicationSecret(side endpoint.Side) []byte {
	if now := d.sides.Of(side).keys[application]; now != nil {
		return now.secret
	}
	return nil
}
