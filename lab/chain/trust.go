package chain

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"mtlslab.example/lab/certgen/revocation"
	"mtlslab.example/lab/lab/endpoint"
	"mtlslab.example/lab/lab/text"
	"mtlslab.example/lab/lab/tlswire"
)

// Trust has the CAs and CRLs under which chains are checked. One Trust serves
// many connections, from several goroutines at once, and remembers chains it
// has seen. Its fields are set before its first use.
type Trust struct {
	// CAs are the authorities, roots and others. Those that sign themselves are
	// trusted; where there are none, all are.
	CAs []NamedCA
	// Between are CAs that are known but not trusted: they explain where a
	// chain breaks off.
	Between []NamedCA
	// ClientTrusts are the CAs whose servers the client accepts, ServerTrusts
	// those whose clients the server accepts, where that is known; nil: any of
	// CAs.
	ClientTrusts, ServerTrusts []*x509.Certificate
	// Places are where the CAs were looked for, as users know them: "certs".
	Places []string
	// CRLs are lists of revoked certificates. Package revocation says which count.
	CRLs []*x509.RevocationList
	// Now is the time besides that of the connection for which chains are
	// judged; zero: time.Now.
	Now time.Time

	once          sync.Once
	roots         *x509.CertPool
	all           *x509.CertPool // roots, and the other CAs
	lists         *revocation.Lists
	mu            sync.Mutex
	verifications map[[32]byte]Verification
}

// NamedCA is an authority with its name in the PKI.
type NamedCA struct {
	Name        string
	Certificate *x509.Certificate
	In          string // the folder or file that it is in, one of Places
}

// Verification is a certificate whose chain verified, and from when until when
// it does.
type Verification struct {
	Under         string // the CAs that it leads to, as in "CN=root in certs"
	chains        [][]*x509.Certificate
	Authorities   []*x509.Certificate // of all its chains; the last one is that root
	before, after time.Time
}

// Has reports whether one of its authorities is wanted.
func (v Verification) Has(wanted func(*x509.Certificate) bool) bool {
	return slices.ContainsFunc(v.Authorities, wanted)
}

// Leaf returns the certificate that verified.
func (v Verification) Leaf() *x509.Certificate { return v.chains[0][0] }

// TrustedBy returns the CAs that a side trusts, nil if that is not known.
func (t *Trust) TrustedBy(side endpoint.Side) []*x509.Certificate {
	if side == endpoint.Client {
		return t.ClientTrusts
	}
	return t.ServerTrusts
}

// maxCached bounds Trust's verifications, and the signatures that are known.
const maxCached = 4096

// prepare makes the lookup tables from the lists of Trust.
func (t *Trust) prepare() {
	t.roots, t.all = x509.NewCertPool(), x509.NewCertPool()
	selfSigned := false
	for _, ca := range t.CAs {
		selfSigned = selfSigned || IsSelfIssued(ca.Certificate)
	}
	for _, ca := range t.CAs {
		t.all.AddCert(ca.Certificate)
		if !selfSigned || IsSelfIssued(ca.Certificate) {
			t.roots.AddCert(ca.Certificate)
		}
	}
	for _, ca := range slices.Concat(t.ClientTrusts, t.ServerTrusts) {
		t.roots.AddCert(ca)
	}
	t.lists = revocation.New(t.CRLs)
}

// Verify returns where a chain leads at a time, or why it does not hold: an
// error of crypto/x509, or a [*RevokedError].
func (t *Trust) Verify(q Question, at time.Time) (Verification, error) {
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

// VerifyPartial is Verify for a side that has all the CAs that are known here,
// and trusts each: an intermediate alone, too, as OpenSSL does with
// X509_V_FLAG_PARTIAL_CHAIN, and Go and Java always.
func (t *Trust) VerifyPartial(q Question, at time.Time) (Verification, error) {
	t.once.Do(t.prepare)
	leaf, err := tlswire.ParseCertificate(q.DERs[0])
	if err != nil {
		return Verification{}, err
	}
	v, err := t.chainsOf(leaf, q, t.all, at)
	if err != nil {
		return v, err
	}
	if e := t.revoked(v.chains[0], at); e != nil {
		return v, e
	}
	return v, nil
}

// revoked returns what is revoked of a chain at a time, as it was known then or
// is known by now, or nil. The CA nearest the root comes first. What a list
// from the future revokes is revoked whenever it is asked for: so a server has
// it.
func (t *Trust) revoked(chain []*x509.Certificate, at time.Time) *RevokedError {
	now := t.Time()
	for i := len(chain) - 2; i >= 0; i-- {
		for _, known := range []time.Time{at, now} {
			if s := t.lists.Of(chain[i], chain[i+1], known); s.Entry != nil && (!at.Before(s.Since) || s.Since.After(now)) {
				return NewRevokedError(chain[i], chain[i+1], s.Entry.RevocationTime, i > 0)
			}
		}
	}
	return nil
}

// StaleCRL returns the fault of a side that has no newer CRL of a CA than the
// one that is known here, which was out of date at a time, and wants a current
// one; nil: none was.
func (t *Trust) StaleCRL(v Verification, at time.Time) *Fault {
	chain := v.chains[0]
	for i := range len(chain) - 1 {
		s := t.lists.Of(chain[i], chain[i+1], at)
		if s.Complete != nil && s.Entry == nil && !s.Complete.NextUpdate.IsZero() && !revocation.IsCurrent(s.Complete, at) {
			return &Fault{Code: CRLStale, Text: "the CRL of " + Name(chain[i+1]) + " that is known here was out of date by then: its next update was due on " + date(s.Complete.NextUpdate), IsClause: true}
		}
	}
	return nil
}

// Time returns the time for which chains are judged besides that of the
// connection.
func (t *Trust) Time() time.Time {
	if t.Now.IsZero() {
		return time.Now()
	}
	return t.Now
}

// Question is a chain and what it must be good for.
type Question struct {
	DERs [][]byte      // the chain as it was sent, its leaf first; not empty
	Of   endpoint.Side // who showed it: it must be good for that side's part
	Host string        // that it must be for; "": any
}

// Role returns the part that the chain is for, "a client" or "a server".
func (q Question) Role() string { return "a " + q.Of.String() }

func (q Question) usage() x509.ExtKeyUsage {
	if q.Of == endpoint.Client {
		return x509.ExtKeyUsageClientAuth
	}
	return x509.ExtKeyUsageServerAuth
}

// Chain returns the certificates of the chain that can be read, the leaf first.
func (q Question) Chain() (chain []*x509.Certificate) {
	for _, der := range q.DERs {
		if cert, err := tlswire.ParseCertificate(der); err == nil {
			chain = append(chain, cert)
		}
	}
	return chain
}

func (q Question) key() (sum [32]byte) {
	h := sha256.New()
	for _, der := range q.DERs {
		one := sha256.Sum256(der)
		h.Write(one[:])
	}
	fmt.Fprintf(h, "%d %s", q.usage(), q.Host)
	h.Sum(sum[:0])
	return sum
}

// verify returns under which CA a chain verifies at a time, or why not.
func (t *Trust) verify(q Question, at time.Time) (Verification, error) {
	key := q.key()
	t.mu.Lock()
	known, ok := t.verifications[key]
	t.mu.Unlock()
	if ok && !at.Before(known.before) && !at.After(known.after) {
		return known, nil
	}
	leaf, err := tlswire.ParseCertificate(q.DERs[0])
	if err != nil {
		return Verification{}, err
	}
	v, err := t.chainsOf(leaf, q, t.roots, at)
	if err != nil {
		return v, err
	}
	v.before, v.after = leaf.NotBefore, leaf.NotAfter
	for _, c := range slices.Concat(v.chains...) {
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
		t.verifications = make(map[[32]byte]Verification)
	}
	t.verifications[key] = v
	return v, nil
}

// chainsOf returns the chains of a leaf to some of roots.
func (t *Trust) chainsOf(leaf *x509.Certificate, q Question, roots *x509.CertPool, at time.Time) (v Verification, err error) {
	between := x509.NewCertPool()
	for _, der := range q.DERs[1:] {
		if cert, err := tlswire.ParseCertificate(der); err == nil {
			between.AddCert(cert)
		}
	}
	v.chains, err = leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: at, DNSName: q.Host, KeyUsages: []x509.ExtKeyUsage{q.usage()},
	})
	if err != nil {
		return Verification{}, err
	}
	sort.SliceStable(v.chains, func(i, j int) bool { return len(v.chains[i]) < len(v.chains[j]) })
	for _, c := range v.chains {
		v.Authorities = append(v.Authorities, c[min(1, len(c)-1):]...)
	}
	v.Under = t.under(v.chains, t.TrustedBy(q.Of.Other()))
	return v, nil
}

// under names the CAs at which chains end, and where they are; those that are
// trusted, if that is known.
func (t *Trust) under(chains [][]*x509.Certificate, trusted []*x509.Certificate) string {
	var ends []NamedCA
	for _, c := range chains {
		end := NamedCA{Certificate: c[len(c)-1]}
		if ca := t.known(end.Certificate); ca != nil {
			end = *ca
		}
		if !slices.ContainsFunc(ends, func(ca NamedCA) bool { return ca.Certificate.Equal(end.Certificate) }) {
			ends = append(ends, end)
		}
	}
	isTrusted := func(ca NamedCA) bool { return slices.ContainsFunc(trusted, ca.Certificate.Equal) }
	if slices.ContainsFunc(ends, isTrusted) {
		ends = slices.DeleteFunc(ends, func(ca NamedCA) bool { return !isTrusted(ca) })
	}
	var names []string
	for i, ca := range ends {
		name := Name(ca.Certificate)
		if t.hasNamesake(ca.Certificate) && ca.Name != "" && ca.Name != name {
			name += " (" + ca.Name + ")"
		}
		if ca.In != "" && (i == len(ends)-1 || ends[i+1].In != ca.In) {
			name += " in " + ca.In
		}
		names = append(names, name)
	}
	return text.JoinedFew(names, 3, "and")
}

// hasNamesake reports whether another CA that is known here has the name of a
// CA.
func (t *Trust) hasNamesake(cert *x509.Certificate) bool {
	return slices.ContainsFunc(t.CAs, func(ca NamedCA) bool {
		return HaveOneName(ca.Certificate, cert) && !ca.Certificate.Equal(cert)
	})
}
