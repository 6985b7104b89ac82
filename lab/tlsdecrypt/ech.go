package tlsdecrypt

import "mtlslab.example/lab/lab/tlswire"

// offersECH tells whether another ClientHello may be encrypted in this one
// (RFC 9849 5). If the server takes that one, its random is what key logs go
// by, and it stands in the transcript in place of the one that can be seen.
func offersECH(hello *tlswire.ClientHello) bool {
	if hello == nil {
		return false
	}
	ech, ok := tlswire.Lookup[*tlswire.ECHClientHello](hello.Extensions, tlswire.ExtensionEncryptedClientHello)
	return ok && ech.HelloType == tlswire.ECHOuter
}

// excuseECH takes back that claims fail whose transcript may begin with a
// ClientHello that cannot be seen.
func (k *checker) excuseECH() {
	if !offersECH(k.hs.hello) {
		return
	}
	for _, m := range k.hs.transcript {
		for i, c := range m.Checks {
			if c.Result == Fails && (c.Subject == "signature" || c.Subject == "verify_data") {
				m.Checks[i].Result = Unknown
				m.Checks[i].Text = "Cannot be checked: the server took the ClientHello that is encrypted in the one above, and the transcript begins with that (RFC 9849 7.2)."
			}
		}
	}
}
