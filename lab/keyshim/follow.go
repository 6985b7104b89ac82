package keyshim

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"mtlslab.example/lab/lab/keylog"
)

const (
	followInterval = 5 * time.Millisecond
	// recentLines bounds what is kept for connections whose ClientHello has not been seen: a program may log a secret
	// before it sends that, and others log to the same file.
	recentLines = 4096
)

// clientRandom is what a key log tells connections apart by.
type clientRandom [32]byte

// follower reads the lines that are appended to a key log and hands them to the connections that expect them.
type follower struct {
	file *os.File
	stop chan struct{}
	done chan struct{}

	mu      sync.Mutex
	partial []byte // a line whose end is not there yet
	recent  []keyLine
	conns   map[clientRandom]*connKeys
}

type keyLine struct {
	random clientRandom
	label  string
	text   []byte // with its line feed
}

// follow follows the key log at path from its present end on. The caller closes the follower.
func follow(path string) (*follower, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f := &follower{file: file, stop: make(chan struct{}), done: make(chan struct{}), conns: make(map[clientRandom]*connKeys)}
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

func (f *follower) close() error {
	close(f.stop)
	<-f.done
	return f.file.Close()
}

// read takes what was appended since.
func (f *follower) read() {
	f.mu.Lock()
	defer f.mu.Unlock()
	var buffer [4096]byte
	for {
		n, err := f.file.Read(buffer[:])
		f.partial = append(f.partial, buffer[:n]...)
		for {
			line, rest, whole := bytes.Cut(f.partial, []byte{'\n'})
			if !whole {
				break
			}
			f.take(line)
			f.partial = rest
		}
		if len(f.partial) > keylog.MaxLine {
			f.partial = nil
		}
		if err != nil {
			return
		}
	}
}

// take keeps a line and hands it on. What is no line of a key log is passed over.
func (f *follower) take(text []byte) {
	entry, err := keylog.ParseLine(bytes.TrimSuffix(text, []byte{'\r'}))
	if err != nil || len(entry.ClientRandom) != len(clientRandom{}) {
		return
	}
	line := keyLine{clientRandom(entry.ClientRandom), entry.Label, append(bytes.Clone(text), '\n')}
	if len(f.recent) == recentLines {
		f.recent = append(f.recent[:0], f.recent[recentLines/2:]...)
	}
	f.recent = append(f.recent, line)
	if keys := f.conns[line.random]; keys != nil {
		keys.take(line)
	}
}

// expect has the lines with that random handed to keys, those that are there already at once.
func (f *follower) expect(random clientRandom, keys *connKeys) {
	f.mu.Lock()
	defer f.mu.Unlock()
	keys.random, keys.expected = random, true
	f.conns[random] = keys
	for _, line := range f.recent {
		if line.random == random {
			keys.take(line)
		}
	}
}

// await waits until the keys of a connection are complete, for timeout at most, and forgets it. It reports whether
// there are any. A connection that had no ClientHello needs none.
func (f *follower) await(keys *connKeys, timeout time.Duration) bool {
	if !keys.expected {
		return true
	}
	select {
	case <-keys.complete:
	case <-time.After(timeout):
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, keys.random)
	return len(keys.labels) > 0
}

// connKeys are the keys of one connection.
type connKeys struct {
	to       io.Writer
	expected bool // its random is known
	random   clientRandom
	labels   map[string]bool
	complete chan struct{} // closed once everything can be decrypted
}

func newConnKeys(to io.Writer) *connKeys {
	return &connKeys{to: to, labels: make(map[string]bool), complete: make(chan struct{})}
}

func (k *connKeys) take(line keyLine) {
	_, _ = k.to.Write(line.text) // a tap's never fails
	if k.labels[line.label] {
		return
	}
	wasComplete := k.isComplete()
	k.labels[line.label] = true
	if !wasComplete && k.isComplete() {
		close(k.complete)
	}
}

func (k *connKeys) isComplete() bool {
	return k.labels[keylog.LabelClientRandom] || k.labels[keylog.LabelClientHandshakeTraffic] &&
		k.labels[keylog.LabelServerHandshakeTraffic] && k.labels[keylog.LabelClientTraffic0] && k.labels[keylog.LabelServerTraffic0]
}
