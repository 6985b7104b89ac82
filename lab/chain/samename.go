package chain

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strings"
)

// NamesIssuer reports whether a certificate names a CA as its issuer. Names are
// compared as RFC 5280 section 7.1 has it, and OpenSSL does: the type of a
// string, its case and the amount of space in it do not count. To others, such
// as Go, names are the same if their bytes are.
func NamesIssuer(cert, ca *x509.Certificate) bool {
	return bytes.Equal(cert.RawIssuer, ca.RawSubject) || sameName(cert.Issuer, ca.Subject)
}

// HaveOneName reports whether two certificates are for the same subject, as
// NamesIssuer compares names.
func HaveOneName(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubject, b.RawSubject) || sameName(a.Subject, b.Subject)
}

func sameName(a, b pkix.Name) bool {
	return len(a.Names) > 0 && slices.EqualFunc(a.Names, b.Names, func(a, b pkix.AttributeTypeAndValue) bool {
		x, isText := a.Value.(string)
		y, areTexts := b.Value.(string)
		return a.Type.Equal(b.Type) && isText && areTexts && (strings.EqualFold(x, y) || strings.EqualFold(evenlySpaced(x), evenlySpaced(y)))
	})
}

// evenlySpaced has one space for each run of them, and none at the ends.
func evenlySpaced(s string) string { return strings.Join(strings.Fields(s), " ") }

// What is said of a name that is the same, and has other bytes.
const (
	respelled    = "whose name the two do not write alike (in the type of a string, in case or in space): OpenSSL takes that, Go and GnuTLS do not"
	respelledFix = "have the certificate issued again with the CA's certificate as it is now, or have the other side trust the one that writes the name as this certificate does"
)

// isRespelled reports whether a certificate of the path does not have the name
// of its issuer byte by byte.
func (p *Path) isRespelled() bool {
	for i, above := range p.above() {
		if !bytes.Equal(p.certs[i].RawIssuer, above.RawSubject) {
			return true
		}
	}
	return false
}

// explainRespelled says why crypto/x509 does not find the issuer of a
// certificate among CAs of which one has its name in other bytes; nil: none
// has.
func explainRespelled(cert *x509.Certificate, among []*x509.Certificate, by string) *Fault {
	for _, ca := range among {
		if !NamesIssuer(cert, ca) || bytes.Equal(cert.RawIssuer, ca.RawSubject) {
			continue
		}
		if certified(cert, ca) == nil {
			return &Fault{Code: UnknownCA, Cert: cert, Text: "was issued by " + issuerOf(cert) + ", which the " + by + " trusts, but " + respelled, Fix: respelledFix}
		}
		f := lookAlike(cert, issuerOf(cert), by, keysOfTwin(cert, ca))
		return &f
	}
	return nil
}

// lookAlike says that the CA of a name that a side trusts is not the one that
// has issued a certificate; keys says which keys the two have, or "".
func lookAlike(cert *x509.Certificate, issuer, by, keys string) Fault {
	return Fault{Code: LookAlikeCA, Cert: cert, Text: "names a CA that the " + by + " trusts, " + issuer + ", but another key has signed it" + keys}
}
