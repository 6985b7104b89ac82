package tlsdecrypt

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/lab/tlswire"
)

// Trust is what chains are checked under. One Trust serves many connections,
// from several goroutines at once, and remembers chains it has seen. Its fields
// are set before its first use.
type Trust struct {
	// CAs are the authorities, roots and others. Those that sign themselves are
	// trusted; where there are none, all are.
	CAs []NamedCA
	// Now is the time besides that of the connection for which chains are
	// judged; zero: time.Now.
	Now time.Time

	once          sync.Once
	roots         *x509.CertPool
	mu            sync.Mutex
	verifications map[[32]byte]verification
}

// NamedCA is an authority with its name in the PKI.
type NamedCA struct {
	Name        string
	Certificate *x509.Certificate
}

// verification is a chain that verified, and from when until when it does.
type verification struct {
	under         string
	before, after time.Time
}

// maxCached bounds Trust's verifications.
const maxCached = 4096

// shownIdentity is the certificate, or bare key, that a side showed.
type shownIdentity struct {
	name string
	key  crypto.PublicKey // nil when it cannot be read; a delegated credential's, if there is one
}

func (t *Trust) pool() *x509.CertPool {
	t.once.Do(func() {
		t.roots = x509.NewCertPool()
		selfSigned := false
		for _, ca := range t.CAs {
			selfSigned = selfSigned || isRoot(ca.Certificate)
		}
		for _, ca := range t.CAs {
			if !selfSigned || isRoot(ca.Certificate) {
				t.roots.AddCert(ca.Certificate)
			}
		}
	})
	return t.roots
}

func isRoot(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// certificate checks a Certificate of TLS 1.3.
func (k *checker) certificate(m *Message, body *tlswire.Certificate) {
	if len(body.Entries) == 0 {
		return
	}
	if body.CertificateType == tlswire.CertificateTypeRawPublicKey {
		k.bareKey(m, body.Entries[0].Data)
		return
	}
	ders := make([][]byte, len(body.Entries))
	for i, e := range body.Entries {
		ders[i] = e.Data
	}
	k.chain(m, ders)
	if dc, ok := tlswire.Lookup[*tlswire.DelegatedCredential](body.Entries[0].Extensions, tlswire.ExtensionDelegatedCredential); ok {
		key, _ := x509.ParsePKIXPublicKey(dc.PublicKeyInfo)
		k.shown[m.From] = &shownIdentity{name: "the delegated credential of " + k.shown[m.From].name, key: key}
	}
}

// bareKey takes a public key in place of a certificate (RFC 7250).
func (k *checker) bareKey(m *Message, spki []byte) {
	key, _ := x509.ParsePKIXPublicKey(spki)
	k.shown[m.From] = &shownIdentity{name: "the raw public key", key: key}
	note(m, "chain", Unknown, "There is no chain to check: this is a bare public key (RFC 7250), which the %v must know beforehand.", peer(m.From))
}

func peer(s tlswire.Side) tlswire.Side {
	if s == tlswire.SideClient {
		return tlswire.SideServer
	}
	return tlswire.SideClient
}

// chain checks whether a side's certificates lead to a CA.
func (k *checker) chain(m *Message, ders [][]byte) {
	if len(ders) == 0 {
		return
	}
	leaf, err := tlswire.ParseCertificate(ders[0])
	if err != nil {
		k.shown[m.From] = &shownIdentity{name: "its certificate"}
		note(m, "chain", Unknown, "Cannot be checked: the certificate does not parse.")
		return
	}
	name := subject(leaf)
	k.shown[m.From] = &shownIdentity{name: name, key: leaf.PublicKey}
	if len(k.trust.CAs) == 0 {
		note(m, "chain", Unknown, "Cannot be checked: no CA is given to check it under.")
		return
	}
	q := question{ders: ders, usage: x509.ExtKeyUsageServerAuth, host: k.hs.serverName, role: "a server"}
	if offersECH(k.hs.hello) && leaf.VerifyHostname(q.host) != nil {
		q.host = "" // the true name may be in the hidden ClientHello
	}
	if m.From == tlswire.SideClient {
		q.usage, q.host, q.role = x509.ExtKeyUsageClientAuth, "", "a client"
	}
	then, now := m.Time, k.trust.Now
	if now.IsZero() {
		now = time.Now()
	}
	purpose := " as " + q.role
	if q.host != "" {
		purpose += " named " + q.host
	}
	underThen, errThen := k.trust.verify(q, then)
	underNow, errNow := k.trust.verify(q, now)
	switch {
	case errThen == nil && errNow == nil:
		note(m, "chain", Holds, "The chain holds: %s verifies under %s of the PKI,%s.", name, underThen, purpose)
	case errThen == nil:
		note(m, "chain", Holds, "The chain held at the time of the connection: %s verified under %s of the PKI,%s. It does not any more: %s.", name, underThen, purpose, k.trust.reason(leaf, errNow))
	case errNow == nil:
		note(m, "chain", Fails, "The chain did not hold at the time of the connection: %s. Now %s verifies under %s of the PKI.", k.trust.reason(leaf, errThen), name, underNow)
	default:
		note(m, "chain", Fails, "The chain fails: %s does not verify%s: %s.", name, purpose, k.trust.reason(leaf, errThen))
	}
}

// question is what a chain has to be good for.
type question struct {
	ders  [][]byte
	usage x509.ExtKeyUsage
	host  string // "": any
	role  string
}

func (q question) key() (sum [32]byte) {
	h := sha256.New()
	for _, der := range q.ders {
		one := sha256.Sum256(der)
		h.Write(one[:])
	}
	fmt.Fprintf(h, "%d %s", q.usage, q.host)
	h.Sum(sum[:0])
	return sum
}

// verify tells under which CA a chain verifies at a time, or why not.
func (t *Trust) verify(q question, at time.Time) (under string, err error) {
	key := q.key()
	t.mu.Lock()
	known, ok := t.verifications[key]
	t.mu.Unlock()
	if ok && !at.Before(known.before) && !at.After(known.after) {
		return known.under, nil
	}
	leaf, err := tlswire.ParseCertificate(q.ders[0])
	if err != nil {
		return "", err
	}
	between := x509.NewCertPool()
	for _, der := range q.ders[1:] {
		if cert, err := tlswire.ParseCertificate(der); err == nil {
			between.AddCert(cert)
		}
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: t.pool(), Intermediates: between, CurrentTime: at, DNSName: q.host, KeyUsages: []x509.ExtKeyUsage{q.usage},
	})
	if err != nil {
		return "", err
	}
	longest := chains[0]
	for _, c := range chains {
		if len(c) > len(longest) {
			longest = c
		}
	}
	v := verification{under: t.nameOf(longest[len(longest)-1]), before: leaf.NotBefore, after: leaf.NotAfter}
	for _, c := range longest {
		if c.NotBefore.After(v.before) {
			v.before = c.NotBefore
		}
		if c.NotAfter.Before(v.after) {
			v.after = c.NotAfter
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.verifications == nil || len(t.verifications) >= maxCached {
		t.verifications = make(map[[32]byte]verification)
	}
	t.verifications[key] = v
	return v.under, nil
}

func (t *Trust) nameOf(cert *x509.Certificate) string {
	for _, ca := range t.CAs {
		if ca.Certificate.Equal(cert) {
			return ca.Name
		}
	}
	return subject(cert)
}

// reason says why a chain does not verify.
func (t *Trust) reason(leaf *x509.Certificate, err error) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	switch {
	case errors.As(err, &unknown):
		return t.unknownAuthority(leaf)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return fmt.Sprintf("%s is valid from %s to %s only", subject(invalid.Cert), date(invalid.Cert.NotBefore), date(invalid.Cert.NotAfter))
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return "its extKeyUsage does not allow that"
	case errors.As(err, &host):
		return strings.TrimPrefix(host.Error(), "x509: ")
	}
	return strings.TrimPrefix(err.Error(), "x509: ")
}

func (t *Trust) unknownAuthority(leaf *x509.Certificate) string {
	issuer := leaf.Issuer.String()
	for _, ca := range t.CAs {
		if !bytes.Equal(ca.Certificate.RawSubject, leaf.RawIssuer) {
			continue
		}
		if leaf.CheckSignatureFrom(ca.Certificate) != nil {
			return fmt.Sprintf("its issuer calls itself %s, but it is not signed with the key of %s of the PKI", issuer, ca.Name)
		}
		return fmt.Sprintf("it was issued by %s of the PKI, which is no root, and what leads from there to a root was not sent along", ca.Name)
	}
	if isRoot(leaf) {
		return "it is signed by itself, and is no CA of the PKI"
	}
	return fmt.Sprintf("its issuer %s is no CA of the PKI", issuer)
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// subject names whom a certificate is for.
func subject(c *x509.Certificate) string {
	if s := c.Subject.String(); s != "" {
		return s
	}
	return "a certificate without subject"
}
