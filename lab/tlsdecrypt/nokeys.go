package tlsdecrypt

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
)

// Why records stay encrypted.

// noSecret notes that a record stays encrypted because something is missing:
// the hellos, or the secret that the key log has under a label.
func (d *decrypter) noSecret(rec *tlsRecord, label string) {
	c, hs, e := d.conn, d.next.hs, d.sides.Of(rec.from).epoch
	switch {
	case hs.clientRandom == nil && hs.version == 0 && d.next.late:
		c.problem(endpoint.Unknown, -1, "starts mid-connection: the handshake was before the capture began, and is needed to decrypt what follows; start the capture before the connection")
	case hs.clientRandom == nil && hs.version == 0:
		c.problem(endpoint.Unknown, -1, "packets are missing here: they had ClientHello and ServerHello, without which nothing can be decrypted")
	case hs.clientRandom == nil:
		c.problem(endpoint.Unknown, -1, "a packet is missing here: it had ClientHello, without which nothing can be decrypted")
	case hs.version == 0 && d.mayLackServerHello():
		c.problem(endpoint.Unknown, -1, "a packet is missing here: it had ServerHello, without which what follows cannot be decrypted")
	case hs.version == 0 && e == plain:
		c.problem(rec.from, rec.Offset, "no ServerHello: without it what follows cannot be decrypted")
	case !d.secrets.any(hs):
		d.noKeys("")
	case e == early:
		c.problem(rec.from, rec.Offset, "early data stays closed: only the client logs CLIENT_EARLY_TRAFFIC_SECRET when the server does not accept it")
	default:
		c.problem(rec.from, rec.Offset, fmt.Sprintf("keys are missing: the key log has secrets of this connection, but no %s; it was cut short, is still being written, or the program broke off before it had that secret", label))
	}
}

// noKeys notes that there is no secret of the connection. why is "" for the
// common reasons.
func (d *decrypter) noKeys(why string) {
	hs := d.next.hs
	if _, not := d.secrets.rsaKeyUse(hs, d.conn); not != "" {
		d.conn.problem(endpoint.Unknown, -1, fmt.Sprintf("the RSA key does not help: %s (client random %x…)", not, hs.clientRandom[:4]))
		return
	}
	if why == "" {
		why = d.secrets.shared.options.Keyless
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
