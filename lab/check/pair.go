package check

import (
	"cmp"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/endpoint"
)

// Pair is a certificate with its private key, as one side shows it.
type Pair struct {
	Subject         string    `json:"subject"`
	CertificateFile string    `json:"certificate_file"`
	KeyFile         string    `json:"key_file"`
	Sends           []string  `json:"sends"`    // the subjects of the chain, its own first
	LeadsTo         string    `json:"leads_to"` // the CA at its end
	For             string    `json:"for"`
	Findings        []Finding `json:"-"` // see Report.Findings

	part   *certfile.Contents
	signer crypto.Signer
}

// leaf is the pair's own certificate.
func (p *Pair) leaf() *x509.Certificate { return p.part.Certificates[0] }

// Certificate returns the pair as crypto/tls has it.
func (p *Pair) Certificate() *tls.Certificate {
	c := &tls.Certificate{PrivateKey: p.signer, Leaf: p.leaf()}
	for _, cert := range p.part.Certificates {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	return c
}

// holder is a key that can be used, and where it is.
type holder struct {
	part   *certfile.Contents
	signer crypto.Signer
	taken  bool
}

// match puts certificates and keys together.
func (r *Report) match() {
	var keys []*holder
	var withCertificates []*certfile.Contents
	locked := false // a key may be in what cannot be read
	for _, f := range r.Files {
		locked = locked || f.parts == nil
		for _, part := range f.parts {
			for _, key := range part.Keys {
				if key.Signer != nil {
					keys = append(keys, &holder{part: part, signer: key.Signer})
				}
				locked = locked || key.Signer == nil
			}
			if len(part.Certificates) > 0 {
				withCertificates = append(withCertificates, part)
			}
		}
	}
	var alone []*certfile.Contents
	for _, part := range withCertificates {
		if !r.pair(part, keys) {
			alone = append(alone, part)
		}
	}
	keys = slices.DeleteFunc(keys, func(k *holder) bool { return k.taken })
	for _, key := range keys {
		r.looseKey(key, alone)
	}
	for _, part := range alone {
		if leaf := part.Certificates[0]; len(keys) == 0 && !locked && !isAuthority(leaf) {
			r.Loose = append(r.Loose, Finding{Level: Note, Rule: "without_key", Certificate: chain.Name(leaf), File: part.File,
				Text: "the private key of " + chain.Name(leaf) + " in " + part.File + " is not among the files"})
		}
	}
}

// isAuthority reports whether a certificate may stand at the end of chains.
func isAuthority(cert *x509.Certificate) bool { return cert.IsCA || chain.IsSelfIssued(cert) }

// pair looks for the key of the first certificate of a part, in it and then in
// the others.
func (r *Report) pair(part *certfile.Contents, keys []*holder) bool {
	leaf := part.Certificates[0]
	var found *holder
	for _, key := range keys {
		if certgen.IsKeyOf(leaf, key.signer) && (found == nil || key.part == part) {
			found = key
		}
	}
	if found == nil {
		return false
	}
	for _, key := range keys { // the same key may be in several files
		key.taken = key.taken || certgen.IsKeyOf(leaf, key.signer)
	}
	p := &Pair{Subject: chain.Name(leaf), CertificateFile: part.File, KeyFile: found.part.File, For: usedFor(leaf), part: part, signer: found.signer}
	for _, cert := range part.Certificates {
		p.Sends = append(p.Sends, chain.Name(cert))
	}
	r.Pairs = append(r.Pairs, p)
	return true
}

// everyone loads a certificate with its key.
const everyone = "every program that loads the two"

// looseKey says what is wrong with a key that is that of no first certificate.
func (r *Report) looseKey(key *holder, alone []*certfile.Contents) {
	f := Finding{Level: Wrong, Rule: "key_mismatch", File: key.part.File, RefusedBy: everyone}
	for _, part := range alone {
		for i, cert := range part.Certificates {
			if !certgen.IsKeyOf(cert, key.signer) || cert.IsCA && !part.Certificates[0].IsCA { // the key of the CA above it
				continue
			}
			f.Rule, f.Certificate = "wrong_order", chain.Name(cert)
			f.RFC = "RFC 9846 section 4.5.1"
			f.Text = fmt.Sprintf("the first certificate in %s is %s, but the key in %s belongs to number %d, %s", part.File, chain.Name(part.Certificates[0]), key.part.File, i+1, chain.Name(cert))
			f.Fix = "put the key's own certificate first, then the CAs above it"
			r.Loose = append(r.Loose, f)
			return
		}
	}
	leaves := slices.DeleteFunc(slices.Clone(alone), func(part *certfile.Contents) bool { return part.Certificates[0].IsCA })
	switch {
	case len(leaves) == 1:
		leaf := leaves[0].Certificates[0]
		f.Certificate = chain.Name(leaf)
		f.Text = fmt.Sprintf("the key in %s is not that of the certificate in %s, %s", key.part.File, leaves[0].File, chain.Name(leaf))
		f.Fix = "find the key that the certificate was requested with, or have a certificate issued for this one"
	case r.requestFor(key) != "":
		f.Level, f.RefusedBy, f.Rule = Note, "", "without_certificate"
		f.Text = "there is no certificate yet for the key in " + key.part.File + ", for which " + r.requestFor(key) + " is the request"
	case len(alone)+len(r.Pairs) == 0:
		f.Level, f.RefusedBy, f.Rule = Note, "", "without_certificate"
		f.Text = "there is no certificate beside the key in " + key.part.File
	default:
		f.Text = "the key in " + key.part.File + " is that of none of the certificates"
		f.Fix = "name its certificate too, or leave the key out"
	}
	r.Loose = append(r.Loose, f)
}

// sides are the sides that a certificate is for, both if neither.
func sides(leaf *x509.Certificate) (of []endpoint.Side) {
	if !chain.Forbids(leaf, x509.ExtKeyUsageServerAuth) {
		of = append(of, endpoint.Server)
	}
	if !chain.Forbids(leaf, x509.ExtKeyUsageClientAuth) {
		of = append(of, endpoint.Client)
	}
	return of
}

// question is that of a pair's chain: as the chain of the side that shows it, if
// its certificate is for that one, or else of the first that it is for.
func (r *Report) question(p *Pair) chain.Question {
	q := chain.Question{DERs: p.Certificate().Certificate, Of: endpoint.Server}
	if of := sides(p.leaf()); slices.Contains(of, r.side) {
		q.Of = r.side
	} else if len(of) > 0 {
		q.Of = of[0]
	}
	return q
}

// trust returns the CAs in all files but those that a pair sends, and
// where they are, and the CRLs.
func (r *Report) trust(p *Pair) *chain.Trust {
	t := new(chain.Trust)
	for _, f := range r.Files {
		for _, part := range f.parts {
			t.CRLs = append(t.CRLs, part.CRLs...)
			if part == p.part {
				continue
			}
			for _, cert := range part.Certificates {
				if isAuthority(cert) {
					t.CAs = append(t.CAs, chain.NamedCA{Name: chain.Name(cert), Certificate: cert, In: f.Name})
				}
			}
		}
	}
	return t
}

// look checks a pair.
func (p *Pair) look(r *Report) {
	now := time.Now()
	trust := r.trust(p)
	p.lookAtLeaf(r, now)
	way := p.climb(trust)
	p.Findings = append(p.Findings, strict(way.certs)...)
	p.LeadsTo = way.end()
	if isAuthority(p.leaf()) {
		return // it is shown by nobody, or trusted as it is
	}
	p.lookAtWay(r, way, trust, now)
}

// add adds what is wrong with the chain, in words of package chain.
func (p *Pair) add(level Level, f *chain.Fault) {
	if f == nil || slices.ContainsFunc(p.Findings, func(g Finding) bool { return g.Rule == string(f.Code) }) {
		return
	}
	rule := rules[f.Code]
	found := Finding{Level: level, Rule: string(f.Code), Text: f.Of(chain.Name(p.leaf()), p.leaf()), RFC: rule.rfc, RefusedBy: rule.by, Fix: cmp.Or(f.Fix, rule.fix), Certificate: chain.Name(p.leaf()), File: p.CertificateFile}
	if f.Cert != nil {
		found.Certificate = chain.Name(f.Cert)
	}
	p.Findings = append(p.Findings, found)
}
