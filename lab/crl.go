package lab

import (
	"crypto/x509"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/revocation"
	"mtlslab.example/lab/lab/chain"
)

// CRLPolicy is how a side uses certificate revocation lists
// (RFC 5280 section 5), which are the files NAME-crl.pem beside the
// certificates.
type CRLPolicy string

// The policies. A certificate that a CRL lists is refused under CRLSoft and
// CRLRequire, its own and those of the CAs above it. Package revocation says
// which CRLs count.
const (
	CRLSoft    CRLPolicy = "soft"    // a CRL that is missing, or past its NextUpdate, refuses nobody
	CRLRequire CRLPolicy = "require" // every CA in the chain must have a current CRL
	CRLOff     CRLPolicy = "off"     // CRLs are not read

	// CRLLeaf is CRLRequire for the CA of the peer's own certificate alone, as
	// Apache's SSLCARevocationCheck leaf. It is no policy that users choose.
	CRLLeaf CRLPolicy = "leaf"
)

// revocations are the CRLs of a folder and the policy for them.
type revocations struct {
	policy CRLPolicy
	lists  *revocation.Lists
}

// loadRevocations reads every CRL in dir. One that cannot be read counts as
// missing; certgen.UnusedCRLs reports it.
func loadRevocations(dir string, policy CRLPolicy) *revocations {
	if policy == CRLOff {
		return newRevocations(nil, policy)
	}
	return newRevocations(certgen.LoadCRLs(dir), policy)
}

func newRevocations(lists []*x509.RevocationList, policy CRLPolicy) *revocations {
	return &revocations{policy: policy, lists: revocation.New(lists)}
}

// check returns nil if one of the chains, each from the leaf to its root,
// passes.
func (r *revocations) check(chains [][]*x509.Certificate, now time.Time) error {
	if r.policy == CRLOff || r.lists.Empty() && r.policy != CRLRequire && r.policy != CRLLeaf {
		return nil
	}
	var first error
	for _, links := range chains {
		err := r.checkChain(links, now)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// checkChain looks up every certificate but the root, which nobody can revoke,
// beginning with the CA nearest the root: a revoked CA makes those below it
// worthless.
func (r *revocations) checkChain(links []*x509.Certificate, now time.Time) error {
	for i := len(links) - 2; i >= 0; i-- {
		if err := r.checkLink(links[i], links[i+1], i > 0, now); err != nil {
			return err
		}
	}
	return nil
}

// checkLink looks up a certificate in the CRLs of its issuer. What an
// out-of-date CRL lists stays revoked.
func (r *revocations) checkLink(certificate, issuer *x509.Certificate, isCA bool, now time.Time) error {
	status := r.lists.Of(certificate, issuer, now)
	switch crl := status.Complete; {
	case status.Entry != nil:
		return chain.NewRevokedError(certificate, issuer, status.Entry.RevocationTime, isCA)
	case r.policy != CRLRequire && (r.policy != CRLLeaf || isCA), revocation.IsNotPublished(certificate):
		return nil
	case crl == nil:
		return &chain.CRLError{Issuer: chain.Name(issuer), Unfit: status.Unfit}
	case crl.NextUpdate.IsZero():
		return &chain.CRLError{Issuer: chain.Name(issuer), Unfit: "does not say when it is out of date (NextUpdate)"}
	case !revocation.IsCurrent(crl, now):
		return &chain.CRLError{Issuer: chain.Name(issuer), NextUpdate: crl.NextUpdate}
	}
	return nil
}

// Valid reports whether p is one of the policies.
func (p CRLPolicy) Valid() bool { return p == CRLSoft || p == CRLRequire || p == CRLOff }
