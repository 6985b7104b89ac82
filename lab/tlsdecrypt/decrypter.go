package tlsdecrypt

import (
	"bytes"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// decrypter opens the records of both sides as far as their secrets are known, and hands what is in
// them on to the conversation. A record whose secret is still to come waits, and so do all that come
// after it, of both sides. The conversation calls it back when a side changes its keys: see epoch.go.
type decrypter struct {
	conn *Connection
	next *conversation

	secrets secrets
	sides   endpoint.Pair[writeState]

	queue   []tlsRecord // that wait
	queued  int         // bytes in queue
	hasty   bool        // nothing waits any more
	scratch []byte      // for plaintext
}

// take opens a record, or queues it if its secret, or that of one before it, is still to come.
func (d *decrypter) take(rec tlsRecord) {
	d.retry()
	if len(d.queue) == 0 && !d.waits(rec) {
		d.open(rec)
		return
	}
	rec.Fragment = bytes.Clone(rec.Fragment)
	d.queue = append(d.queue, rec)
	if d.queued += len(rec.Fragment); d.queued > maxWaiting {
		d.giveUp()
	}
}

// retry opens queued records as far as their secrets are known now.
func (d *decrypter) retry() {
	for len(d.queue) > 0 && !d.waits(d.queue[0]) {
		rec := d.queue[0]
		d.queue = d.queue[1:]
		d.queued -= len(rec.Fragment)
		d.open(rec)
	}
}

// giveUp hands on all that is queued, and waits no more.
func (d *decrypter) giveUp() {
	d.hasty = true
	d.retry()
	d.queue = nil
}

// drop forgets what is queued.
func (d *decrypter) drop() { d.queue, d.queued = nil, 0 }

// addSecret takes a line of the key log.
func (d *decrypter) addSecret(line []byte) {
	entry, err := keylog.ParseLine(bytes.TrimRight(line, "\r\n"))
	if err != nil {
		return // a comment, for one: it opens nothing
	}
	if hs := d.next.hs; offersECH(hs.hello) {
		entry.ClientRandom = hs.clientRandom // it may be logged under the random of the encrypted ClientHello
	}
	d.secrets.add(entry)
	d.retry()
}

// lose takes note of bytes of a side that are missing.
func (d *decrypter) lose(side endpoint.Side, what loss) {
	if what >= lostRest {
		d.sides.Of(side).stopped = true
	}
	d.next.lose(side, what)
}

// waits reports whether a record has to wait for its secret.
func (d *decrypter) waits(rec tlsRecord) bool { return !d.hasty && d.lacksSecret(rec) }

// lacksSecret reports whether the secret of a record is not known so far.
func (d *decrypter) lacksSecret(rec tlsRecord) bool {
	w := d.sides.Of(rec.from)
	if hs := w.encrypting; hs != nil {
		return w.current == nil && w.failed == nil && !isPlainAlert(rec) && hs.version != tlswire.VersionSSL30 && !d.secrets.findMaster(hs)
	}
	if rec.Type != tlswire.ContentTypeApplicationData || w.keys[w.epoch] != nil {
		return false
	}
	switch w.epoch {
	case early:
		return !d.secrets.any(d.next.hs)
	case handshaking:
		return d.trafficSecret(rec, handshaking) == nil && d.trafficSecret(rec, application) == nil
	case application:
		return d.trafficSecret(rec, application) == nil
	}
	return false
}

// trafficSecret is the first secret that the sender of a record uses in an epoch of TLS 1.3, or nil.
func (d *decrypter) trafficSecret(rec tlsRecord, e epoch) []byte {
	return d.secrets.find(trafficSecrets[e].Of(rec.from).label, d.next.hs.clientRandom)
}

// isPlainAlert reports whether a record is an alert that is not encrypted: encrypted ones are longer.
func isPlainAlert(rec tlsRecord) bool {
	return rec.Type == tlswire.ContentTypeAlert && len(rec.Fragment) == 2
}

// open opens a record and hands it on.
func (d *decrypter) open(rec tlsRecord) {
	w := d.sides.Of(rec.from)
	if rec.hole {
		w.incomplete = true
	}
	m := Message{From: rec.from, Time: rec.time, Type: rec.Type, Records: []Span{rec.span}, Handshake: rec.hello}
	switch {
	case w.blind && !isPlainAlert(rec):
		d.noSecret(rec, "")
		d.closed(m)
	case w.encrypting != nil && !isPlainAlert(rec):
		d.openTLS12(w, rec, m)
	case rec.Type == tlswire.ContentTypeApplicationData:
		d.openTLS13(w, rec, m)
	case rec.hole:
		d.closed(m)
		if rec.Type == tlswire.ContentTypeChangeCipherSpec { // its one byte says no more than its type
			d.next.changeCipherSpec(rec.from)
		}
	default:
		d.next.content(rec.Fragment, m)
	}
}

// closed hands on a record that could not be opened.
func (d *decrypter) closed(m Message) {
	w, hs := d.sides.Of(m.From), d.next.hs
	ofHandshake := m.Type == tlswire.ContentTypeHandshake || w.epoch == handshaking ||
		w.encrypting == hs && !*hs.finished.Of(m.From)
	d.next.closed(m, ofHandshake)
}
