package command

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mtlslab.example/lab/certgen"
	"mtlslab.example/lab/lab/chain"
	"mtlslab.example/lab/lab/scenario"
	"mtlslab.example/lab/lab/tlsdecrypt"
)

// scenarioTrusts have the CAs of the scenarios that were run in a folder. A
// connection belongs to the scenario whose certificates are shown on it.
type scenarioTrusts struct {
	folder folder
	given  trusts // by flags; they go before the scenario's own

	mu     sync.Mutex
	read   time.Time           // when the folder was looked through
	of     map[[32]byte]string // the scenario of a certificate
	loaded map[string]*chain.Trust
}

// trust returns the CAs of the scenario that a connection is of; nil: it is of
// none.
func (s *scenarioTrusts) trust(c *tlsdecrypt.Connection) *chain.Trust {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.of) == 0 {
		if time.Since(s.read) < time.Second {
			return nil
		}
		if s.read = time.Now(); !s.index() { // they may be made while lab explain waits for a capture
			return nil
		}
	}
	for _, m := range c.Messages {
		ders, _ := m.Certificates()
		if len(ders) == 0 {
			continue
		}
		if name := s.of[sha256.Sum256(ders[0])]; name != "" {
			return s.load(name, uint16(c.Version))
		}
	}
	return nil
}

// index reads which certificates the scenarios have.
func (s *scenarioTrusts) index() bool {
	folders, err := os.ReadDir(filepath.Join(s.folder.certs(), scenario.Folder))
	if err != nil {
		return false
	}
	s.of = make(map[[32]byte]string)
	for _, entry := range folders {
		certs := filepath.Join(s.folder.certs(), scenario.Folder, entry.Name())
		names, err := certgen.Names(certs)
		if err != nil {
			continue
		}
		for _, name := range names {
			if certificates, err := certgen.LoadCertificates(certs, name); err == nil {
				s.of[sha256.Sum256(certificates[0].Raw)] = entry.Name()
			}
		}
	}
	return len(s.of) > 0
}

// load returns the CAs of a scenario, and which of them each side trusts.
func (s *scenarioTrusts) load(name string, version uint16) *chain.Trust {
	if trust := s.loaded[name]; trust != nil {
		return trust
	}
	by := s.given
	if lesson, err := scenario.Find(name); err == nil {
		if settings, err := lesson.ServerSettings(s.folder.certs(), version); err == nil && by.server.Trust == "" {
			by.server = settings.Credentials
		}
		if settings, err := lesson.ClientSettings(s.folder.certs(), version); err == nil && by.client.Trust == "" {
			by.client = settings.Credentials
		}
	}
	trust, err := trustOf(filepath.Join(s.folder.certs(), scenario.Folder, name), by)
	if err != nil {
		return nil
	}
	if s.loaded == nil {
		s.loaded = make(map[string]*chain.Trust)
	}
	s.loaded[name] = trust
	return trust
}
