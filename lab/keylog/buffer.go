package keylog

import (
	"io"
	"sync"
)

// Buffer collects the lines of one connection and writes them at once:
// crypto/tls logs the four of TLS 1.3 one by one, and a write to a file costs
// more than all else about them. Flush it before each read of the connection
// and after each write: a key is in the log before the peer can have answered
// what it encrypts, and the peer does not wait for the file.
//
// It is an io.Writer fit for crypto/tls.Config.KeyLogWriter, safe for
// concurrent use, and its zero value is ready once To is set.
type Buffer struct {
	To io.Writer // gets whole lines

	mu    sync.Mutex
	lines *[]byte // nil while there are none
}

// buffers is memory for lines: a connection soon needs it no more.
var buffers = sync.Pool{New: func() any {
	lines := make([]byte, 0, 1024) // room for the four
	return &lines
}}

// Write keeps a line until the next Flush. It never fails.
func (b *Buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines == nil {
		b.lines = buffers.Get().(*[]byte)
	}
	*b.lines = append(*b.lines, line...)
	return len(line), nil
}

// Flush writes the lines that were kept, if any, in one write.
func (b *Buffer) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines == nil {
		return nil
	}
	_, err := b.To.Write(*b.lines)
	*b.lines = (*b.lines)[:0]
	buffers.Put(b.lines)
	b.lines = nil
	return err
}
