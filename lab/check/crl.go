package check

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"time"

	"mtlslab.example/lab/lab/chain"
)

// CRL describes a certificate revocation list (RFC 5280 section 5).
type CRL struct {
	Issuer     string    `json:"issuer"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update,omitzero"` // zero: it does not say
	Revoked    int       `json:"revoked"`              // how many certificates it lists
}

func describeCRL(crl *x509.RevocationList) CRL {
	c := CRL{Issuer: crl.Issuer.String(), ThisUpdate: crl.ThisUpdate.UTC(), Revoked: len(crl.RevokedCertificateEntries)}
	if !crl.NextUpdate.IsZero() {
		c.NextUpdate = crl.NextUpdate.UTC()
	}
	return c
}

// readers are those who refuse certificates for their CA's CRL.
const readers = "OpenSSL, Python and Java with CRLs switched on, nginx with ssl_crl"

// lookAtCRLs checks the CRLs of all files: their dates, and whose they are.
func (r *Report) lookAtCRLs() {
	now := time.Now()
	var all []*x509.RevocationList
	for _, f := range r.Files {
		for _, part := range f.parts {
			for _, crl := range part.CRLs {
				f.lookAtDates(crl, now)
			}
			all = append(all, part.CRLs...)
		}
	}
	if len(all) == 0 {
		return
	}
	authorities := r.trusted(nil)
	for _, p := range r.Pairs {
		authorities = append(authorities, p.part.Certificates[1:]...)
	}
	fits := r.lookAtIssuers(authorities)
	for _, ca := range r.trusted(nil) {
		if ca.IsCA && !r.isShown(ca) && !isOfOne(all, ca) && fits {
			r.Loose = append(r.Loose, Finding{Level: Note, Rule: string(chain.CRLMissing), Certificate: chain.Name(ca), RFC: "RFC 5280 section 6.3.3",
				Text: "there is no CRL of " + chain.Name(ca) + ": with CRLs switched on, OpenSSL and nginx refuse every certificate that it has issued"})
		}
	}
}

// lookAtDates finds a CRL that is not to be used today.
func (f *File) lookAtDates(crl *x509.RevocationList, now time.Time) {
	name := fmt.Sprintf("the CRL of %s in %s", crl.Issuer, f.Name)
	switch next := crl.NextUpdate; {
	case !next.IsZero() && now.After(next):
		f.addCRL(Wrong, string(chain.CRLStale), "RFC 5280 section 5.1.2.5", "have the CA make a new one before each next update, and load it: openssl ca -gencrl -out new.crl",
			name+" is out of date since "+next.UTC().Format(time.DateOnly)+": who looks at it refuses every certificate of that CA, OpenSSL with the alert certificate_expired")
	case now.Before(crl.ThisUpdate):
		f.addCRL(Wrong, "crl_not_yet_valid", "RFC 5280 section 5.1.2.4", "is this clock right? else wait, or have the CA make a new one",
			name+" is not valid yet: it is valid from "+crl.ThisUpdate.UTC().Format(time.DateOnly))
	}
}

func (f *File) addCRL(level Level, rule, rfc, fix, text string) {
	f.Findings = append(f.Findings, Finding{Level: level, Rule: rule, File: f.Name, RFC: rfc, RefusedBy: readers, Fix: fix, Text: text})
}

// lookAtIssuers finds CRLs that none of the CAs has issued, and reports whether
// one of them has. Without CAs there is nothing to say.
func (r *Report) lookAtIssuers(authorities []*x509.Certificate) (fits bool) {
	type foreign struct {
		file *File
		crl  *x509.RevocationList
	}
	var others []foreign
	for _, f := range r.Files {
		for _, part := range f.parts {
			for _, crl := range part.CRLs {
				switch issuer := issuerOfCRL(crl, authorities); {
				case issuer == nil:
					others = append(others, foreign{f, crl})
				case issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0:
					fits = true
					f.addCRL(Wrong, "crl_sign_missing", "RFC 5280 section 4.2.1.3", "have the CA issued again with the key usage cRLSign", chain.Name(issuer)+" has issued a CRL, and its key usage does not have cRLSign")
				case issuer.CheckSignature(crl.SignatureAlgorithm, crl.RawTBSRevocationList, crl.Signature) != nil:
					f.addCRL(Wrong, "crl_signature", "RFC 5280 section 6.3.3", "have the CA make a new one with the key that it has now",
						fmt.Sprintf("the CRL in %s is not signed with the key of %s in the other files", f.Name, chain.Name(issuer)))
				default:
					fits = true
				}
			}
		}
	}
	if len(authorities) == 0 {
		return false
	}
	for _, o := range others {
		level := Wrong
		if fits {
			level = Note
		}
		o.file.addCRL(level, "crl_of_another_ca", "RFC 5280 section 6.3.3", "name the CRL of the CA that the certificates are issued by",
			fmt.Sprintf("the CRL in %s is of %s, which is none of the CAs in the files: it says nothing of their certificates", o.file.Name, o.crl.Issuer))
	}
	return fits
}

// issuerOfCRL returns the CA by whose name a CRL is, one whose key has signed it
// if there are several, or nil.
func issuerOfCRL(crl *x509.RevocationList, authorities []*x509.Certificate) (issuer *x509.Certificate) {
	for _, ca := range authorities {
		if !bytes.Equal(ca.RawSubject, crl.RawIssuer) {
			continue
		}
		if ca.CheckSignature(crl.SignatureAlgorithm, crl.RawTBSRevocationList, crl.Signature) == nil {
			return ca
		}
		issuer = ca
	}
	return issuer
}

// isOfOne reports whether one of some CRLs is by the name of a CA.
func isOfOne(all []*x509.RevocationList, ca *x509.Certificate) bool {
	for _, crl := range all {
		if bytes.Equal(ca.RawSubject, crl.RawIssuer) {
			return true
		}
	}
	return false
}

// isShown reports whether a certificate is a pair's own, or sent along by one.
func (r *Report) isShown(cert *x509.Certificate) bool {
	for _, p := range r.Pairs {
		for _, sent := range p.part.Certificates {
			if sent.Equal(cert) && !p.leaf().IsCA {
				return true
			}
		}
	}
	return false
}
