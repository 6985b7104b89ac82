package gokeys

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"

	"mtlslab.example/lab/lab/keylog"
	"mtlslab.example/lab/lab/private"
)

// lateAfter is how long a program has to log a secret by itself. It does so
// right after the breakpoint, unless the machine is busy.
const lateAfter = 300 * time.Millisecond

// late has the secrets of programs that may log to the same file by themselves:
// it writes those that have not come there a moment later.
type late struct {
	keys *keylog.Writer

	mu    sync.Mutex
	lines []byte
	since int64 // size of the file before the first of lines
	timer *time.Timer
}

func newLate(keys *keylog.Writer) *late {
	l := &late{keys: keys}
	l.timer = time.AfterFunc(time.Hour, l.flush)
	l.timer.Stop()
	return l
}

// add takes the line of a secret that the program has not logged yet.
func (l *late) add(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == 0 {
		if info, err := os.Stat(l.keys.Name()); err == nil {
			l.since = info.Size()
		}
		l.timer.Reset(lateAfter)
	}
	l.lines = append(l.lines, line...)
}

// flush writes the lines that have not come.
func (l *late) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) == 0 {
		return
	}
	there := readFrom(l.keys.Name(), l.since)
	var missing []byte
	for line := range bytes.Lines(l.lines) {
		if !bytes.Contains(there, line) {
			missing = append(missing, line...)
		}
	}
	clear(l.lines)
	l.lines = l.lines[:0]
	_, _ = l.keys.Write(missing) // never fails
}

// readFrom returns what is in a file from an offset on, or nil.
func readFrom(path string, offset int64) []byte {
	file, err := private.OpenFile(path, os.O_RDONLY)
	if err != nil {
		return nil
	}
	defer file.Close()
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil
	}
	there, _ := io.ReadAll(file)
	return there
}
