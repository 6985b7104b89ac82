package lab

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/certfile"
	"mtlslab.example/lab/lab/chain"
)

// Credentials are the certificate that one side shows and the CAs that it
// trusts, by names in the manifest or by files (see certfile.IsFile).
type Credentials struct {
	Dir         string   // the folder of the PKI
	Certificate string   // empty: none is shown
	KeyFile     string   // the private key, where Certificate is a file
	Password    string   // of PKCS#12 files
	AlsoShow    []string // further certificates of a server, chosen by the client's server_name
	Trust       string   // the CA that the peer's certificate must lead to, or a file of several
	AlsoTrust   []string // further CAs

	// Loaded are the credentials themselves, in place of the names and files; nil:
	// those are read, and read again when they have changed.
	Loaded *Loaded

	// Alter changes each certificate after it was loaded; nil: none is changed.
	Alter func(*tls.Certificate) error

	first *content // that the files had when Read read them; nil: they were not read
}

// Loaded are credentials that do not come from files.
type Loaded struct {
	Certificates []tls.Certificate // with Leaf; none: none is shown
	CAs          []*x509.Certificate
	CRLs         []*x509.RevocationList
}

func (c Credentials) certificates() []string {
	if c.Certificate == "" {
		return nil
	}
	return append([]string{c.Certificate}, c.AlsoShow...)
}

// Authorities returns the names of all trusted CAs.
func (c Credentials) Authorities() []string { return append([]string{c.Trust}, c.AlsoTrust...) }

// files returns the files that the credentials are made from. The folder is one
// of them: it changes when a CRL is added or removed.
func (c Credentials) files() []string {
	files := append(certgen.CRLFiles(c.Dir), c.Dir)
	add := func(name, file string) {
		if certfile.IsFile(name) {
			file = name
		}
		files = append(files, file)
	}
	for _, name := range c.Authorities() {
		add(name, filepath.Join(c.Dir, name+".pem"))
	}
	for _, name := range c.certificates() {
		add(name, filepath.Join(c.Dir, name+".pem"))
		if certfile.IsFile(name) {
			add(c.KeyFile, c.KeyFile)
		} else {
			files = append(files, filepath.Join(c.Dir, name+"-key.pem"))
		}
	}
	return files
}

// Read loads everything that the credentials name, for the server or client
// that is made from them: they must not be changed in between. Errors are those
// of certgen.Load and of package certfile.
func (c *Credentials) Read() (err error) {
	c.first, err = c.load()
	return err
}

// Leaf returns the certificate that Read has read; nil: none is shown.
func (c *Credentials) Leaf() *x509.Certificate { return c.first.leaf("") }

// Anchor returns the CA of Trust that Read has read, the first of several.
func (c *Credentials) Anchor() *x509.Certificate { return c.first.authorities[0] }

// LoadAuthorities returns the certificates of CAs that are trusted by a name of
// the manifest, or by a file.
func (c Credentials) LoadAuthorities(name string) ([]*x509.Certificate, error) {
	if certfile.IsFile(name) {
		return certfile.LoadCAs(name, c.Password)
	}
	trusted, err := c.LoadChain(name)
	if err != nil {
		return nil, err
	}
	return trusted[:1], nil
}

// LoadChain returns the certificates, at least one, of a name of the manifest
// or of a file; of "" none.
func (c Credentials) LoadChain(name string) ([]*x509.Certificate, error) {
	switch {
	case name == "":
		return nil, nil
	case certfile.IsFile(name):
		return certfile.Load(name, c.Password)
	}
	return certgen.LoadCertificates(c.Dir, name)
}

// content is what files held at a time.
type content struct {
	identity // without revoked, for which every wallet has its own policy
	files    []string
	infos    []os.FileInfo // of files, before they were read; nil for one that was missing
}

// identity is what one side is and trusts.
type identity struct {
	certificates []tls.Certificate // the first is shown unless server_name asks for another
	trust        *x509.CertPool
	authorities  []*x509.Certificate // in trust
	revoked      *revocations
}

// subject returns the subject of the certificate that a server shows to a
// client that asks for serverName.
func (i *identity) subject(serverName string) string {
	if leaf := i.leaf(serverName); leaf != nil {
		return chain.Name(leaf)
	}
	return ""
}

// leaf returns the certificate that a server shows to a client that asks for
// serverName, nil if it has none.
func (i *identity) leaf(serverName string) *x509.Certificate {
	for _, c := range i.certificates {
		if serverName != "" && c.Leaf.VerifyHostname(serverName) == nil {
			return c.Leaf
		}
	}
	if len(i.certificates) == 0 {
		return nil
	}
	return i.certificates[0].Leaf
}

// explain adds to an error of a handshake what it takes to explain it.
func (i *identity) explain(err error) error {
	if errors.As(err, new(x509.UnknownAuthorityError)) {
		return &chain.TrustedError{Err: err, CAs: i.authorities}
	}
	return err
}

// freshness is how long files are not checked again, so that hundreds of
// handshakes a second share one check.
const freshness = 2 * time.Millisecond

// wallet makes a tls.Config from credentials, and makes a new one when their
// files have changed: the next exchange uses certificates and CRLs that were
// made while the lab runs.
type wallet struct {
	Credentials
	crl       CRLPolicy
	configure func(*identity) *tls.Config

	mu       sync.Mutex
	paths    []string
	checked  time.Time // when the files were last checked
	seen     []os.FileInfo
	config   *tls.Config
	identity *identity // in config
}

// current returns the configuration for the next handshake, which must not be
// changed, and what it was made from. While files are missing, or another lab
// writes them, it returns the previous configuration.
func (w *wallet) current() (*tls.Config, *identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.config == nil && w.first != nil {
		w.use(w.first)
	}
	if w.config != nil && time.Since(w.checked) < freshness {
		return w.config, w.identity, nil
	}
	w.checked = time.Now()
	if w.config != nil && (unchanged(w.seen, stat(w.paths)) || certgen.Busy(w.Dir)) {
		return w.config, w.identity, nil
	}
	loaded, err := w.load()
	if err == nil {
		w.use(loaded)
	} else if w.config == nil {
		return nil, nil, err
	}
	return w.config, w.identity, nil
}

// use makes the configuration from what was loaded, and from the CRLs.
func (w *wallet) use(loaded *content) {
	own := loaded.identity
	if w.Loaded != nil {
		own.revoked = newRevocations(w.Loaded.CRLs, w.crl)
	} else {
		own.revoked = loadRevocations(w.Dir, w.crl)
	}
	w.config, w.identity, w.paths, w.seen = w.configure(&own), &own, loaded.files, loaded.infos
}

// load loads all but the CRLs.
func (c Credentials) load() (*content, error) {
	loaded := &content{identity: identity{trust: x509.NewCertPool()}}
	if c.Loaded != nil {
		loaded.trustIn(c.Loaded.CAs)
		loaded.certificates = c.Loaded.Certificates
		return loaded, nil
	}
	loaded.files = c.files()
	loaded.infos = stat(loaded.files)
	for _, name := range c.Authorities() {
		trusted, err := c.LoadAuthorities(name)
		if err != nil {
			return nil, err
		}
		loaded.trustIn(trusted)
	}
	for _, name := range c.certificates() {
		certificate, err := c.loadCertificate(name)
		if err != nil {
			return nil, err
		}
		loaded.certificates = append(loaded.certificates, certificate)
	}
	return loaded, nil
}

// trustIn adds CAs.
func (i *identity) trustIn(cas []*x509.Certificate) {
	for _, ca := range cas {
		i.trust.AddCert(ca)
	}
	i.authorities = append(i.authorities, cas...)
}

// loadCertificate loads a certificate as it is shown.
func (c Credentials) loadCertificate(name string) (tls.Certificate, error) {
	certificate, err := c.loadPair(name)
	if err == nil && c.Alter != nil {
		err = c.Alter(&certificate)
	}
	return certificate, err
}

// loadPair loads a certificate and its key, by name or from files.
func (c Credentials) loadPair(name string) (tls.Certificate, error) {
	if certfile.IsFile(name) {
		return certfile.LoadPair(name, c.KeyFile, c.Password)
	}
	return certgen.Load(c.Dir, name)
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
		if a == nil && b == nil {
			continue
		}
		if a == nil || b == nil || !a.ModTime().Equal(b.ModTime()) || a.Size() != b.Size() || !os.SameFile(a, b) {
			return false
		}
	}
	return true
}
