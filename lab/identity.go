package lab

import (
	"crypto/tls"
	"encoding/hex"

	"mtlslab.example/lab/lab/chain"
)

// Identity is a client by its certificate that was verified. A renewed
// certificate has the same; one of the same name of another CA has not. The
// zero value is nobody's.
type Identity struct {
	Authority string // SHA-256 of the key of the CA that the chain ends with, in hexadecimal
	Subject   string // DER, with the subject alternative names where it is empty
}

// oidSubjectAltName is of RFC 5280 section 4.2.1.6.
const oidSubjectAltName = "2.5.29.17"

// IdentityOf returns who the other side of a connection has proven to be:
// nobody if no certificate was verified. Before the handshake is complete
// nothing is proven: anybody can show a certificate, whose key signs later.
func IdentityOf(state *tls.ConnectionState) (id Identity) {
	if !state.HandshakeComplete {
		return Identity{}
	}
	for _, path := range state.VerifiedChains {
		sum := chain.KeySum(path[len(path)-1])
		authority := hex.EncodeToString(sum[:])
		if id.Authority == "" || authority < id.Authority { // of several, always the same
			id.Authority = authority
		}
	}
	if id.Authority == "" {
		return Identity{}
	}
	leaf := state.VerifiedChains[0][0]
	id.Subject = string(leaf.RawSubject)
	if len(leaf.Subject.Names) == 0 {
		for _, e := range leaf.Extensions {
			if e.Id.String() == oidSubjectAltName {
				id.Subject += string(e.Value)
			}
		}
	}
	return id
}
