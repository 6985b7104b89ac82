package tlsdecrypt

import "mtlslab.example/lab/lab/tlswire"

// offersECH reports whether another ClientHello may be encrypted in this one
// (RFC 9849 section 5). If the server accepts that one, key logs use its
// random, and it replaces the visible one in the transcript.
func offersECH(hello *tlswire.ClientHello) bool {
	if hello == nil {
		return false
	}
	ech, ok := tlswire.Lookup[*tlswire.ECHClientHello](hello.Extensions, tlswire.ExtensionEncryptedClientHello)
	return ok && ech.HelloType == tlswire.ECHOuter
}
