package keyshim

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/private"
)

const (
	followInterval = 5 * time.Millisecond
	// maxRecent bounds what is kept for connections whose ClientHello has not
	// been seen: a program may log a secret before it sends that, and others
	// log to the same file.
	maxRecent = 4096
)

// clientRandom identifies a connection in a key log.
type clientRandom [32]byte

// follower reads the entries that are appended to a key log and hands them to
// the connections that expect them.
type follower struct {
	file *os.File
	tail *keylog.Tail  // of file
	last chan struct{} // closed by expectNoMore
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	recent []keylog.Entry
	conns  map[clientRandom]*connKeys
}

// follow follows the key log at path from its present end on. The caller closes
// the follower.
func follow(path string) (*follower, error) {
	file, err := private.OpenFile(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f := &follower{file: file, tail: keylog.NewTail(file), last: make(chan struct{}), stop: make(chan struct{}), done: make(chan struct{}),
		conns: make(map[clientRandom]*connKeys)}
	go f.run()
	return f, nil
}

func (f *follower) run() {
	defer close(f.done)
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		f.read()
		select {
		case <-tick.C:
		case <-f.stop:
			return
		}
	}
}

// expectNoMore makes await wait for nothing but what is in the file. It is
// called once.
func (f *follower) expectNoMore() { close(f.last) }

func (f *follower) close() error {
	close(f.stop)
	<-f.done
	return f.file.Close()
}

// read keeps the entries that were appended since and hands them on. It skips
// what is no line of a key log.
func (f *follower) read() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for entry, err := range f.tail.Entries() {
		if err != nil || len(entry.ClientRandom) != len(clientRandom{}) {
			continue
		}
		if len(f.recent) == maxRecent {
			f.recent = append(f.recent[:0], f.recent[maxRecent/2:]...)
		}
		f.recent = append(f.recent, entry)
		if keys := f.conns[clientRandom(entry.ClientRandom)]; keys != nil {
			keys.take(entry)
			continue
		}
		for _, keys := range f.conns {
			f.match(keys, entry)
		}
	}
}

// expect gives keys the entries with that random: those that are there already,
// and later ones. hides says that the ClientHello may contain an encrypted one.
func (f *follower) expect(random clientRandom, hides bool, keys *connKeys) {
	f.mu.Lock()
	defer f.mu.Unlock()
	keys.random, keys.hides, keys.expected = random, hides, true
	f.conns[random] = keys
	f.handOver(keys, random)
}

// expects reports whether keys of a connection with that random are expected,
// or may be: that of a hidden ClientHello is known later.
func (f *follower) expects(random clientRandom) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns[random] != nil {
		return true
	}
	for _, keys := range f.conns {
		if keys.hides && keys.labels == 0 {
			return true
		}
	}
	return false
}

// handOver gives keys the entries with that random that are there already.
func (f *follower) handOver(keys *connKeys, random clientRandom) {
	for _, entry := range f.recent {
		if bytes.Equal(entry.ClientRandom, random[:]) {
			keys.take(entry)
		}
	}
}

// await waits until the keys of a connection are complete, for timeout at most,
// and forgets it. It reports whether there are any. A connection that had no
// ClientHello needs none.
func (f *follower) await(keys *connKeys, timeout time.Duration) bool {
	if !keys.expected {
		return true
	}
	select {
	case <-keys.complete:
	case <-f.last:
		f.read()
	case <-time.After(timeout):
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, keys.random)
	delete(f.conns, keys.hidden)
	return keys.labels != 0
}

// connKeys are the keys of one connection.
type connKeys struct {
	to       io.Writer
	expected bool // its random is known
	random   clientRandom
	hides    bool          // a ClientHello may be hidden in the one with random
	hidden   clientRandom  // that of the hidden one, once it is known
	sealed   *sealedRecord // nil until the server has sent it
	labels   keylog.Labels
	complete chan struct{} // closed once everything can be decrypted
}

func newConnKeys(to io.Writer) *connKeys {
	return &connKeys{to: to, complete: make(chan struct{})}
}

func (k *connKeys) take(entry keylog.Entry) {
	line, _ := entry.AppendText(nil)
	_, _ = k.to.Write(line) // a tap's never fails
	wasComplete := k.labels.IsComplete()
	k.labels.Add(entry.Label)
	if !wasComplete && k.labels.IsComplete() {
		close(k.complete)
	}
}
