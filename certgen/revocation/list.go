package revocation

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

type extension = pkix.Extension

// The extensions that are understood: of lists (RFC 5280 section 5.2), of their
// entries (section 5.3), and of certificates (RFC 9608).
var (
	cRLNumber                = asn1.ObjectIdentifier{2, 5, 29, 20}
	deltaCRLIndicator        = asn1.ObjectIdentifier{2, 5, 29, 27}
	issuingDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
	authorityKeyIdentifier   = asn1.ObjectIdentifier{2, 5, 29, 35}

	reasonCode        = asn1.ObjectIdentifier{2, 5, 29, 21}
	invalidityDate    = asn1.ObjectIdentifier{2, 5, 29, 24}
	certificateIssuer = asn1.ObjectIdentifier{2, 5, 29, 29}

	noRevAvail = asn1.ObjectIdentifier{2, 5, 29, 56}
)

// removeFromCRL is the reasonCode that ends a hold (RFC 5280 section 5.3.1).
const removeFromCRL = 8

// list is one CRL.
type list struct {
	*x509.RevocationList
	part    string                               // see Part
	scope   string                               // its issuingDistributionPoint as it is encoded; "" if it has none
	whole   bool                                 // it is complete within its scope
	revoked map[string]*x509.RevocationListEntry // by serial number: certificates of its own issuer
}

func newList(crl *x509.RevocationList) *list {
	l := &list{RevocationList: crl, whole: true, revoked: make(map[string]*x509.RevocationListEntry)}
	isDelta, isIndirect := false, false
	for _, e := range crl.Extensions {
		switch {
		case e.Id.Equal(deltaCRLIndicator):
			l.part, l.whole, isDelta = "is a delta CRL", false, true
		case e.Id.Equal(issuingDistributionPoint):
			l.scope = string(e.Value)
			isIndirect = indirect(e.Value)
			if l.part == "" {
				l.part = "is a partitioned one (issuingDistributionPoint)"
			}
		case e.Id.Equal(cRLNumber), e.Id.Equal(authorityKeyIdentifier):
		case e.Critical:
			l.notUnderstood(e)
		}
	}
	l.read(isDelta, isIndirect)
	return l
}

// notUnderstood marks the list as one that must not be used to find a
// certificate good, because of an extension of the list or of one of its
// entries (RFC 5280 sections 5.2 and 5.3).
func (l *list) notUnderstood(e extension) {
	kind := "an"
	if e.Critical {
		kind = "a critical"
	}
	l.part, l.whole = "has "+kind+" extension that is not understood ("+e.Id.String()+")", false
}

// read fills revoked. Each entry counts, whichever certificates the list says
// that it is of: its issuer has signed it.
func (l *list) read(isDelta, isIndirect bool) {
	own := true // the entry is of the list's issuer
	for i := range l.RevokedCertificateEntries {
		entry := &l.RevokedCertificateEntries[i]
		for _, e := range entry.Extensions {
			switch {
			case e.Id.Equal(certificateIssuer): // of this entry and those that follow (RFC 5280 section 5.3.3)
				names, ok := directoryNames(e.Value)
				own = !ok || !isIndirect || slices.ContainsFunc(names, l.isIssuer)
				if !ok || !isIndirect && !slices.ContainsFunc(names, l.isIssuer) {
					l.notUnderstood(e)
				}
			case e.Id.Equal(reasonCode), e.Id.Equal(invalidityDate):
			case e.Critical:
				l.notUnderstood(e)
			}
		}
		if own && !(isDelta && entry.ReasonCode == removeFromCRL) {
			l.revoked[string(entry.SerialNumber.Bytes())] = entry
		}
	}
}

func (l *list) isIssuer(name []byte) bool { return IsSameName(name, l.RawIssuer) }

// indirect reports whether an issuingDistributionPoint sets indirectCRL,
// without which the entries of a list are all of its issuer
// (RFC 5280 section 5.2.5).
func indirect(point []byte) bool {
	var sequence cryptobyte.String
	in := cryptobyte.String(point)
	if !in.ReadASN1(&sequence, cryptobyte_asn1.SEQUENCE) {
		return false
	}
	for !sequence.Empty() {
		var field cryptobyte.String
		var tag cryptobyte_asn1.Tag
		if !sequence.ReadAnyASN1(&field, &tag) {
			return false
		}
		if tag == cryptobyte_asn1.Tag(4).ContextSpecific() {
			return bytes.Equal(field, []byte{0xff})
		}
	}
	return false
}

// directoryNames returns the directoryNames in GeneralNames as they are
// encoded. It is not ok if there is none, or something else than GeneralNames.
func directoryNames(generalNames []byte) (names [][]byte, ok bool) {
	var sequence cryptobyte.String
	in := cryptobyte.String(generalNames)
	if !in.ReadASN1(&sequence, cryptobyte_asn1.SEQUENCE) || !in.Empty() {
		return nil, false
	}
	for !sequence.Empty() {
		var name cryptobyte.String
		var tag cryptobyte_asn1.Tag
		if !sequence.ReadAnyASN1(&name, &tag) {
			return nil, false
		}
		if tag == cryptobyte_asn1.Tag(4).ContextSpecific().Constructed() {
			names = append(names, name)
		}
	}
	return names, len(names) > 0
}

// isSupersededBy reports whether another list of the same issuer takes the
// place of l: one that is newer, and of the same scope. A delta is not: it says
// what has changed since a list that may be older than what is at hand.
//
// ThisUpdate decides, and the CRL number where that is the same. For a CA that
// keeps to RFC 5280 section 5.2.3 the two say the same; ThisUpdate is in every
// list, the number is not, and some CAs, certyaml's among them, never count it
// up. OpenSSL goes by ThisUpdate, too.
func (l *list) isSupersededBy(other *list) bool {
	if !l.whole || !other.whole || l.scope != other.scope {
		return false
	}
	if c := other.ThisUpdate.Compare(l.ThisUpdate); c != 0 {
		return c > 0
	}
	return number(other).Cmp(number(l)) > 0
}

func number(l *list) *big.Int {
	if l.Number == nil {
		return new(big.Int)
	}
	return l.Number
}

// Part returns why a CRL covers only a part of its issuer's certificates, or
// must not be used to find any of them good, such as "is a delta CRL". It is
// empty for a complete one.
func Part(crl *x509.RevocationList) string { return newList(crl).part }
