package check

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"mtlslab.example/lab/certgen/revocation"
	"mtlslab.example/lab/lab"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
)

// CRL describes a certificate revocation list (RFC 5280 section 5).
type CRL struct {
	Issuer     string    `json:"issuer"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update,omitzero"` // zero: it does not say
	Revoked    int       `json:"revoked"`              // how many certificates it lists
	Given      []Revoked `json:"revokes,omitempty"`    // of them, those in the files

	list *x509.RevocationList
}

// Revoked is a certificate in the files that a CRL lists.
type Revoked struct {
	Subject string    `json:"subject"`
	Serial  string    `json:"serial"` // hexadecimal, two digits an octet
	Since   time.Time `json:"since"`
	File    string    `json:"file"`
}

func describeCRL(crl *x509.RevocationList) CRL {
	c := CRL{Issuer: dn.OfCRL(crl), ThisUpdate: crl.ThisUpdate.UTC(), Revoked: len(crl.RevokedCertificateEntries), list: crl}
	if !crl.NextUpdate.IsZero() {
		c.NextUpdate = crl.NextUpdate.UTC()
	}
	return c
}

// readers are those who refuse certificates for their CA's CRL.
const readers = "OpenSSL, Python and Java with CRLs switched on, nginx with ssl_crl, Apache with SSLCARevocationCheck"

// lookAtCRLs checks the CRLs of all files: their dates, and whose they are.
func (r *Report) lookAtCRLs() {
	now, authorities := time.Now(), r.authorities()
	var all []*x509.RevocationList
	for _, f := range r.Files {
		for _, part := range f.parts {
			for _, crl := range part.CRLs {
				f.lookAtDates(crl, now)
				r.lookAtRevoked(f, crl, authorities)
			}
			all = append(all, part.CRLs...)
		}
	}
	if len(all) == 0 {
		return
	}
	fits := r.lookAtIssuers(authorities)
	for _, ca := range r.trusted(nil) {
		if ca.IsCA && !r.isShown(ca) && !isOfOne(all, ca, authorities) && fits {
			r.Loose = append(r.Loose, Finding{Level: Note, Rule: string(chain.CRLMissing), Certificate: chain.Name(ca), RFC: "RFC 5280 section 6.3.3",
				Text: "there is no CRL of " + chain.Name(ca) + ": with CRLs switched on, OpenSSL and nginx refuse every certificate that it has issued"})
		}
	}
}

// authorities are the CAs in all files.
func (r *Report) authorities() []*x509.Certificate {
	all := r.trusted(nil)
	for _, p := range r.Pairs {
		all = append(all, p.part.Certificates[1:]...)
	}
	for _, f := range r.beside {
		for _, part := range f.parts {
			all = append(all, slices.DeleteFunc(slices.Clone(part.Certificates), func(c *x509.Certificate) bool { return !isAuthority(c) })...)
		}
	}
	return all
}

// lookAtDates finds a CRL that is not to be used today.
func (f *File) lookAtDates(crl *x509.RevocationList, now time.Time) {
	name := fmt.Sprintf("the CRL of %s in %s", dn.OfCRL(crl), f.Name)
	switch next := crl.NextUpdate; {
	case !next.IsZero() && now.After(next):
		f.addCRL(Wrong, string(chain.CRLStale), "RFC 5280 section 5.1.2.5", "have the CA make a new one before each next update, and load it: openssl ca -gencrl -out new.crl",
			name+" is out of date since "+next.UTC().Format(time.DateOnly)+": who looks at it refuses every certificate of that CA: OpenSSL with the alert certificate_expired (45), Apache with certificate_unknown (46), nginx in HTTP with 400")
	case now.Before(crl.ThisUpdate):
		f.addCRL(Wrong, "crl_not_yet_valid", "RFC 5280 section 5.1.2.4", "is this clock right? else wait, or have the CA make a new one",
			name+" is not valid yet: it is valid from "+crl.ThisUpdate.UTC().Format(time.DateOnly))
	}
}

// lookAtRevoked finds the certificates in the files that a CRL lists.
func (r *Report) lookAtRevoked(of *File, crl *x509.RevocationList, authorities []*x509.Certificate) {
	described := slices.IndexFunc(of.CRLs, func(c CRL) bool { return c.list == crl })
	given := make(map[string][]chain.NamedCA) // of that issuer's name, by serial number
	for _, f := range slices.Concat(r.Files, r.beside) {
		for _, part := range f.parts {
			for _, cert := range part.Certificates {
				if revocation.IsSameName(cert.RawIssuer, crl.RawIssuer) {
					serial := string(cert.SerialNumber.Bytes())
					given[serial] = append(given[serial], chain.NamedCA{Certificate: cert, In: f.Name})
				}
			}
		}
	}
	if len(given) == 0 {
		return
	}
	for _, entry := range crl.RevokedCertificateEntries {
		listed := given[string(entry.SerialNumber.Bytes())]
		at := slices.IndexFunc(listed, func(c chain.NamedCA) bool { return isAbout(crl, c.Certificate, authorities) })
		if at < 0 || entry.ReasonCode == removeFromCRL {
			continue
		}
		one := listed[at]
		found := Revoked{Subject: chain.Name(one.Certificate), Serial: dn.Serial(one.Certificate), Since: entry.RevocationTime.UTC(), File: one.In}
		if described >= 0 {
			of.CRLs[described].Given = append(of.CRLs[described].Given, found)
		}
		if !r.isFoundRevoked(one.Certificate) {
			of.addCRL(Wrong, string(chain.Revoked), rules[chain.Revoked].rfc, rules[chain.Revoked].fix,
				fmt.Sprintf("the CRL in %s revokes %s, serial %s, in %s, since %s", of.Name, found.Subject, found.Serial, one.In, found.Since.Format(time.DateOnly)))
		}
	}
}

// removeFromCRL is the reason of a delta CRL's entry that takes one back (RFC
// 5280 section 5.3.1).
const removeFromCRL = 8

// isFoundRevoked reports whether it is a finding already that a pair's own
// certificate is revoked.
func (r *Report) isFoundRevoked(cert *x509.Certificate) bool {
	return slices.ContainsFunc(r.Pairs, func(p *Pair) bool {
		return p.leaf().Equal(cert) && slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Rule == string(chain.Revoked) })
	})
}

// policyOf is how a side uses its CRLs for what the other side shows, as
// programs do that are given these files: if it has those of all CAs of the
// chain, each must be current, and if it has that of the lowest CA, that one.
// CRLs that have to do with none of the CAs, nor with the side's own
// certificate, make programs refuse everybody.
func policyOf(own, other *lab.Loaded) lab.CRLPolicy {
	if len(own.CRLs) == 0 || len(other.Certificates) == 0 {
		return lab.CRLSoft
	}
	sent := chain.Question{DERs: other.Certificates[0].Certificate}.Chain()
	if len(sent) == 0 {
		return lab.CRLSoft
	}
	above := slices.Concat(sent, own.CAs)
	way := climb(sent[0], above)
	has := func(ca *x509.Certificate) bool { return isOfOne(own.CRLs, ca, above) }
	lacks := func(ca *x509.Certificate) bool { return !has(ca) }
	switch {
	case len(way) > 1 && !slices.ContainsFunc(way[1:], lacks):
		return lab.CRLRequire
	case len(way) > 1 && has(way[1]), !slices.ContainsFunc(above, has) && !isOfOwn(own):
		return lab.CRLLeaf
	}
	return lab.CRLSoft
}

// isOfOwn reports whether a CRL of a side is about what it shows itself, as
// where it was given all files there are.
func isOfOwn(l *lab.Loaded) bool {
	for _, own := range l.Certificates {
		for _, cert := range (chain.Question{DERs: own.Certificate}).Chain() {
			if slices.ContainsFunc(l.CRLs, func(crl *x509.RevocationList) bool { return isAbout(crl, cert, l.CAs) }) {
				return true
			}
		}
	}
	return false
}

// climb goes up from a leaf by signatures, through some CAs.
func climb(leaf *x509.Certificate, cas []*x509.Certificate) []*x509.Certificate {
	way := []*x509.Certificate{leaf}
	for len(way) < maxWay && !chain.IsSelfIssued(way[len(way)-1]) {
		i := slices.IndexFunc(cas, func(ca *x509.Certificate) bool { return chain.Issued(ca, way[len(way)-1]) })
		if i < 0 {
			break
		}
		way = append(way, cas[i])
	}
	return way
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
			fmt.Sprintf("the CRL in %s is of %s, which is none of the CAs in the files: it says nothing of their certificates", o.file.Name, dn.OfCRL(o.crl)))
	}
	return fits
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
