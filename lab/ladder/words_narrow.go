package ladder

import (
	"crypto/x509"
	"fmt"
	"slices"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
	"mtlslab.example/lab/lab/verdict"
)

// What of an offer, or of a certificate, may be why it is refused.

// failed reports whether a side refuses the other in the handshake.
func (s *story) failed() bool {
	return s.verdict != nil && s.verdict.Outcome == verdict.Rejected && s.verdict.How != verdict.NotTLS
}

// lacksCommon reports whether the two sides may have found nothing that both
// can do.
func (s *story) lacksCommon() bool {
	if !s.failed() {
		return false
	}
	codes := []verdict.Code{s.verdict.Code}
	for _, cause := range s.verdict.Causes {
		codes = append(codes, cause.Code)
	}
	return slices.ContainsFunc(codes, func(code verdict.Code) bool {
		return code == verdict.NoCommonGroup || code == verdict.NoCommonSignature || code == verdict.NoCommonCipherSuite
	})
}

// narrow says which groups and signature algorithms a client offers, if that
// may be why the server refuses.
func (s *story) narrow(hello *tlswire.ClientHello) string {
	if !s.lacksCommon() {
		return ""
	}
	offer := tlswire.OfferOf(hello)
	groups, schemes := tlswire.Names(offer.Groups), tlswire.Names(offer.SignatureSchemes)
	return fmt.Sprintf(" Groups: %s. Signature algorithms: %s.", few(groups, "none, without which many servers do no ECDHE"), few(schemes, "none named"))
}

// few lists some values, or says that there is one alone, or none.
func few(names []string, none string) string {
	switch len(names) {
	case 0:
		return none
	case 1:
		return names[0] + " only"
	}
	return text.Few(names, 4)
}

// weakness names the key of a certificate that many programs refuse, and an old
// signature on it; "": neither is weak.
func weakness(cert *x509.Certificate) string {
	said := ""
	if chain.IsWeakKey(cert) {
		said = ", " + chain.Key(cert)
	}
	if chain.HasOldSignature(cert) {
		said += ", signed with " + tlswire.SignatureAlgorithm(cert)
	}
	return said
}

// withheld says to which CAs a client has no certificate to show that leads
// there, if the server has named some.
func (s *story) withheld(from endpoint.Side) string {
	if from != endpoint.Client || s.named == "" {
		return ""
	}
	return ": it has none, or keeps back one that does not lead to " + s.named + ": of another CA, or without the intermediate CA between"
}
