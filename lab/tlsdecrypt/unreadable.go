package tlsdecrypt

import (
	"fmt"

	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Unreadable says why what is encrypted on the connection cannot be read here,
// whatever keys there are; "" if keys would open it.
func (c *Connection) Unreadable() string {
	switch {
	case c.Version == tlswire.VersionSSL20:
		return "the server picked SSL 2.0, which is not read here"
	case c.Version == tlswire.VersionSSL30:
		return errSSL30.Error()
	case tooEarly(c.Version) != "":
		return tooEarly(c.Version)
	}
	return compressed(c.Compression)
}

// compressed is why records that are compressed cannot be read; "" if they can.
func compressed(method tlswire.CompressionMethod) string {
	switch method {
	case tlswire.CompressionNull, tlswire.CompressionDeflate:
		return ""
	}
	return fmt.Sprintf("the records are compressed with %v, which cannot be decompressed here", method)
}

// isSSL20 notes that the connection goes on in SSL 2.0, if b shows that. more
// is set if it does not have enough bytes to know.
func (r *reader) isSSL20(b []byte) (is, more bool) {
	c := r.conn
	if r.side == endpoint.Server && !r.begun {
		const enough = 7
		if offered := c.offered(); len(b) < enough && b[0]&0x80 != 0 && offered != nil && offered.V2 != nil {
			return false, true
		}
		if tlswire.IsServerHelloV2(b) {
			c.Version = tlswire.VersionSSL20
		}
	}
	if c.Version != tlswire.VersionSSL20 {
		return false, false
	}
	c.problem(r.side, r.offset, c.Unreadable()+": its records have another form, and nobody should speak it any more (RFC 6176)")
	return true, false
}
