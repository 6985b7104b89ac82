//go:build unix

package capture

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"mtlslab.example/lab/lab/private"
)

// openStdout duplicates standard output. On the descriptor itself Go answers a
// closed pipe by raising SIGPIPE, which would end the lab and not only the
// recording.
func openStdout() (io.WriteCloser, error) {
	fd, err := syscall.Dup(int(os.Stdout.Fd()))
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(fd)
	return stream{os.NewFile(uintptr(fd), "standard output")}, nil
}

// readerPoll is how often a FIFO is checked for a reader.
const readerPoll = 50 * time.Millisecond

// fifo is a named pipe, opened by the first write, which waits for a reader.
// Close ends the wait.
type fifo struct {
	name   string
	closed chan struct{}

	mu   sync.Mutex
	file *os.File
}

func newFIFO(name string) (*fifo, error) {
	return &fifo{name: name, closed: make(chan struct{})}, nil
}

// hasReader opens the FIFO if somebody reads it, and reports whether somebody
// does. An error counts as a reader: the next write meets it.
func (f *fifo) hasReader() bool {
	file, err := f.open()
	return file != nil || !errors.Is(err, syscall.ENXIO)
}

func (f *fifo) open() (*os.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		return f.file, nil
	}
	select {
	case <-f.closed:
		return nil, os.ErrClosed
	default:
	}
	file, err := private.OpenFile(f.name, os.O_WRONLY) // ENXIO without a reader
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || info.Mode().Type() != fs.ModeNamedPipe { // it was one when it was named
		return nil, errors.Join(&private.UnsafeError{Path: f.name, Problem: "is no FIFO any more"}, err, file.Close())
	}
	f.file = file
	// Go polls a FIFO on Linux alone: elsewhere a full one would be an error.
	return file, os.NewSyscallError("fcntl", syscall.SetNonblock(int(file.Fd()), false))
}

func (f *fifo) Write(p []byte) (int, error) {
	for {
		file, err := f.open()
		if err == nil {
			return file.Write(p)
		}
		if !errors.Is(err, syscall.ENXIO) {
			return 0, err
		}
		select {
		case <-f.closed:
			return 0, os.ErrClosed
		case <-time.After(readerPoll):
		}
	}
}

func (f *fifo) Close() error {
	close(f.closed)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}
