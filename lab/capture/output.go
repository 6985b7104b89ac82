package capture

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// chunkSize is the number of bytes after which a write begins. Memory is
// bounded by two chunks, each with one block of at most 64 KiB over its size.
// Larger chunks fall out of the processor's cache between their two copies.
const chunkSize = 128 << 10

// output gathers blocks into chunks and writes one chunk while the next is
// filled. If they are filled faster than the file is written, the caller waits.
type output struct {
	name   string
	limit  int64
	notice func(error)
	file   io.WriteCloser

	mu      sync.Mutex
	changed sync.Cond // of all below
	fill    []byte    // whole blocks, not yet given to a write
	spare   []byte    // the other chunk's memory, while no write has it
	writing bool
	size    int64 // of all blocks, in bytes
	written int64 // of these, in the file
	ended   error // why nothing more is recorded
	broken  bool  // a write has failed
	stalled bool  // it was reported that a pipe waits

	over  atomic.Bool   // ended is set
	taken atomic.Int64  // bytes that the reader of a pipe has taken
	done  chan struct{} // is closed when nobody waits for a write any more
}

// pieceSize is how much of a chunk a pipe gets at a time, in bytes.
const pieceSize = 4 << 10

// patience is how long a pipe may take nothing before that is reported, and,
// when the recording ends, before lab stops waiting for its reader.
const patience = 2 * time.Second

var errUnread = errors.New("nobody reads it")

// newOutput writes the section header and the interface description to f.
func newOutput(f io.WriteCloser, name string, limit int64, notice func(error)) (*output, error) {
	if notice == nil {
		notice = func(error) {}
	}
	o := &output{name: name, limit: limit, notice: notice, file: f, done: make(chan struct{})}
	o.changed.L = &o.mu
	o.fill = appendInterface(appendSection(nil))
	o.size = int64(len(o.fill))
	if limit > 0 && o.size > limit {
		return nil, &LimitError{name, limit}
	}
	if fifo, ok := f.(*fifo); ok && !fifo.hasReader() {
		return o, nil
	}
	o.notice = func(error) {} // what fails here, newOutput returns
	if err := o.flush(); err != nil {
		return nil, err
	}
	o.notice = notice
	return o, nil
}

// writeSecrets appends a Decryption Secrets Block with lines of a key log.
func (o *output) writeSecrets(lines []byte) {
	o.block(secretsBlockLength(lines), func() { o.fill = appendSecretsBlock(o.fill, lines) })
}

// writePacket appends an Enhanced Packet Block.
func (o *output) writePacket(p *packet) {
	o.block(packetBlockLength(p), func() { o.fill = appendPacketBlock(o.fill, p) })
}

// block makes room for a block of length bytes, which add appends to fill, and
// starts a write if that fills a chunk.
func (o *output) block(length int, add func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.fill) >= chunkSize && o.ended == nil {
		o.changed.Wait()
	}
	if o.ended != nil {
		return
	}
	if o.limit > 0 && o.size+int64(length) > o.limit {
		o.end(&LimitError{o.name, o.limit})
		return
	}
	add()
	o.size += int64(length)
	o.writeFull()
}

// writeFull starts to write what is full, unless a write is under way. It is
// called with mu held, after each change of fill and each write that others may
// have waited for.
func (o *output) writeFull() {
	if len(o.fill) < chunkSize || o.writing {
		return
	}
	o.writing = true
	go func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		for len(o.fill) >= chunkSize {
			o.writeChunk()
		}
		o.writing = false
		o.changed.Broadcast()
	}()
}

// writeChunk writes all of fill. It is called with mu held and writing set, and
// leaves mu for the write.
func (o *output) writeChunk() {
	chunk := o.fill
	o.fill, o.spare = o.spare[:0], nil
	o.changed.Broadcast()
	o.mu.Unlock()
	n, err := o.write(chunk)
	o.mu.Lock()
	o.spare = chunk[:0]
	if err == nil {
		o.written += int64(n)
		return
	}
	o.fill = o.fill[:0]
	o.broken = true
	o.cut(chunk, n)
	o.end(&WriteError{o.name, err})
}

// write writes to the file. A pipe may keep it waiting until its reader takes
// something, or until close.
func (o *output) write(chunk []byte) (int, error) {
	if f, ok := o.file.(*os.File); ok {
		return f.Write(chunk)
	}
	written := make(chan error, 1)
	start := o.taken.Load()
	go func() { written <- o.pour(chunk) }()
	stall := time.NewTicker(patience)
	defer stall.Stop()
	for before := start; ; before = o.taken.Load() {
		select {
		case err := <-written:
			return int(o.taken.Load() - start), err
		case <-stall.C:
			if o.taken.Load() == before {
				o.stall()
			}
		case <-o.done:
			return 0, errUnread
		}
	}
}

// stall reports once that a pipe waits, unless the recording has ended.
func (o *output) stall() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended == nil && !o.stalled {
		o.stalled = true
		o.notice(&StallError{o.name})
	}
}

// pour writes to a pipe, piece by piece.
func (o *output) pour(chunk []byte) error {
	for piece := range slices.Chunk(chunk, pieceSize) {
		n, err := o.file.Write(piece)
		o.taken.Add(int64(n))
		if err != nil {
			return err
		}
	}
	return nil
}

// flush returns when all blocks so far are in the file, or with the error that
// has ended the recording. The connections' goroutines do their own writing
// here: waking another would cost more than the write.
func (o *output) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for goal := o.size; o.written < goal && !o.broken; {
		if o.writing {
			o.changed.Wait()
			continue
		}
		o.writing = true
		o.writeChunk()
		o.writing = false
		o.changed.Broadcast()
		o.writeFull()
	}
	return o.ended
}

// end ends the recording because of err, the first time. It is called with mu
// held.
func (o *output) end(err error) {
	if o.ended != nil {
		return
	}
	o.ended = err
	o.over.Store(true)
	o.changed.Broadcast()
	o.notice(err)
}

// cut shortens the file to its whole blocks after only n bytes of chunk could
// be written. What cannot be shortened, a pipe or standard output say, keeps
// the part of a block.
func (o *output) cut(chunk []byte, n int) {
	if f, ok := o.file.(interface{ Truncate(int64) error }); ok {
		f.Truncate(o.written + int64(wholeBlocks(chunk[:n])))
	}
}

// await returns when flushed is closed, or with an error when a pipe's reader
// has taken nothing for too long.
func (o *output) await(flushed <-chan struct{}) error {
	for {
		before := o.taken.Load()
		select {
		case <-flushed:
			return nil
		case <-time.After(patience):
			if _, isFile := o.file.(*os.File); !isFile && o.taken.Load() == before {
				return errUnread
			}
		}
	}
}

// close closes the file and ends the recording of connections that are still
// open. It returns what has ended the recording early: an earlier error, or
// else err, or an error of its own.
func (o *output) close(err error) error {
	o.mu.Lock()
	before := o.ended
	o.ended = cmp.Or(o.ended, fmt.Errorf("recording to %s is closed", o.name))
	o.over.Store(true)
	o.changed.Broadcast()
	o.mu.Unlock()
	close(o.done)
	err = cmp.Or(err, o.file.Close())
	if before != nil || err == nil {
		return before
	}
	err = &WriteError{o.name, err}
	o.report(err)
	return err
}

// report calls notice with what goes wrong after the recording has ended.
func (o *output) report(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notice(err)
}
