package tlsdecrypt

import "mtlslab.example/lab/lab/tlswire"

// Offer returns what the client offered in the latest handshake.
func (c *Connection) Offer() tlswire.Offer { return tlswire.OfferOf(c.offered()) }

// OfferedALPN returns its application protocols alone (ALPN).
func (c *Connection) OfferedALPN() []string { return tlswire.OfferedALPN(c.offered()) }

// offered returns the ClientHello of the connection's latest handshake, or nil.
func (c *Connection) offered() *tlswire.ClientHello {
	if len(c.handshakes) == 0 {
		return nil
	}
	return c.handshakes[len(c.handshakes)-1].hello
}
