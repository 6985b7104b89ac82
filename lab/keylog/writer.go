package keylog

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"strings"
	"sync"

	"mtlslab.example/lab/lab/private"
)

// recentLines bounds what a Writer remembers in order to write a secret once:
// both ends of a connection log the same lines within one handshake.
const recentLines = 4096

// Writer appends lines to a key log file, what it is given at once in one
// write, so that several programs can share the file. It is an io.Writer fit
// for crypto/tls.Config.KeyLogWriter, and safe for concurrent use.
type Writer struct {
	mu     sync.Mutex
	file   *os.File
	seed   maphash.Seed
	seen   map[uint64]bool // the hashes of lines: two that are equal in 2^64 are taken for one
	recent ring[uint64]    // what is in seen
	fresh  []byte          // memory of the lines being written
	failed func(error)
	broken bool
}

// NotKeyLogError is a file that is there already and is not a key log.
type NotKeyLogError struct {
	Path string
	Err  error
}

func (e *NotKeyLogError) Error() string {
	return fmt.Sprintf("%s is not a key log: %v", e.Path, e.Err)
}
func (e *NotKeyLogError) Unwrap() error { return e.Err }

// Open opens the key log at path for appending, and makes it where there is
// none, for the user alone: see [private.OpenFile], whose *private.UnsafeError
// it returns. A file that holds something else is refused with a
// *NotKeyLogError, its content unchanged.
//
// When a later write fails (a full disk), failed is called once, the keys after
// it are dropped, and the connections go on. The caller closes the Writer.
func Open(path string, failed func(error)) (*Writer, error) {
	file, err := private.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR)
	if err != nil {
		return nil, err
	}
	if err = adopt(file, path); err == nil {
		err = private.Narrow(file)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &Writer{file: file, seed: maphash.MakeSeed(), seen: make(map[uint64]bool), failed: failed}, nil
}

// adopt makes sure that what is in the file stays readable: that it is a key
// log and ends in a whole line.
func adopt(file *os.File, path string) error {
	info, err := file.Stat()
	switch _, isDescriptor := private.Descriptor(path); {
	case err != nil:
		return err
	case info.Mode()&os.ModeNamedPipe != 0:
		return &NotKeyLogError{Path: path, Err: errors.New("it is a FIFO, which would hold up every handshake")}
	case info.Size() == 0, !info.Mode().IsRegular(), isDescriptor:
		return nil // a terminal has nothing to adopt, and a descriptor may be for writing only
	}
	if err := checkStart(io.NewSectionReader(file, 0, info.Size())); err != nil {
		return &NotKeyLogError{Path: path, Err: err}
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil {
		return err
	}
	if last[0] != '\n' {
		_, err = file.Write([]byte{'\n'})
	}
	return err
}

// checkStart reads the first line of a key log that is no comment. One that was
// cut off by a crash later in the file is not held against it.
func checkStart(r io.Reader) error {
	start := io.MultiReader(io.LimitReader(r, 2*MaxLine), strings.NewReader("\n")) // the first line may lack its end
	for _, err := range NewTail(start).Entries() {
		return err
	}
	return nil
}

// Write appends lines, each of which ends in a line feed, but for those that
// were written lately. It never fails: crypto/tls would break off the
// handshake.
func (w *Writer) Write(lines []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		return len(lines), nil
	}
	w.fresh = w.fresh[:0]
	for line := range bytes.Lines(lines) {
		if hash := maphash.Bytes(w.seed, line); !w.seen[hash] {
			w.remember(hash)
			w.fresh = append(w.fresh, line...)
		}
	}
	if len(w.fresh) == 0 {
		return len(lines), nil
	}
	if _, err := w.file.Write(w.fresh); err != nil {
		w.broken = true
		if w.failed != nil {
			w.failed(err)
		}
	}
	return len(lines), nil
}

// remember forgets the oldest line for a new one once there are recentLines.
func (w *Writer) remember(hash uint64) {
	w.seen[hash] = true
	if oldest, full := w.recent.push(hash, recentLines); full {
		delete(w.seen, oldest)
	}
}

// Close closes the file.
func (w *Writer) Close() error { return w.file.Close() }

// Name is the path of the file, as given to Open.
func (w *Writer) Name() string { return w.file.Name() }
