package tlsdecrypt

import "mtlslab.example/lab/lab/tlswire"

// OpensFirst reports whether a traffic secret of TLS 1.3 opens a record that is
// the first under it (RFC 8446 5.2), which proves that it is of that connection.
func OpensFirst(suite tlswire.CipherSuite, secret []byte, rec tlswire.Record) bool {
	p, err := newTLS13(suite, secret, Key{})
	if err != nil {
		return false
	}
	_, err = p.open(nil, rec)
	return err == nil
}
