package certgen

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tsaarni/certyaml"
)

// backdate is how long before now certificates and CRLs become valid, for
// peers whose clocks are slow. Short-lived certificates give a tenth of their
// lifetime.
const backdate = 5 * time.Minute

// workshop makes what a folder lacks.
type workshop struct {
	*folder
	issued       []*certyaml.Certificate // by certificate index: made now or found
	done         func()                  // called after each certificate and CRL, from any goroutine
	beforeChange func(operation, file string) error
	staging      *staging
}

// workshop returns one that writes new files into the folder stagingDir.
func (f *folder) workshop(o Options, stagingDir string) *workshop {
	return &workshop{
		folder: f, issued: make([]*certyaml.Certificate, len(f.manifest.Certificates)),
		done: counter(f.count(), o.Progress), beforeChange: o.beforeChange, staging: newStaging(stagingDir, o.beforeChange),
	}
}

// makeAll makes and stages everything that is planned, issuers first and
// independent certificates on all cores.
func (w *workshop) makeAll(ctx context.Context) error {
	for _, level := range w.manifest.levels() {
		err := inParallel(ctx, len(level), func(i int) error { return w.provide(level[i]) })
		if err != nil {
			return err
		}
	}
	return inParallel(ctx, len(w.crlReasons), func(i int) error {
		if len(w.crlReasons[i]) == 0 {
			return nil
		}
		return w.makeCRL(w.manifest.Certificates[i])
	})
}

// stageAll makes and stages everything that is planned, and the record of it.
func (w *workshop) stageAll(ctx context.Context) error {
	if err := os.Mkdir(w.staging.dir, folderMode); err != nil {
		return err
	}
	if err := w.makeAll(ctx); err != nil {
		return err
	}
	made, err := w.record()
	if err != nil {
		return err
	}
	for file, d := range made.byFile { // of files that stay
		if _, isNew := w.staging.record.byFile[file]; !isNew && w.listing.mayHave(file) {
			w.staging.record.add(file, d)
		}
	}
	return w.staging.create(recordFile, w.staging.record.text(), keyMode)
}

// commitAll puts what was staged in place: issuers before what they issued,
// each key before its certificate, then CRLs. Whoever reads in between sees
// files that do not match or do not verify; cut short, the next run goes on.
func (w *workshop) commitAll() error {
	if len(w.staging.record.byFile) > 0 {
		err := os.Rename(w.staging.dir, filepath.Join(w.dir, readyFolder))
		if err != nil {
			return errors.Join(err, removeStaged(w.dir))
		}
	}
	for _, level := range w.manifest.levels() {
		for _, c := range level {
			if err := w.commitCertificate(c); err != nil {
				return err
			}
		}
	}
	for i, c := range w.manifest.Certificates {
		if len(w.crlReasons[i]) > 0 {
			if err := w.commit(c.CRLFile()); err != nil {
				return err
			}
		}
	}
	if len(w.staging.record.byFile) == 0 { // keys were closed to others, no more
		return nil
	}
	return finish(w.dir)
}

// commitCertificate puts a certificate and its key in place, or closes to
// others a key that stays.
func (w *workshop) commitCertificate(c *Certificate) error {
	switch {
	case w.isPlanned(c):
		if err := w.commit(c.KeyFile()); err != nil {
			return err
		}
		return w.commit(c.CertificateFile())
	case w.wideKeys[c.index]:
		own, err := w.isOwn(c.KeyFile())
		if err != nil || !own {
			return err
		}
		return os.Chmod(filepath.Join(w.dir, c.KeyFile()), keyMode)
	}
	return nil
}

// stage has a file of PEM blocks, of which there is at least one, written into
// the staging folder. They are of the first of types.
func (w *workshop) stage(file string, types []string, blocks [][]byte, mode fs.FileMode) error {
	var data bytes.Buffer
	for _, der := range blocks {
		data.Grow(2*len(der) + 64) // no less than a block takes
		if err := pem.Encode(&data, &pem.Block{Type: types[0], Bytes: der}); err != nil {
			return err
		}
	}
	return w.staging.add(newFile{file, data.Bytes(), sha256.Sum256(blocks[0]), mode})
}

func (w *workshop) commit(file string) error {
	if err := w.beforeChange("commit", file); err != nil {
		return err
	}
	return commit(w.dir, file)
}

// count returns how many certificates and CRLs are to be made.
func (f *folder) count() int {
	total := 0
	for i, c := range f.manifest.Certificates {
		if f.isPlanned(c) {
			total++
		}
		if len(f.crlReasons[i]) > 0 {
			total++
		}
	}
	return total
}

// counter returns a function that reports one more of total as done.
func counter(total int, progress func(done, total int)) func() {
	if progress == nil {
		return func() {}
	}
	var mu sync.Mutex
	done := 0
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done++
		progress(done, total)
	}
}

// provide makes and stages a certificate, or takes the one found. Its issuer
// must have been provided before.
func (w *workshop) provide(c *Certificate) error {
	request := w.request(c)
	if c.CA || c.Revoked { // the others are not asked for again
		w.issued[c.index] = request
	}
	if !w.isPlanned(c) {
		h := w.holdings[c.index]
		request.SerialNumber = h.leaf.SerialNumber
		request.GeneratedCert = &tls.Certificate{Certificate: h.chain, PrivateKey: h.key}
		return nil
	}
	if err := issue(c, request); err != nil {
		return err
	}
	key, err := x509.MarshalPKCS8PrivateKey(request.GeneratedCert.PrivateKey)
	if err != nil {
		return &IssueError{Name: c.Name, Err: err}
	}
	if err := w.stage(c.KeyFile(), keyTypes, [][]byte{key}, keyMode); err != nil {
		return err
	}
	if err := w.stage(c.CertificateFile(), certificateTypes, request.GeneratedCert.Certificate, certificateMode); err != nil {
		return err
	}
	w.done()
	return nil
}

// issue has certyaml make a certificate and checks that it is what c asks for.
// What does not come out as asked would be found changed by every later run.
func issue(c *Certificate, request *certyaml.Certificate) error {
	if err := request.Generate(); err != nil {
		return &IssueError{Name: c.Name, Err: err}
	}
	// certyaml v0.11.0 reports no error when crypto/x509 refuses a certificate.
	if request.GeneratedCert == nil {
		return &IssueError{Name: c.Name, Err: errors.New("crypto/x509 refuses its contents")}
	}
	leaf, err := x509.ParseCertificate(request.GeneratedCert.Certificate[0])
	if err != nil {
		return &IssueError{Name: c.Name, Err: err}
	}
	if !bytes.Equal(leaf.RawSubject, c.subject.der) {
		if leaf, err = c.signAgain(request, leaf); err != nil {
			return &IssueError{Name: c.Name, Err: err}
		}
	}
	if fields := c.differences(leaf); len(fields) > 0 {
		return &UnfaithfulError{Name: c.Name, Fields: fields}
	}
	return nil
}

// request states a certificate in certyaml's terms.
func (w *workshop) request(c *Certificate) *certyaml.Certificate {
	notBefore, notAfter := c.validity(w.now)
	serial := c.Serial
	if serial == nil {
		serial = w.manifest.newSerial(c)
	}
	request := &certyaml.Certificate{
		Subject: c.subject.issuable, SubjectAltNames: c.SANs,
		KeyType: certyamlKeyTypes[c.KeyType], KeySize: c.KeySize,
		NotBefore: &notBefore, NotAfter: &notAfter,
		KeyUsage: c.KeyUsage, ExtKeyUsage: c.ExtKeyUsage, IsCA: &c.CA, SerialNumber: serial,
		CRLDistributionPoints: c.CRLDistributionPoints, OCSP: c.OCSP, ExtraExtensions: c.extensions,
	}
	if c.Issuer != nil {
		request.Issuer = w.issued[c.Issuer.index]
	}
	return request
}

var certyamlKeyTypes = map[KeyType]certyaml.KeyType{
	EC: certyaml.KeyTypeEC, RSA: certyaml.KeyTypeRSA, Ed25519: certyaml.KeyTypeEd25519,
}

// validity returns the dates of a certificate made now, in whole seconds.
func (c *Certificate) validity(now time.Time) (notBefore, notAfter time.Time) {
	notBefore, notAfter = c.NotBefore, c.NotAfter
	if notBefore.IsZero() {
		notBefore = now.Add(-min(backdate, c.Expires/10)).UTC().Truncate(time.Second)
		// It may have to end in the past by intent, but never before it begins.
		if start := notAfter.Add(-c.Expires).Truncate(time.Second); !notAfter.IsZero() && start.Before(notBefore) {
			notBefore = start
		}
	}
	if notAfter.IsZero() {
		notAfter = notBefore.Add(c.Expires).Truncate(time.Second)
	}
	return notBefore, notAfter
}
