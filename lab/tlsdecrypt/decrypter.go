package tlsdecrypt

import (
	"bytes"
	"crypto/sha256"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// decrypter opens the records of both sides as far as their secrets are known,
// and hands what is in them on to the conversation. A record whose secret is
// still to come waits, and so do all that come after it, of both sides. The
// conversation calls it back when a side changes its keys: see epoch.go.
type decrypter struct {
	conn    *Connection
	next    *conversation
	secrets *secrets

	sides endpoint.Pair[writeState]

	queue   []tlsRecord // that wait
	queued  int         // bytes in queue
	gaveUp  bool        // it waits for no secret any more
	scratch []byte      // for plaintext
}

// take forwards a record, or queues a copy of it if its secret, or that of one
// before it, is still to come.
func (d *decrypter) take(rec *tlsRecord) {
	d.retry()
	if len(d.queue) == 0 && !d.waits(rec) {
		d.forward(rec)
		return
	}
	queued := *rec
	queued.Fragment = bytes.Clone(rec.Fragment)
	d.queue = append(d.queue, queued)
	if d.queued += len(rec.Fragment); d.queued > maxWaiting {
		d.giveUp()
	}
}

// retry forwards queued records as far as their secrets are known now.
func (d *decrypter) retry() {
	for len(d.queue) > 0 && !d.waits(&d.queue[0]) {
		rec := &d.queue[0]
		d.queue = d.queue[1:]
		d.queued -= len(rec.Fragment)
		d.forward(rec)
	}
}

// giveUp forwards all that is queued, and waits no more.
func (d *decrypter) giveUp() {
	d.gaveUp = true
	d.retry()
	d.queue = nil
}

// drop empties the queue.
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

// lose notes that bytes of a side are missing.
func (d *decrypter) lose(side endpoint.Side, what loss) {
	w := d.sides.Of(side)
	switch what {
	case lostStart, lostFirst:
		w.headless = true
	case lostRecords:
		w.lost, w.uncounted = true, maxRecount
		w.inflater.lose()
	case notRead:
		w.lost = true
	}
	d.next.lose(side, what)
}

// waits reports whether a record has to wait for its secret.
func (d *decrypter) waits(rec *tlsRecord) bool { return !d.gaveUp && d.lacksSecret(rec) }

// lacksSecret reports whether the secret of a record is not known so far.
func (d *decrypter) lacksSecret(rec *tlsRecord) bool {
	w := d.sides.Of(rec.from)
	if hs := w.encrypting; hs != nil {
		return w.current == nil && w.failed == nil && !isPlainAlert(rec) && hs.version != tlswire.VersionSSL30 && !d.secrets.findMaster(hs)
	}
	if rec.Type != tlswire.ContentTypeApplicationData || w.keys[w.epoch] != nil || d.next.hs.unencryptedTLS13() || tooEarly(d.next.hs.version) != "" {
		return false
	}
	if w.epoch == plain {
		return false
	}
	// Others may be there: Node logs its secrets in any order.
	least := sha256.Size
	if w.epoch != early { // whose cipher suite is not known by then
		least = max(least, hashLen(d.next.hs.suite.Info()))
	}
	if len(d.trafficSecret(rec, w.epoch)) >= least {
		return false
	}
	d.secrets.latest = keylog.Entry{} // it may be half a line, and be whole the next time
	// A server that does not accept early data logs the other secrets alone.
	return w.epoch != early || !d.secrets.all(loggedLabels[1:], d.next.hs.clientRandom)
}

// trafficSecret is the first secret that the sender of a record uses in an
// epoch of TLS 1.3, or nil.
func (d *decrypter) trafficSecret(rec *tlsRecord, e epoch) []byte {
	return d.secrets.find(trafficSecrets[e].Of(rec.from).label, d.next.hs.clientRandom)
}

// isPlainAlert reports whether a record is an alert that is not encrypted:
// encrypted ones are longer.
func isPlainAlert(rec *tlsRecord) bool {
	return rec.Type == tlswire.ContentTypeAlert && len(rec.Fragment) == 2
}

// forward hands a record on to the conversation, opened or not.
func (d *decrypter) forward(rec *tlsRecord) {
	w, hs := d.sides.Of(rec.from), d.next.hs
	m := Message{From: rec.from, Time: rec.time, Type: rec.Type, Records: d.conn.arena.spans.keep(spanBlock, rec.span), Handshake: rec.hello}
	if content, ok := d.open(w, rec, &m); ok {
		d.next.content(content, &m)
		return
	}
	ofHandshake := m.Type == tlswire.ContentTypeHandshake || w.epoch == handshaking ||
		w.encrypting == hs && !*hs.finished.Of(m.From)
	m.Incomplete = rec.hole && !w.encrypts() && m.Type != tlswire.ContentTypeApplicationData
	changes := m.Type == tlswire.ContentTypeChangeCipherSpec && !w.encrypts() // its one byte says no more than its type
	d.next.encrypted(&m, ofHandshake)
	if changes {
		d.next.changeCipherSpec(m.From)
	}
}

// open returns what is in a record, or false, and completes m, the message that
// the record makes. The content is valid until the next record.
func (d *decrypter) open(w *writeState, rec *tlsRecord, m *Message) ([]byte, bool) {
	if rec.hole {
		w.incomplete = true
	}
	if beginsHello(rec) {
		w.headless = false // nothing comes before it, ChangeCipherSpec least of all
	}
	isData := rec.Type == tlswire.ContentTypeApplicationData && d.next.hs.version != 0
	if (w.headless || w.lost) && !w.encrypts() && !d.next.hs.tls13() && (isData || looksEncrypted(rec)) {
		d.encrypt(w) // its ChangeCipherSpec is among what is missing
		w.blind = w.encrypting == nil
	}
	switch {
	case w.blind && !isPlainAlert(rec):
		d.noSecret(rec, "")
		return nil, false
	case w.encrypting != nil && !isPlainAlert(rec):
		return d.openTLS12(w, rec, m)
	case rec.Type == tlswire.ContentTypeApplicationData:
		return d.openTLS13(w, rec, m)
	}
	return rec.Fragment, !rec.hole
}
