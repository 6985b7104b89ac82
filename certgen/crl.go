package certgen

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tsaarni/certyaml"

	crls "mtlslab.example/lab/certgen/revocation"
)

// crlLifetime is from ThisUpdate to NextUpdate of a CRL.
const crlLifetime = 7 * 24 * time.Hour

// examineCRLs finds the reasons to make the CRL of each CA. Those of the
// certificates must have been found before.
func (f *folder) examineCRLs(ctx context.Context) error {
	for _, c := range f.manifest.Certificates {
		if c.Revoked {
			f.revoked[c.Issuer.index] = append(f.revoked[c.Issuer.index], c)
		}
	}
	return inParallel(ctx, len(f.manifest.Certificates), func(i int) (err error) {
		// A CA that may not sign CRLs has nothing revoked; Parse saw to that.
		if c := f.manifest.Certificates[i]; c.CA && c.KeyUsage&x509.KeyUsageCRLSign != 0 {
			f.crlReasons[i], err = f.examineCRL(c)
		}
		return err
	})
}

// examineCRL returns the reasons to make the CRL of ca. One that revokes
// nothing is made only in place of one of the lab's own.
func (f *folder) examineCRL(ca *Certificate) ([]Reason, error) {
	if len(f.revoked[ca.index]) == 0 {
		if !f.listing.mayHave(ca.CRLFile()) {
			return nil, nil
		}
		if own, err := f.isOwn(ca.CRLFile()); err != nil || !own {
			return nil, err
		}
	}
	crl, err := LoadCRL(f.dir, ca.Name)
	var missing *MissingError
	var inTheWay *InTheWayError
	var damaged *DamagedError
	switch {
	case errors.As(err, &inTheWay):
		return []Reason{reasonf(ReasonInTheWay, "%s is %s", ca.CRLFile(), inTheWay.Is)}, nil
	case errors.As(err, &missing):
		return []Reason{{ReasonMissing, "missing"}}, nil
	case errors.As(err, &damaged):
		return []Reason{reasonf(ReasonDamaged, "damaged: %v", damaged.Err)}, nil
	case err != nil:
		return nil, err
	}
	return f.crlFaults(ca, crl), nil
}

// crlFaults compares the CRL of ca with the certificates and the clock.
func (f *folder) crlFaults(ca *Certificate, crl *x509.RevocationList) []Reason {
	validity := validityReasons(crl.ThisUpdate, crl.NextUpdate, f.now)
	if f.isPlanned(ca) {
		return append([]Reason{reasonf(ReasonFollows, "issuer %s is made anew", ca.Name)}, validity...)
	}
	leaf := f.holdings[ca.index].leaf
	if !crls.IsSameName(crl.RawIssuer, leaf.RawSubject) || crl.CheckSignatureFrom(leaf) != nil {
		return []Reason{reasonf(ReasonUnverifiable, "issuer %s was made anew", ca.Name)}
	}
	if part := crls.Part(crl); part != "" {
		return append([]Reason{reasonf(ReasonList, "not complete: it %s", part)}, validity...)
	}
	return append(f.listReasons(ca, crl), validity...)
}

// listReasons compares the serial numbers in a CRL with those to be revoked.
func (f *folder) listReasons(ca *Certificate, crl *x509.RevocationList) []Reason {
	listed := serialsOf(crl)
	var absent, anew []string
	for _, c := range f.revoked[ca.index] {
		switch {
		case f.isPlanned(c):
			anew = append(anew, c.Name)
		case !listed[f.holdings[c.index].leaf.SerialNumber.String()]:
			absent = append(absent, c.Name)
		}
	}
	var reasons []Reason
	if len(anew) > 0 {
		reasons = append(reasons, reasonf(ReasonFollows, "revoked and made anew: %s", strings.Join(anew, ", ")))
	}
	if len(absent) > 0 {
		reasons = append(reasons, reasonf(ReasonList, "does not list %s", strings.Join(absent, ", ")))
	}
	for _, serial := range f.goodSerials(ca) {
		if listed[serial] {
			return append(reasons, Reason{ReasonList, "lists what is not revoked"})
		}
	}
	return reasons
}

// lasting returns the serial numbers that the CRL of ca goes on listing: of
// revoked certificates that were made anew, or that the manifest no longer has.
// Whoever kept a copy of such a certificate must stay out. A CA made anew has
// none, since nobody takes what its old key has signed.
func (f *folder) lasting(ca *Certificate) []*big.Int {
	leaf := f.holdings[ca.index].leaf
	if f.isPlanned(ca) || leaf == nil {
		return nil
	}
	var serials []*big.Int
	seen := map[string]bool{}
	for _, serial := range f.goodSerials(ca) {
		seen[serial] = true
	}
	for _, c := range f.revoked[ca.index] { // listed anyhow
		if c.Serial != nil {
			seen[c.Serial.String()] = true
		}
		old := f.holdings[c.index].leaf
		if old == nil || seen[old.SerialNumber.String()] {
			continue
		}
		seen[old.SerialNumber.String()] = true
		if f.isPlanned(c) && isSignedBy(old, leaf, true) {
			serials = append(serials, old.SerialNumber)
		}
	}
	crl, err := LoadCRL(f.dir, ca.Name)
	if err != nil || crl.CheckSignatureFrom(leaf) != nil {
		return serials
	}
	for _, entry := range crl.RevokedCertificateEntries {
		if serial := entry.SerialNumber.String(); !seen[serial] {
			seen[serial] = true
			serials = append(serials, entry.SerialNumber)
		}
	}
	return serials
}

// goodSerials returns the serial numbers of the certificates of ca that are not
// revoked, as far as they are known: those that stay, and those that are given.
func (f *folder) goodSerials(ca *Certificate) (serials []string) {
	for _, c := range f.manifest.Certificates {
		switch {
		case c.Issuer != ca || c.Revoked:
		case c.Serial != nil:
			serials = append(serials, c.Serial.String())
		case !f.isPlanned(c):
			serials = append(serials, f.holdings[c.index].leaf.SerialNumber.String())
		}
	}
	return serials
}

// serialsOf returns the serial numbers that a CRL lists.
func serialsOf(crl *x509.RevocationList) map[string]bool {
	listed := make(map[string]bool, len(crl.RevokedCertificateEntries))
	for _, entry := range crl.RevokedCertificateEntries {
		listed[entry.SerialNumber.String()] = true
	}
	return listed
}

// isListed reports whether the CRLs of the folder revoke c.
func (f *folder) isListed(c *Certificate) bool {
	leaf, issuer := f.holdings[c.index].leaf, f.issuerLeaf(c)
	return c.Issuer != nil && leaf != nil && issuer != nil && f.lists().Of(leaf, issuer, f.now).Entry != nil
}

// LoadCRL returns the first CRL in the file of the CA called name, in the
// folder dir. Errors are *MissingError, *DamagedError, *InTheWayError or
// *fs.PathError.
func LoadCRL(dir, name string) (*x509.RevocationList, error) {
	loaded, err := loadCRLs(filepath.Join(dir, crlFile(name)), name)
	if len(loaded) == 0 {
		return nil, err
	}
	return loaded[0], nil
}

// LoadCRLs returns the CRLs in all of [CRLFiles]. It leaves out what cannot be
// read; [UnusedCRLs] returns why.
func LoadCRLs(dir string) (all []*x509.RevocationList) {
	for _, file := range CRLFiles(dir) {
		loaded, _ := loadCRLs(file, filepath.Base(file))
		all = append(all, loaded...)
	}
	return all
}

// LoadCRLsOf returns the CRLs in the file of a CA's certificate, NAME.pem or
// another, and in NAME-crl.pem beside it. It leaves out what cannot be read.
func LoadCRLsOf(file string) (all []*x509.RevocationList) {
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	for _, path := range []string{file, filepath.Join(filepath.Dir(file), crlFile(name))} {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		loaded, _ := loadCRLs(path, filepath.Base(path))
		all = append(all, loaded...)
	}
	return all
}

// UnusedCRL is a file with a CRL that cannot be read, or whose signature cannot
// be checked: the certificates that it revokes are accepted.
type UnusedCRL struct {
	File   string // path
	Some   bool   // other CRLs in the file are used
	Reason string // as in "it is truncated"
}

// UnusedCRLs returns those of [CRLFiles] that are not used, or not all of them.
func UnusedCRLs(dir string) (unused []UnusedCRL) {
	for _, file := range CRLFiles(dir) {
		loaded, err := loadCRLs(file, filepath.Base(file))
		usable := slices.DeleteFunc(slices.Clone(loaded), func(crl *x509.RevocationList) bool { return !crls.IsVerifiable(crl) })
		switch {
		case err == nil && len(loaded) < begun(file):
			unused = append(unused, UnusedCRL{file, len(usable) > 0, "one of them is damaged"})
		case err != nil:
			unused = append(unused, UnusedCRL{file, len(usable) > 0, whyUnread(err)})
		case len(usable) < len(loaded):
			unused = append(unused, UnusedCRL{file, len(usable) > 0, "it is signed with an algorithm that lab does not check"})
		}
	}
	return unused
}

// begun returns how many CRLs in PEM begin in a file. One that cannot be
// decoded is left out by readBlocks.
func begun(file string) int {
	data, _, _ := readFile(file)
	return bytes.Count(data, []byte("-----BEGIN "+crlTypes[0]+"-----"))
}

// whyUnread returns the text of an error of loadCRLs without the file's name.
func whyUnread(err error) string {
	var inTheWay *InTheWayError
	var damaged *DamagedError
	var path *fs.PathError
	var missing *MissingError
	switch {
	case errors.As(err, &missing):
		return "there is no such file" // a link to nowhere
	case errors.As(err, &inTheWay):
		return "it is " + inTheWay.Is
	case errors.As(err, &damaged):
		return damaged.Err.Error()
	case errors.As(err, &path):
		return path.Err.Error()
	}
	return err.Error()
}

// CRLFiles returns the paths of the files NAME-crl.pem in dir, in their order.
func CRLFiles(dir string) (files []string) {
	entries, _ := os.ReadDir(dir) // a folder that cannot be read has none
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, crlFile("")) && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(dir, name))
		}
	}
	return files
}

// loadCRLs returns the CRLs in a file, several if it is made for programs that
// want those of all CAs in one. It may be DER, too. With an error come those
// that can be read.
func loadCRLs(file, name string) (loaded []*x509.RevocationList, err error) {
	blocks, _, err := readBlocks(name, file, crlTypes)
	var inTheWay *InTheWayError
	if errors.As(err, &inTheWay) {
		if crl := loadDER(file); crl != nil {
			return []*x509.RevocationList{crl}, nil
		}
	}
	for _, block := range blocks {
		crl, e := crls.Parse(block)
		if e != nil {
			err = &DamagedError{Name: name, File: file, Err: e}
			continue
		}
		loaded = append(loaded, crl)
	}
	return loaded, err
}

// loadDER returns the CRL in a file that is no PEM, or nil.
func loadDER(file string) *x509.RevocationList {
	data, mode, err := readFile(file)
	if err != nil || !mode.IsRegular() || len(data) > maxPEM {
		return nil
	}
	crl, err := crls.Parse(data)
	if err != nil {
		return nil
	}
	return crl
}

// makeCRL makes and stages the CRL of ca, which lists every certificate that
// the manifest revokes. All of them must have been provided.
func (w *workshop) makeCRL(ca *Certificate) error {
	crl := w.newCRL(ca)
	for _, c := range w.revoked[ca.index] {
		if err := crl.Add(w.issued[c.index]); err != nil {
			return &IssueError{Name: ca.Name, Err: err}
		}
	}
	for _, serial := range w.lasting(ca) {
		// All that certyaml takes of a certificate here is its number.
		gone := &certyaml.Certificate{SerialNumber: serial, Issuer: w.issued[ca.index], GeneratedCert: &tls.Certificate{}}
		if err := crl.Add(gone); err != nil {
			return &IssueError{Name: ca.Name, Err: err}
		}
	}
	der, err := crl.DER()
	if err != nil {
		return &IssueError{Name: ca.Name, Err: err}
	}
	if err := w.stage(ca.CRLFile(), crlTypes, [][]byte{der}, certificateMode); err != nil {
		return err
	}
	w.done()
	return nil
}

// newCRL begins the CRL of ca.
func (w *workshop) newCRL(ca *Certificate) *certyaml.CRL {
	thisUpdate := w.now.Add(-backdate).Truncate(time.Second)
	nextUpdate := thisUpdate.Add(crlLifetime)
	return &certyaml.CRL{Issuer: w.issued[ca.index], ThisUpdate: &thisUpdate, NextUpdate: &nextUpdate}
}
