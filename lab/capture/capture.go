package capture

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/wiretap"
)

// flushInterval is how often everything is flushed that the end of no
// connection has flushed.
const flushInterval = 100 * time.Millisecond

// Connections that end less than gatherGap after one another are written
// together, gatherInterval after the first or when there are maxGathered: large
// writes, and work in a row, cost half as much a connection.
const (
	gatherGap      = 5 * time.Millisecond
	gatherInterval = 20 * time.Millisecond
	maxGathered    = 64
)

// Options of a recording. The zero value records everything.
type Options struct {
	// Snaplen shortens the payload of application data to at most this many
	// bytes a segment; 0 keeps all of it. Handshake and alert messages are kept
	// whole: records of their types are, and, because TLS 1.3 hides its types,
	// the encrypted records of each direction until the other side answers
	// them, 16 KiB after that for session tickets, 320 KiB in all at most, and
	// any small enough for an alert or a KeyUpdate. A shortened record cannot
	// be decrypted, nor can the records after it in its direction.
	Snaplen int

	// Limit ends the recording before it is larger than this many bytes; 0 is
	// no limit.
	Limit int64

	// Notice is called with what ends the recording early: a *LimitError or a
	// *WriteError, once. Connections go on without being recorded. A
	// *StallError may come before it, once, and ends nothing. It must not call
	// the Writer.
	Notice func(error)
}

// LimitError says that a recording has ended at Options.Limit. The file is
// whole up to there.
type LimitError struct {
	Name  string // of the file
	Limit int64  // in bytes
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("recording to %s has reached its limit of %d bytes and ends", e.Name, e.Limit)
}

// WriteError says that a recording has ended because its file could not be
// written.
type WriteError struct {
	Name string // of the file
	Err  error
}

func (e *WriteError) Error() string {
	return fmt.Sprintf("recording to %s ends: %v", e.Name, e.Err)
}

func (e *WriteError) Unwrap() error { return e.Err }

// StallError says that a recording waits, and its connections with it, for the
// reader of a pipe.
type StallError struct {
	Name string // of the pipe
}

func (e *StallError) Error() string {
	return fmt.Sprintf("recording to %s waits, and the connections with it: nobody reads it", e.Name)
}

// Writer records connections to a pcapng file. It is a wiretap.Sink and safe
// for use by several goroutines.
type Writer struct {
	options  Options
	out      *output
	sessions keylog.Sessions
	made     fs.FileInfo  // the file, if Create created it
	held     atomic.Int64 // bytes that recordings hold back

	mu         sync.Mutex
	kept       string                  // the file that was there
	recordings map[*recording]struct{} // the open connections
	ended      []*recording            // those that are not flushed yet
	last       time.Time               // when one ended
	due        bool                    // gathered is to run
	any        bool                    // connection was recorded
	closed     bool

	flushing sync.Mutex // taken before mu, and held while a pipe's reader is waited for

	closing  sync.Once
	closeErr error // of Close

	ticker  *time.Timer
	armed   atomic.Bool // the ticker is running
	ticking sync.Mutex  // held by tick, which a pipe may hold up
}

// Create begins a recording in the file of that name, mode 0600, or on standard
// output if the name is "-". A file that is there already is kept: see Kept. A
// FIFO, or a device, is written to; a FIFO that nobody reads yet makes the
// connections wait for its reader. A file that cannot be written is a
// *WriteError. The caller closes the Writer.
func Create(name string, o Options) (*Writer, error) {
	file, kept, err := openFile(name)
	if err != nil {
		return nil, &WriteError{name, err}
	}
	if name == "-" {
		name = "standard output"
	}
	var made fs.FileInfo
	if f, ok := file.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			made, name = info, f.Name()
		}
	}
	w, err := newWriter(file, name, o)
	if err != nil {
		file.Close()
		if made != nil {
			_, _ = undo(file.(*os.File).Name(), made, kept)
		}
		return nil, err
	}
	w.kept, w.made = kept, made
	return w, nil
}

// NewWriter begins a recording on f, which closing the Writer closes. A file
// that cannot be written is a *WriteError.
func NewWriter(f io.WriteCloser, o Options) (*Writer, error) { return newWriter(f, "capture", o) }

// newWriter begins a recording on f, which goes by name, and writes its
// headers. Closing the Writer closes f.
func newWriter(f io.WriteCloser, name string, o Options) (*Writer, error) {
	out, err := newOutput(f, name, o.Limit, o.Notice)
	if err != nil {
		return nil, err
	}
	w := &Writer{options: o, out: out, recordings: make(map[*recording]struct{})}
	w.ticking.Lock() // until ticker is set
	defer w.ticking.Unlock()
	w.armed.Store(true)
	w.ticker = time.AfterFunc(flushInterval, w.tick)
	return w, nil
}

// Kept returns the name under which Create has kept the file that was there, or
// "" if there was none, or if Close has put it back.
func (w *Writer) Kept() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kept
}

// Name returns the name of the file that Create records to. If the file of that
// name could not be moved, or another program has just created it, it is not
// Create's argument but the next name in the series of Kept.
func (w *Writer) Name() string { return w.out.name }

// Open begins the recording of a connection: see wiretap.Sink.
func (w *Writer) Open(e wiretap.Event) wiretap.Handler {
	f := newRecording(w, e)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return func(wiretap.Event) {}
	}
	w.any = true
	w.recordings[f] = struct{}{}
	w.arm()
	return f.handle
}

// Flush returns when everything that was recorded of ended connections, and
// what was packed of others, is with the operating system, or with the error
// that has ended the recording.
func (w *Writer) Flush() error {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	w.mu.Lock()
	ended := w.ended
	w.ended = nil
	w.mu.Unlock()
	for _, f := range ended {
		f.finish()
	}
	return w.out.flush()
}

// FlushFile is Flush for callers that must not wait for the reader of a pipe:
// for a pipe it does nothing.
func (w *Writer) FlushFile() {
	if _, isFile := w.out.file.(*os.File); isFile {
		w.Flush()
	}
}

// Close ends the recording: what was held back is written and the file closed.
// Connections that are still open go on without being recorded. It returns what
// has ended the recording early, if anything has; Notice was called with it.
// The reader of a pipe that takes nothing for 2 seconds is given up. If there
// was no connection, a file that Create made is removed, and the one that it
// has kept is there again.
func (w *Writer) Close() error {
	w.closing.Do(func() { w.closeErr = w.close() })
	return w.closeErr
}

func (w *Writer) close() error {
	w.mu.Lock()
	w.closed = true
	open := w.openLocked() // now: one that ends from here on is not in ended
	w.mu.Unlock()
	w.ticker.Stop()

	flushed := make(chan struct{})
	go func() {
		defer close(flushed)
		for _, f := range open {
			f.finish()
		}
		w.Flush()
	}()
	err := w.out.close(w.out.await(flushed))
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.made == nil || w.any {
		return err
	}
	undone, failed := undo(w.out.file.(*os.File).Name(), w.made, w.kept)
	if undone {
		w.kept = ""
	}
	if failed != nil {
		w.out.report(failed)
	}
	return cmp.Or(err, failed)
}

// open returns the connections that are open.
func (w *Writer) open() []*recording {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.openLocked()
}

// openLocked is open with mu held.
func (w *Writer) openLocked() []*recording {
	open := make([]*recording, 0, len(w.recordings))
	for f := range w.recordings {
		open = append(open, f)
	}
	return open
}

// forget ends the recording of f's connection, and flushes it or leaves it to a
// flush that is due.
func (w *Writer) forget(f *recording) {
	w.mu.Lock()
	delete(w.recordings, f)
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.ended = append(w.ended, f)
	end := time.Now()
	now := len(w.ended) >= maxGathered || end.Sub(w.last) > gatherGap
	later := !now && !w.due
	w.due, w.last = w.due || later, end
	w.mu.Unlock()
	if now {
		w.Flush()
	}
	if later {
		time.AfterFunc(gatherInterval, w.gathered)
	}
}

// gathered flushes what has ended since forget has asked for it.
func (w *Writer) gathered() {
	w.mu.Lock()
	w.due = false
	w.mu.Unlock()
	w.Flush()
}

// arm makes sure that tick runs within flushInterval.
func (w *Writer) arm() {
	if !w.armed.Load() && !w.armed.Swap(true) { // most find it armed, and a read keeps it in every core's cache
		w.ticker.Reset(flushInterval)
	}
}

// tick releases what was held too long and flushes what was released. While a
// pipe holds one tick up, others leave it to that one.
func (w *Writer) tick() {
	w.armed.Store(false)
	if !w.ticking.TryLock() {
		w.arm()
		return
	}
	defer w.ticking.Unlock()
	now := time.Now()
	for _, f := range w.open() {
		if f.expire(now) {
			w.arm()
		}
	}
	w.Flush()
}
