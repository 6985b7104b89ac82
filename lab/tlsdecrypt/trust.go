package tlsdecrypt

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/certgen/revocation"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/tlswire"
)

// Trust is what chains are checked under. One Trust serves many connections,
// from several goroutines at once, and remembers chains it has seen. Its fields
// are set before its first use.
type Trust struct {
	// CAs are the authorities, roots and others. Those that sign themselves are
	// trusted; where there are none, all are.
	CAs []NamedCA
	// ClientTrusts are the CAs whose servers the client takes, ServerTrusts those
	// whose clients the server takes, where that is known; nil: any of CAs.
	ClientTrusts, ServerTrusts []*x509.Certificate
	// CRLs are lists of revoked certificates. Package revocation says which count.
	CRLs []*x509.RevocationList
	// Now is the time besides that of the connection for which chains are
	// judged; zero: time.Now.
	Now time.Time

	once          sync.Once
	roots         *x509.CertPool
	lists         *revocation.Lists
	mu            sync.Mutex
	verifications map[[32]byte]verification
}

// NamedCA is an authority with its name in the PKI.
type NamedCA struct {
	Name        string
	Certificate *x509.Certificate
}

// verification is a certificate whose chain verified, and from when until when it does.
type verification struct {
	under         string // the name of the root
	chains        [][]*x509.Certificate
	authorities   []*x509.Certificate // of all its chains; the last one is that root
	before, after time.Time
}

func (v verification) has(wanted func(*x509.Certificate) bool) bool {
	return slices.ContainsFunc(v.authorities, wanted)
}

// trustedBy are the CAs that a side trusts, nil if that is not known.
func (t *Trust) trustedBy(side endpoint.Side) []*x509.Certificate {
	if side == endpoint.Client {
		return t.ClientTrusts
	}
	return t.ServerTrusts
}

// maxCached bounds Trust's verifications.
const maxCached = 4096

// prepare makes what is looked up from the lists of Trust.
func (t *Trust) prepare() {
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
	for _, ca := range slices.Concat(t.ClientTrusts, t.ServerTrusts) {
		t.roots.AddCert(ca)
	}
	t.lists = revocation.New(t.CRLs)
}

// revokedError is a certificate that its issuer has revoked (RFC 5280 5).
type revokedError struct {
	cert   *x509.Certificate
	by     string
	serial *big.Int
	at     time.Time
}

func (e *revokedError) Error() string { return subject(e.cert) + " was revoked " + e.how() }

// how is by whom, when, and under which number.
func (e *revokedError) how() string {
	return fmt.Sprintf("by %s on %s (serial %x)", e.by, e.at.UTC().Format(time.DateOnly), e.serial.Bytes())
}

// sentence says it of leaf, or of an authority above leaf.
func (e *revokedError) sentence(leaf *x509.Certificate) string {
	if e.cert == leaf {
		return "Revoked " + e.how()
	}
	return fmt.Sprintf("%s leads through %s, which was revoked %s", subject(leaf), subject(e.cert), e.how())
}

// judge tells where a chain leads at a time, or why it does not hold.
func (t *Trust) judge(q question, at time.Time) (verification, error) {
	t.once.Do(t.prepare)
	v, err := t.verify(q, at)
	if err != nil {
		return v, err
	}
	for _, chain := range v.chains {
		e := t.revoked(chain, at)
		if e == nil {
			return v, nil
		}
		err = cmp.Or(err, error(e))
	}
	return v, err
}

// revoked returns what is revoked of a chain at a time, as it was known then or
// is known by now, or nil. The CA nearest the root comes first. What a list from
// the future revokes is revoked whenever it is asked for: so a server has it.
func (t *Trust) revoked(chain []*x509.Certificate, at time.Time) *revokedError {
	now := t.now()
	for i := len(chain) - 2; i >= 0; i-- {
		for _, known := range []time.Time{at, now} {
			if s := t.lists.Of(chain[i], chain[i+1], known); s.Entry != nil && (!at.Before(s.Since) || s.Since.After(now)) {
				return &revokedError{cert: chain[i], by: subject(chain[i+1]), serial: s.Entry.SerialNumber, at: s.Entry.RevocationTime}
			}
		}
	}
	return nil
}

// now is the time for which chains are judged besides that of the connection.
func (t *Trust) now() time.Time {
	if t.Now.IsZero() {
		return time.Now()
	}
	return t.Now
}

func isRoot(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

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
func (t *Trust) verify(q question, at time.Time) (verification, error) {
	key := q.key()
	t.mu.Lock()
	known, ok := t.verifications[key]
	t.mu.Unlock()
	if ok && !at.Before(known.before) && !at.After(known.after) {
		return known, nil
	}
	leaf, err := tlswire.ParseCertificate(q.ders[0])
	if err != nil {
		return verification{}, err
	}
	between := x509.NewCertPool()
	for _, der := range q.ders[1:] {
		if cert, err := tlswire.ParseCertificate(der); err == nil {
			between.AddCert(cert)
		}
	}
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: t.roots, Intermediates: between, CurrentTime: at, DNSName: q.host, KeyUsages: []x509.ExtKeyUsage{q.usage},
	})
	if err != nil {
		return verification{}, err
	}
	slices.SortStableFunc(chains, func(a, b []*x509.Certificate) int { return len(a) - len(b) })
	longest := chains[len(chains)-1]
	v := verification{under: t.nameOf(longest[len(longest)-1]), chains: chains, before: leaf.NotBefore, after: leaf.NotAfter}
	for _, c := range chains {
		v.authorities = append(v.authorities, c[min(1, len(c)-1):]...)
	}
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
	return v, nil
}

func (t *Trust) nameOf(cert *x509.Certificate) string {
	for _, ca := range t.CAs {
		if ca.Certificate.Equal(cert) {
			return ca.Name
		}
	}
	return subject(cert)
}

// reason says why a chain is not good for what is asked of it.
func (t *Trust) reason(leaf *x509.Certificate, err error, q question) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var revoked *revokedError
	switch {
	case errors.As(err, &revoked):
		return revoked.Error()
	case errors.As(err, &unknown):
		return t.unknownAuthority(leaf)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return fmt.Sprintf("%s is valid from %s to %s only", subject(invalid.Cert), date(invalid.Cert.NotBefore), date(invalid.Cert.NotAfter))
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage && !forbids(leaf, q.usage):
		return fmt.Sprintf("the extKeyUsage of a CA above %s does not allow it to be %s", subject(leaf), q.role)
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return fmt.Sprintf("the extKeyUsage of %s does not allow to be %s", subject(leaf), q.role)
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
		if certified(leaf, ca.Certificate) == errSignature {
			return fmt.Sprintf("its issuer calls itself %s, but it is not signed with the key of the CA %s", issuer, ca.Name)
		}
		if usage := ca.Certificate.KeyUsage; usage != 0 && usage&x509.KeyUsageCertSign == 0 {
			return fmt.Sprintf("it was issued by the CA %s, whose keyUsage does not allow to sign certificates", ca.Name)
		}
		return fmt.Sprintf("it was issued by the CA %s, which is no root, and what leads from there to a root was not sent along", ca.Name)
	}
	if isRoot(leaf) {
		return "it is signed by itself, and is none of the CAs that are known here"
	}
	return fmt.Sprintf("its issuer %s is none of the CAs that are known here", issuer)
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// subject names whom a certificate is for.
func subject(c *x509.Certificate) string {
	if s := c.Subject.String(); s != "" {
		return s
	}
	return "a certificate without subject"
}
