package tlsdecrypt

import "mtlslab.example/lab/lab/endpoint"

// epoch is which of its keys a side uses in TLS 1.3 (DTLS 1.3 counts them so,
// RFC 9147 section 6.1).
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
	headless   bool // its first bytes are missing
	lost       bool // records of it are missing, or not read
	uncounted  int  // bytes that may be spent on finding out how many are missing
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

// encrypts reports whether the side's records are encrypted, other than those
// of TLS 1.3.
func (w *writeState) encrypts() bool { return w.blind || w.encrypting != nil }

// keyChange is what in a conversation makes a side use other keys.
type keyChange int

const (
	helloSent         keyChange = iota // ClientHello without early data
	earlyDataOffered                   // ClientHello with early data
	serverHelloSent                    // ServerHello of TLS 1.3
	earlyDataEnded                     // EndOfEarlyData
	handshakeFinished                  // Finished of TLS 1.3, also that after the handshake
	keyUpdated                         // KeyUpdate
	cipherSpecChanged                  // ChangeCipherSpec, unless the version is TLS 1.3
)

// changeKeys is called by the conversation: a side uses other keys from its
// next record on.
func (d *decrypter) changeKeys(side endpoint.Side, change keyChange) {
	w := d.sides.Of(side)
	switch change {
	case helloSent:
		w.epoch = plain
	case earlyDataOffered:
		w.epoch = early
	case serverHelloSent:
		w.epoch = handshaking
		if client := &d.sides.Client; client.epoch != early { // which EndOfEarlyData ends
			client.epoch = handshaking
		}
	case earlyDataEnded:
		w.epoch = handshaking
	case handshakeFinished:
		if w.epoch == handshaking {
			w.epoch = application
		} else if now := w.keys[application]; now != nil {
			d.next.hs.endPosts(now.secret)
		}
	case keyUpdated:
		d.updateKey(w)
	case cipherSpecChanged:
		d.encrypt(w)
	}
}

// updateKey switches a side to its next generation of keys
// (RFC 9846 section 7.2).
func (d *decrypter) updateKey(w *writeState) {
	now, suite := w.keys[application], d.next.hs.suite
	if w.epoch != application || now == nil {
		return
	}
	key := Key{Secret: now.key.Secret, Generation: now.key.Generation + 1}
	if next, err := newTLS13(new(protectionTLS13), d.next.hs.version, suite, nextTrafficSecret(d.next.hs.version, now.secret), key); err == nil {
		w.keys[application] = next
	}
}

// mayLackServerHello reports whether ServerHello may be among what is missing.
func (d *decrypter) mayLackServerHello() bool {
	return d.next.headless || d.sides.Server.lost || d.sides.Server.incomplete
}

// encrypt switches a side to the keys of the latest handshake. It may do so
// before the version is known.
func (d *decrypter) encrypt(w *writeState) {
	hs := d.next.hs
	if hs.version == 0 {
		answered := d.conn.Retried || w.epoch == early // it comes before ServerHello then
		w.blind = hs.hello == nil || d.mayLackServerHello() && !answered
		return
	}
	w.encrypting, w.current, w.failed, w.inflater = hs, nil, nil, inflater{}
}
