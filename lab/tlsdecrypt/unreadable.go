package tlsdecrypt

import (
	"fmt"

	"mtlslab.example/lab/lab/tlswire"
)

// Unreadable says why what is encrypted on the connection cannot be read here,
// whatever keys there are; "" if keys would open it.
func (c *Connection) Unreadable() string {
	switch {
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
