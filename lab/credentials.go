package lab

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mtlslab.example/lab/certgen"
)

// Credentials name what one side shows and whom it trusts, by their names in
// the manifest.
type Credentials struct {
	Dir         string // the folder of the PKI
	Certificate string // empty: none is shown
	Trust       string // the CA that the peer's certificate must lead to
}

// files are those that the credentials are made from.
func (c Credentials) files() []string {
	files := []string{filepath.Join(c.Dir, c.Trust+".pem")}
	if c.Certificate != "" {
		files = append(files, filepath.Join(c.Dir, c.Certificate+".pem"), filepath.Join(c.Dir, c.Certificate+"-key.pem"))
	}
	return files
}

// freshness is for how long files that were looked at are not looked at again:
// hundreds of handshakes a second share one look.
const freshness = 2 * time.Millisecond

// wallet makes a tls.Config from credentials and makes it anew when their files
// have changed, so that certificates made while the lab runs are used by the
// next exchange.
type wallet struct {
	Credentials
	configure func(certificate *tls.Certificate, trust *x509.CertPool) *tls.Config

	mu      sync.Mutex
	paths   []string
	checked time.Time // when the files were last looked at
	seen    []os.FileInfo
	config  *tls.Config
	own     string // subject of the certificate in config
}

// current returns the configuration for the next handshake, which must not be
// changed. While files are missing, or another lab is at writing them, the one
// before stays in use.
//
// With it comes the subject of the certificate that is shown.
func (w *wallet) current() (config *tls.Config, own string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.config != nil && time.Since(w.checked) < freshness {
		return w.config, w.own, nil
	}
	if w.paths == nil {
		w.paths = w.files()
	}
	w.checked = time.Now()
	now := stat(w.paths)
	if w.config != nil && (unchanged(w.seen, now) || certgen.Busy(w.Dir)) {
		return w.config, w.own, nil
	}
	config, own, err = w.load()
	if err == nil {
		w.config, w.own, w.seen = config, own, now
	} else if w.config == nil {
		return nil, "", err
	}
	return w.config, w.own, nil
}

func (w *wallet) load() (config *tls.Config, own string, err error) {
	trusted, err := certgen.LoadCertificates(w.Dir, w.Trust)
	if err != nil {
		return nil, "", err
	}
	pool := x509.NewCertPool()
	pool.AddCert(trusted[0])
	if w.Certificate == "" {
		return w.configure(nil, pool), "", nil
	}
	certificate, err := certgen.Load(w.Dir, w.Certificate)
	if err != nil {
		return nil, "", err
	}
	return w.configure(&certificate, pool), certificate.Leaf.Subject.String(), nil
}

// stat returns what identifies the present content of each file, nil for one
// that cannot be read.
func stat(files []string) []os.FileInfo {
	infos := make([]os.FileInfo, len(files))
	for i, file := range files {
		infos[i], _ = os.Stat(file)
	}
	return infos
}

func unchanged(before, now []os.FileInfo) bool {
	for i := range now {
		a, b := before[i], now[i]
		if a == nil || b == nil || !a.ModTime().Equal(b.ModTime()) || a.Size() != b.Size() || !os.SameFile(a, b) {
			return false
		}
	}
	return true
}
