package lab

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mtlslab.example/lab/certgen"
)

// CRLPolicy is what a side makes of certificate revocation lists (RFC 5280
// section 5), which stand as NAME-crl.pem beside the certificates.
type CRLPolicy string

// The policies. A certificate that a CRL lists is refused under CRLSoft and
// CRLRequire, its own and those of the CAs above it.
const (
	CRLSoft    CRLPolicy = "soft"    // a CRL that is missing, or past its NextUpdate, is nothing to refuse for
	CRLRequire CRLPolicy = "require" // without a current CRL of every CA in the chain nobody gets in
	CRLOff     CRLPolicy = "off"     // CRLs are not looked at
)

// RevokedError is a certificate that its issuer's CRL lists.
type RevokedError struct {
	Subject string // of the certificate
	Serial  string // hexadecimal
	Issuer  string // of the CA that revoked it
	Date    time.Time
	CA      bool // it is not the peer's own, but one of the CAs above it
}

func (e *RevokedError) Error() string {
	return fmt.Sprintf("certificate %s, serial %s, was revoked by %s on %s", e.Subject, e.Serial, e.Issuer, e.Date.Format(time.DateOnly))
}

// CRLError is a CA without a CRL that can be relied on, where one is required.
type CRLError struct {
	Issuer     string    // the CA
	NextUpdate time.Time // when its CRL went out of date; zero: there is none
}

func (e *CRLError) Error() string {
	if e.NextUpdate.IsZero() {
		return "there is no CRL of " + e.Issuer
	}
	return fmt.Sprintf("the CRL of %s is out of date since %s", e.Issuer, e.NextUpdate.UTC().Format(time.RFC3339))
}

// revocations are the CRLs of a folder.
type revocations struct {
	policy CRLPolicy
	lists  []*x509.RevocationList
	signed sync.Map // by signedBy: whether it is
}

// signedBy is the question whether a CRL was signed by the owner of a public key.
type signedBy struct {
	crl    *x509.RevocationList
	public string // SubjectPublicKeyInfo
}

// loadRevocations reads every CRL in dir. One that cannot be read counts as
// missing.
func loadRevocations(dir string, policy CRLPolicy) *revocations {
	r := &revocations{policy: policy}
	if policy == CRLOff {
		return r
	}
	for _, file := range crlFiles(dir) {
		if crl, err := certgen.LoadCRL(dir, strings.TrimSuffix(filepath.Base(file), crlSuffix)); err == nil {
			r.lists = append(r.lists, crl)
		}
	}
	return r
}

const crlSuffix = "-crl.pem"

// crlFiles are the paths of the CRLs in dir.
func crlFiles(dir string) (files []string) {
	entries, _ := os.ReadDir(dir) // a folder that cannot be read has none
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, crlSuffix) && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(dir, name))
		}
	}
	return files
}

// check passes when one of the chains, each from the leaf to its root, does.
func (r *revocations) check(chains [][]*x509.Certificate, now time.Time) error {
	if r.policy == CRLOff || len(r.lists) == 0 && r.policy != CRLRequire {
		return nil
	}
	var first error
	for _, chain := range chains {
		err := r.checkChain(chain, now)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// checkChain looks up every certificate but the root, which nobody can revoke.
// The CA nearest the root comes first: what stands below a revoked one is
// worth nothing.
func (r *revocations) checkChain(chain []*x509.Certificate, now time.Time) error {
	for i := len(chain) - 2; i >= 0; i-- {
		if err := r.checkLink(chain[i], chain[i+1], i > 0, now); err != nil {
			return err
		}
	}
	return nil
}

// checkLink looks up a certificate in the latest CRL of its issuer. What an
// out-of-date CRL lists stays revoked.
func (r *revocations) checkLink(certificate, issuer *x509.Certificate, isCA bool, now time.Time) error {
	crl := r.find(issuer)
	if crl != nil {
		for _, entry := range crl.RevokedCertificateEntries {
			if entry.SerialNumber.Cmp(certificate.SerialNumber) == 0 {
				return &RevokedError{Subject: certificate.Subject.String(), Serial: fmt.Sprintf("%x", certificate.SerialNumber),
					Issuer: issuer.Subject.String(), Date: entry.RevocationTime, CA: isCA}
			}
		}
	}
	switch {
	case r.policy != CRLRequire:
		return nil
	case crl == nil:
		return &CRLError{Issuer: issuer.Subject.String()}
	case crl.NextUpdate.Before(now):
		return &CRLError{Issuer: issuer.Subject.String(), NextUpdate: crl.NextUpdate}
	}
	return nil
}

// find returns the latest CRL that issuer has signed, or nil.
func (r *revocations) find(issuer *x509.Certificate) *x509.RevocationList {
	var latest *x509.RevocationList
	for _, crl := range r.lists {
		if bytes.Equal(crl.RawIssuer, issuer.RawSubject) && r.isSigned(crl, issuer) &&
			(latest == nil || crl.ThisUpdate.After(latest.ThisUpdate)) {
			latest = crl
		}
	}
	return latest
}

// isSigned tells whether issuer's key signed a CRL. A signature takes longer
// to check than all the rest, so it is checked once.
func (r *revocations) isSigned(crl *x509.RevocationList, issuer *x509.Certificate) bool {
	key := signedBy{crl, string(issuer.RawSubjectPublicKeyInfo)}
	if known, ok := r.signed.Load(key); ok {
		return known.(bool)
	}
	ok := crl.CheckSignatureFrom(issuer) == nil
	r.signed.Store(key, ok)
	return ok
}

// Valid tells whether p is one of the policies.
func (p CRLPolicy) Valid() bool { return p == CRLSoft || p == CRLRequire || p == CRLOff }
