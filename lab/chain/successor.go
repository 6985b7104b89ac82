package chain

import (
	"crypto/x509"
	"fmt"
	"time"
)

// A certificate that was renewed may have been put behind the old one, in one
// file. Programs take the first for their own, and send the other as if it
// stood above it (RFC 9846 section 4.5.1).

// addSuccessor adds to a fault of a leaf that another certificate for its key
// was sent along, and is good at a time.
func (f *Fault) addSuccessor(sent []*x509.Certificate, q Question, at time.Time) {
	if len(sent) < 2 || f.Cert == nil || !f.Cert.Equal(sent[0]) {
		return
	}
	switch f.Code {
	case Expired, NotYetValid, WrongUsage, WrongHost, NoSAN:
	default:
		return
	}
	for i, cert := range sent[1:] {
		if !isOfKey(cert, sent[0]) || cert.Equal(sent[0]) || evident(cert, q, at) != nil {
			continue
		}
		f.Text += fmt.Sprintf("; one for the same key that is right, valid until %s, was sent behind it, as number %d, where nobody looks for it", cert.NotAfter.UTC().Format(time.DateOnly), i+2)
		f.Fix = fmt.Sprintf("put certificate number %d first in the file of the %v's certificate, and remove the one that is there now: no new one is needed", i+2, q.Of)
		return
	}
}
