package check

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/dn"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
)

// rule is where a rule stands, who refuses what breaks it, and what to do.
type rule struct{ rfc, by, fix string }

// rules are those that package chain has codes for.
var rules = map[chain.Code]rule{
	chain.Expired:        {"RFC 5280 section 4.1.2.5", "OpenSSL, Go, Java and all others", "have it issued again"},
	chain.NotYetValid:    {"RFC 5280 section 4.1.2.5", "OpenSSL, Go, Java and all others", "is this clock right? else wait, or have it issued again"},
	chain.NoSAN:          {"RFC 9525 section 6.3", "Go, Chromium, urllib3 2 (Python's requests)", "have it issued again with the server's names as subject alternative names"},
	chain.WrongUsage:     {"RFC 5280 section 4.2.1.12", "OpenSSL, Go, NSS, Java", "have it issued again with the extended key usage of its side"},
	chain.WrongKeyUsage:  {"RFC 9846 section 4.5.1.2", "GnuTLS, NSS, Chromium (BoringSSL)", "have it issued again with the key usage digitalSignature"},
	chain.NotACA:         {"RFC 5280 section 4.2.1.9", "OpenSSL, Go, Java and all others", "use a certificate that a CA has issued"},
	chain.PathTooLong:    {"RFC 5280 section 4.2.1.9", "OpenSSL, Go, GnuTLS, NSS", "issue it higher up, or give the CA a longer path length"},
	chain.NameConstraint: {"RFC 5280 section 4.2.1.10", "OpenSSL, Go, Java", "have a CA issue it that may issue certificates for its names"},
	chain.LookAlikeCA:    {"RFC 5280 section 6.1.3", "OpenSSL, Go, Java and all others", "send the CA whose key has signed it"},
	chain.UnknownCA:      {"RFC 9846 section 4.5.1", "OpenSSL, Go, Java where they have the root alone", "append the missing certificate to the file that is sent"},
	chain.Revoked:        {"RFC 5280 section 5", readers, "have a new certificate issued, for a new key"},
	chain.IssuerRevoked:  {"RFC 5280 section 5", readers, "have a new certificate issued by another CA"},
	chain.WeakKey:        {"RFC 9325 section 4.5", "OpenSSL at security level 2, which Debian, Ubuntu and Fedora set", "make a new key: EC, or RSA of 2048 bits and more"},
	chain.WeakSignature:  {"RFC 9155", "Go, OpenSSL 3", "have it issued again, signed with SHA-256"},
	chain.Invalid:        {"RFC 5280 section 6.1", "Go", ""},
}

// soon is when a certificate should be replaced that is still valid.
const soon = 30

// lookAtLeaf checks a pair's own certificate.
func (p *Pair) lookAtLeaf(r *Report, now time.Time) {
	leaf := p.leaf()
	of := sides(leaf)
	switch {
	case leaf.IsCA:
	case len(of) == 0:
		p.add(Wrong, &chain.Fault{Code: chain.WrongUsage, Cert: leaf, Text: "is neither for clients nor for servers (extended key usage)"})
	case r.side == endpoint.Unknown:
	case slices.Contains(of, r.side):
		of = []endpoint.Side{r.side}
	default:
		p.add(Wrong, &chain.Fault{Code: chain.WrongUsage, Cert: leaf, Text: fmt.Sprintf("is not for authenticating a %v (extended key usage)", r.side), Fix: fmt.Sprintf("have it issued again with the extended key usage %vAuth", r.side)})
	}
	if len(of) > 0 {
		q := r.question(p)
		f := chain.Evident(q, now)
		if f != nil && f.Fix == "" {
			said, fix := r.successor(p, q.Of)
			f.Text, f.Fix = f.Text+said, fix
		}
		p.add(Wrong, f)
	}
	if left := daysUntil(leaf.NotAfter, now); left >= 0 && left < soon {
		p.Findings = append(p.Findings, Finding{Level: Note, Rule: "expires_soon", Certificate: p.Subject, File: p.CertificateFile, Text: p.Subject + " expires in " + text.Counted(left, "day")})
	}
	p.add(Wrong, chain.Weak(chain.Question{DERs: p.Certificate().Certificate}))
	if isAuthority(leaf) && leaf.IsCA {
		return
	}
	if leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		p.add(Wrong, &chain.Fault{Code: chain.WrongKeyUsage, Cert: leaf, Text: "is not for signatures (key usage), which every handshake of TLS 1.3 needs"})
	}
	serves := slices.Contains(of, endpoint.Server) && r.side != endpoint.Client
	if serves && len(of) == 1 && len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
		p.add(Wrong, &chain.Fault{Code: chain.NoSAN, Cert: leaf, Text: "is for a server, and has no DNS name and no IP address as subject alternative name"})
	}
	if serves {
		p.lookAtNames(leaf)
	}
	for _, id := range leaf.UnhandledCriticalExtensions {
		p.Findings = append(p.Findings, Finding{Level: Wrong, Rule: "unknown_critical_extension", Certificate: p.Subject, File: p.CertificateFile, RFC: "RFC 5280 section 4.2", RefusedBy: "Go, and all others that do not know it",
			Text: fmt.Sprintf("%s has an extension that is critical and not known here: %v", p.Subject, id), Fix: "have it issued again without it, or with it not critical"})
	}
	p.lookAtKey(leaf)
}

// lookAtNames finds alternative names by which no client finds the server.
func (p *Pair) lookAtNames(leaf *x509.Certificate) {
	for _, m := range chain.Misnomers(leaf) {
		name := "no_host_name"
		if m.IsIP {
			name = "address_as_dns_name"
		}
		p.Findings = append(p.Findings, Finding{Level: Wrong, Rule: name, Certificate: p.Subject, File: p.CertificateFile, RFC: "RFC 5280 section 4.2.1.6",
			RefusedBy: "curl, Python, Node.js, Java and GnuTLS, where they call " + m.Host, Text: p.Subject + " is not for " + m.Host + ": " + m.Clause(),
			Fix: "have it issued again with " + m.Right() + " as a subject alternative name"})
	}
}

// maxRSABits is the most that crypto/tls takes.
const maxRSABits = 8192

// lookAtKey finds keys that TLS has no signatures for, or some programs not.
func (p *Pair) lookAtKey(leaf *x509.Certificate) {
	add := func(name, rfc, by, text string) {
		p.Findings = append(p.Findings, Finding{Level: Wrong, Rule: name, Certificate: p.Subject, File: p.CertificateFile, RFC: rfc, RefusedBy: by, Text: p.Subject + " " + text, Fix: rules[chain.WeakKey].fix})
	}
	switch key := leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P224() {
			add("curve_without_signatures", "RFC 9846 section 4.3.3", "Go, and all others in TLS 1.3", "has a key on the curve P-224, which TLS 1.3 has no signatures for")
		}
	case *rsa.PublicKey:
		if key.N.BitLen() > maxRSABits {
			add("key_too_large", "", "Go", fmt.Sprintf("has an RSA key of %s bits, more than 8,192", text.Grouped(int64(key.N.BitLen()))))
		}
	}
}

// way is how a pair's chain leads up: what is sent, and beyond it what the
// other files have.
type way struct {
	certs []*x509.Certificate // the leaf first
	sent  int                 // of them, one after the other
}

// missing are the CAs that must be sent along and are not: those behind what is
// sent, but for a root.
func (w *way) missing() (all []*x509.Certificate) {
	for _, cert := range w.certs[w.sent:] {
		if !chain.IsSelfIssued(cert) {
			all = append(all, cert)
		}
	}
	return all
}

// maxWay bounds the certificates on a way.
const maxWay = 20

// end names the CA at the end.
func (w *way) end() string {
	top := w.certs[len(w.certs)-1]
	if chain.IsSelfIssued(top) {
		return chain.Name(top)
	}
	return dn.Issuer(top)
}

// climb goes up from the leaf by signatures, through what is sent, and then
// through the CAs in the other files.
func (p *Pair) climb(trust *chain.Trust) *way {
	w := &way{certs: []*x509.Certificate{p.leaf()}, sent: 1}
	for len(w.certs) < maxWay {
		top := w.certs[len(w.certs)-1]
		if chain.IsSelfIssued(top) {
			break
		}
		issuer, in := issuerOf(top, p.part.Certificates[1:], trust.CAs)
		if issuer == nil {
			break
		}
		if in == "" && w.sent == len(w.certs) {
			w.sent++
		}
		w.certs = append(w.certs, issuer)
	}
	return w
}

// issuerOf returns the issuer of a certificate, and the file if it is not sent.
func issuerOf(cert *x509.Certificate, sent []*x509.Certificate, known []chain.NamedCA) (issuer *x509.Certificate, in string) {
	for _, ca := range sent {
		if chain.Issued(ca, cert) {
			return ca, ""
		}
	}
	for _, ca := range known {
		if chain.Issued(ca.Certificate, cert) {
			return ca.Certificate, ca.In
		}
	}
	return nil, ""
}

// lookAtWay checks the chain above the leaf.
func (p *Pair) lookAtWay(r *Report, w *way, trust *chain.Trust, now time.Time) {
	q := r.question(p)
	for i, cert := range w.certs[1:] {
		if f, differ := keyIdentifiers(w.certs[i], cert); differ {
			p.Findings = append(p.Findings, f)
		}
	}
	p.add(Wrong, trust.FlawAbove(q, now))
	if path, ok := chain.PathOf(q); ok {
		p.add(Wrong, path.Impostor())
	}
	p.lookAtTwin(w, trust, now)
	p.lookAtDepth(w)
	if missing := w.missing(); len(missing) > 0 {
		f := &chain.Fault{Code: chain.UnknownCA, Cert: p.leaf(), Fix: p.completion(missing, trust.CAs),
			Text: fmt.Sprintf("leads through %s, %s not sent along: %s", names(missing), intermediates(missing), places(missing, trust.CAs))}
		if gap := chain.GapIn(q); gap != nil {
			f.Text += "; " + gap.Instead()
		}
		p.add(Wrong, f)
	}
	if top := w.certs[len(w.certs)-1]; chain.IsSelfIssued(top) && trust.LeadsToRoot(q) {
		found, err := trust.Verify(q, now)
		if err == nil {
			p.addDisputed(found.Disputed(q, now, false))
		} else if f := trust.Explain(err, q); f.Code != chain.UnknownCA {
			p.add(Wrong, &f)
		}
	}
	gap := chain.GapIn(q).Instead()
	for _, remark := range chain.Remarks(q, true) {
		if gap != "" && len(w.missing()) > 0 && strings.HasSuffix(remark, gap) {
			continue // it is said
		}
		p.Findings = append(p.Findings, Finding{Level: Note, Rule: "chain_as_sent", File: p.CertificateFile, Text: remark})
	}
}

// addDisputed adds what programs differ about: what OpenSSL refuses is wrong,
// and of name constraints it depends on the program.
func (p *Pair) addDisputed(f *chain.Fault) {
	if f == nil {
		return
	}
	found := Finding{Level: Wrong, Rule: string(f.Code), Text: f.Of(chain.Name(p.leaf()), p.leaf()), RFC: rules[f.Code].rfc, RefusedBy: "OpenSSL", Fix: rules[f.Code].fix, Certificate: chain.Name(f.Cert), File: p.CertificateFile}
	if f.Code == chain.NameConstraint {
		found.Level, found.RefusedBy, found.Fix = Note, "", ""
	}
	p.Findings = append(p.Findings, found)
}

// lookAtAuthorities checks the CAs of a file that are no pair's chain, and the
// dates of a certificate whose key is not among the files.
func (r *Report) lookAtAuthorities(f *File) {
	now := time.Now()
	for _, part := range f.parts {
		level := Wrong
		if len(part.Certificates) > 1 { // the others of a bundle still serve
			level = Note
		}
		for i, cert := range part.Certificates {
			isPairs := false
			for _, p := range r.Pairs {
				isPairs = isPairs || p.part == part && !p.leaf().IsCA
			}
			if isPairs {
				break
			}
			if i == 0 && !isAuthority(cert) { // its key is elsewhere
				f.lookAtValidity(cert, Wrong, now)
				break
			}
			f.lookAtAuthority(cert, level, now)
		}
	}
}

// lookAtValidity checks whether a certificate is valid now.
func (f *File) lookAtValidity(cert *x509.Certificate, level Level, now time.Time) {
	add := func(code chain.Code, text string) {
		f.Findings = append(f.Findings, Finding{Level: level, Rule: string(code), Certificate: chain.Name(cert), File: f.Name, RFC: rules[code].rfc, RefusedBy: rules[code].by, Fix: rules[code].fix, Text: chain.Name(cert) + " " + text})
	}
	switch {
	case now.After(cert.NotAfter):
		add(chain.Expired, "has expired: it was valid until "+cert.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(cert.NotBefore):
		add(chain.NotYetValid, "is not valid yet: it is valid from "+cert.NotBefore.UTC().Format(time.DateOnly))
	}
}

// lookAtAuthority checks a CA that others are to trust.
func (f *File) lookAtAuthority(cert *x509.Certificate, level Level, now time.Time) {
	f.lookAtValidity(cert, level, now)
	if !isCA(cert) {
		return
	}
	for _, found := range strictOf(cert, true, false) {
		if level == Note {
			found.Level = Note
		}
		found.File = f.Name
		f.Findings = append(f.Findings, found)
	}
}
