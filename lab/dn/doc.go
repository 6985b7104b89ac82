// Package dn writes and reads distinguished names as text (RFC 4514), in the
// words of OpenSSL: CN=server,O=Example,emailAddress=ops@example.com. Names are
// compared by their DER, never by this text. It writes serial numbers, too:
// they stand beside the name of the issuer.
package dn
