package scenario

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"

	"github.com/gofrs/flock"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/certgen/atomicfile"
)

// reissue writes the certificates in the folder from, made of a manifest, into
// the folder to, with keys of the scenario's type. Those that are there stay,
// as long as they are alike in all else.
func (s *Scenario) reissue(m *certgen.Manifest, from, to string) error {
	lock := flock.New(filepath.Join(to, ".lock"))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer func() { _ = lock.Unlock() }()
	pairs, old := map[string]tls.Certificate{}, false
	for _, c := range m.Certificates {
		pair, err := certgen.Load(from, c.Name)
		if err != nil {
			return err
		}
		pairs[c.Name] = pair
		made, err := certgen.Load(to, c.Name)
		old = old || err != nil || made.Leaf.SerialNumber.Cmp(pair.Leaf.SerialNumber) != 0 || !made.Leaf.NotAfter.Equal(pair.Leaf.NotAfter)
	}
	if !old {
		return nil
	}
	made, err := s.KeyType.Reissue(pairs)
	if err != nil {
		return err
	}
	for name, pair := range made {
		key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			return err
		}
		var chain []byte
		for _, der := range pair.Certificate {
			chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		if err := atomicfile.Write(filepath.Join(to, name+"-key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600); err != nil {
			return err
		}
		if err := atomicfile.Write(filepath.Join(to, name+".pem"), chain, 0o644); err != nil {
			return err
		}
	}
	return nil
}
