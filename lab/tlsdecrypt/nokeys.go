package tlsdecrypt

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/tlswire"
)

// Why records stay encrypted.

// noSecret says that a record stays encrypted because something is missing: the hellos, or the
// secret that the key log has under a label.
func (d *decrypter) noSecret(rec tlsRecord, label string) {
	c, hs, e := d.conn, d.next.hs, d.sides.Of(rec.from).epoch
	switch {
	case hs.clientRandom == nil && hs.version == 0:
		c.problem(endpoint.Unknown, -1, "starts mid-connection: the handshake came before, and is needed to decrypt what follows; start the capture before the connection")
	case hs.clientRandom == nil:
		c.problem(endpoint.Unknown, -1, "a packet is missing here: it had ClientHello, without which nothing can be decrypted")
	case hs.version == 0 && d.next.headless:
		c.problem(endpoint.Unknown, -1, "a packet is missing here: it had ServerHello, without which what follows cannot be decrypted")
	case hs.version == 0 && e == plain:
		c.problem(rec.from, rec.Offset, "no ServerHello: without it what follows cannot be decrypted")
	case !d.secrets.any(hs):
		d.noKeys("")
	case e == early:
		c.problem(rec.from, rec.Offset, "early data stays closed: only the client logs CLIENT_EARLY_TRAFFIC_SECRET when the server does not accept it")
	default:
		c.problem(rec.from, rec.Offset, fmt.Sprintf("keys are missing: the key log has secrets of this connection, but no %s; it was cut short, or is still being written", label))
	}
}

// noMasterSecret says the same of a record of TLS 1.2.
func (d *decrypter) noMasterSecret(hs *handshake, rec tlsRecord) {
	if latest := d.next.hs; hs.resumed && latest.clientRandom != nil && !d.secrets.any(latest) {
		d.noKeys("the session was resumed, and its secret is that of an earlier connection, which has to be in the capture too")
		return
	}
	d.noSecret(rec, keylog.LabelClientRandom)
}

// noKeys says that there is no secret of the connection. why is "" for the common reasons.
func (d *decrypter) noKeys(why string) {
	hs := d.next.hs
	if _, not := d.secrets.rsaKeyUse(hs, d.conn); not != "" {
		d.conn.problem(endpoint.Unknown, -1, fmt.Sprintf("the RSA key does not help: %s (client random %x…)", not, hs.clientRandom[:4]))
		return
	}
	text := "no keys: " + why
	switch {
	case why != "":
	case d.secrets.empty():
		text += "name a key log with --keylog, or set SSLKEYLOGFILE for one of the two programs before it starts"
	case offersECH(hs.hello):
		text = "no keys of this connection: those that are there are of other connections, or go by a ClientHello that is hidden in this one (ECH)"
	default:
		text = "no keys of this connection: those that are there are of other connections; was SSLKEYLOGFILE set for one of the two programs before it started?"
	}
	d.conn.problem(endpoint.Unknown, -1, fmt.Sprintf("%s (client random %x…)", text, hs.clientRandom[:4]))
}

// unopenedTLS13 says why a record does not open with a key although its secret is known.
func unopenedTLS13(w *writeState, p *protection) string {
	why := "it was changed on the way, or the key log is of another connection"
	if w.incomplete {
		why = "a record before it, which may have changed the key, has bytes missing"
	}
	return fmt.Sprintf("a record does not open with %s: %s", p.key.Secret, why)
}

// unopenedTLS12 says why a record does not open although the master secret is known.
func unopenedTLS12(w *writeState) string {
	hs := w.encrypting
	switch info := hs.suite.Info(); {
	case hs.derived && hs.extendedMaster && hs.missed != "":
		return "the keys cannot be derived: extended_master_secret covers the whole handshake (RFC 7627 4), and " + hs.missed
	case w.incomplete && info.Cipher == "RC4_128", w.incomplete && info.CBC && hs.version < tlswire.VersionTLS11:
		return "a record does not open: bytes of the one before it are missing, without which it cannot be decrypted"
	case hs.derived:
		return "a record does not open with the keys of master_secret: it was changed on the way, or the secret is of another connection"
	}
	return "a record does not open with the keys of master_secret: it was changed on the way, or the key log is of another connection"
}
