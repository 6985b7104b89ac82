package keylog

import (
	"bufio"
	"bytes"
	"io"
	"iter"
	"sync"
)

// Tail reads the entries of a key log, those that are there and later those
// that have come since: a program may still be writing it. It is safe for
// concurrent use.
type Tail struct {
	mu     sync.Mutex
	from   *bufio.Reader
	rest   []byte // of a line that is not whole yet
	number int    // of lines so far
}

// NewTail returns a Tail that reads r from where it stands. The caller closes r
// once the Tail is no longer used.
func NewTail(r io.Reader) *Tail { return &Tail{from: bufio.NewReaderSize(r, 32<<10)} }

// Entries gives the entry of each line up to the present end of the key log, in
// order, and goes on from there when it is ranged over again. Empty lines and
// comments (#) are passed over. A line that cannot be read gives a
// *SyntaxError, and what follows can be read all the same; any other error is
// that of reading, and the last. A line whose end is not there yet waits.
func (t *Tail) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		for {
			part, err := t.from.ReadSlice('\n')
			if len(t.rest) <= MaxLine { // beyond that it is too long, and need not be known
				t.rest = append(t.rest, part...)
			}
			if err == bufio.ErrBufferFull {
				continue
			}
			if err != nil {
				if err != io.EOF {
					yield(Entry{}, err)
				}
				return
			}
			line := bytes.TrimRight(t.rest, "\r\n")
			t.rest = t.rest[:0]
			t.number++
			if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
				continue
			}
			entry, err := ParseLine(line)
			if err != nil {
				err = &SyntaxError{Line: t.number, Problem: err.Error()}
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

// Follow stores the entries of a key log, those that are there and, when a
// secret is asked for that is not, those that have come since. r stays in use
// as long as the store; the caller closes it after that. The error is the first
// that [Tail.Entries] gives of what is there, which is then not read further.
func (s *Store) Follow(r io.Reader) error {
	s.more = NewTail(r)
	for entry, err := range s.more.Entries() {
		if err != nil {
			return err
		}
		s.Add(entry)
	}
	if _, err := s.more.unended(); err != nil && s.more.number == 0 {
		return &SyntaxError{Line: 1, Problem: err.Error()}
	}
	return nil
}

// unended returns the entry of a last line without its end, if it is whole: if
// its secret is as long as those of TLS are, 48 bytes, or in TLS 1.3 as many as
// the hash has. More of it may come all the same. The error is that it is no
// beginning of a line.
func (t *Tail) unended() (Entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rest := bytes.TrimSpace(t.rest)
	if len(rest) == 0 || rest[0] == '#' {
		return Entry{}, nil
	}
	e, err := ParseLine(rest)
	label, _, _ := bytes.Cut(rest, []byte{' '})
	switch n := len(e.Secret); {
	case n == 48, n == 32 && e.Label != LabelClientRandom:
		return e, nil
	case len(rest) <= MaxLine && labelOf(label) != "": // so begins a line, too
		return Entry{}, nil
	}
	return Entry{}, err
}

// readMore reads what has come to the key log, if one is followed.
func (s *Store) readMore() (followed bool) {
	if s.more == nil {
		return false
	}
	for entry, err := range s.more.Entries() {
		if err == nil {
			s.Add(entry)
		}
	}
	return true
}
