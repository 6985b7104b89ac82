package revocation

import (
	"bytes"
	"crypto/x509"
	"slices"
	"sync"
	"time"
)

// clockSkew is how far in the future a list may be and still count as present:
// the clocks of the CA and of this machine may differ.
const clockSkew = 10 * time.Second

// Lists are the CRLs at hand, of any number of issuers. They are safe for
// concurrent use.
type Lists struct {
	lists  map[string][]*list // by the normalized name of the issuer
	signed sync.Map           // signedBy to bool: the results of isSigned
}

// signedBy is a CRL and a public key that may have signed it.
type signedBy struct {
	*list
	public string // SubjectPublicKeyInfo
}

// New returns Lists of crls, which must not be changed any more.
func New(crls []*x509.RevocationList) *Lists {
	l := &Lists{lists: make(map[string][]*list)}
	for _, crl := range crls {
		issuer := normalized(crl.RawIssuer)
		l.lists[issuer] = append(l.lists[issuer], newList(crl))
	}
	return l
}

// Empty reports whether there is no CRL.
func (l *Lists) Empty() bool { return len(l.lists) == 0 }

// Status is what the CRLs of an issuer say of one of its certificates.
type Status struct {
	// Entry is the one that revokes the certificate, nil if none does. A
	// certificate that is on hold (RFC 5280 section 5.3.1) is revoked.
	Entry *x509.RevocationListEntry
	// Since is the time from which the certificate is revoked: the earliest of
	// the dates of its entry and of the list and, if the list is not from the
	// future, the time that Of was asked for.
	Since time.Time
	// Complete is the list that says that a certificate is good, if it does not
	// list it; nil if there is none. It may be out of date, see [IsCurrent].
	Complete *x509.RevocationList
	// Unfit is the reason why a list of the issuer is not Complete, such as "is
	// a delta CRL". It is empty if there is none.
	Unfit string
}

// Of returns the status, at a time, of a certificate that issuer has signed.
func (l *Lists) Of(certificate, issuer *x509.Certificate, at time.Time) (s Status) {
	if l.Empty() {
		return s
	}
	var present, future []*list
	for _, one := range l.lists[normalized(issuer.RawSubject)] {
		switch {
		case !l.isSigned(one, issuer):
			s.Unfit = "is not signed by it"
		case one.ThisUpdate.After(at.Add(clockSkew)):
			s.Unfit = "is from the future (" + one.ThisUpdate.UTC().Format(time.DateOnly) + ")"
			future = append(future, one)
		default:
			present = append(present, one)
		}
	}
	if !maySign(issuer) {
		for _, one := range slices.Concat(present, future) {
			s.Unfit = "is of a CA whose keyUsage does not allow to sign CRLs"
			s.revokedBy(one, certificate, at)
		}
		return s
	}
	for _, one := range present {
		if slices.ContainsFunc(present, one.isSupersededBy) {
			continue
		}
		if one.part != "" {
			s.Unfit = one.part
		} else {
			s.Complete = one.RevocationList
		}
		s.revokedBy(one, certificate, at)
	}
	for _, one := range future {
		s.revokedBy(one, certificate, one.ThisUpdate)
	}
	return s
}

// revokedBy sets Entry and Since if a list has an entry for a certificate, and
// it revokes it earlier than any before.
func (s *Status) revokedBy(one *list, certificate *x509.Certificate, at time.Time) {
	entry, ok := one.revoked[string(certificate.SerialNumber.Bytes())]
	if !ok {
		return
	}
	since := entry.RevocationTime
	for _, earlier := range []time.Time{one.ThisUpdate, at} {
		if earlier.Before(since) {
			since = earlier
		}
	}
	if s.Entry == nil || since.Before(s.Since) {
		s.Entry, s.Since = entry, since
	}
}

// isSigned reports whether a list was signed with the key of issuer: two CAs
// may have one name. A signature takes longer to check than all the rest, so it
// is checked once.
func (l *Lists) isSigned(one *list, issuer *x509.Certificate) bool {
	key := signedBy{one, string(issuer.RawSubjectPublicKeyInfo)}
	known, ok := l.signed.Load(key)
	if !ok {
		known = issuer.CheckSignature(one.SignatureAlgorithm, one.RawTBSRevocationList, one.Signature) == nil
		l.signed.Store(key, known)
	}
	return known.(bool)
}

// maySign reports whether a list of issuer can be complete: it must be a CA,
// and its keyUsage, if it has one, must allow cRLSign (RFC 10007). An entry
// that its key has signed revokes even if not: a client chooses which of
// several certificates of its issuer it sends.
func maySign(issuer *x509.Certificate) bool {
	return (issuer.Version < 3 || issuer.IsCA) && (issuer.KeyUsage == 0 || issuer.KeyUsage&x509.KeyUsageCRLSign != 0)
}

// IsCurrent reports whether a CRL is not out of date. One that does not say
// when the next one comes may have been followed by any number:
// RFC 5280 section 5.1.2.5 wants NextUpdate, and without it nothing is current.
func IsCurrent(crl *x509.RevocationList, at time.Time) bool { return !crl.NextUpdate.Before(at) }

// IsNotPublished reports whether an issuer has said in the certificate that
// there is no CRL for it to look up (noRevAvail, RFC 9608). It may not say so
// of a CA.
func IsNotPublished(certificate *x509.Certificate) bool {
	return !certificate.IsCA && slices.ContainsFunc(certificate.Extensions, func(e extension) bool {
		return e.Id.Equal(noRevAvail) && bytes.Equal(e.Value, []byte{5, 0}) // NULL
	})
}
