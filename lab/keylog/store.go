package keylog

import (
	"bytes"
	"slices"
	"sync"
)

// maxEnded is how many connections that have ended a Store remembers the
// passing secrets of: a file may hold a connection more than once, as seen
// from several interfaces.
const maxEnded = 1024

// Store holds secrets in memory, by the client random of their connection. The
// zero value is ready, and safe for concurrent use.
type Store struct {
	shards [shardCount]shard
	more   *Tail // where secrets may still come from; nil: nowhere

	mu    sync.Mutex
	ended ring[storeKey]
}

// shardCount is into how many parts a Store is divided, so that those who look
// up secrets and those who add some seldom wait for each other.
const shardCount = 32

type shard struct {
	mu      sync.Mutex
	secrets map[storeKey][]byte // by connection: a byte of flags, then (label's code, length, secret) for each
}

func (s *Store) shard(key *storeKey) *shard { return &s.shards[key[0]%shardCount] }

// storeKey is a client random, or the 8 bytes that LabelRSA has in its place.
type storeKey [32]byte

// storedLabels are the labels of the secrets that open records; a label's code
// is its index. Of other labels nothing is stored.
var storedLabels = []string{LabelClientRandom, LabelClientEarlyTraffic, LabelClientHandshakeTraffic,
	LabelServerHandshakeTraffic, LabelClientTraffic0, LabelServerTraffic0, LabelRSA}

// usualSize is the memory of the secrets of a connection of TLS 1.3, in bytes.
const usualSize = 1 + 4*(2+32)

// passing flags the secrets of a connection that Forget is free to drop.
const passing = 1

// Add stores the secret of an entry for good. Where there is one under its
// label, that stays.
func (s *Store) Add(e Entry) { s.add(e, 0) }

// AddPassing stores the secrets of lines until Forget is called when their
// connection has ended, so that the secrets of a long capture need not all be
// held at once. It skips lines that cannot be read.
func (s *Store) AddPassing(lines []byte) {
	var memory [128]byte
	var latest openSecrets // of a connection, whose lines mostly come together
	for line := range bytes.Lines(lines) {
		e, err := parseLine(bytes.TrimRight(line, "\r\n"), memory[:])
		code := codeOf(e)
		if err != nil || code < 0 {
			continue
		}
		if key := storeKeyOf(e.ClientRandom); latest.key != key || latest.in == nil {
			latest.keep()
			latest = s.open(key, passing)
		}
		latest.add(code, e.Secret)
	}
	latest.keep()
}

func (s *Store) add(e Entry, flags byte) {
	if code := codeOf(e); code >= 0 {
		opened := s.open(storeKeyOf(e.ClientRandom), flags)
		opened.add(code, e.Secret)
		opened.keep()
	}
}

// codeOf returns the code of an entry's label, and -1 if it is not stored.
func codeOf(e Entry) int {
	if len(e.ClientRandom) > len(storeKey{}) || len(e.Secret) == 0 || len(e.Secret) > 255 {
		return -1
	}
	return slices.Index(storedLabels, e.Label)
}

func storeKeyOf(clientRandom []byte) (key storeKey) {
	copy(key[:], clientRandom)
	return key
}

// openSecrets are the secrets of a connection while some are added. Its shard
// is locked meanwhile.
type openSecrets struct {
	in      *shard
	key     storeKey
	secrets []byte
}

// open locks the secrets of a connection. The caller calls keep.
func (s *Store) open(key storeKey, flags byte) openSecrets {
	in := s.shard(&key)
	in.mu.Lock()
	secrets := in.secrets[key]
	if secrets == nil {
		secrets = append(make([]byte, 0, usualSize), flags)
	}
	secrets[0] &= flags
	return openSecrets{in, key, secrets}
}

// add adds a secret, unless there is one under that label.
func (s *openSecrets) add(code int, secret []byte) {
	if find(s.secrets, code) == nil {
		s.secrets = append(append(s.secrets, byte(code), byte(len(secret))), secret...)
	}
}

func (s *openSecrets) keep() {
	if s.in == nil {
		return // of no connection
	}
	if s.in.secrets == nil {
		s.in.secrets = make(map[storeKey][]byte)
	}
	s.in.secrets[s.key] = s.secrets
	s.in.mu.Unlock()
}

// find returns the secret with the label's code, or nil.
func find(stored []byte, code int) []byte {
	for rest := stored[1:]; len(rest) > 0; {
		n := 2 + int(rest[1])
		if int(rest[0]) == code {
			return rest[2:n:n]
		}
		rest = rest[n:]
	}
	return nil
}

// Secret returns the secret under a label of the connection with that client
// random, or nil. It is not to be changed.
func (s *Store) Secret(label string, clientRandom []byte) []byte {
	code := slices.Index(storedLabels, label)
	if code < 0 {
		return nil
	}
	key := storeKeyOf(clientRandom)
	if secret := s.lookUp(key, code); secret != nil || !s.readMore() {
		return secret
	}
	if secret := s.lookUp(key, code); secret != nil {
		return secret
	}
	if last, _ := s.more.unended(); last.Label == label && storeKeyOf(last.ClientRandom) == key {
		return last.Secret
	}
	return s.lookUp(key, code) // another goroutine may have read the line's end
}

func (s *Store) lookUp(key storeKey, code int) []byte {
	in := s.shard(&key)
	in.mu.Lock()
	stored := in.secrets[key]
	in.mu.Unlock() // what is in it already does not change
	if stored == nil {
		return nil
	}
	return find(stored, code)
}

// Has reports whether there is any secret of the connection with that client
// random.
func (s *Store) Has(clientRandom []byte) bool {
	key := storeKeyOf(clientRandom)
	if s.has(key) {
		return true
	}
	if !s.readMore() {
		return false
	}
	last, _ := s.more.unended()
	return last.Label != "" && storeKeyOf(last.ClientRandom) == key || s.has(key)
}

func (s *Store) has(key storeKey) bool {
	in := s.shard(&key)
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.secrets[key] != nil
}

// Empty reports whether there is no secret at all.
func (s *Store) Empty() bool {
	for i := range s.shards {
		in := &s.shards[i]
		in.mu.Lock()
		n := len(in.secrets)
		in.mu.Unlock()
		if n > 0 {
			return false
		}
	}
	if s.more == nil {
		return true
	}
	last, _ := s.more.unended()
	return last.Label == ""
}

// Forget says that a connection has ended. Its secrets that came by AddPassing
// are dropped when some more have ended.
func (s *Store) Forget(clientRandom []byte) {
	key := storeKeyOf(clientRandom)
	if !s.isPassing(key) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if oldest, full := s.ended.push(key, maxEnded); full && oldest != key && s.isPassing(oldest) {
		in := s.shard(&oldest)
		in.mu.Lock()
		delete(in.secrets, oldest)
		in.mu.Unlock()
	}
}

// isPassing reports whether there are secrets of a connection that may be
// dropped.
func (s *Store) isPassing(key storeKey) bool {
	in := s.shard(&key)
	in.mu.Lock()
	stored := in.secrets[key]
	is := stored != nil && stored[0]&passing != 0
	in.mu.Unlock()
	return is
}
