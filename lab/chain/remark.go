package chain

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"mtlslab.example/lab/lab/text"
)

// Remarks says what is odd about how a chain was sent, and not wrong: in
// another order, or with certificates that are not needed. Each is a sentence
// without a full stop.
func Remarks(q Question, isTLS13 bool) []string {
	sent := q.Chain()
	if isTidy(sent) {
		return nil
	}
	path, ok := PathOf(q)
	if !ok {
		return nil
	}
	return path.untidy(sent, isTLS13)
}

// isOfKey reports whether two certificates are for one key.
func isOfKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// isTidy reports whether each certificate is named as the issuer of the one
// before it, and none as its own.
func isTidy(sent []*x509.Certificate) bool {
	for i := 1; i < len(sent); i++ {
		if !bytes.Equal(sent[i].RawSubject, sent[i-1].RawIssuer) || IsSelfIssued(sent[i]) {
			return false
		}
	}
	return true
}

// untidy says in what a path differs from what was sent.
func (p *Path) untidy(sent []*x509.Certificate, isTLS13 bool) (remarks []string) {
	var needless []string
	at := 0 // in sent, of the certificate before
	for i, cert := range sent[1:] {
		switch {
		case cert.Equal(p.leaf()):
			remarks = append(remarks, Name(cert)+" was sent twice")
		case isOfKey(cert, p.leaf()):
			remarks = append(remarks, fmt.Sprintf("Number %d, %s, valid from %s to %s, is another certificate for the key of the first, and above nothing: the other side looks at the first alone",
				i+2, Name(cert), cert.NotBefore.UTC().Format(time.DateOnly), cert.NotAfter.UTC().Format(time.DateOnly)))
		case p.hole != nil && slices.ContainsFunc(p.hole.Others, cert.Equal):
		case !slices.ContainsFunc(p.certs, cert.Equal):
			needless = append(needless, Name(cert))
		}
	}
	if p.hole != nil {
		remarks = append(remarks, p.hole.Issuer()+", which issued "+Name(p.hole.Below)+", was not sent along: "+p.hole.Instead())
	}
	for i, cert := range p.certs[1:] {
		place := slices.IndexFunc(sent, cert.Equal)
		if place < at {
			rule := "RFC 5246 section 7.4.2"
			if isTLS13 {
				rule = "RFC 9846 section 4.5.1"
			}
			remarks = append(remarks, Name(cert)+" stands before "+Name(p.certs[i])+", which it issued, and should come after it ("+rule+"): some programs refuse that")
			break
		}
		at = place
	}
	if len(needless) > 0 {
		remarks = append(remarks, text.JoinedFew(needless, 3, "and")+" did not need to be sent along: the chain does not lead there")
	}
	if root := p.Top(); len(p.certs) > 1 && IsSelfIssued(root) {
		remarks = append(remarks, "The root "+Name(root)+" did not need to be sent along: whoever trusts it already has it")
	}
	return remarks
}
