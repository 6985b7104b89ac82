package tlsdecrypt

import "mtlslab.example/lab/lab/tlswire"

// offersECH reports whether another ClientHello may be encrypted in this one
// (RFC 9849 section 5). If the server takes that one, its random is what key logs go
// by, and it stands in the transcript in place of the one that can be seen.
func offersECH(hello *tlswire.ClientHello) bool {
	if hello == nil {
		return false
	}
	ech, ok := tlswire.Lookup[*tlswire.ECHClientHello](hello.Extensions, tlswire.ExtensionEncryptedClientHello)
	return ok && ech.HelloType == tlswire.ECHOuter
}
