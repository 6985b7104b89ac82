package keylog

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// follower reads the lines of a key log that grows.
type follower struct {
	mu     sync.Mutex
	from   io.Reader
	rest   []byte // of a line that is not whole yet
	buffer [32 << 10]byte
}

// Follow stores the entries of a key log, those that are there and, when a
// secret is asked for that is not, those that have come since: a program may
// still be writing it. r stays in use as long as the store; the caller closes
// it after that. The error is that of Read, for what is there.
func (s *Store) Follow(r io.Reader) error {
	f := &follower{from: r}
	number := 0
	problem := f.read(func(line []byte) error {
		number++
		entry, err := ParseLine(line)
		if err != nil {
			return &SyntaxError{Line: number, Problem: err.Error()}
		}
		s.Add(entry)
		return nil
	})
	// A last line without its end is the whole one if its secret is as long as
	// those of TLS are: 48 bytes, or in TLS 1.3 as many as the hash has.
	last, err := ParseLine(bytes.TrimRight(f.rest, "\r"))
	if n := len(last.Secret); err == nil && (n == 48 || n == 32 && last.Label != LabelClientRandom) {
		s.Add(last)
	}
	if err != nil && number == 0 && len(f.rest) > 0 && problem == nil {
		problem = &SyntaxError{Line: 1, Problem: err.Error()}
	}
	s.more = f
	return problem
}

// readMore reads what has come to the key log, if one is followed.
func (s *Store) readMore() (followed bool) {
	if s.more == nil {
		return false
	}
	_ = s.more.read(func(line []byte) error {
		if entry, err := ParseLine(line); err == nil {
			s.Add(entry)
		}
		return nil
	})
	return true
}

// read hands on each whole line up to the present end of the key log, but for
// empty ones and comments.
func (f *follower) read(each func(line []byte) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		n, err := f.from.Read(f.buffer[:])
		f.rest = append(f.rest, f.buffer[:n]...)
		for {
			line, rest, whole := bytes.Cut(f.rest, []byte{'\n'})
			if !whole {
				break
			}
			f.rest = rest
			line = bytes.TrimRight(line, "\r")
			if len(bytes.TrimSpace(line)) == 0 || line[0] == '#' {
				continue
			}
			if err := each(line); err != nil {
				return err
			}
		}
		if len(f.rest) > MaxLine {
			f.rest = nil // no key log; what follows is not its start
			return errors.New("a line is longer than a key log's")
		}
		if err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}
