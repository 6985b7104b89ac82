package chain

import (
	"bytes"
	"crypto/x509"
	"slices"

	"mtlslab.example/lab/lab/text"
)

// Remarks says what is odd about how a chain was sent, and not wrong: in another
// order, or with certificates that are not needed. Each is a sentence without a
// full stop.
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
	for _, cert := range sent[1:] {
		if !slices.ContainsFunc(p.certs, cert.Equal) {
			needless = append(needless, Name(cert))
		}
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
