package capture

import (
	"errors"
	"io"
	"iter"
	"slices"
	"time"
)

// File is one of several files that are read as one.
type File struct {
	Name string
	Open func() (io.ReadCloser, error) // called twice, at most; what it returns is closed
}

// FileError says what is wrong with one of several files.
type FileError struct {
	Name string
	Err  error
}

func (e *FileError) Error() string { return e.Name + " is " + e.Err.Error() }
func (e *FileError) Unwrap() error { return e.Err }

// ReadSet reads files of one place, such as those of a ring buffer, as if all
// their packets were in one file, in the order of time: a connection may begin
// in one file and end in another. The order of the files does not matter, and
// those without a packet are passed over. Before packets of another file than
// the last ones from is called with its name, by Read's goroutine.
//
// Secrets before the first packet of any file count from the beginning, others
// for the packets behind them. A file is open while the times of its packets
// are read: one at a time, if each begins when another one has ended.
//
// If one is no capture nothing is read. Of one that is damaged the part before
// that is read, and all of the others. The error is a [FileError], or several
// that are joined.
func ReadSet(files []File, from func(name string), o ReadOptions) error {
	m := merge{from: from, secrets: o.Secrets, progress: o.Progress}
	if err := m.sort(files); err != nil {
		return err
	}
	return o.assemble(func(take func(*frame)) error {
		m.deliver = take
		m.run()
		if len(m.wrong) > 0 {
			return errors.Join(m.wrong...)
		}
		return io.EOF
	})
}

// merge puts the packets of several files in order. Packets of one file are
// never put in another order than they have there.
type merge struct {
	from     func(name string)
	deliver  func(*frame)
	secrets  func([]byte)
	progress func(int64)

	waiting []*member // that were not begun, in the order of their first packets
	open    []*member // that have packets left
	turn    *member   // whose packets are delivered
	until   time.Time // up to when they are, which is when another one has a packet; zero: to the end
	read    int64     // bytes
	wrong   []error
}

// member is one of the files.
type member struct {
	File
	at   time.Time                // of the next packet
	next func() (time.Time, bool) // delivers packets, and returns the time of the first one that is not delivered yet
}

// sort looks for the first packet of each file.
func (m *merge) sort(files []File) error {
	for _, file := range files {
		first, err := m.begins(file)
		var format *FormatError
		switch {
		case err == nil:
			m.waiting = append(m.waiting, &member{File: file, at: first})
		case err == io.EOF, errors.As(err, &format) && len(format.Begins) == 0:
		case errors.As(err, new(*DamagedError)):
			m.wrong = append(m.wrong, &FileError{file.Name, err})
		case format != nil:
			return &FileError{file.Name, err}
		default:
			return err
		}
	}
	slices.SortStableFunc(m.waiting, func(a, b *member) int { return a.at.Compare(b.at) })
	return nil
}

// begins returns the time of the first packet of a file, and takes the secrets
// before it. It returns io.EOF if there is no packet.
func (m *merge) begins(file File) (first time.Time, err error) {
	in, err := file.Open()
	if err != nil {
		return first, err
	}
	defer in.Close()
	r := &halting{r: in}
	s, err := newSource(r, nil)
	if err != nil {
		return first, err
	}
	err = readPackets(s, func(f *frame) {
		if !r.halted {
			first, r.halted = f.time, true
		}
	}, func(lines []byte) {
		if m.secrets != nil && !r.halted {
			m.secrets(lines)
		}
	})
	if r.halted {
		err = nil // what is left of the buffer ends anywhere
	}
	return first, err
}

// halting is a reader that is at its end once it is halted.
type halting struct {
	r      io.Reader
	halted bool
}

func (h *halting) Read(b []byte) (int, error) {
	if h.halted {
		return 0, io.EOF
	}
	return h.r.Read(b)
}

// run delivers all packets.
func (m *merge) run() {
	for {
		next, others := m.earliest()
		if next == nil {
			return
		}
		if next.next == nil {
			m.waiting, m.open = m.waiting[1:], append(m.open, next)
			next.next, _ = iter.Pull(func(yield func(time.Time) bool) { m.readFile(next, yield) })
		}
		m.until = others
		at, more := next.next()
		if next.at = at; !more {
			m.open = slices.DeleteFunc(m.open, func(o *member) bool { return o == next })
		}
	}
}

// earliest returns the file with the earliest packet, and the time of that of
// the others.
func (m *merge) earliest() (first *member, others time.Time) {
	for _, o := range append(m.open[:len(m.open):len(m.open)], m.waiting[:min(2, len(m.waiting))]...) {
		switch {
		case first == nil:
			first = o
		case o.at.Before(first.at):
			first, others = o, first.at
		case others.IsZero() || o.at.Before(others):
			others = o.at
		}
	}
	return first, others
}

// readFile delivers the packets of a file. It yields when another file has
// earlier ones.
func (m *merge) readFile(file *member, yield func(time.Time) bool) {
	in, err := file.Open()
	if err != nil {
		m.wrong = append(m.wrong, err)
		return
	}
	defer in.Close()
	var read int64
	s, err := newSource(in, func(n int64) {
		m.read, read = m.read+n-read, n
		if m.progress != nil {
			m.progress(m.read)
		}
	})
	if err == nil {
		err = readPackets(s, func(f *frame) {
			if !m.until.IsZero() && f.time.After(m.until) {
				yield(f.time)
			}
			if m.turn != file {
				m.turn = file
				m.from(file.Name)
			}
			m.deliver(f)
		}, m.secrets)
	}
	if err != io.EOF {
		m.wrong = append(m.wrong, &FileError{file.Name, err})
	}
}
