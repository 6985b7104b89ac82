package certgen

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"github.com/tsaarni/certyaml"
)

// Issued are certificates that were made in memory, by their names in the
// manifest.
type Issued struct {
	Pairs map[string]tls.Certificate      // with their intermediates and Leaf; of what was given, too
	CRLs  map[string]*x509.RevocationList // by the name of the CA that revokes something
}

// Give has Issue take ca as it is, in place of the certificate called name. ca
// has its Leaf and key, and in Certificate the CAs above it, which are sent
// along with what it issues. The key may be missing if it issues nothing. Other
// certificates with the same subject get the subject of ca. The error is
// *UnknownNameError.
func (m *Manifest) Give(name string, ca tls.Certificate) error {
	c, err := m.Lookup(name)
	if err != nil {
		return err
	}
	old := c.subject.der
	for _, other := range m.Certificates {
		if bytes.Equal(other.subject.der, old) {
			other.subject.der, other.subject.issued = ca.Leaf.RawSubject, ca.Leaf.RawSubject
		}
	}
	c.given, c.Issuer, c.CA = &ca, nil, true
	m.measure()
	return nil
}

// GiveIssuer has Issue sign the certificate called name, which signs itself or
// is issued by another, with ca: see Give.
func (m *Manifest) GiveIssuer(name string, ca tls.Certificate) error {
	c, err := m.Lookup(name)
	if err != nil {
		return err
	}
	c.Issuer = &Certificate{Name: "issuer of " + name, given: &ca, CA: true, index: len(m.Certificates),
		subject: subject{der: ca.Leaf.RawSubject, issued: ca.Leaf.RawSubject}}
	m.Certificates = append(m.Certificates, c.Issuer)
	m.measure()
	return nil
}

// AddNames adds the subject alternative names of a certificate to those of the
// one called name. The error is *UnknownNameError.
func (m *Manifest) AddNames(name string, of *x509.Certificate) error {
	c, err := m.Lookup(name)
	if err != nil {
		return err
	}
	add := func(kind, value string) { c.SANs = append(c.SANs, kind+":"+value) }
	for _, host := range of.DNSNames {
		add("DNS", host)
	}
	for _, ip := range of.IPAddresses {
		add("IP", ip.String())
	}
	for _, uri := range of.URIs {
		add("URI", uri.String())
	}
	for _, address := range of.EmailAddresses {
		add("email", address)
	}
	c.sans.dns, c.sans.ips = append(c.sans.dns, of.DNSNames...), append(c.sans.ips, of.IPAddresses...)
	c.sans.uris, c.sans.emails = append(c.sans.uris, of.URIs...), append(c.sans.emails, of.EmailAddresses...)
	return nil
}

// SetSubject changes the subject of the certificate called name, in the
// manifest's syntax. Errors are *UnknownNameError and those of the syntax.
func (m *Manifest) SetSubject(name, text string) error {
	c, err := m.Lookup(name)
	if err != nil {
		return err
	}
	parsed, err := parseSubject(text)
	if err == nil {
		c.Subject, c.subject = text, parsed
	}
	return err
}

// LimitLifetime shortens the lifetime of the certificates whose dates the
// manifest does not give.
func (m *Manifest) LimitLifetime(most time.Duration) {
	for _, c := range m.Certificates {
		if c.datesFollowNow() {
			c.Expires = min(c.Expires, most)
		}
	}
}

// measure counts the issuers above each certificate anew.
func (m *Manifest) measure() {
	for _, c := range m.Certificates {
		c.depth = 0
		for issuer := c.Issuer; issuer != nil; issuer = issuer.Issuer {
			c.depth++
		}
	}
}

// Issue makes the certificates and CRLs of a manifest in memory, with dates
// that follow now, and writes nothing. Errors are *IssueError,
// *UnfaithfulError and that of ctx.
func Issue(ctx context.Context, m *Manifest, now time.Time) (*Issued, error) {
	w := &workshop{folder: &folder{now: now, manifest: m}, issued: make([]*certyaml.Certificate, len(m.Certificates))}
	for _, level := range m.levels() {
		err := inParallel(ctx, len(level), func(i int) error { return w.issueOne(level[i]) })
		if err != nil {
			return nil, err
		}
	}
	made := &Issued{Pairs: map[string]tls.Certificate{}, CRLs: map[string]*x509.RevocationList{}}
	for _, c := range m.Certificates {
		pair := *w.issued[c.index].GeneratedCert
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			return nil, &IssueError{Name: c.Name, Err: err}
		}
		pair.Leaf, pair.Certificate = leaf, append(pair.Certificate, c.givenAbove()...)
		made.Pairs[c.Name] = pair
	}
	return made, w.revoke(made)
}

// issueOne makes a certificate, or takes the one given. Its issuer must have
// been made before.
func (w *workshop) issueOne(c *Certificate) error {
	request := w.request(c)
	w.issued[c.index] = request
	switch {
	case c.given == nil && request.Issuer != nil && request.Issuer.GeneratedCert.PrivateKey == nil:
		return &IssueError{Name: c.Name, Err: errors.New("the key of its CA is needed")}
	case c.given == nil:
		return issue(c, request)
	}
	request.SerialNumber = c.given.Leaf.SerialNumber
	request.GeneratedCert = &tls.Certificate{Certificate: c.given.Certificate[:1:1], PrivateKey: c.given.PrivateKey}
	return nil
}

// givenAbove returns the certificates of the CA at the top of a chain that was
// given, down from the root, which is left out. Of what was given itself it
// returns those above it.
func (c *Certificate) givenAbove() (chain [][]byte) {
	top := c
	for top.Issuer != nil {
		top = top.Issuer
	}
	if top.given == nil {
		return nil
	}
	for i, der := range top.given.Certificate {
		above, err := x509.ParseCertificate(der)
		if err == nil && !bytes.Equal(above.RawSubject, above.RawIssuer) && (top != c || i > 0) {
			chain = append(chain, der)
		}
	}
	return chain
}

// revoke makes the CRLs. A CA that was given and may not sign CRLs has none.
func (w *workshop) revoke(made *Issued) error {
	lists := map[*Certificate]*certyaml.CRL{}
	for _, c := range w.manifest.Certificates {
		if !c.Revoked || c.Issuer == nil || made.Pairs[c.Issuer.Name].Leaf.KeyUsage&x509.KeyUsageCRLSign == 0 {
			continue
		}
		if lists[c.Issuer] == nil {
			lists[c.Issuer] = w.newCRL(c.Issuer)
		}
		if err := lists[c.Issuer].Add(w.issued[c.index]); err != nil {
			return &IssueError{Name: c.Issuer.Name, Err: err}
		}
	}
	for ca, list := range lists {
		der, err := list.DER()
		if err != nil {
			return &IssueError{Name: ca.Name, Err: err}
		}
		if made.CRLs[ca.Name], err = x509.ParseRevocationList(der); err != nil {
			return &IssueError{Name: ca.Name, Err: err}
		}
	}
	return nil
}
