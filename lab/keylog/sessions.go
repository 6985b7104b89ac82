package keylog

import (
	"crypto/sha256"
	"sync"
)

// maxSessions bounds what Sessions remembers: about 200 bytes each.
const maxSessions = 4096

// Sessions remembers master secrets of TLS 1.2 by what resumes their session:
// crypto/tls logs none for a connection that resumes one. The oldest are
// forgotten first. The zero value is ready, and safe for concurrent use.
type Sessions struct {
	mu      sync.Mutex
	masters map[sessionKey][]byte
	known   ring[sessionKey] // the keys of masters
}

// sessionKey is short for a ticket or a session id.
type sessionKey [16]byte

func keyOf(name []byte) sessionKey {
	sum := sha256.Sum256(name)
	return sessionKey(sum[:len(sessionKey{})])
}

// Remember stores the master secret of the session that name, a ticket
// (RFC 5077) or a session id, resumes. Without a name or a secret it does
// nothing.
func (s *Sessions) Remember(name, master []byte) {
	if len(name) == 0 || len(master) == 0 {
		return
	}
	key := keyOf(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.masters == nil {
		s.masters = make(map[sessionKey][]byte)
	}
	if s.masters[key] == nil {
		if oldest, full := s.known.push(key, maxSessions); full {
			delete(s.masters, oldest)
		}
	}
	s.masters[key] = master
}

// Recall returns the master secret of the session that name resumes, or nil. It
// is not to be changed.
func (s *Sessions) Recall(name []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.masters[keyOf(name)]
}
